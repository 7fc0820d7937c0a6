"""Two servers with the same files, and an Envoy that may connect to either: when one goes it moves to the other, which
resends nothing, and requests are answered all the while.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from tests.ports import free_port
from tests.real_envoy import RealEnvoy
from tests.run.process import Server, until
from tests.run.test_server_killed import HOST, admin_answers, bootstrap, has_asked_for, in_sync, sent, write_world
from tests.run.traffic import Traffic, traffic, until_status
from xds_server.shell.echo import echo

MOVES = 3
TYPES = {"clusters", "endpoints", "listeners", "secrets", "routes"}
SECONDS = 8.0
"""The longest that a move may take unless the machine was busy just then; docs/decisions/0023-a-replica-goes.md says
how long it does."""
BYTES = 500
"""More than two empty answers have."""


@dataclass
class World:
    """The servers, the one Envoy, and requests to it."""

    servers: tuple[Server, Server]
    envoy: RealEnvoy
    seen: Traffic

    async def connected(self) -> Server | None:
        """Which server has the Envoy in sync; None for none or both."""
        has = [server for server in self.servers if not server.has_ended and await admin_answers(server)]
        found = [server for server in has if await in_sync(server) is not None]
        return found[0] if len(found) == 1 else None

    async def other(self) -> tuple[Server, Server]:
        """The server that has the Envoy, and the one that has not."""
        await until(self.connected, "the Envoy is in sync with one of them")
        one, two = self.servers
        return (one, two) if await self.connected() is one else (two, one)


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """All of it, under traffic."""
    ports = free_port(), free_port()
    url = f"http://127.0.0.1:{ports[0]}/"
    async with echo("app") as backend:
        write_world(folder, backend, *ports)
        async with Server(folder, "--no-envoy") as one, Server(folder, "--no-envoy") as two:
            config = await bootstrap(one)
            await until(lambda: admin_answers(two), "the second is up, too")
            (cluster,) = config["staticResources"]["clusters"]
            (group,) = cluster["loadAssignment"]["endpoints"]
            address = {"address": "127.0.0.1", "portValue": int(two.ads.rpartition(":")[2])}
            group["lbEndpoints"].append({"endpoint": {"address": {"socketAddress": address}}})
            async with RealEnvoy(config) as envoy:
                await envoy.wait_ready(20)
                await until_status(url, HOST, 200)
                async with traffic(url, HOST) as seen:
                    yield World((one, two), envoy, seen)


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_an_envoy_moves_to_the_other_server(tmp_path: Path, how: str) -> None:
    took = []
    async with world(tmp_path) as found:
        for _ in range(MOVES):
            one, two = await found.other()
            await found.seen.more()
            begun = monotonic()
            one.kill() if how == "killed" else one.terminate()
            await until(lambda two=two: in_sync(two), "the other has it in sync")
            took.append(monotonic() - begun)
            await found.seen.more()
            await until(lambda two=two: has_asked_for(two, TYPES), "it has asked the other for every type")
            client = await in_sync(two)
            assert client is not None
            assert not any(sent(client).values())
            size = sum(record["bytes_sent"] for record in client["types"].values())
            assert 0 < size < BYTES, "answers to the requests for all clusters and listeners, without any"
            await one.ended()
            await one.start()
            await until(lambda one=one: admin_answers(one), "it is back")

        assert min(took) < SECONDS
        print(
            f"{how}: {size} bytes, in sync with the other after",
            ", ".join(f"{1000 * seconds:.0f} ms" for seconds in took),
        )
        assert not any((await found.envoy.stats("update_rejected")).values())
    found.seen.assert_good()
