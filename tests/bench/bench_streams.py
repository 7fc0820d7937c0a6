"""A thousand proxies: one change until the last of them has accepted it, beside a server that only moves bytes."""

import asyncio
import contextlib
import gc
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import structlog

from tests.xds.fills import GATEWAY, fill
from xds_server.pb import discovery_pb2
from xds_server.routing.audience import ForGateway
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import SERVICE, Serving
from xds_server.xds.catalog import Catalog
from xds_server.xds.encoding import delta_response
from xds_server.xds.events import Event
from xds_server.xds.node import Node
from xds_server.xds.resource import Resource, ResourceType
from xds_server.xds.stream import Response

STREAMS = 1000
ROUNDS = 7
TYPES = (ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE)


def rows() -> list[dict[str, Any]]:
    """1,000 delta streams receive and accept one change (the clients are another process on the same machine)."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return asyncio.run(_rows())


async def _rows() -> list[dict[str, Any]]:
    found = []
    for size in (300, 20_000):
        ours, memory, wake = await _ours(size)
        floor = await _floor(size)
        found.append(
            {
                "one change of": f"{size} bytes",
                "streams": STREAMS,
                "until the last accepts (median, worst)": f"{_ms(statistics.median(ours))}, {_ms(max(ours))}",
                "floor": _ms(statistics.median(floor)),
                "bound": "500 ms",
                "memory per stream": f"{memory / STREAMS / 1024:.0f} KiB",
                "told of a change they do not see": _ms(wake),
            }
        )
    return found


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _routes(size: int, number: int) -> Resource:
    return fill(ResourceType.ROUTE, "r", f"{number:08}" + "x" * size)


class _AllInSync:
    """An Observer that counts the streams that are in sync with a serial."""

    def __init__(self) -> None:
        self.serial = -1
        self._left = 0
        self._reached = asyncio.Event()

    def expect(self, serial: int, count: int) -> None:
        self.serial, self._left = serial, count
        self._reached.clear()

    async def wait(self) -> None:
        async with asyncio.timeout(60):
            await self._reached.wait()

    def opened(self, stream: int, node: Node) -> None: ...

    def sent(self, stream: int, node: Node, response: Response) -> None: ...

    def event(self, stream: int, node: Node, event: Event) -> None: ...

    def closed(self, stream: int, node: Node) -> None: ...

    def regrouped(self, stream: int, before: Node, node: Node) -> None: ...

    def synced(self, stream: int, node: Node, serial: int) -> None:
        if serial == self.serial:
            self._left -= 1
            if self._left == 0:
                self._reached.set()


async def _ours(size: int) -> tuple[list[float], int, float]:
    """Seconds per round, bytes of memory for all streams, seconds of a wake that concerns nobody."""
    catalog, observer = Catalog(), _AllInSync()
    serving = Serving(catalog, observer, ServeOptions(address="127.0.0.1:0", stop_seconds=0.2))
    await serving.start()
    await serving.ready()
    catalog.publish({(GATEWAY, ResourceType.ROUTE, "r"): _routes(size, 0)})
    gc.collect()
    before = _resident()
    observer.expect(1, STREAMS)
    async with _clients(serving.port):
        await observer.wait()
        memory = _resident() - before

        async def push(number: int) -> None:
            observer.expect(number + 1, STREAMS)
            serving.wake(catalog.publish({(GATEWAY, ResourceType.ROUTE, "r"): _routes(size, number)}).audiences)
            await observer.wait()

        seconds = await _rounds(push)
        other = ForGateway("default", "other")
        published = catalog.publish({(other, ResourceType.ROUTE, "r"): _routes(size, 1)})
        started = time.perf_counter()
        serving.wake(published.audiences)
        wake = time.perf_counter() - started
    await serving.stop()
    return seconds, memory, wake


async def _floor(size: int) -> list[float]:
    """The same clients, and a server whose streams write given bytes and read one answer."""
    streams: list[tuple[Any, AsyncIterator[Any]]] = []
    over = asyncio.Event()

    async def handle(requests: AsyncIterator[Any], call: Any) -> None:
        for type_ in TYPES:
            await anext(requests)
            found = [_routes(size, 0)] if type_ is ResourceType.ROUTE else []
            await call.write(delta_response(type_, type_.value, "v", found, ()))
        for _ in TYPES:
            await anext(requests)
        streams.append((call, requests))
        await over.wait()

    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(
        handle, request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"DeltaAggregatedResources": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with _clients(port):
        while len(streams) < STREAMS:
            await asyncio.sleep(0.01)

        async def push(number: int) -> None:
            data = delta_response(ResourceType.ROUTE, str(number), "v", [_routes(size, number)], ())

            async def one(call: Any, requests: AsyncIterator[Any]) -> None:
                await call.write(data)
                await anext(requests)

            await asyncio.gather(*(one(call, requests) for call, requests in streams))

        seconds = await _rounds(push)
    over.set()
    await server.stop(0.2)
    return seconds


async def _rounds(push: Callable[[int], Awaitable[None]]) -> list[float]:
    seconds = []
    for number in range(1, ROUNDS + 1):
        await asyncio.sleep(0.2)
        started = time.perf_counter()
        await push(number)
        seconds.append(time.perf_counter() - started)
    return seconds


@contextlib.asynccontextmanager
async def _clients(port: int) -> AsyncIterator[None]:
    """The other process, once all its clients are served."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.stream_clients", str(port), str(STREAMS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
