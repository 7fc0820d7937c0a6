"""Envoys of deploy/manual in a namespace of the test: ports of their Service, Gateways that share them, rollouts."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from e2e import workloads
from e2e.installation import NAME, NAMESPACE, ROOT, Installation
from e2e.kubectl import Kubectl, condition, eventually
from e2e.traffic import Target, Traffic, ask
from e2e.workloads import backend, placed

HOST = "httpbin.example.com"


def manifests(installed: Installation, namespace: str) -> list[dict[str, Any]]:
    """The Envoys of deploy/manual, one of them, and a Gateway `gateway` that names them, in a namespace that is there."""
    text = (ROOT / "deploy/manual/envoy.yaml").read_text()
    text = re.sub(r"\bistio-gateways\b", namespace, text)
    text = text.replace(f"{NAME}.{NAMESPACE}.svc", f"{installed.name}.{installed.namespace}.svc")
    text = text.replace(f"{NAME}-ca", f"{installed.name}-ca").replace("replicas: 2", "replicas: 1")
    text = re.sub(r"image: .*", f"image: {installed.images.envoy}", text)
    objects = [one for one in yaml.safe_load_all(text) if one["kind"] != "Namespace"]
    gateway = another("gateway", f"ingress.{namespace}.svc.cluster.local", ("http", 80))
    return [*objects, *placed(namespace, [gateway, workloads.route("manual", "gateway", host=HOST)])]


Apply = Callable[..., None]


@pytest.fixture
def apply(installed: Installation, namespace: str) -> Apply:
    """Applies them, and a backend; then waits for the Envoy. `more` objects come first."""

    def made(*more: dict[str, Any]) -> None:
        installed.kubectl.apply(*placed(namespace, [*more, *backend("echo", installed.images.echo)]))
        installed.kubectl.apply(*manifests(installed, namespace))
        installed.kubectl.rolled_out("echo", namespace)
        installed.kubectl.rolled_out("ingress", namespace)

    return made


def another(name: str, value: str, *listeners: tuple[str, int]) -> dict[str, Any]:
    """A Gateway that names a Service, with HTTP listeners for routes of any namespace."""
    made = [
        {"name": one, "port": port, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
        for one, port in listeners
    ]
    return workloads.gateway(name, *made, addresses=[{"type": "Hostname", "value": value}])


def programmed(kubectl: Kubectl, gateway: str, namespace: str) -> dict[str, Any]:
    """The condition."""
    return condition(kubectl.get("gateway", gateway, namespace), "Programmed")


def listener(kubectl: Kubectl, gateway: str, namespace: str, name: str) -> dict[str, Any]:
    """A listener's condition Programmed."""
    listeners = kubectl.get("gateway", gateway, namespace)["status"]["listeners"]
    return condition({"status": next(one for one in listeners if one["name"] == name)}, "Programmed")


def service_ip(kubectl: Kubectl, namespace: str) -> str:
    """Where the Service is inside the cluster."""
    ip: str = kubectl.get("service", "ingress", namespace)["spec"]["clusterIP"]
    return ip


def serves(address: str, port: int = 80, host: str = HOST) -> bool:
    """Whether the backend answers there."""
    return ask(Target(address, host, port=port)).status == 200


def test_a_rollout_loses_no_request(kubectl: Kubectl, namespace: str, apply: Apply) -> None:
    apply()
    kubectl.wait("gateway/gateway", "condition=Programmed", namespace)
    address = service_ip(kubectl, namespace)
    eventually(lambda: serves(address))
    with Traffic(Target(address, HOST)) as traffic:
        kubectl("rollout", "restart", "deployment/ingress", f"--namespace={namespace}")
        kubectl.rolled_out("ingress", namespace)

        def alone() -> bool:
            return len(kubectl.list("pods", namespace, "app.kubernetes.io/name=ingress")) == 1

        eventually(alone)
    traffic.unharmed()


def test_ports_that_the_service_lacks_are_named_and_the_others_served(
    kubectl: Kubectl, namespace: str, apply: Apply
) -> None:
    apply(another("more", "ingress", ("web", 81), ("other", 82)))
    kubectl.wait("gateway/gateway", "condition=Programmed", namespace)
    route = {"spec": {"parentRefs": [{"name": "gateway"}, {"name": "more"}]}}
    kubectl.patch("httproute", "manual", namespace, route)

    def told() -> dict[str, Any]:
        found = programmed(kubectl, "more", namespace)
        assert found.get("reason") == "AddressNotUsable", found
        return found

    message = eventually(told)["message"]
    assert f"Service {namespace}/ingress has no port 81 (listener web)" in message
    assert f"Service {namespace}/ingress has no port 82 (listener other)" in message
    address = service_ip(kubectl, namespace)
    assert eventually(lambda: serves(address)), "the other Gateway serves"

    port = {"name": "web", "port": 81, "targetPort": 8081}
    patch(kubectl, "service", namespace, {"op": "add", "path": "/spec/ports/-", "value": port})
    assert eventually(lambda: serves(address, 81))
    eventually(lambda: listener(kubectl, "more", namespace, "web")["status"] == "True")
    assert listener(kubectl, "more", namespace, "other")["status"] == "False"


