"""Istio's task page for the Gateway API, its commands as they are printed there, against an installed server."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from e2e.installation import Installation
from e2e.kubectl import Kubectl, eventually

EXAMPLE = Path(__file__).parents[1] / "examples" / "cluster"
PAGE, HTTPBIN = EXAMPLE / "2-gateway.yaml", EXAMPLE / "1-httpbin.yaml"
HERE = "--namespace=istio-ingress"


class Page(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


@pytest.fixture
def example(installed: Installation, kubectl: Kubectl, tmp_path: Path) -> Iterator[Path]:
    """The folder of the README's tour, with the image that is there: httpbin, on port 8000 of the namespace default; the
    namespace of the Gateway; the page's Gateway and HTTPRoute.
    """
    kubectl.delete("namespace", "istio-ingress")
    for file in (HTTPBIN, PAGE):
        text = file.read_text().replace("localhost/xds-server:latest", installed.images.echo)
        (tmp_path / file.name).write_text(text)
    yield tmp_path
    kubectl.delete("-f", str(PAGE))
    kubectl.delete("deployment,service", "httpbin", "--namespace=default")
    kubectl.delete("namespace", "istio-ingress")


def curl(host: str, path: str) -> Page:
    """`curl -s -i -HHost:httpbin.example.com http://HOST/PATH`."""
    command = ["curl", "-s", "-S", "-i", "--max-time", "5", "-HHost:httpbin.example.com", f"http://{host}{path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0, done.stderr
    head, _, body = done.stdout.partition("\n\n")
    first, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Page(int(first.split()[1]), headers, body)


def answered(host: str, path: str) -> Page:
    """A page of the backend, whose pod became ready a moment ago: nodes and the Envoy learn of it soon."""
    page = curl(host, path)
    assert page.status == 200
    return page


def test_the_task_page(kubectl: Kubectl, example: Path) -> None:
    kubectl.wait("gatewayclass/istio", "condition=Accepted")
    kubectl("apply", "-f", str(example))
    kubectl.wait("gateway/gateway", "condition=Programmed", "istio-ingress")
    kubectl("wait", HERE, "--for=condition=programmed", "gateways.gateway.networking.k8s.io", "gateway", seconds=60)
    kubectl("wait", HERE, "--for=condition=ready", "gateways.gateway.networking.k8s.io", "gateway", seconds=60)
    kubectl.rolled_out("httpbin", "default")
    address = kubectl("get", "gateway", "gateway", HERE, "-o", "jsonpath={.status.addresses[*].value}")
    assert len(address.split()) == 1

    found = eventually(lambda: answered(address, "/get"))
    assert found.headers["server"] == "istio-envoy"
    assert json.loads(found.body)["headers"]["My-Added-Header"] == "added-value"
    assert curl(address, "/headers").status == 404

    changed = PAGE.read_text().replace("value: /get", "value: /headers")
    kubectl("apply", "-f", "-", stdin=changed)
    eventually(lambda: curl(address, "/headers").status == 200)
    assert json.loads(curl(address, "/headers").body)["headers"]["My-Added-Header"] == "added-value"

    (parent,) = eventually(lambda: kubectl.get("httproute", "http", "default")["status"]["parents"])
    statuses = {one["type"]: one["status"] for one in parent["conditions"]}
    assert statuses == {"Accepted": "True", "ResolvedRefs": "True"}


def test_what_is_made_for_a_gateway_goes_with_it(kubectl: Kubectl, example: Path) -> None:
    """Within five seconds while nobody is connected and the cluster has nothing else to remove; a busy machine is given
    another try.
    """
    eventually(lambda: not _namespaces_that_go(kubectl), 180, pause=2)
    took = []
    for _ in range(3):
        kubectl("apply", "-f", str(example))
        kubectl.wait("gateway/gateway", "condition=Programmed", "istio-ingress")
        for kind in ("deployment", "service", "serviceaccount"):
            assert kubectl.get(kind, "gateway", "istio-ingress")["metadata"]["ownerReferences"][0]["kind"] == "Gateway"
        began = time.monotonic()
        kubectl.delete("gateway", "gateway", HERE, wait=False)
        eventually(lambda: _nothing_is_left(kubectl))
        took.append(time.monotonic() - began)
        if took[-1] < 5:
            return
    raise AssertionError(f"seconds until everything was gone: {took}")


def _namespaces_that_go(kubectl: Kubectl) -> list[str]:
    return [one["metadata"]["name"] for one in kubectl.list("namespaces") if one["status"]["phase"] == "Terminating"]


def _nothing_is_left(kubectl: Kubectl) -> bool:
    left = kubectl("get", "deployments,services,serviceaccounts,pods", HERE, "-o", "name").split()
    ours = [one for one in left if one != "serviceaccount/default"]
    assert not ours, f"left: {ours}"
    return True
