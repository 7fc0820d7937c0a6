"""Two installations of one name; how one keeps its authority, e2e/test_authority.py shows with a real API server."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.shell.kube.waiting import until
from xds_server.infra.names import HOME_ANNOTATION
from xds_server.shell.kube import authority
from xds_server.shell.kube.authority import AuthorityKeeper, ServerIdentity
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import refused

SHOP = "/api/v1/namespaces/shop/configmaps/xds-server-ca"
CONTROLLER = "a.test/controller"


@dataclass
class ApiServer:
    """Objects by path, with the API server's rules for versions."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    late: bool = False
    """What changes is not told by watches."""
    _version: int = 10
    _watches: list[tuple[str, asyncio.Queue[bytes]]] = field(default_factory=list)

    async def get(self, where: str, params: Mapping[str, str], *, accept: str = "") -> bytes:
        name = params["fieldSelector"].removeprefix("metadata.name=")
        items = [] if self.late else [one for path, one in self.objects.items() if path == f"{where}/{name}"]
        if where.count("/") == 3 and not self.late:  # all namespaces
            items = [one for path, one in self.objects.items() if path.endswith(f"/{where.rpartition('/')[2]}/{name}")]
        return msgspec.json.encode({"metadata": {"resourceVersion": str(self._version)}, "items": items})

    async def get_object(self, where: str) -> dict[str, Any]:
        if where not in self.objects:
            raise refused(404, "NotFound", where)
        return self.objects[where]

    async def create(self, where: str, value: Mapping[str, Any]) -> bytes:
        return self.write(f"{where}/{value['metadata']['name']}", value)

    async def apply(self, where: str, value: Mapping[str, Any], *, manager: str) -> bytes:
        version = self.objects[where]["metadata"]["resourceVersion"] if where in self.objects else "1"
        if value["metadata"].get("resourceVersion", version) != version:
            raise refused(409, "Conflict", where)
        self.applied.append(where)
        return self.write(where, value)

    async def delete(self, where: str, options: Mapping[str, Any] | None = None) -> bytes:
        wanted = (options or {}).get("preconditions", {})
        if not wanted.items() <= self.objects[where]["metadata"].items():
            raise refused(409, "Conflict", where)
        value = self.objects.pop(where)
        self._tell(where, "DELETED", value)
        return b""

    @asynccontextmanager
    async def stream(
        self, where: str, params: Mapping[str, str], *, idle_seconds: float, accept: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches.append((params["fieldSelector"].removeprefix("metadata.name="), queue))

        async def lines() -> AsyncIterator[bytes]:
            while True:
                yield await queue.get()

        yield lines()

    def write(self, where: str, value: Mapping[str, Any]) -> bytes:
        self._version += 1
        namespace = where.split("/")[4]
        metadata = {"uid": "u", **value["metadata"], "namespace": namespace, "resourceVersion": str(self._version)}
        self.objects[where] = {**value, "metadata": metadata}
        self._tell(where, "MODIFIED", self.objects[where])
        return msgspec.json.encode(self.objects[where])

    def _tell(self, where: str, type_: str, value: Mapping[str, Any]) -> None:
        for name, queue in self._watches:
            if where.endswith(f"/{name}") and not self.late:
                queue.put_nowait(msgspec.json.encode({"type": type_, "object": value}))

    def keeper_of(self, where: str) -> str:
        found = self.objects.get(where, {"metadata": {"annotations": {}}})
        return str(found["metadata"]["annotations"].get(HOME_ANNOTATION, ""))


@asynccontextmanager
async def leader(server: ApiServer, home: str, places: Sequence[str] = ()) -> AsyncIterator[AuthorityKeeper]:
    identity = ServerIdentity(cast("KubeClient", server), home, "xds-server", (f"xds-server.{home}.svc",))
    keeper = AuthorityKeeper(identity, CONTROLLER, lambda: places, {"ca.yaml": "a"})
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "_RETRY_SECONDS", 0.02)


