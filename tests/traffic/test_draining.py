"""A proxy whose pod ends, under traffic: clients move on by themselves, and not one request fails."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.traffic import streams
from tests.traffic.client import Http2, connected, http2
from tests.traffic.grpc_backend import grpc_backend
from tests.traffic.harness import GATEWAY, LIMITS, World, service
from tests.traffic.streams import connection, datagram_service
from tests.traffic.tls import trusting
from xds_server.model.meta import Key

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKED_SECONDS, AGAIN_SECONDS = 10.0, 8.0
POD = Key("default", "local")
DOCUMENTS = (
    streams.gateway(
        "name: http, port: 80, protocol: HTTP",
        'name: https, port: 443, protocol: HTTPS, hostname: "a.org", tls: {certificateRefs: [{name: a}]}',
        "name: tcp, port: 5432, protocol: TCP",
        "name: tls, port: 8443, protocol: TLS, tls: {mode: Passthrough}",
        "name: udp, port: 53, protocol: UDP",
    ),
    streams.secret("a", "a.org"),
    "kind: HTTPRoute\nmetadata: {name: web}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n---\n",
    streams.route("GRPCRoute", "calls", "calls", hosts=["example.com"], section="http"),
    streams.route("TCPRoute", "tcp", "tcp", section="tcp"),
    streams.route("TLSRoute", "tls", "tls", hosts=["b.org"], section="tls"),
    streams.route("UDPRoute", "udp", "udp", section="udp"),
)


@pytest_asyncio.fixture(loop_scope="module")
async def world(tmp_path: Any) -> AsyncIterator[World]:
    """An Envoy that drains as those of Deployments do; its listeners are removed after ten seconds."""
    drain = ("--drain-time-s", "30", "--drain-strategy", "immediate")
    async with contextlib.AsyncExitStack() as stack:
        started = await stack.enter_async_context(
            World(drain=drain, limits=replace(LIMITS, drain_seconds=MARKED_SECONDS, drain_again_seconds=AGAIN_SECONDS))
        )
        calls = await stack.enter_async_context(grpc_backend("calls"))
        tcp = await stack.enter_async_context(streams.greeting("tcp"))
        tls = await stack.enter_async_context(streams.greeting("tls", streams.presenting("b.org", tmp_path)))
        udp = await stack.enter_async_context(streams.answering("udp"))
        places = {"calls": calls.address, "tcp": tcp, "tls": tls}
        await started.change(*(service(name, [place]) for name, place in places.items()), datagram_service("udp", udp))
        await started.serve(*DOCUMENTS)
        yield started


def drain(world: World) -> None:
    """The pod is terminating, from now on."""
    world.serving.regroup(POD, (GATEWAY,), draining=True)


@dataclass
class Traffic:
    """Clients of one sort; each keeps its connection as long as it may."""

    requests: int = 0
    connections: int = 0
    moved: float = 0.0
    """When the last connection was made, by the monotonic clock."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, open_: Callable[[], Any], ask: Callable[[Any], Awaitable[bool]], pause: float) -> None:
        """Asks on one connection until it is told to connect anew; whatever fails is raised."""
        while not self.over.is_set():
            async with open_() as client:
                self.connections += 1
                self.moved = time.monotonic()
                while not self.over.is_set():
                    goes = await ask(client)
                    self.requests += 1
                    if goes:
                        break
                    await asyncio.sleep(pause)


async def http1_goes(client: Any) -> bool:
    answer = await client.get(host="a.org")
    assert answer.status == 200
    return bool(answer.headers.get("connection") == "close")


async def gone(client: Any) -> None:
    """Until it is told to connect anew."""
    async with asyncio.timeout(60):
        while not await http1_goes(client):
            await asyncio.sleep(0.05)


class Telling(Http2):
    """An HTTP/2 client that hears GOAWAY, also together with the last answer."""

    going = False

    def hear(self) -> None:
        receive = self.protocol.receive_data
        waiting = b""

        def one_by_one(data: bytes) -> list[Any]:
            nonlocal waiting
            waiting, events = waiting + data, []
            while len(waiting) >= 9 and len(waiting) >= (size := 9 + int.from_bytes(waiting[:3])):
                frame, waiting = waiting[:size], waiting[size:]
                if frame[3] == 7:  # after it h2 takes no more answers
                    self.going = True
                else:
                    events += receive(frame)
            return events

        self.protocol.receive_data = one_by_one  # type: ignore[method-assign]


@contextlib.asynccontextmanager
async def telling(port: int, **tls: Any) -> AsyncIterator[Telling]:
    async with http2(port, **tls) as found:
        client = Telling(found.reader, found.writer, found.scheme, found.protocol)
        client.hear()
        yield client


async def http2_goes(client: Telling) -> bool:
    assert (await client.get(host="a.org")).status == 200
    return client.going


