"""Statuses that cannot be written, and what is remembered; how real ones are written, e2e/test_status.py shows."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic
from typing import Any, cast

import msgspec
import pytest

from tests.pipeline.test_deployments import V1, value
from tests.shell.kube.waiting import until
from xds_server.control import Changes, Control
from xds_server.model.document import Object
from xds_server.model.meta import Key
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.shell.kube import pace, status
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.decode import head
from xds_server.shell.kube.errors import refused
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.kube.status import StatusWriter

CONTROLLER = "xds-server.dev/gateway-controller"


@dataclass
class ApiServer:
    """Takes every status but those of the objects whose names it refuses, with a code each."""

    refuses: dict[str, int] = field(default_factory=dict)
    retry_after: float | None = None
    at: list[tuple[str, float]] = field(default_factory=list)
    """Which was written, or refused, when."""
    found: dict[str, Any] = field(default_factory=dict)
    """What a GET is answered."""
    _version: int = 10

    async def request(self, _: str, where: str, *, params: Mapping[str, str], body: bytes, seconds: float) -> bytes:
        one = msgspec.json.decode(body)
        name = one["metadata"]["name"]
        self.at.append((name, monotonic()))
        if name in self.refuses:
            raise refused(self.refuses[name], "", "no", retry_after=self.retry_after)
        self._version += 1
        return msgspec.json.encode({**one, "metadata": {**one["metadata"], "resourceVersion": str(self._version)}})

    async def get_object(self, where: str) -> Any:
        return self.found[where.rpartition("/")[2]]

    def times(self, name: str) -> list[float]:
        return [at for one, at in self.at if one == name]


@dataclass
class World:
    server: ApiServer
    control: Control
    live: LiveObjects
    writer: StatusWriter
    results: list[tuple[str, str]] = field(default_factory=list)

    def heard(self, kind: str, name: str, generation: int = 1, *, namespace: str = "", **rest: Any) -> None:
        meta = {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1", "generation": generation}
        self.live.note(kind, head(msgspec.json.encode({"metadata": meta, **rest})))

    def class_(self, name: str, generation: int = 1, *, ours: bool = True) -> tuple[str, Key, Object]:
        self.heard("GatewayClass", name, generation)
        spec = {"controllerName": CONTROLLER if ours else "a.test/b"}
        meta = {"uid": name, "generation": generation}
        return "GatewayClass", Key("", name), value("GatewayClass", name, namespace="", metadata=meta, spec=spec)

    until = staticmethod(until)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Rests are a fifth of what they are, and everybody's pauses are none."""
    monkeypatch.setattr(pace, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(pace, "_LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(status, "_FIRST_BUSY_SECONDS", 0.1)
    control = Control(build(Options(deployed=True)), batch_seconds=0.001, batch_max_seconds=0.01)
    server, live = ApiServer(), LiveObjects()
    for kind in ("GatewayClass", "Gateway"):
        live.serve(kind, V1)
    writer = StatusWriter(cast("KubeClient", server), control, live, controller_name=CONTROLLER, leading=lambda: True)
    found = World(server, control, live, writer)
    control.submit(Changes())
    writer.wrote = lambda kind, result, _: found.results.append((kind, result))
    tasks = [asyncio.create_task(control.run()), asyncio.create_task(writer.run())]
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("code", [500, 429])
async def test_one_that_fails_is_tried_ever_less_often_however_well_others_do(world: World, code: int) -> None:
    world.server.refuses["bad"] = code
    world.control.submit(Changes((world.class_("bad"),)))
    good = 0
    while len(world.server.times("bad")) < 5:
        world.control.submit(Changes((world.class_(f"good-{good}"),)))
        good += 1
        await asyncio.sleep(0.03)
    assert len({name for name, _ in world.server.at}) > good // 2
    tried = world.server.times("bad")
    for number, (before, later) in enumerate(pairwise(tried)):
        assert later - before >= 0.8 * 0.1 * 2**number
    del world.server.refuses["bad"]
    count = world.results.count(("GatewayClass", "failed"))
    await world.until(lambda: len(world.server.times("bad")) > len(tried))
    await asyncio.sleep(0.3)
    assert world.results.count(("GatewayClass", "failed")) == count
    assert len(world.writer._rests) == 0


async def test_what_the_server_asks_to_wait_is_waited(world: World) -> None:
    world.server.refuses["bad"], world.server.retry_after = 429, 1.0
    world.control.submit(Changes((world.class_("bad"),)))
    await world.until(lambda: len(world.server.times("bad")) == 2)
    first, second = world.server.times("bad")
    assert second - first >= 0.95


async def test_a_gateway_of_others_is_forgotten_when_it_is_gone(world: World) -> None:
    """The API server is asked whose its status is once, and again for one that is made anew."""
    accepted = {"conditions": [{"type": "Accepted", "status": "True"}]}
    world.server.found["theirs"] = {"metadata": {"managedFields": []}}
    world.heard("Gateway", "theirs", namespace="shop", status=accepted)
    await world.until(lambda: bool(world.writer._others))
    world.live.forget("Gateway", Key("shop", "theirs"))
    await world.until(lambda: not world.writer._others)
    assert world.server.at == []


async def test_a_class_that_is_gone_is_forgotten(world: World) -> None:
    world.control.submit(Changes((world.class_("one"),)))
    await world.until(lambda: bool(world.writer.contests._wrote))
    world.control.submit(Changes((), (("GatewayClass", Key("", "one")),)))
    world.live.forget("GatewayClass", Key("", "one"))
    await world.until(lambda: not world.writer.contests._wrote and not world.writer._fresh)


async def test_a_watch_that_lags_behind_our_own_writes_is_no_contender(world: World) -> None:
    """What a write was answered counts, until the watch has come as far."""
    notices: list[str] = []
    world.writer.notice = lambda _, __, reason, ___: notices.append(reason)
    world.control.submit(Changes((world.class_("one"),)))
    await world.until(lambda: len(world.server.at) == 1)
    for version in range(2, 10):
        metadata = {"name": "one", "uid": "one", "resourceVersion": str(version), "generation": 1}
        told = {"conditions": [{"type": "Accepted", "status": "Unknown", "reason": f"{version}"}]}
        world.live.note("GatewayClass", head(msgspec.json.encode({"metadata": metadata, "status": told})))
        await asyncio.sleep(0.15)
    assert len(world.server.at) == 1
    assert notices == []
    assert len(world.writer.contests) == 0
