"""Installed as documented, with the rights of the manifests and no others; uninstalled without leaving anything."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from e2e.installation import Images, Installation
from e2e.kubectl import Kubectl, KubectlError, condition, eventually
from e2e.second import Second, helm
from e2e.workloads import Site, backend, gateway, placed, route

PASSING = ("events", "events.events.k8s.io")
"""Kinds that pass by themselves."""
REFUSED = re.compile(
    r"forbidden|Forbidden|Unauthorized|answered 40[13]\b|cannot (?:get|list|watch|create|update|patch|delete) resource"
)
NOT_OF_RIGHTS = "because it is being terminated"
"""What is refused to everybody: new objects in a namespace that goes."""


@pytest.fixture(params=["kubectl", "helm"])
def second(request: pytest.FixtureRequest, kubectl: Kubectl) -> Iterator[Second]:
    """An installation that a test installs, and uninstalls."""
    name = f"second-{uuid4().hex[:6]}"
    second = Second(kubectl, Images(), name, helm() if request.param == "helm" else "")
    yield second
    second.remove()
    kubectl.delete("namespace", second.namespace, wait=False)


def site_of(second: Second, namespace: str) -> list[dict[str, Any]]:
    """A Gateway of the second installation with a route to a backend."""
    ours = gateway("gateway")
    ours["spec"]["gatewayClassName"] = second.name
    return placed(namespace, [*backend("echo", second.images.echo), ours, route("main", "gateway")])


def names(kubectl: Kubectl, namespace: str) -> set[str]:
    """Everything in a namespace, as KIND/NAME."""
    kinds = set(kubectl("api-resources", "--namespaced", "--verbs=list", "-oname").split()) - set(PASSING)
    found = kubectl("get", ",".join(kinds), f"--namespace={namespace}", "-oname", "--ignore-not-found")
    return set(found.split())


def of_the_cluster(kubectl: Kubectl, part: str) -> set[str]:
    """Everything without a namespace whose name has that part."""
    kinds = kubectl("api-resources", "--namespaced=false", "--verbs=list", "-oname").split()
    return {one for one in kubectl("get", ",".join(kinds), "-oname", "--ignore-not-found").split() if part in one}


OURS = {
    "deployment.apps/echo",
    "replicaset.apps/echo",
    "pod/echo",
    "service/echo",
    "endpoints/echo",
    "endpointslice.discovery.k8s.io/echo",
    "gateway.gateway.networking.k8s.io/gateway",
    "httproute.gateway.networking.k8s.io/main",
}
"""What people made, and what controllers of the cluster made of that."""


def unnumbered(found: set[str]) -> set[str]:
    """Names of the backend's objects without what a controller added to them."""
    return {re.sub(r"(/echo)-.*", r"\1", one) for one in found}


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """What people wrote of an object."""
    metadata = {key: value["metadata"].get(key) for key in ("labels", "annotations", "finalizers", "generation")}
    return {"metadata": metadata, "spec": value.get("spec")}


def test_the_class_is_accepted(installed: Installation, kubectl: Kubectl) -> None:
    kubectl.wait("gatewayclass/xds-server", "condition=Accepted")
    kubectl.wait("gatewayclass/istio", "condition=Accepted")


def test_a_server_with_these_rights_is_refused_nothing(installed: Installation, site: Site) -> None:
    """A Gateway was deployed, served and reported, and is gone again."""
    site.installed.kubectl.delete("gateway", site.gateway, f"--namespace={site.namespace}")
    eventually(lambda: not site.envoys())
    assert refusals(installed) == []


def refusals(installed: Installation) -> list[str]:
    """What the servers say that the API server did not let them do."""
    logs = {
        pod: installed.kubectl("logs", pod, f"--namespace={installed.namespace}", "--tail=-1")
        for pod in installed.ready_pods()
    }
    assert len(logs) > 1
    assert all('"serving"' in log for log in logs.values())
    lines = [line for log in logs.values() for line in log.splitlines()]
    return [line for line in lines if REFUSED.search(line) and NOT_OF_RIGHTS not in line]


def test_a_server_of_one_namespace_needs_no_rights_in_others(second: Second, kubectl: Kubectl, namespace: str) -> None:
    second = replace(second, namespaces=(namespace,))
    other = f"{namespace[:50]}-other"
    kubectl("create", "namespace", other)
    try:
        second.install()
        kubectl.apply(*site_of(second, namespace), *site_of(second, other))
        kubectl.wait("gateway/gateway", "condition=Programmed", namespace, 90)
        kubectl.wait("gatewayclass/" + second.name, "condition=Accepted")
        assert refusals(second.installation) == []
        assert condition(kubectl.get("gateway", "gateway", other), "Accepted")["status"] == "Unknown"
        assert "deployment.apps/gateway" not in names(kubectl, other)
        second.uninstall()
        assert condition(kubectl.get("gateway", "gateway", namespace), "Accepted")["status"] == "Unknown"
    finally:
        second.remove()
        kubectl.delete("namespace", other, wait=False)


HOME = "xds-system"


