"""Replicas that tell each other what their Envoys have, with a real API server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from e2e.alone import until
from e2e.test_status import Server, Site, condition, ours, programmed, settled, site
from xds_server.model.meta import Key
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.shell.kube.acks import LABEL, AckExchange, Times
from xds_server.shell.kube.client import path
from xds_server.wire.part import Owner
from xds_server.xds.resource import ResourceType

__all__ = ("site",)
TIMES = Times(quiet=0.05, renew=0.5, dead=10.0, withdraw=10.0)
"""Nobody is taken for dead because the machine is slow for a moment."""


class Replica(Server):
    """A server that takes part in the exchange."""

    def __init__(self, site: Site, identity: str) -> None:
        super().__init__(site, site.client, identity)
        self.exchange = AckExchange(
            site.client,
            self.control,
            site.namespace,
            "edge",
            identity,
            lambda: self.election.leading,
            times=TIMES,
        )

    def served(self, gateway: str = "gw") -> Any:
        return self.control.pipeline.inputs.served.get(Key(self.site.namespace, gateway))


@asynccontextmanager
async def replica(site: Site, identity: str) -> AsyncIterator[tuple[Replica, asyncio.Task[None]]]:
    found = Replica(site, identity)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(found.run())
            group.create_task(found.exchange.run())

    task = asyncio.create_task(run())
    try:
        yield found, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reports(site: Site) -> set[str]:
    found = await site.client.get_object(path("v1", "configmaps", site.namespace), {"labelSelector": f"{LABEL}=edge"})
    return {one["metadata"]["name"] for one in found["items"]}


async def test_a_gateway_is_programmed_when_the_envoys_of_all_replicas_have_it(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with AsyncExitStack() as stack:
        a, _ = await stack.enter_async_context(replica(site, "a"))
        await until(lambda: a.election.leading)
        b, _ = await stack.enter_async_context(replica(site, "b"))
        a.exchange.times = b.exchange.times = Times(quiet=0.05, renew=120, dead=600)
        await b.control.ready.wait()
        await site.until("gateways", "gw", lambda found: b.envoy(stream=2) or programmed(found))
        assert a.served().envoys == 1
        a.envoy(stream=1)
        await until(lambda: b.served().envoys == 2)
        await site.gateway("gw", 80, 81)
        await site.until("gateways", "gw", lambda found: condition(found, "Accepted")["observedGeneration"] == 2)
        a.envoy(stream=1)
        await asyncio.sleep(1)
        found = await site.get("gateways", "gw")
        assert condition(found, "Programmed")["status"] == "False"
        assert condition(found, "Programmed")["message"].startswith("Not every connected Envoy")
        began = time.monotonic()
        await site.until("gateways", "gw", lambda found: b.envoy(stream=2) or programmed(found))
        assert time.monotonic() - began < b.exchange.times.renew / 2, "told at once"


async def test_a_new_leader_knows_what_was_reached_elsewhere_and_writes_nothing(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with AsyncExitStack() as stack:
        a, _ = await stack.enter_async_context(replica(site, "a"))
        await until(lambda: a.election.leading)
        async with replica(site, "b") as (b, _):
            await settled(site, a)
            await until(lambda: b.served() is not None and b.served().generation == 1)
            before = await site.versions()
            await stack.aclose()
            await until(lambda: b.election.leading)
            await until(lambda: b.served().envoys == 0)
            await asyncio.sleep(2)
            assert await site.versions() == before
            assert b.written == 0


async def test_what_envoys_of_another_replica_rejected_is_told(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with replica(site, "a") as (a, _), AsyncExitStack() as stack:
        await until(lambda: a.election.leading)
        await settled(site, a)
        b, task = await stack.enter_async_context(replica(site, "b"))
        await b.control.ready.wait()
        gateway = Key(site.namespace, "gw")
        hold = HoldId(gateway, "1.40.0", ResourceType.ROUTE, "some-rule")
        owner = Owner("HTTPRoute", site.namespace, "r", "rules[0]")
        b.control._hold({hold: Hold(frozenset({"h"}), detail="Envoy's own words", owners=(owner,))})
        b.control._woken.set()
        words = "rejected by Envoy: Envoy's own words"

        def told(found: dict[str, Any]) -> bool:
            return words in str(ours(found, site))

        await site.until("httproutes", "r", told)
        task.cancel()
        await asyncio.sleep(1)
        assert told(await site.get("httproutes", "r")), "those Envoys are about to say it elsewhere"
        await site.until("httproutes", "r", lambda found: not told(found))


async def test_reports_are_renewed_written_when_they_change_and_pruned(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with replica(site, "a") as (a, _):
        await until(lambda: a.election.leading)
        await settled(site, a)
        async with replica(site, "b") as (b, task):
            await until(lambda: a.exchange.writes and b.exchange.writes)
            assert await reports(site) == {"edge-acks-a", "edge-acks-b"}
            began, writes = time.monotonic(), b.exchange.writes
            await until(lambda: b.exchange.writes >= writes + 4)
            assert time.monotonic() - began >= 2 * TIMES.renew
            task.cancel()
        assert await reports(site) == {"edge-acks-a"}
        dead = {"metadata": {"name": "edge-acks-killed", "labels": {LABEL: "edge"}}, "data": {"acks.json": "{}"}}
        await site.client.create(path("v1", "configmaps", site.namespace), dead)
        assert await reports(site) == {"edge-acks-a", "edge-acks-killed"}
        end = time.monotonic() + 3 * TIMES.dead
        while await reports(site) != {"edge-acks-a"}:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
    assert await reports(site) == set()


async def test_what_is_written_per_change(site: Site) -> None:
    """A generation is a write per replica that has Envoys; a route is none."""
    await site.gateway()
    await site.route()
    async with replica(site, "a") as (a, _):
        a.exchange.times = Times(quiet=0.05, renew=600)
        await until(lambda: a.election.leading)
        await settled(site, a)
        await until(lambda: a.exchange.writes)
        await asyncio.sleep(2)
        writes = a.exchange.writes
        for number in range(5):
            await site.route("r", host=f"h{number}.example.com")
            await asyncio.sleep(0.2)
            a.envoy()
        assert a.exchange.writes == writes
        await site.gateway("gw", 80, 81)
        await site.until("gateways", "gw", lambda found: a.envoy() or programmed(found))
        await until(lambda: a.exchange.writes > writes)
        await asyncio.sleep(0.5)
        assert a.exchange.writes == writes + 1


@pytest.fixture(autouse=True)
async def _no_leftovers(site: Site) -> AsyncIterator[None]:
    yield
    for name in await reports(site):
        await site.client.delete(path("v1", "configmaps", site.namespace, name))
