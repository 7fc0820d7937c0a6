"""XBackends: hosts that DNS knows, Pods by their labels, TLS of their own. And Services of type ExternalName."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio
import yaml

from tests.traffic.authority import Authority
from tests.traffic.dns import Dns, asking, dns
from tests.traffic.harness import World
from tests.traffic.tls_backend import tls_backend

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec: {gatewayClassName: x, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
"""
REFERENCE = "{group: gateway.networking.x-k8s.io, kind: XBackend, name: backend}"
ROUTE = f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{{backendRefs: [{REFERENCE}]}}]}}\n---\n"
BEFORE = {"api.example.com"}
"""Whom the cluster of an earlier test asks for again and again, until it is gone."""
OURS, CLIENTS = Authority("ours"), Authority("clients")
SHOWN = CLIENTS.issue("client.example.com")
VALIDATION = '{hostname: NAME, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def names() -> AsyncIterator[Dns]:
    """DNS, in which api.example.com is this machine."""
    async with dns() as server:
        server.addresses["api.example.com"] = "127.0.0.1"
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(names: Dns) -> AsyncIterator[World]:
    """One that asks that DNS, as Pods do: with search domains. It serves Services of type ExternalName."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALDOMAIN", "default.svc.cluster.local svc.cluster.local")
        patch.setenv("RES_OPTIONS", "ndots:5")
        async with World(allow_external_names=True, edit_bootstrap=partial(asking, names)) as started:
            yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def strict(world: World) -> AsyncIterator[int]:
    """The port of a backend over TLS that asks for a certificate."""
    pair = OURS.issue("strict.example.com")
    async with tls_backend("strict", pair, clients=CLIENTS.pem) as address:
        yield port_of(address)


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def outside(port: int, hostname: str = "api.example.com", more: str = "") -> str:
    return f"""
kind: XBackend
metadata: {{name: backend}}
spec: {{type: ExternalHostname, externalHostname: {{hostname: {hostname}}}, port: {{number: {port}}}{more}}}
---
"""


def selecting(port: int, labels: str, more: str = "") -> str:
    return f"""
kind: XBackend
metadata: {{name: backend}}
spec: {{type: EndpointSelector, endpointSelector: {{matchLabels: {labels}}}, port: {{number: {port}}}{more}}}
---
"""


def pod(name: str, labels: str, *, ready: bool = True, ip: str = "127.0.0.1") -> str:
    conditions = f'[{{type: Ready, status: "{ready}"}}]'
    return f"""
kind: Pod
metadata: {{name: {name}, labels: {labels}}}
status: {{podIPs: [{{ip: {ip}}}], conditions: {conditions}}}
---
"""


async def until(world: World, wanted: str) -> None:
    """Until the backend of that name answers: DNS is asked while the cluster is served already."""
    async with asyncio.timeout(60):
        while (found := await world.name("/")) != wanted:
            assert found == "503"
            await asyncio.sleep(0.05)


async def until_status(world: World, wanted: int) -> None:
    """Until requests get that status."""
    async with asyncio.timeout(60):
        while await world.status("/") != wanted:
            await asyncio.sleep(0.05)


def document(kind: str, name: str, **parts: object) -> str:
    return f"{yaml.safe_dump({'kind': kind, 'metadata': {'name': name}, **parts})}---\n"


CA = document("ConfigMap", "ca", data={"ca.crt": OURS.pem})
CLIENT = document(
    "Secret", "client", type="kubernetes.io/tls", stringData={"tls.crt": SHOWN.certificate, "tls.key": SHOWN.key}
)


async def test_a_host_outside(world: World, names: Dns) -> None:
    """It is asked for by its whole name, and again when the answer is too old."""
    await world.serve(GATEWAY, ROUTE, outside(port_of(world.backends["a"])))
    await until(world, "a")
    await world.change(outside(port_of(world.backends["b"])))
    await until(world, "b")
    assert names.asked == {"api.example.com"}
    names.addresses["api.example.com"] = "127.0.0.2"
    await until_status(world, 503)
    names.addresses["api.example.com"] = "127.0.0.1"
    await until(world, "b")


async def test_a_host_that_is_not_there_holds_nothing_up(world: World, names: Dns) -> None:
    """The route says 503; others are served, and later changes arrive."""
    beside = ROUTE.replace("name: route", "name: beside").replace(
        "rules: [{", "rules: [{matches: [{path: {value: /a}}], "
    ).replace(REFERENCE, "{name: a, port: 8080}")  # fmt: skip
    names.asked.clear()
    await world.serve(GATEWAY, ROUTE, beside, outside(80, "shop.default"))
    async with asyncio.timeout(60):
        while "shop.default" not in names.asked:
            await asyncio.sleep(0.05)
    assert await world.name("/") == "503"
    assert await world.name("/a") == "a"
    assert names.asked - BEFORE == {"shop.default"}, "and no Service is found under its short name"


async def test_this_machine_by_its_name(world: World, names: Dns) -> None:
    """A name of one label is no whole name that DNS has: the hosts file knows it."""
    names.asked.clear()
    await world.serve(GATEWAY, ROUTE, outside(port_of(world.backends["a"]), "localhost"))
    await until(world, "a")
    assert names.asked <= BEFORE | {"shop.default"}


async def test_pods(world: World) -> None:
    """Those that have every label and are ready; none of them is 503."""
    port = port_of(world.backends["a"])
    labels = "{app: shop, version: v1}"
    backend = selecting(port, labels)
    await world.serve(GATEWAY, ROUTE, backend, pod("other", "{app: shop}"), pod("unready", labels, ready=False))
    assert await world.name("/") == "503"
    await world.change(pod("unready", labels))
    assert await world.name("/") == "a"
    await world.remove("Pod", "unready")
    assert await world.name("/") == "503"


async def test_protocols(world: World) -> None:
    port = port_of(world.backends["a"])
    for protocol, spoken in (("HTTP", "HTTP/1.1"), ("HTTP11", "HTTP/1.1"), ("MCP", "HTTP/1.1"), ("H2C", "HTTP/2")):
        await world.serve(GATEWAY, ROUTE, selecting(port, "{app: a}", f", protocol: {protocol}"), pod("a", "{app: a}"))
        assert (await world.get("/")).told["protocol"] == spoken


async def test_tls_with_a_certificate_of_its_own(world: World, strict: int) -> None:
    """Without the certificate, or with another name, nobody answers."""
    both = ", tls: {mode: ClientAndServer, clientCertificateRef: {name: client}, validation: " + VALIDATION + "}"
    server = ", tls: {mode: ServerOnly, validation: " + VALIDATION + "}"
    basics = (GATEWAY, ROUTE, CA, CLIENT, pod("a", "{app: a}"))
    for place in (outside(strict, more=both), selecting(strict, "{app: a}", both)):
        await world.serve(*basics, place.replace("NAME", "strict.example.com"))
        await until(world, "strict")
        told = (await world.get("/")).told
        assert (told["sni"], told["client"]) == ("strict.example.com", SHOWN.certificate)
        await world.serve(*basics, place.replace("NAME", "other.example.com"))
        assert await world.name("/") == "503"
    await world.serve(*basics, outside(strict, more=server).replace("NAME", "strict.example.com"))
    assert await world.name("/") == "503"


async def test_a_service_of_type_external_name(world: World) -> None:
    service = document("Service", "backend", spec={"type": "ExternalName", "externalName": "api.example.com"})
    port = port_of(world.backends["a"])
    await world.serve(GATEWAY, ROUTE.replace(REFERENCE, f"{{name: backend, port: {port}}}"), service)
    await until(world, "a")
