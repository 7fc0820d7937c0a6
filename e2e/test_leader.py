"""The election with a real API server: one leads, gives back, is replaced, and stops when it may have lost."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from e2e.alone import Cut, until
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.leader import API, Election, Times

TIMES = Times(duration=12, deadline=8.0, renew=0.3, retry=0.2, request=4.0, release=10.0)
"""Nobody loses a Lease because the machine is slow for a moment."""
LEASE = "status-test"


class Replica:
    """A candidate that counts what its duty does."""

    def __init__(self, client: Any, namespace: str, identity: str) -> None:
        self.election = Election(client, namespace, LEASE, identity, times=TIMES)
        self.started = 0
        self.running = False
        self.began = self.ended = 0.0
        """When the duty did, the last time."""
        self.task: asyncio.Task[None] | None = None

    async def duty(self) -> None:
        self.started += 1
        self.running = True
        self.began = time.monotonic()
        try:
            await asyncio.Event().wait()
        finally:
            self.running = False
            self.ended = time.monotonic()

    def start(self) -> None:
        self.task = asyncio.create_task(self.election.run({"duty": self.duty}))

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def replicas(client: KubeClient, namespace: str, *names: str) -> AsyncIterator[list[Replica]]:
    found = [Replica(client, namespace, name) for name in names]
    for one in found:
        one.start()
    try:
        yield found
    finally:
        for one in found:
            await one.stop()


async def test_one_leads_and_gives_back_when_it_stops(client: KubeClient, namespace: str) -> None:
    async with replicas(client, namespace, "a", "b") as (a, b):
        await until(lambda: a.running or b.running)
        await asyncio.sleep(2 * TIMES.renew)
        assert a.running != b.running
        leader, other = (a, b) if a.running else (b, a)
        assert leader.election.leading
        await until(lambda: other.election.holder == leader.election.holder)
        await leader.stop()
        assert not leader.running
        assert not leader.election.leading
        assert await until(lambda: other.running) < TIMES.duration / 2
        lease = await client.get_object(path(API, "leases", namespace, LEASE))
        assert lease["spec"]["holderIdentity"] == other.election.holder
        assert lease["spec"]["leaseTransitions"] >= 2


async def test_who_cannot_renew_stops_before_another_takes_over(client: KubeClient, namespace: str) -> None:
    cut = Cut(client)
    a, b = Replica(cut, namespace, "a"), Replica(client, namespace, "b")
    a.start()
    await until(lambda: a.running)
    b.start()
    cut.cut = True
    await until(lambda: b.running)
    assert not a.running
    assert 0 < a.ended < b.began
    assert a.started == 1
    cut.cut = False
    await asyncio.sleep(1)
    assert b.running
    assert not a.running
    await a.stop()
    await b.stop()


async def test_a_lease_that_another_wrote_over_is_lost_at_once(client: KubeClient, namespace: str) -> None:
    async with replicas(client, namespace, "a") as (a,):
        await until(lambda: a.running)
        spec = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 2}}
        await client.patch(path(API, "leases", namespace, LEASE), spec)
        assert await until(lambda: not a.running) < TIMES.deadline / 2
        assert a.election.holder == "thief"
        await until(lambda: a.running)
        assert a.started == 2


async def test_a_deleted_lease_is_made_again(client: KubeClient, namespace: str) -> None:
    async with replicas(client, namespace, "a") as (a,):
        await until(lambda: a.running)
        await client.delete(path(API, "leases", namespace, LEASE))
        async with asyncio.timeout(60):
            while not (leases := (await client.get_object(path(API, "leases", namespace)))["items"]):
                await asyncio.sleep(0.1)
        assert [one["spec"]["holderIdentity"] for one in leases] == ["a"]
        assert a.started == 1


async def test_the_error_of_a_duty_ends_it_and_gives_the_lease_back(client: KubeClient, namespace: str) -> None:
    async def failing() -> None:
        raise LookupError("broken")

    election = Election(client, namespace, LEASE, "a", times=TIMES)
    with pytest.raises(LookupError):
        await election.run({"failing": failing})
    assert not election.leading
    lease = await client.get_object(path(API, "leases", namespace, LEASE))
    assert lease["spec"]["holderIdentity"] == ""