@pytest.mark.parametrize("late", [False, True])
async def test_the_second_of_one_name_leaves_the_first_alone_and_says_so(*, late: bool) -> None:
    """Also where it is told of the other's ConfigMap only when it writes over it."""
    server = ApiServer()
    with capture_logs() as lines:
        async with leader(server, "one", ["shop"]) as first:
            await until(lambda: server.keeper_of(SHOP) == "one")
            written = server.objects[SHOP]
            server.late = late
            async with leader(server, "two", ["shop"]) as second:
                await until(lambda: bool(second.refused))
                second.wake.set()
                await asyncio.sleep(0.2)
                assert (first.refused, second.refused) == (set(), {"shop"})
                assert server.objects[SHOP] == written
                assert server.applied.count(SHOP) == 1
    (told,) = (line for line in lines if "not ours" in line["event"])
    assert (told["namespace"], told["name"]) == ("shop", "xds-server-ca")
    assert told["kept_by"] == "a server of this name in namespace one"


async def test_it_is_published_once_the_other_is_gone() -> None:
    server = ApiServer()
    async with leader(server, "one", ["shop"]):
        await until(lambda: server.keeper_of(SHOP) == "one")
    async with leader(server, "two", ["shop"]) as second:
        await until(lambda: bool(second.refused))
        await server.delete(SHOP)
        await until(lambda: server.keeper_of(SHOP) == "two")
        await until(lambda: not second.refused)


async def test_one_that_does_not_say_whose_it_is_is_taken_on_and_then_says_it() -> None:
    """It was made by an earlier version."""
    server = ApiServer()
    async with leader(server, "one", ["shop"]):
        await until(lambda: server.keeper_of(SHOP) == "one")
    before = server.objects[SHOP]
    server.write(SHOP, {**before, "metadata": {**before["metadata"], "annotations": {}}})
    async with leader(server, "one", ["shop"]):
        await until(lambda: server.keeper_of(SHOP) == "one")
        assert server.objects[SHOP]["data"] == before["data"]


async def test_what_the_other_keeps_stays_when_ours_ends() -> None:
    server = ApiServer()
    async with leader(server, "one", ["shop"]):
        await until(lambda: server.keeper_of(SHOP) == "one")
    async with leader(server, "two") as second:
        await until(lambda: bool(second._there))
        second.wake.set()
        await asyncio.sleep(0.1)
        assert server.keeper_of(SHOP) == "one"


async def test_it_stays_for_the_pods_that_end_after_their_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """They mount it: without it their node would not let them end in time."""
    server, places = ApiServer(), ["shop"]
    monkeypatch.setattr(authority, "_LOOK_SECONDS", 0.02)
    async with leader(server, "one", places) as keeper:
        await until(lambda: server.keeper_of(SHOP) == "one")
        places.clear()
        keeper.wake.set()
        await until(lambda: "shop" in keeper._since)
        first = keeper._since["shop"]
        places.append("shop")  # another Gateway: the time begins anew
        await until(lambda: not keeper._since)
        places.clear()
        await until(lambda: keeper._since.get("shop", first) > first)
        second = keeper._since["shop"]
        await asyncio.sleep(0.1)
        assert server.keeper_of(SHOP) == "one"
        monkeypatch.setattr(authority, "_ENDING_SECONDS", 0.1)
        await until(lambda: SHOP not in server.objects)
        assert asyncio.get_running_loop().time() >= second + 0.1


async def test_what_another_took_a_moment_ago_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a watch tells of it."""
    server, places = ApiServer(), ["shop"]
    monkeypatch.setattr(authority, "_ENDING_SECONDS", 0.0)
    async with leader(server, "one", places) as keeper:
        await until(lambda: server.keeper_of(SHOP) == "one")
        await until(lambda: bool(keeper._there))
        server.late = True
        before = server.objects[SHOP]
        labels = {**before["metadata"]["labels"], "app.kubernetes.io/managed-by": "other"}
        server.write(SHOP, {**before, "metadata": {**before["metadata"], "labels": labels}})
        places.clear()
        keeper.wake.set()
        await until(lambda: "shop" not in keeper._there)
        await asyncio.sleep(0)
        assert SHOP in server.objects
