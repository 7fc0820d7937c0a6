"""Events with a real API server: one for each note, which counts."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from e2e.alone import until
from e2e.test_status import Site, site
from xds_server.model.meta import ObjectRef
from xds_server.shell.kube.client import path
from xds_server.shell.kube.events import API, Events, Note

__all__ = ("site",)


@pytest.fixture
async def events(site: Site) -> AsyncIterator[Events]:
    events = Events(site.client, site.controller_name, "replica-a")
    task = asyncio.create_task(events.run())
    yield events
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def found(site: Site, count: int) -> list[dict[str, Any]]:
    for _ in range(1200):
        items = (await site.client.get_object(path(API, "events", site.namespace)))["items"]
        if len(items) >= count:
            return items
        await asyncio.sleep(0.05)
    raise AssertionError(items)


async def note(site: Site, text: str = "rules[0]: no") -> Note:
    await site.gateway()
    uid = (await site.get("gateways", "gw"))["metadata"]["uid"]
    return Note(ObjectRef("Gateway", site.namespace, "gw"), uid, "EnvoyRejected", text)


async def test_a_note_is_an_event_on_its_object(site: Site, events: Events) -> None:
    one = await note(site, "x" * 5000)
    events.note(one)
    (event,) = await found(site, 1)
    assert (event["type"], event["reason"], event["reportingController"]) == (
        "Warning",
        "EnvoyRejected",
        site.controller_name,
    )
    assert event["regarding"]["uid"] == one.uid
    assert len(event["note"].encode()) <= 1024
    assert "series" not in event


async def test_the_same_note_of_another_replica_counts(site: Site, events: Events) -> None:
    one = await note(site)
    events.note(one)
    await found(site, 1)
    await until(lambda: events._told[one].known)
    for _ in range(5):
        events.note(one)
    other = Events(site.client, site.controller_name, "replica-b")
    task = asyncio.create_task(other.run())
    other.note(one)
    for _ in range(1200):
        (event,) = await found(site, 1)
        if event.get("series"):
            break
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert event["series"]["count"] == 2


async def test_many_come_slowly_after_a_burst(site: Site, events: Events) -> None:
    one = await note(site)
    began = time.monotonic()
    for number in range(60):
        events.note(one._replace(text=f"note {number}"))
    count = len(await found(site, 25))
    seconds = time.monotonic() - began
    assert 25 <= count <= 26 + seconds / 2
