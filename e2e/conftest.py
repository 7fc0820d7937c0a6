"""Fixtures of the tests on a cluster: the CRDs, the product, namespaces, sites; what is kept when a test fails.

The tests connect to addresses of the cluster themselves, so they run where those are reachable.
"""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from e2e import artifacts, crds
from e2e.installation import Images, Installation
from e2e.kubectl import Kubectl, KubectlError, eventually
from e2e.traffic import Target, ask
from e2e.workloads import PARAMETERS, Site, backend, gateway, overlay, placed, route
from xds_server.shell.kube.client import KubeClient, connect

NO_CLUSTER = (
    "make e2e needs a cluster and kubectl; {why}. Any will do, and KUBECONFIG names it; `kind create cluster`, `make image"
    " IMAGE=xds-server:e2e`, `kind load docker-image xds-server:e2e` makes one (XDS_SERVER_IMAGE=xds-server:e2e, and"
    " XDS_ENVOY_IMAGE=docker.io/envoyproxy/envoy:distroless-v1.40.0)"
)
ARTIFACTS = Path(os.environ.get("XDS_E2E_ARTIFACTS", "e2e-artifacts"))
KEEP = "XDS_E2E_KEEP"
"""Set: the product stays installed."""

SiteMaker = Callable[..., Site]


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly or not session.items:
        return
    if not shutil.which("kubectl"):
        pytest.exit(NO_CLUSTER.format(why="kubectl is not on the PATH"), 2)
    if not os.environ.get("KUBECONFIG"):
        pytest.exit(NO_CLUSTER.format(why="KUBECONFIG is not set"), 2)
    try:
        Kubectl()("get", "--raw", "/readyz", seconds=10)
    except KubectlError as error:
        pytest.exit(NO_CLUSTER.format(why=f"that of KUBECONFIG does not answer ({error})"), 2)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = (yield).get_result()
    if report.failed and call.when in ("setup", "call"):
        folder = artifacts.folder_of(ARTIFACTS, item.nodeid)
        arguments: dict[str, Any] = getattr(item, "funcargs", {})
        kubectl = Kubectl()
        artifacts.collect(folder, kubectl, Installation(kubectl, Images()), arguments.get("namespace"))
        report.sections.append(("what the cluster was like", f"in {folder}"))


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return Kubectl()


@pytest.fixture(scope="session", autouse=True)
def _crds(kubectl: Kubectl) -> None:
    crds.install(kubectl)


@pytest.fixture(scope="session")
def installed(kubectl: Kubectl) -> Iterator[Installation]:
    """The product."""
    installed = Installation(kubectl, Images())
    installed.install()
    yield installed
    if not os.environ.get(KEEP):
        installed.uninstall()


@pytest.fixture
async def client() -> AsyncIterator[KubeClient]:
    """The API server, as the product asks it."""
    client = await connect()
    yield client
    await client.close()
    await asyncio.sleep(0.1)  # connections that were being made when their request was given up end in the loop


@pytest.fixture
def namespace(request: pytest.FixtureRequest, kubectl: Kubectl) -> Iterator[str]:
    """An empty namespace."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_")).strip("-")
    name = f"e2e-{test[:40].strip('-')}-{uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl.delete("namespace", name, wait=False)


@pytest.fixture
def make_site(installed: Installation, namespace: str) -> SiteMaker:
    """Makes a site that serves, and is told to: `envoys` and `backends` are numbers of pods."""

    def make(*listeners: dict[str, Any], envoys: int = 1, backends: int = 1, name: str = "gateway") -> Site:
        infrastructure = {"infrastructure": PARAMETERS} if envoys > 1 else {}
        objects = [
            *([overlay(replicas=envoys)] if envoys > 1 else []),
            *backend("echo", installed.images.echo, backends),
            gateway(name, *listeners, **infrastructure),
            route("main", name),
        ]
        kubectl = installed.kubectl
        kubectl.apply(*placed(namespace, objects))
        kubectl.rolled_out("echo", namespace)
        kubectl.wait(f"gateway/{name}", "condition=Programmed", namespace)
        address = kubectl.get("gateway", name, namespace)["status"]["addresses"][0]["value"]
        made = Site(installed, namespace, name, address)
        made.has_envoys(envoys)
        eventually(lambda: made.has_backends(backends))
        eventually(lambda: made.told("main", "ResolvedRefs").get("status") == "True")
        eventually(lambda: ask(Target(address, made.target().host)).status == 200)
        return made

    return make


@pytest.fixture
def site(make_site: SiteMaker) -> Site:
    """A Gateway with an HTTP listener, one Envoy, a backend of two pods and a route to it."""
    return make_site(backends=2)