@pytest.mark.parametrize(
    ("verb", "resource", "name", "where", "allowed"),
    [
        ("list", "secrets", "", "", True),
        ("update", "gateway.networking.k8s.io/httproutes/status", "main", "shop", True),
        ("patch", "configmaps", "xds-server-ca", "shop", True),
        ("create", "apps/deployments", "", "shop", True),
        ("create", "secrets", "", HOME, True),
        ("delete", "secrets", "xds-server-authority", HOME, True),
        ("create", "secrets", "", "shop", False),
        ("patch", "secrets", "cert", "shop", False),
        ("patch", "secrets", "cert", HOME, False),
        ("delete", "secrets", "cert", "shop", False),
        ("patch", "configmaps", "settings", "shop", False),
        ("patch", "gateway.networking.k8s.io/httproutes", "main", "shop", False),
        ("delete", "gateway.networking.k8s.io/gateways", "main", "shop", False),
        ("delete", "namespaces", "shop", "", False),
        ("create", "pods", "", HOME, False),
        ("create", "pods/exec", "main", "shop", False),
        ("create", "rbac.authorization.k8s.io/clusterrolebindings", "", "", False),
        ("bind", "rbac.authorization.k8s.io/clusterroles", "cluster-admin", "", False),
        ("escalate", "rbac.authorization.k8s.io/clusterroles", "xds-server", "", False),
        ("impersonate", "users", "admin", "", False),
        ("get", "nodes", "", "", False),
    ],
)
def test_the_api_server_knows_its_rights(
    installed: Installation, kubectl: Kubectl, verb: str, resource: str, name: str, where: str, allowed: bool
) -> None:
    group, plural, subresource = re.fullmatch(r"(?:([^/]+\.[^/]+|apps)/)?([^/]+)(?:/(.+))?", resource).groups()  # type: ignore[union-attr]
    attributes = {
        "verb": verb,
        "group": group or "",
        "resource": plural,
        "subresource": subresource or "",
        "name": name,
        "namespace": where,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{installed.namespace}:{installed.name}",
            "resourceAttributes": attributes,
        },
    }
    answer = json.loads(kubectl("create", "-f-", "-ojson", stdin=json.dumps(review)))
    assert answer["status"]["allowed"] is allowed


def test_uninstall_leaves_nothing_but_what_people_made(second: Second, kubectl: Kubectl, namespace: str) -> None:
    eventually(lambda: {"configmap/kube-root-ca.crt", "serviceaccount/default"} <= names(kubectl, namespace))
    before = names(kubectl, namespace)
    second.install()
    objects = site_of(second, namespace)
    kubectl.apply(*objects)
    kubectl.rolled_out("echo", namespace)
    written = eventually(lambda: (found := names(kubectl, namespace)) and unnumbered(found) >= OURS and found)
    kubectl.wait("gateway/gateway", "condition=Programmed", namespace, 90)
    eventually(lambda: kubectl.get("httproute", "main", namespace)["status"]["parents"])
    was = {kind: kubectl.get(kind, name, namespace) for kind, name in (("gateway", "gateway"), ("httproute", "main"))}

    second.uninstall()

    def nothing_is_left() -> bool:
        left = names(kubectl, namespace) - before
        assert left <= written
        return unnumbered(left) == OURS

    eventually(nothing_is_left, 90)
    now = {kind: kubectl.get(kind, value["metadata"]["name"], namespace) for kind, value in was.items()}
    assert {kind: plain(value) for kind, value in now.items()} == {kind: plain(value) for kind, value in was.items()}
    assert now["httproute"]["status"]["parents"] == []
    assert {name for name, value in now["gateway"]["status"].items() if value} == {"conditions"}
    for type_ in ("Accepted", "Programmed"):
        assert condition(now["gateway"], type_)["status"] == "Unknown"
    eventually(lambda: _home(kubectl, second) <= {"configmap/kube-root-ca.crt", "serviceaccount/default"}, 90)
    eventually(lambda: of_the_cluster(kubectl, second.name) <= {f"namespace/{second.namespace}"})


def _home(kubectl: Kubectl, second: Second) -> set[str]:
    """What is in the namespace of the installation, if there is one."""
    if f"namespace/{second.namespace}" not in of_the_cluster(kubectl, second.name):
        return set()
    return names(kubectl, second.namespace)


def test_cleanup_asks_and_a_dry_run_changes_nothing(
    second: Second, kubectl: Kubectl, namespace: str, installed: Installation
) -> None:
    if second.helm:
        pytest.skip("the same verb")
    second.install()
    lease = f"delete Lease {second.namespace}/{second.name}"
    eventually(lambda: lease in second.cleanup("--dry-run").splitlines())
    with pytest.raises(KubectlError, match="nobody to ask"):
        second.cleanup()
    assert len(second.installation.ready_pods()) == 2
    told: Callable[[], str] = lambda: second.cleanup("--yes")  # noqa: E731
    assert lease in told().splitlines()
    assert {pod["status"]["phase"] for pod in second.installation.pods()} <= {"Succeeded", "Failed"}
    assert told().startswith("nothing to remove")
    assert len(installed.ready_pods()) == 2, "another installation goes on"
