"""Objects that change often, many at once, break or vanish: what was good serves on, and what is new is served."""

import json
import time
from typing import Any

import pytest

from e2e.certificates import certificate, secret, trusting
from e2e.kubectl import Kubectl, condition, eventually
from e2e.traffic import Traffic, ask
from e2e.workloads import GATEWAYS, HOST, PARAMETERS, Site, header, overlay, placed, route

EDITS = 50
MANY = 2_000
CRD = "httproutes.gateway.networking.k8s.io"


def test_a_route_that_is_edited_fifty_times_in_a_row(site: Site) -> None:
    with Traffic(site.target(), kept=4) as traffic:
        for number in range(1, EDITS + 1):
            site.apply(route("main", "gateway", filters=[header("x-edit", str(number))]))
        traffic.mark("edited")
        eventually(lambda: ask(site.target()).headers.get("x-edit") == str(EDITS))
    assert traffic.unharmed().connections == 0


def test_endpoints_go_and_come(site: Site) -> None:
    kubectl = site.installed.kubectl
    with Traffic(site.target(), kept=4) as traffic:
        for replicas in (4, 1, 3):
            traffic.mark(f"{replicas} backends")
            kubectl("scale", "deployment/echo", f"--namespace={site.namespace}", f"--replicas={replicas}")
            kubectl.rolled_out("echo", site.namespace)
            eventually(lambda: len(kubectl.list("pods", site.namespace, "app=echo")) == replicas)  # noqa: B023
    assert traffic.unharmed().connections == 0


def test_a_certificate_secret_that_is_emptied(make_site) -> None:
    """The last good certificate stays in service and the status says so; a new one is served without a word lost."""
    https = {
        "name": "https",
        "port": 443,
        "protocol": "HTTPS",
        "hostname": HOST,
        "tls": {"certificateRefs": [{"name": "certificate"}]},
    }
    http = {"name": "http", "port": 80, "protocol": "HTTP"}
    site: Site = make_site(http, https)
    pem, key = certificate(HOST)
    site.apply(secret("certificate", pem, key))
    target = site.target(port=443, tls=trusting(pem))
    eventually(lambda: ask(target).status == 200)
    kubectl = site.installed.kubectl

    def resolved() -> dict[str, Any]:
        status = kubectl.get("gateway", "gateway", site.namespace)["status"]
        listener = next(one for one in status["listeners"] if one["name"] == "https")
        return condition({"status": listener}, "ResolvedRefs")

    with Traffic(target) as traffic:
        traffic.mark("emptied")
        kubectl.patch("secret", "certificate", site.namespace, {"data": {"tls.crt": "", "tls.key": ""}})
        told = eventually(lambda: (one := resolved())["status"] == "False" and one)
        assert told["reason"] == "InvalidCertificateRef"
        time.sleep(3)
        traffic.mark("filled again")
        site.apply(secret("certificate", pem, key))
        eventually(lambda: resolved()["status"] == "True")
    traffic.unharmed()


def test_an_object_that_is_wrong_harms_no_other(site: Site) -> None:
    """One that our own checks refuse."""
    broken = route("broken", "gateway", path="/broken", backendRefs=[{"name": "nowhere", "port": 1}])
    match = [{"path": {"type": "RegularExpression", "value": "/(unclosed"}}]
    refused = route("refused", "gateway", matches=match)
    with Traffic(site.target()) as traffic:
        site.apply(broken, refused)
        eventually(lambda: site.told("refused", "Accepted").get("status") == "False")
        eventually(lambda: ask(site.target(path="/broken")).status == 500)
        site.apply(route("later", "gateway", path="/later", filters=[header("x-route", "later")]))
        eventually(lambda: ask(site.target(path="/later")).headers.get("x-route") == "later")
    assert traffic.unharmed().connections == 0


