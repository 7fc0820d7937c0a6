"""Leading without an election; elections need a real API server: e2e/test_leader.py."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from xds_server.shell.kube.leader import Alone, measure


async def test_who_is_alone_leads_and_runs_its_duties_until_cancelled() -> None:
    running: set[str] = set()

    async def duty(name: str) -> None:
        running.add(name)
        try:
            await asyncio.Event().wait()
        finally:
            running.remove(name)

    alone = Alone("me")
    assert alone.leading
    assert alone.holder == "me"
    task = asyncio.create_task(alone.run({"a": lambda: duty("a"), "b": lambda: duty("b")}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert running == {"a", "b"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert running == set()


async def test_the_error_of_a_duty_is_raised() -> None:
    async def failing() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await Alone("me").run({"failing": failing})


def test_the_metric_says_who_leads() -> None:
    registry = CollectorRegistry()
    measure(registry, Alone("me"))
    assert registry.get_sample_value("xds_server_leading") == 1.0