async def test_clients_of_http_move_on_and_no_request_fails(world: World) -> None:
    plain, secure = world.port(), world.port(443)
    tls = {"tls": trusting("a.org"), "server_name": "a.org"}
    tls2 = {"tls": trusting("a.org", alpn=("h2",)), "server_name": "a.org"}
    sorts: dict[str, tuple[Callable[[], Any], Callable[[Any], Awaitable[bool]], float]] = {
        "HTTP/1.1, busy": (lambda: connected(plain), http1_goes, 0.01),
        "HTTP/1.1, now and then": (lambda: connected(plain), http1_goes, 0.7),
        "HTTP/1.1 over TLS": (lambda: connected(secure, **tls), http1_goes, 0.02),
        "HTTP/2, busy": (lambda: telling(plain), http2_goes, 0.01),
        "HTTP/2, now and then": (lambda: telling(plain), http2_goes, 0.7),
        "HTTP/2 over TLS": (lambda: telling(secure, **tls2), http2_goes, 0.02),
    }
    seen = {name: Traffic() for name in sorts}
    async with asyncio.TaskGroup() as group:
        for name, of in sorts.items():
            group.create_task(seen[name].run(*of))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        drain(world)
        while not all(traffic.connections > 1 for traffic in seen.values()):
            await asyncio.sleep(0.01)
        moved = time.monotonic()
        assert moved - began < AGAIN_SECONDS, "by the first mark"
        requests = {name: traffic.requests for name, traffic in seen.items()}
        await asyncio.sleep(1)
        while not all(traffic.requests > requests[name] for name, traffic in seen.items()):
            await asyncio.sleep(0.01)
        for traffic in seen.values():
            traffic.over.set()
    for name, traffic in seen.items():
        assert traffic.connections == 2, f"{name}: the first connection goes, the new one stays; {traffic}"
        assert began <= traffic.moved <= moved, name


async def test_connections_made_meanwhile_are_let_go_by_the_next_mark(world: World) -> None:
    """kube-proxy may have sent them here again."""
    async with connected(world.port()) as before:
        assert not await http1_goes(before)
        drain(world)
        await gone(before)
    async with connected(world.port()) as client:
        assert not await http1_goes(client)
        await gone(client)


async def test_calls_of_grpc_never_fail_and_a_stream_lives_on(world: World) -> None:
    options = [
        ("grpc.default_authority", "example.com"),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    made = 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{world.port()}", options=options) as channel:
        stream = channel.stream_stream("/shop.Cart/Stream")()

        async def echoed(text: bytes) -> bool:
            await stream.write(text)
            return bool(await stream.read() == text + b"!")

        assert await echoed(b"before")
        drain(world)
        while made < 100 or await _connections(world) < 2:
            await channel.unary_unary("/shop.Cart/Get")(b"", timeout=60)
            made += 1
            await asyncio.sleep(0.01)
        assert await _connections(world) == 2, "the stream's, and the one to which calls moved"
        await removed(world)
        assert await echoed(b"after")


async def _connections(world: World, port: int = 80) -> int:
    name = f"listener.tcp-{world.port(port)}.downstream_cx_active"
    return (await world.envoy.stats(f"^{name}$"))[name]


async def _listening(world: World) -> int:
    """How many listeners of TCP ports there are."""
    listeners = await world.envoy.resources("dynamic_listeners")
    return sum(one["name"].startswith("tcp-") and "active_state" in one for one in listeners)


async def removed(world: World) -> None:
    """Until the listeners are."""
    async with asyncio.timeout(60):
        while await _listening(world):
            await asyncio.sleep(0.05)


async def test_connections_are_left_alone_and_new_ones_taken_while_they_may_come(world: World) -> None:
    """Plain TCP, TLS that is passed on, a websocket: nothing can tell their clients to go. Datagrams go on, too."""
    tls = trusting("b.org")
    async with (
        connection(world.port(5432)) as tcp,
        connection(world.port(8443), tls, "b.org") as passed,
        streams.sender(world.port(53, transport="udp")) as udp,
        connected(world.port()) as socket,
    ):
        await socket.send(
            b"GET / HTTP/1.1\r\nHost: a.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert (await socket.answer()).status == 101
        assert (await tcp.line(), await passed.line()) == ("tcp", "tls")

        async def all_go_on() -> None:
            assert await tcp.echoed("ping")
            assert await passed.echoed("ping")
            assert await udp.ask("ping")
            await socket.send(b"\x81\x82\0\0\0\0hi")
            async with asyncio.timeout(60):
                assert await socket.reader.readexactly(4) == b"\x81\x02hi"

        await all_go_on()
        drain(world)
        for _ in range(20):
            await all_go_on()
            assert await streams.name_of(world.port(5432)) == "tcp"
            assert await streams.name_of(world.port(8443), tls, "b.org") == "tls"
            async with connected(world.port()) as new:
                assert (await new.get(host="a.org")).status == 200
            await asyncio.sleep(0.1)
        await removed(world)
        await world.refused(5432)
        await all_go_on()
        assert (await streams.sessions(world.port(53, transport="udp"), 1)) == ["udp"]


async def test_a_proxy_beside_it_is_untouched(world: World) -> None:
    """Another pod of the same Gateway: nothing is sent to it, and it alone is counted."""
    async with connected(world.port()) as client:
        assert (await client.get(host="a.org")).status == 200
        sent = {type_: one.responses for record in world.serving.clients for type_, one in record.types.items()}
        world.serving.regroup(Key("default", "beside"), (GATEWAY,), draining=True)
        await asyncio.sleep(0.2)
        answer = await client.get(host="a.org")
        assert (answer.status, answer.headers.get("connection")) == (200, None)
        assert sent == {type_: one.responses for record in world.serving.clients for type_, one in record.types.items()}
        served = world.control.pipeline.inputs.served.get(GATEWAY)
        assert served is not None
        assert served.envoys == 1
        drain(world)

        def none_is_counted() -> bool:
            served = world.control.pipeline.inputs.served.get(GATEWAY)
            return served is not None and served.envoys == 0

        await world.envoy.until(none_is_counted, "is counted")
