"""Served: from an edited file to a real Envoy's new answer, beside the floor.

The floor is the time from pushing the very bytes of the edited RouteConfiguration, by a server that does nothing else,
to the same Envoy's new answer. Both are measured in one run, in turn, with the same poller.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import worlds
from tests.bench.bare_server import BareServer
from tests.ports import free_port
from tests.real_envoy import RealEnvoy, ads_bootstrap
from xds_server.app.offline import offline
from xds_server.model.parse import parse
from xds_server.xds.resource import Resource, ResourceType

EDITS = 12
TIMEOUT = 60.0


class Poller:
    """Asks for one host over one kept-alive connection until the Location is as wanted."""

    def __init__(self, port: int, host: str) -> None:
        self._port = port
        self._request = f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def until(self, value: str) -> float:
        """The time at which the answer first showed `value`."""
        deadline = time.perf_counter() + TIMEOUT
        wanted = f"/{value}\r\n".encode()
        while time.perf_counter() < deadline:
            answer = await self._ask()
            if wanted in answer:
                return time.perf_counter()
            await asyncio.sleep(0 if answer else 0.05)
        raise TimeoutError(f"no answer with {value} within {TIMEOUT} s")

    async def _ask(self) -> bytes:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(self._request)
            return await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            self._streams = None
            return b""

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def _ours(count: int) -> list[float]:
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        worlds.write(folder, count, port)
        command = (sys.executable, "-m", "xds_server", "run", name, "--log-level", "error")
        addresses = ("--ads-address", f"127.0.0.1:{free_port()}", "--admin-address", f"127.0.0.1:{free_port()}")
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, *addresses, stdout=quiet, stderr=quiet)
        poller = Poller(port, "host-3.example.com")
        try:
            await poller.until("first")
            times = []
            for edit in range(EDITS):
                await asyncio.sleep(0.3)
                started = time.perf_counter()
                worlds.write_route(folder, 3, f"edit-{edit}")
                times.append((await poller.until(f"edit-{edit}") - started) * 1000)
            return times
        finally:
            poller.close()
            process.terminate()
            await process.wait()


async def _floor(count: int) -> list[float]:
    port = free_port()
    first = _resources(count, port, "first")
    server = BareServer(first)
    await server.start()
    bootstrap = ads_bootstrap(server.port, node="gateway~bench.bench", cluster="bench/gateway")
    edited = [_edited(count, port, f"edit-{edit}") for edit in range(EDITS)]
    poller = Poller(port, "host-3.example.com")
    try:
        async with RealEnvoy(bootstrap):
            await poller.until("first")
            times = []
            for edit, resource in enumerate(edited):
                await asyncio.sleep(0.3)
                started = time.perf_counter()
                server.push(resource)
                times.append((await poller.until(f"edit-{edit}") - started) * 1000)
            return times
    finally:
        poller.close()
        await server.stop()


def _resources(count: int, port: int, value: str) -> list[Resource]:
    documents = list(worlds.documents(count, port))
    documents.append(worlds.route(3, value))
    objects: list[Any] = [parse(document) for document in documents]
    return list(offline(objects).resources)


def _edited(count: int, port: int, value: str) -> Resource:
    return next(one for one in _resources(count, port, value) if one.type is ResourceType.ROUTE)


def rows() -> list[dict[str, Any]]:
    """File edited -> a real Envoy answers anew, beside the same bytes pushed by a bare server."""
    found = []
    for count in (10, 1_000, 5_000):
        floor = statistics.median(asyncio.run(_floor(count)))
        ours = statistics.median(asyncio.run(_ours(count)))
        found.append(
            {
                "routes": count,
                "floor ms": round(floor, 1),
                "ours ms": round(ours, 1),
                "budget ms (1.5 x floor + 25)": round(1.5 * floor + 25, 1),
                "within": "yes" if ours <= 1.5 * floor + 25 else "no",
            }
        )
    return found
