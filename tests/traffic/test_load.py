"""Many at once: thousands of connections, requests and WebSockets, while routes are edited under them."""

import asyncio
import resource
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import pytest_asyncio

from tests.traffic.backend import Recorder, recording
from tests.traffic.client import Connection, connected, http2
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
kind: HTTPRoute
metadata: {name: recorder}
spec: {rules: [{backendRefs: [{name: recorder, port: 8080}]}]}
---
"""
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
COUNT = 2_000 if _FILES == resource.RLIM_INFINITY else min(2_000, (_FILES - 300) // 2)
"""Connections at once: Envoy holds two files for each, and so do we."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def recorder(world: World) -> AsyncIterator[Recorder]:
    """The backend of the catch-all route."""
    async with recording() as backend:
        await world.serve(service("recorder", [backend.address]), GATEWAY)
        yield backend


@asynccontextmanager
async def connections(world: World, count: int) -> AsyncIterator[list[Connection]]:
    """So many open connections."""
    async with AsyncExitStack() as stack:
        room = asyncio.Semaphore(200)

        async def one() -> Connection:
            async with room:
                return await stack.enter_async_context(connected(world.port()))

        yield await asyncio.gather(*(one() for _ in range(count)))


@asynccontextmanager
async def editing(world: World) -> AsyncIterator[Counter[str]]:
    """Edits another route of the same host again and again meanwhile; counts the edits."""
    edits: Counter[str] = Counter()

    async def edit() -> None:
        while True:
            edits["made"] += 1
            path = f"{{path: {{value: /edited/{edits['made']}}}}}"
            rule = f"{{matches: [{path}], backendRefs: [{{name: a, port: 8080}}]}}"
            await world.change(f"kind: HTTPRoute\nmetadata: {{name: edited}}\nspec: {{rules: [{rule}]}}\n")

    task = asyncio.create_task(edit())
    try:
        yield edits
    finally:
        task.cancel()
        (error,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(error, asyncio.CancelledError), error


@asynccontextmanager
async def held(recorder: Recorder) -> AsyncIterator[None]:
    """No answers until its gate is set, at the latest when the block ends."""
    recorder.gate.clear()
    try:
        yield
    finally:
        recorder.gate.set()


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits until it is true."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def everyone(
    found: list[Connection], ask: Callable[[Connection], Awaitable[bytes | int]]
) -> Counter[bytes | int]:
    """What all of them come to."""
    return Counter(await asyncio.gather(*map(ask, found)))


async def held_status(connection: Connection) -> int:
    """The status of the answer to what was asked before."""
    return (await connection.answer()).status


async def status(connection: Connection) -> int:
    """The status of a GET."""
    return (await connection.get("/x")).status


async def test_requests_in_flight_at_once(world: World, recorder: Recorder) -> None:
    """All of them at one backend at the same time: Envoy's own circuit breakers would cut them off at 1,024."""
    before = len(recorder.heads)
    async with editing(world) as edits, connections(world, COUNT) as found, held(recorder):
        for connection in found:
            connection.writer.write(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: len(recorder.heads) - before == COUNT)
        seen = edits["made"]
        await eventually(lambda: edits["made"] >= seen + 3)
        recorder.gate.set()
        assert await everyone(found, held_status) == {200: COUNT}
    stats = await world.envoy.stats(r"upstream_(rq|cx)(_pending)?_overflow$")
    assert stats
    assert not any(stats.values())


async def test_connections_are_served_on_while_routes_are_edited(world: World, recorder: Recorder) -> None:
    async with editing(world) as edits, connections(world, COUNT) as found:
        rounds = 0
        while rounds < 3 or edits["made"] < 5:
            assert await everyone(found, status) == {200: COUNT}
            rounds += 1


async def test_websockets_live_on_while_routes_are_edited(world: World, recorder: Recorder) -> None:
    async def open_(connection: Connection) -> int:
        await connection.send(UPGRADE)
        return (await connection.answer()).status

    async def talk(connection: Connection) -> bytes:
        await connection.send(b"\x81\x82\0\0\0\0hi")
        async with asyncio.timeout(60):
            return await connection.reader.readexactly(8)

    async with connections(world, COUNT) as found:
        assert await everyone(found, open_) == {101: COUNT}
        async with editing(world) as edits:
            for _ in range(2):
                assert await everyone(found, talk) == {b"\x81\x82\0\0\0\0hi": COUNT}
                seen = edits["made"]
                await eventually(lambda seen=seen: edits["made"] >= seen + 3)
        assert await everyone(found, talk) == {b"\x81\x82\0\0\0\0hi": COUNT}


async def test_streams_of_one_http2_connection_are_limited(world: World, recorder: Recorder) -> None:
    async with http2(world.port()) as client:
        assert (await client.get("/x")).status == 200
        assert client.protocol.remote_settings.max_concurrent_streams == 100
