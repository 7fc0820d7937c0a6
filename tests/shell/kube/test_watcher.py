"""Servers that refuse; how a real one is watched, e2e/test_watching.py shows."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from xds_server.shell.kube import watcher
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import refused
from xds_server.shell.kube.watcher import Event, Listed, Lost, Watched, watch

LIST = b'{"metadata": {"resourceVersion": "7"}, "items": []}'


@dataclass
class Refusing:
    """An API server that lists, and refuses to watch."""

    code: int
    lists: int = 0
    watches: int = 0
    since: list[str] = field(default_factory=list)

    async def get(self, _: str, __: Mapping[str, str], *, accept: str) -> bytes:
        self.lists += 1
        return LIST

    @asynccontextmanager
    async def stream(
        self, _: str, params: Mapping[str, str], *, idle_seconds: float, accept: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self.since.append(params["resourceVersion"])
        raise refused(self.code, "", "no")
        yield  # what follows makes it a generator


async def events(server: Refusing, count: int) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(30), aclosing(watch(cast("KubeClient", server), Watched("v1", "pods"))) as all_:  # type: ignore[type-var]
        async for event in all_:
            found.append(event)
            if len(found) == count:
                break
    return found


def test_a_version_that_is_refused_for_ever_leads_to_a_new_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_FIRST_PAUSE", 0.001)
    server = Refusing(500)
    found = asyncio.run(events(server, 6))
    assert found == [Listed(()), Lost("no"), Lost("no"), Lost("no"), Listed(()), Lost("no")]
    assert server.lists == 2


def test_a_server_that_forgets_at_once_is_not_asked_in_a_hot_loop() -> None:
    server = Refusing(410)

    began = time.monotonic()
    asyncio.run(events(server, 3))
    assert server.lists == 3
    assert time.monotonic() - began >= 0.5 * (watcher._FIRST_PAUSE + 2 * watcher._FIRST_PAUSE)
