"""Envoys that somebody else deployed: a Gateway names their Service, as in Istio's task page; deploy/manual has them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.installation import ROOT, Installation
from e2e.kubectl import Kubectl, condition, eventually
from e2e.traffic import Target, ask
from e2e.workloads import backend, gateway, placed, route

MANUAL = ROOT / "deploy" / "manual"
NAMED = {"type": "Hostname", "value": "ingress.istio-gateways.svc.cluster.local"}
HOST = "httpbin.example.com"


@pytest.fixture
def envoys(installed: Installation, kubectl: Kubectl, tmp_path: Path) -> Iterator[None]:
    """Those of deploy/manual, and the Gateway that names them; a backend and a route of its namespace."""
    image, _, tag = installed.images.envoy.rpartition(":")
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(MANUAL, tmp_path.resolve())],
        "images": [{"name": "docker.io/envoyproxy/envoy", "newName": image, "newTag": tag}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    kubectl("apply", "--server-side", "-k", str(tmp_path), seconds=60)
    kubectl("apply", "-f", str(MANUAL / "gateway.yaml"))
    objects = [*backend("echo", installed.images.echo), route("http", "gateway", host=HOST)]
    kubectl.apply(*placed("default", objects))
    kubectl.rolled_out("echo", "default")
    yield
    kubectl.delete("httproute,deployment,service", "http", "echo", "--namespace=default")
    kubectl.delete("-f", str(MANUAL / "gateway.yaml"))
    kubectl.delete("-k", str(tmp_path), seconds=240)


def status(kubectl: Kubectl, namespace: str = "default") -> dict[str, Any]:
    found: dict[str, Any] = kubectl.get("gateway", "gateway", namespace).get("status", {})
    return found


@pytest.mark.usefixtures("envoys")
def test_a_gateway_that_names_a_service(kubectl: Kubectl, namespace: str) -> None:
    kubectl.wait("gateway/gateway", "condition=Programmed", "default")
    kubectl.wait("gateway/gateway", "condition=Ready", "default")
    kubectl.rolled_out("ingress", "istio-gateways")
    for kind in ("deployment", "service"):
        assert not kubectl("get", kind, "gateway", "--namespace=default", "--ignore-not-found"), "nothing is deployed"
    service = kubectl.get("service", "ingress", "istio-gateways")
    (address,) = [one["value"] for one in status(kubectl)["addresses"]]
    assert address in [one["ip"] for one in service["status"]["loadBalancer"]["ingress"]]
    answer = eventually(lambda: (one := ask(Target(address, HOST))).status == 200 and one)
    assert json.loads(answer.body)["path"] == "/get"
    assert {port["targetPort"] for port in service["spec"]["ports"]} == {8080, 8443}, "other ports than the Gateway's"

    _a_port_that_the_service_lacks(kubectl)
    assert ask(Target(address, HOST)).status == 200
    _another_namespace_without_a_grant(kubectl, namespace)
    assert ask(Target(address, HOST)).status == 200


def _a_port_that_the_service_lacks(kubectl: Kubectl) -> None:
    """It is named in the status, and harms no other listener."""
    more = {"name": "more", "port": 8088, "protocol": "HTTP"}
    listeners = kubectl.get("gateway", "gateway", "default")["spec"]["listeners"]
    kubectl.patch("gateway", "gateway", "default", {"spec": {"listeners": [*listeners, more]}})

    def told() -> bool:
        found = {one["name"]: one for one in status(kubectl)["listeners"]}
        programmed = condition({"status": found["more"]}, "Programmed")
        assert programmed["status"] == "False"
        assert "8088" in programmed["message"]
        assert condition({"status": found["default"]}, "Programmed")["status"] == "True"
        return True

    eventually(told)


def _another_namespace_without_a_grant(kubectl: Kubectl, namespace: str) -> None:
    """It gets neither the Service's address nor its Envoys."""
    kubectl.apply(*placed(namespace, [gateway("gateway", addresses=[NAMED])]))

    def refused() -> bool:
        found = status(kubectl, namespace)
        assert condition({"status": found}, "Programmed")["status"] == "False"
        assert "ingress" in condition({"status": found}, "Programmed")["message"]
        assert not found.get("addresses")
        return True

    eventually(refused)
