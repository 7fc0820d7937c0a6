"""Why objects went: what the CRD is asked, and how often. How a real cluster is watched, e2e/test_watching.py shows."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest

from tests.shell.kube.waiting import until
from xds_server.control import Changes
from xds_server.model.kinds import BY_KIND
from xds_server.model.meta import Key
from xds_server.shell.kube import source
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import refused
from xds_server.shell.kube.source import KubeSource

ROUTES = BY_KIND["HTTPRoute"]
ANSWER_SECONDS = 0.02


def route(name: str, version: int) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop", "uid": f"{name}-{version}", "resourceVersion": str(version)}
    return {"apiVersion": ROUTES.api_version, "kind": "HTTPRoute", "metadata": meta, "spec": {}}


@dataclass
class ApiServer:
    """It serves HTTPRoutes, and nothing else."""

    names: list[str]
    crd: dict[str, Any] | None = field(default_factory=lambda: {"metadata": {"uid": "first"}})
    asked: int = 0
    """How often the CRD was asked for."""
    lists: int = 0
    away: int = 0
    """How many questions are not answered."""
    lines: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    version: int = 10

    async def get(self, where: str, params: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        if where == f"/apis/{ROUTES.api_version}":
            return msgspec.json.encode({"resources": [{"name": ROUTES.plural}]})
        if where.endswith(f"/{ROUTES.plural}"):
            self.lists += 1
            items = [route(name, 1) for name in self.names]
            return msgspec.json.encode({"metadata": {"resourceVersion": "1"}, "items": items})
        raise refused(404, "NotFound", where)

    async def get_object(self, where: str) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(ANSWER_SECONDS)
        if self.away:
            self.away -= 1
            raise refused(503, "", "away")
        if self.crd is None:
            raise refused(404, "NotFound", where)
        return self.crd

    @asynccontextmanager
    async def stream(
        self, _: str, __: Mapping[str, str], *, idle_seconds: float, accept: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async def lines() -> AsyncIterator[bytes]:
            while True:
                yield await self.lines.get()

        yield lines()

    def forget(self) -> None:
        """The past: whoever watches begins with a new list."""
        gone = {"type": "ERROR", "object": {"code": 410, "message": "too old", "metadata": {}}}
        self.lines.put_nowait(msgspec.json.encode(gone))

    def tell(self, type_: str, names: Iterable[str]) -> None:
        for name in names:
            self.version += 1
            self.lines.put_nowait(msgspec.json.encode({"type": type_, "object": route(name, self.version)}))


@dataclass
class World:
    server: ApiServer
    source: KubeSource
    told: list[Changes]

    @property
    def there(self) -> set[str]:
        found: set[str] = set()
        for changes in self.told:
            found |= {key.name for _, key, _ in changes.upserts}
            found -= {key.name for _, key in changes.removals}
        return found

    until = staticmethod(until)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(source, "_ABSENT_SECONDS", 0.05)
    server, told = ApiServer([f"r{number}" for number in range(200)]), list[Changes]()
    found = World(server, KubeSource(cast("KubeClient", server), told.append), told)
    task = asyncio.create_task(found.source.run())
    try:
        await found.until(lambda: not found.source.unready())
        told_before = len(found.there)
        assert told_before == 200
        await found.until(lambda: server.asked == 1)
        await asyncio.sleep(2 * ANSWER_SECONDS)
        server.asked = 0
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_burst_is_one_question(world: World) -> None:
    """At most two: what comes while one is under way is asked about by the next."""
    batches = len(world.told)
    world.server.tell("DELETED", world.server.names)
    await world.until(lambda: not world.there)
    assert 1 <= world.server.asked <= 2
    assert len(world.told) - batches <= 2
    assert world.source.live.get("HTTPRoute", Key("shop", "r0")) is None


async def test_the_watch_goes_on_while_it_is_asked(world: World) -> None:
    world.server.away = 3
    world.server.tell("DELETED", ["r0"])
    world.server.tell("ADDED", ["new"])
    await world.until(lambda: "new" in world.there)
    assert "r0" in world.there
    await world.until(lambda: "r0" not in world.there)
    assert world.server.asked == 4


async def test_what_is_deleted_after_the_question_is_asked_about_anew(world: World) -> None:
    """By then the CRD may be on its way out."""
    world.server.tell("DELETED", ["r0"])
    await world.until(lambda: world.server.asked == 1)
    world.server.tell("DELETED", ["r1"])
    await world.until(lambda: "r0" not in world.there)
    world.server.crd = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    await world.until(lambda: world.server.asked == 2)
    await asyncio.sleep(3 * ANSWER_SECONDS)
    assert "r1" in world.there


@pytest.mark.parametrize("crd", [None, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}])
async def test_what_goes_with_its_crd_stays_in_service(world: World, crd: dict[str, Any] | None) -> None:
    world.server.crd = crd
    world.server.tell("DELETED", world.server.names)
    await world.until(lambda: world.server.asked > 0)
    await asyncio.sleep(5 * ANSWER_SECONDS)
    assert len(world.there) == 200
    assert world.server.asked <= 2


async def test_one_that_was_made_anew_meanwhile_stays(world: World) -> None:
    world.server.tell("DELETED", ["r0", "r1"])
    world.server.tell("ADDED", ["r0"])
    await world.until(lambda: "r1" not in world.there)
    assert "r0" in world.there
    live = world.source.live.get("HTTPRoute", Key("shop", "r0"))
    assert live is not None
    assert live.uid == "r0-13"


async def test_a_list_does_not_answer_the_question(world: World) -> None:
    """Objects that it lacks, and of which it is not known why they went, are kept until it is."""
    world.server.away = 3
    world.server.names = world.server.names[2:]
    world.server.tell("DELETED", ["r0"])
    await world.until(lambda: world.server.asked == 1)
    world.server.forget()
    await world.until(lambda: world.server.lists == 2)
    await asyncio.sleep(ANSWER_SECONDS)
    assert {"r0", "r1"} <= world.there
    await world.until(lambda: not {"r0", "r1"} & world.there)
    assert world.source.live.get("HTTPRoute", Key("shop", "r1")) is None


GOING = {"metadata": {"uid": "first", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
ANOTHER = {"metadata": {"uid": "second"}}


@pytest.mark.parametrize("crd", [GOING, ANOTHER, None], ids=["going", "another", "gone"])
@pytest.mark.parametrize("left", [0, 50], ids=["empty", "some"])
async def test_a_list_that_lacks_what_went_with_its_crd_takes_nothing_out_of_service(
    world: World, crd: dict[str, Any] | None, left: int
) -> None:
    """The watch had ended before it told of a deletion."""
    world.server.crd = crd
    world.server.names = world.server.names[:left]
    world.server.forget()
    await world.until(lambda: world.server.asked > 0)
    await asyncio.sleep(5 * ANSWER_SECONDS)
    assert len(world.there) == 200


async def test_events_and_the_crd_put_back_before_it_is_asked_for(world: World) -> None:
    world.server.crd = ANOTHER
    world.server.tell("DELETED", world.server.names)
    await world.until(lambda: world.server.asked > 0)
    await asyncio.sleep(5 * ANSWER_SECONDS)
    assert len(world.there) == 200
    world.server.tell("ADDED", ["r0"])
    await asyncio.sleep(ANSWER_SECONDS)
    world.server.tell("DELETED", ["r0"])
    await world.until(lambda: "r0" not in world.there)
    assert len(world.there) == 199, "of the CRD of now one is deleted by people"


async def test_what_does_not_come_back_with_its_crd_is_let_go_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_RETURN_SECONDS", 0.3)
    world.server.crd = GOING
    world.server.names = []
    world.server.forget()
    await world.until(lambda: world.server.asked > 0)
    await asyncio.sleep(0.5)
    assert len(world.there) == 200, "it is not there yet"
    world.server.crd = ANOTHER
    world.server.names = ["r0", "r1"]
    world.server.forget()
    await world.until(lambda: world.server.asked > 1)
    assert len(world.there) == 200
    await world.until(lambda: world.there == {"r0", "r1"})


async def test_a_list_while_the_question_is_asked_begins_the_wait_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CRD was gone when it was asked for, and was back with its list before the answer was here."""
    monkeypatch.setattr(source, "_RETURN_SECONDS", 2.0)
    world.server.crd = None
    world.server.tell("DELETED", world.server.names)
    await world.until(lambda: world.server.asked == 1)
    world.server.names = []
    world.server.forget()
    await asyncio.sleep(1.5 * ANSWER_SECONDS)
    world.server.crd = ANOTHER
    await asyncio.sleep(0.1)
    assert len(world.there) == 200
    await world.until(lambda: not world.there)
