"""What changes, changes under open connections: they stay, and what they ask next is answered by the new rules."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.traffic.client import Connection, Http2, connected, http2
from tests.traffic.harness import World, endpoints, service
from tests.traffic.tls import trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = """
kind: Secret
metadata: {name: NAME}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:HOSTS}", tls.key: "${key:HOSTS}"}
---
"""
HTTP = "name: http, port: 80, protocol: HTTP"
HTTPS = 'name: https, port: 443, protocol: HTTPS, hostname: "a.org", tls: {certificateRefs: [{name: a}]}'
DRAIN_SECONDS = 1.2
"""Longer than the Envoys of tests let draining connections live."""


def secret(name: str, hosts: str) -> str:
    """A Secret with a certificate for the hosts."""
    return SECRET.replace("NAME", name).replace("HOSTS", hosts)


def gateway(*listeners: str, generation: int = 1) -> str:
    """A Gateway; listeners are the insides of flow mappings."""
    entries = ", ".join(f"{{{one}}}" for one in listeners)
    return (
        f"kind: Gateway\nmetadata: {{name: gateway, generation: {generation}}}\n"
        f"spec: {{gatewayClassName: x, listeners: [{entries}]}}\n---\n"
    )


def route(backend: str, path: str = "/") -> str:
    """An HTTPRoute of one rule."""
    rule = f"{{matches: [{{path: {{value: {path}}}}}], backendRefs: [{{name: {backend}, port: 8080}}]}}"
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{rule}]}}\n---\n"


@dataclass
class Clients:
    """Connections of every sort that are opened once and used on."""

    world: World
    plain: Connection
    secure: Connection
    multiplexed: Http2
    socket: Connection

    async def name(self) -> set[str]:
        """Which backends answer on the connections, all of which must be as they were."""
        answers = [
            await self.plain.get(host="a.org"),
            await self.secure.get(host="a.org"),
            await self.multiplexed.get(host="a.org"),
        ]
        assert [answer.status for answer in answers] == [200] * 3
        assert not any("connection" in answer.headers for answer in answers), "told to go"
        await self.socket.send(b"\x81\x82\0\0\0\0hi")
        async with asyncio.timeout(60):
            assert await self.socket.reader.readexactly(4) == b"\x81\x02hi"
        return {answer.told["name"] for answer in answers}


@pytest_asyncio.fixture(loop_scope="module")
async def clients(world: World) -> AsyncIterator[Clients]:
    """All of them connected, to a Gateway with an HTTP and an HTTPS listener."""
    await world.serve(gateway(HTTP, HTTPS), secret("a", "a.org"), route("a"))
    context = trusting("a.org")
    async with AsyncExitStack() as stack:
        plain, socket = [await stack.enter_async_context(connected(world.port())) for _ in range(2)]
        secure = await stack.enter_async_context(connected(world.port(443), tls=context, server_name="a.org"))
        both = http2(world.port(443), tls=trusting("a.org", alpn=("h2",)), server_name="a.org")
        found = Clients(world, plain, secure, await stack.enter_async_context(both), socket)
        await socket.send(
            b"GET / HTTP/1.1\r\nHost: a.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert (await socket.answer()).status == 101
        assert await found.name() == {"a"}
        yield found
        await asyncio.sleep(DRAIN_SECONDS)
        await found.name()


async def test_routes_edited(clients: Clients) -> None:
    for backend in ("b", "c", "a", "b"):
        await clients.world.change(route(backend))
        assert await clients.name() == {backend}
    assert await clients.world.draining() == 0


async def test_endpoints_and_protocol_of_a_service_changed(clients: Clients) -> None:
    world = clients.world
    await world.change(service("moving", [world.backends["a"]]), route("moving"))
    assert await clients.name() == {"a"}
    await world.change(endpoints("moving", [world.backends["b"]], service="moving"))
    assert await clients.name() == {"b"}
    await world.change(service("moving", [world.backends["c"]], protocol="kubernetes.io/h2c"))
    assert await clients.name() == {"c"}
    assert await clients.world.draining() == 0


async def test_certificate_rotated(clients: Clients) -> None:
    await clients.world.change(secret("a", "a.org,rotated.org"))
    assert await clients.name() == {"a"}
    assert await clients.world.draining() == 0


async def test_listeners_added_and_removed_beside(clients: Clients) -> None:
    """On the same ports, on a port of its own, and with a change of the Gateway's generation."""
    world = clients.world
    more = (
        'name: https-b, port: 443, protocol: HTTPS, hostname: "*.b.org", tls: {certificateRefs: [{name: b}]}',
        'name: http-b, port: 80, protocol: HTTP, hostname: "*.b.org"',
        "name: alt, port: 8080, protocol: HTTP",
    )
    await world.change(secret("b", "x.b.org"), gateway(HTTP, HTTPS, *more, generation=2))
    assert await clients.name() == {"a"}
    assert await clients.world.draining() == 0
    async with connected(world.port(443), tls=trusting("x.b.org"), server_name="x.b.org") as connection:
        assert (await connection.get(host="x.b.org")).told["name"] == "a"
    assert await world.name("/", port=8080) == "a"
    await world.change(gateway(HTTP, HTTPS, generation=3))
    assert await clients.name() == {"a"}


async def test_listeners_renamed_and_reordered(clients: Clients) -> None:
    """Nothing in Envoy is called after a listener's name or place (envoyproxy/gateway#6534)."""
    world = clients.world
    renamed = [one.replace("name: http", "name: front") for one in (HTTPS, HTTP)]
    before = 'name: early, port: 80, protocol: HTTP, hostname: "early.org"'
    for number, listeners in enumerate(([HTTPS, HTTP], renamed, [before, *renamed], [HTTP, HTTPS]), 4):
        await world.change(gateway(*listeners, generation=number))
        assert await clients.name() == {"a"}
        assert await clients.world.draining() == 0


async def test_another_certificate_drains_its_listener_alone(world: World) -> None:
    """This is a change of the chain: what is open on it is told to go, and what is open beside it is not."""
    neighbour = HTTPS.replace("a.org", "n.org").replace("name: https", "name: n")
    secrets = secret("a", "a.org,n.org") + secret("b", "b.org")
    await world.serve(gateway(HTTP, HTTPS, neighbour), secrets, route("a"))
    context, port = trusting("a.org,n.org"), world.port(443)
    async with (
        connected(world.port()) as plain,
        connected(port, tls=context, server_name="n.org") as beside,
        connected(port, tls=context, server_name="a.org") as drained,
    ):
        for connection, host in ((plain, "a.org"), (beside, "n.org"), (drained, "a.org")):
            assert (await connection.get(host=host)).status == 200
        two = HTTPS.replace("{name: a}", "{name: a}, {name: b}")
        await world.change(gateway(HTTP, two, neighbour, generation=2))
        await asyncio.sleep(DRAIN_SECONDS)
        for connection, host in ((plain, "a.org"), (beside, "n.org")):
            answer = await connection.get(host=host)
            assert (answer.status, answer.headers.get("connection")) == (200, None)
        assert await drained.ended()


async def test_a_route_that_faults_and_is_mended(clients: Clients) -> None:
    await clients.world.change(route("missing"))
    assert (await clients.plain.get(host="a.org")).status == 500
    assert (await clients.secure.get(host="a.org")).status == 500
    await clients.world.change(route("b"))
    assert await clients.name() == {"b"}