def test_an_object_that_envoy_rejects_harms_no_other(make_site) -> None:
    """Its regular expression is larger than what the Envoys of this Gateway, by their own bootstrap, allow."""
    site: Site = make_site(envoys=1, backends=2)
    kubectl = site.installed.kubectl
    container = kubectl.get("deployment", "gateway", site.namespace)["spec"]["template"]["spec"]["containers"][0]
    args = [narrowed(argument) for argument in container["args"]]
    assert args != container["args"]
    spec = {"containers": [{"name": container["name"], "args": args}]}
    site.apply(overlay(template={"spec": spec}))
    kubectl.patch("gateway", "gateway", site.namespace, {"spec": {"infrastructure": PARAMETERS}})

    def changed() -> bool:
        found = kubectl.get("deployment", "gateway", site.namespace)["spec"]["template"]["spec"]["containers"][0]
        return bool(found["args"] == args)

    eventually(changed)
    kubectl.rolled_out("gateway", site.namespace)
    eventually(lambda: len(site.envoys()) == 1)
    site.has_envoys(1)
    match = [{"path": {"type": "RegularExpression", "value": "/(" + "|".join(f"word{n}" for n in range(40)) + ")"}}]
    rejected = route("rejected", "gateway", matches=match)
    with Traffic(site.target()) as traffic:
        traffic.mark("the route that Envoy rejects is made")
        site.apply(rejected)
        told = eventually(lambda: (one := site.told("rejected", "Accepted")).get("status") == "False" and one)
        traffic.mark(f"told: {told['reason']}")
        assert "regex" in told["message"]
        site.apply(route("later", "gateway", path="/later", filters=[header("x-route", "later")]))
        eventually(lambda: ask(site.target(path="/later")).headers.get("x-route") == "later")
        kubectl.delete("httproute", "rejected", f"--namespace={site.namespace}")
        site.apply(route("later", "gateway", path="/later", filters=[header("x-route", "latest")]))
        eventually(lambda: ask(site.target(path="/later")).headers.get("x-route") == "latest")
    assert traffic.unharmed().connections == 0


def narrowed(argument: str) -> str:
    """A bootstrap that allows small regular expressions only; other arguments as they are."""
    if not argument.startswith("{"):
        return argument
    bootstrap = json.loads(argument)
    layers = bootstrap["layeredRuntime"]["layers"]
    assert any("re2.max_program_size.error_level" in json.dumps(layer) for layer in layers), layers
    layers.append({"name": "narrow", "staticLayer": {"re2.max_program_size.error_level": 10}})
    return json.dumps(bootstrap)


def test_two_thousand_objects_at_once(site: Site) -> None:
    """All are served, and told to be; what was there before never notices."""
    count = MANY // 2
    routes = [
        route(f"many-{n}", "gateway", path=f"/many/{n}", filters=[header("x-many", str(n))]) for n in range(count)
    ]
    others = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"many-{n}"}, "data": {"n": str(n)}}
        for n in range(count)
    ]
    with Traffic(site.target(), kept=4) as traffic:
        site.apply(*routes, *others, seconds=300)
        traffic.mark("applied")
        for n in (0, count // 2, count - 1):
            eventually(lambda: ask(site.target(path=f"/many/{n}")).headers.get("x-many") == str(n))  # noqa: B023
        traffic.mark("served")

        def all_told() -> bool:
            listed = site.installed.kubectl.list("httproutes", site.namespace)
            told = [one for one in listed if one.get("status", {}).get("parents")]
            assert len(told) == count + 1, f"{len(told)} of {count + 1} routes have a status"
            return True

        eventually(all_told, 180, pause=2)
        traffic.mark("told")
    assert traffic.unharmed().connections == 0


def test_routes_stay_in_service_while_their_crd_is_away(site: Site, kubectl: Kubectl) -> None:
    """It takes all routes of the cluster with it. What was served is served on until they are back."""
    crd = kubectl.get("customresourcedefinition", CRD)
    metadata = {key: crd["metadata"][key] for key in ("name", "labels", "annotations") if key in crd["metadata"]}
    active = {one["metadata"]["name"] for one in kubectl.list("namespaces") if one["status"]["phase"] == "Active"}
    used = {one["metadata"]["namespace"] for one in kubectl.list("httproutes")} & active
    if others := used - {site.namespace}:
        pytest.skip(f"there are routes of others in the cluster, which would be lost: {sorted(others)}")
    with Traffic(site.target()) as traffic:
        traffic.mark("the CRD is deleted")
        kubectl.delete("customresourcedefinition", CRD)
        time.sleep(10)
        site.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "noise"}, "data": {}})
        time.sleep(2)
        traffic.mark("the CRD is put back")
        made = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata}
        kubectl.apply({**made, "spec": crd["spec"]})
        eventually(lambda: condition(kubectl.get("customresourcedefinition", CRD), "Established"))
        traffic.mark("the routes are put back")
        eventually(lambda: _apply(kubectl, site))
        time.sleep(10)
        site.apply(route("later", "gateway", path="/later", filters=[header("x-route", "later")]))
        eventually(lambda: ask(site.target(path="/later")).headers.get("x-route") == "later")
    traffic.unharmed()


def _apply(kubectl: Kubectl, site: Site) -> bool:
    kubectl.apply(*placed(site.namespace, [route("main", "gateway")]))
    return bool(kubectl.get(f"httproutes.{GATEWAYS.split('/')[0]}", "main", site.namespace))