def patch(kubectl: Kubectl, kind: str, namespace: str, *operations: dict[str, Any]) -> None:
    """A JSON patch of `ingress`."""
    words = ("patch", kind, "ingress", f"--namespace={namespace}", "--type=json")
    kubectl(*words, f"--patch={yaml.safe_dump(list(operations))}")


def test_a_port_that_leads_elsewhere_is_followed(kubectl: Kubectl, namespace: str, apply: Apply) -> None:
    """To another number, and to the name that containers give."""
    apply()
    kubectl.wait("gateway/gateway", "condition=Programmed", namespace)
    address = service_ip(kubectl, namespace)
    eventually(lambda: serves(address))
    patch(kubectl, "service", namespace, {"op": "replace", "path": "/spec/ports/0/targetPort", "value": 8090})
    assert eventually(lambda: serves(address))
    port = {"name": "web", "containerPort": 8095}
    patch(kubectl, "service", namespace, {"op": "replace", "path": "/spec/ports/0/targetPort", "value": "web"})
    eventually(lambda: "container port web" in listener(kubectl, "gateway", namespace, "http")["message"])
    patch(
        kubectl,
        "deployment",
        namespace,
        {"op": "add", "path": "/spec/template/spec/containers/0/ports/-", "value": port},
    )
    kubectl.rolled_out("ingress", namespace)
    assert eventually(lambda: serves(address))


def test_of_two_gateways_the_older_has_the_port(kubectl: Kubectl, namespace: str, apply: Apply) -> None:
    apply()
    kubectl.wait("gateway/gateway", "condition=Programmed", namespace)
    younger = another("younger", f"ingress.{namespace}.svc", ("http", 80), ("alt", 443))
    kubectl.apply(*placed(namespace, [younger]))
    kubectl.patch(
        "httproute", "manual", namespace, {"spec": {"parentRefs": [{"name": "gateway"}, {"name": "younger"}]}}
    )

    def told() -> str:
        found = listener(kubectl, "younger", namespace, "http")
        assert found["status"] == "False", found
        message: str = found["message"]
        return message

    assert f"Gateway {namespace}/gateway" in eventually(told)
    address = service_ip(kubectl, namespace)
    assert eventually(lambda: serves(address, 443)), "one Envoy serves both"
    assert serves(address)
    kubectl.delete("gateway", "gateway", f"--namespace={namespace}")
    eventually(lambda: listener(kubectl, "younger", namespace, "http")["status"] == "True")
    assert eventually(lambda: serves(address))


def test_a_service_of_another_namespace_has_to_permit_it(
    installed: Installation, kubectl: Kubectl, namespace: str, apply: Apply
) -> None:
    apply()
    kubectl.delete("gateway", "gateway", f"--namespace={namespace}")
    home = f"{namespace}-home"
    kubectl("create", "namespace", home)
    try:
        kubectl.apply(*placed(home, [another("far", f"ingress.{namespace}.svc.cluster.local", ("http", 80))]))
        parent = {"name": "far", "namespace": home}
        kubectl.patch("httproute", "manual", namespace, {"spec": {"parentRefs": [parent]}})

        def refused() -> bool:
            found = programmed(kubectl, "far", home)
            assert found.get("reason") == "AddressNotUsable", found
            assert "ReferenceGrant" in found["message"]
            return True

        assert eventually(refused)
        source = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": home}
        grant = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "ReferenceGrant",
            "metadata": {"name": "gateways", "namespace": namespace},
            "spec": {"from": [source], "to": [{"group": "", "kind": "Service", "name": "ingress"}]},
        }
        kubectl.apply(grant)
        kubectl.wait("gateway/far", "condition=Programmed", home)
        address = service_ip(kubectl, namespace)
        assert eventually(lambda: serves(address))
        kubectl("get", "configmap", f"{installed.name}-ca", f"--namespace={namespace}")

        kubectl.delete("referencegrant", "gateways", f"--namespace={namespace}")
        assert eventually(refused)

        def closed() -> bool:
            try:
                return not serves(address)
            except OSError:
                return True

        assert eventually(closed), "service ends with the grant"
    finally:
        kubectl.delete("namespace", home, wait=False)
