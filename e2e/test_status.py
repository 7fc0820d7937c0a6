"""Statuses with a real API server: others' words survive, nothing is written at rest, restarts and new leaders included.

The parts of a server run here, in this process, each test with a controller of its own; Envoys are told of.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest

from e2e.alone import V1, Alone, Cut, until
from xds_server.control import Control
from xds_server.model.document import Fault
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.meta import Key
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import ConflictError, NotFoundError
from xds_server.shell.kube.leader import Election, Times
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.kube.status import StatusWriter
from xds_server.xds.node import GATEWAY, Node

THEIRS = "example.com/other"
MOST_EDITS = 600
"""Until two writers have met."""
TIMES = Times(duration=15, deadline=10.0, renew=0.3, retry=0.2, request=4.0, release=10.0)
"""Nobody loses a Lease because the machine is slow for a moment."""


class Site(Alone):
    """What a test says of its Gateways and routes."""

    def where(self, plural: str, name: str, subresource: str = "") -> str:
        return path(V1, plural, "" if plural == "gatewayclasses" else self.namespace, name, subresource)

    async def put(self, plural: str, name: str, spec: Mapping[str, Any]) -> None:
        kinds = {"gatewayclasses": "GatewayClass", "gateways": "Gateway", "httproutes": "HTTPRoute"}
        value = {"apiVersion": V1, "kind": kinds[plural], "metadata": {"name": name}, "spec": spec}
        await self.client.apply(self.where(plural, name), value, manager="test")

    async def get(self, plural: str, name: str) -> dict[str, Any]:
        return await self.client.get_object(self.where(plural, name))

    async def status(self, plural: str, name: str, value: Mapping[str, Any]) -> None:
        await self.client.patch(self.where(plural, name, "status"), {"status": value})

    async def gateway(self, name: str = "gw", *ports: int, class_: str = "") -> None:
        listeners = [
            {"name": f"p{port}", "port": port, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
            for port in ports or (80,)
        ]
        await self.put("gateways", name, {"gatewayClassName": class_ or self.class_, "listeners": listeners})

    async def route(self, name: str = "r", *parents: str, host: str = "") -> None:
        hosts = {"hostnames": [host]} if host else {}
        references = [{"name": parent} for parent in parents or ("gw",)]
        await self.put("httproutes", name, {"parentRefs": references, "rules": [{}], **hosts})

    async def until(self, plural: str, name: str, what: Callable[[dict[str, Any]], object], seconds: float = 60) -> Any:
        end = time.monotonic() + seconds
        while True:
            found = await self.get(plural, name)
            if what(found):
                return found
            assert time.monotonic() < end, found.get("status")
            await asyncio.sleep(0.02)

    async def versions(self) -> dict[str, str]:
        """The resourceVersion of everything of ours."""
        found = {}
        for plural in ("gateways", "httproutes"):
            for one in (await self.client.get_object(path(V1, plural, self.namespace)))["items"]:
                found[f"{plural}/{one['metadata']['name']}"] = one["metadata"]["resourceVersion"]
        class_ = await self.get("gatewayclasses", self.class_)
        return {**found, "class": class_["metadata"]["resourceVersion"]}


@pytest.fixture
async def site(client: KubeClient) -> AsyncIterator[Site]:
    site = Site(client, "status")
    await site.create()
    yield site
    await site.delete()


class Server:
    """What of a server has to do with statuses, running."""

    def __init__(self, site: Site, client: Any, identity: str) -> None:
        self.site = site
        self.control = Control(
            build(Options(controller_name=site.controller_name)), batch_seconds=0.02, batch_max_seconds=0.2
        )
        self.source = KubeSource(site.client, self.control.submit, (site.namespace,))
        self.election = Election(client, site.namespace, "lease", identity, times=TIMES)
        self.writer = StatusWriter(
            client,
            self.control,
            self.source.live,
            controller_name=site.controller_name,
            leading=lambda: self.election.leading,
        )
        self.envoys: set[str] = set()
        self.results: list[tuple[str, str]] = []
        self.notices: list[tuple[Any, str, str]] = []
        self.writer.wrote = lambda kind, result, _: self.results.append((kind, result))
        self.writer.notice = lambda id_, _, reason, note: self.notices.append((id_, reason, note))

    @property
    def written(self) -> int:
        return sum(result == "written" for _, result in self.results)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.control.run())
            group.create_task(self.source.run())
            await self.control.ready.wait()
            gc.freeze()  # as a server does: what there is now stays
            group.create_task(self.election.run({"statuses": self.writer.run}))

    def envoy(self, gateway: str = "gw", stream: int = 1) -> None:
        """An Envoy that has everything."""
        node = Node(
            f"gateway~{stream}.{self.site.namespace}",
            f"{self.site.namespace}/{gateway}",
            GATEWAY,
            f"{stream}.{self.site.namespace}",
            self.site.namespace,
            gateway,
            build="1.40.0",
        )
        if node.id not in self.envoys:
            self.envoys.add(node.id)
            self.control.opened(stream, node)
        self.control.synced(stream, node, self.control.catalog.serial)


@asynccontextmanager
async def serving(site: Site, client: Any = None, identity: str = "a") -> AsyncIterator[Server]:
    server = Server(site, client or site.client, identity)
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def condition(found: Mapping[str, Any], type_: str) -> dict[str, Any]:
    """A condition of an object, or of an entry of its status."""
    conditions = (found.get("status") or found).get("conditions") or []
    return next((one for one in conditions if one["type"] == type_), {})


def programmed(found: dict[str, Any]) -> bool:
    one = condition(found, "Programmed")
    return one.get("status") == "True" and one["observedGeneration"] == found["metadata"]["generation"]


def ours(found: dict[str, Any], site: Site) -> list[dict[str, Any]]:
    parents = (found.get("status") or {}).get("parents") or []
    return [one for one in parents if one["controllerName"] == site.controller_name]


async def settled(site: Site, server: Server, gateway: str = "gw", route: str = "r") -> None:
    """The Gateway is programmed, the route accepted, everything written."""
    await server.control.ready.wait()
    await site.until("gateways", gateway, lambda found: server.envoy(gateway) or programmed(found))
    await site.until("httproutes", route, lambda found: ours(found, site))
    await site.until("gatewayclasses", site.class_, lambda found: condition(found, "Accepted")["status"] == "True")
    await rested(server)


async def rested(server: Server) -> None:
    """What was heard of so far is written, and answered."""
    queue = server.writer.queue
    await until(lambda: settled_all(server) and not (len(queue) or queue._out))


def settled_all(server: Server) -> bool:
    """Whether all that was heard of is settled."""
    control = server.control
    return control.resting.is_set() and not (control._pending or control._woken.is_set())


async def test_everything_has_a_status_and_nothing_is_written_at_rest(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        found = await site.until("gateways", "gw", lambda found: condition(found, "Accepted")["status"] == "True")
        assert condition(found, "Programmed")["status"] == "False"
        assert condition(found, "Programmed")["message"] == "No Envoy of this Gateway is connected."
        await settled(site, server)
        gateway = await site.get("gateways", "gw")
        assert gateway["status"]["listeners"][0]["attachedRoutes"] == 1
        assert {one["observedGeneration"] for one in gateway["status"]["conditions"]} == {1}
        before, written = await site.versions(), server.written
        await asyncio.sleep(20)
        assert await site.versions() == before
        assert server.written == written


FOREIGN = {
    "type": "example.com/Audited",
    "status": "False",
    "reason": "Because",
    "message": "words of others",
    "observedGeneration": 1,
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}


async def test_what_others_said_survives_changes_of_the_spec(site: Site) -> None:
    entry = {
        "controllerName": THEIRS,
        "parentRef": {"group": GATEWAY_GROUP, "kind": "Gateway", "name": "elsewhere"},
        "conditions": [FOREIGN],
    }
    await site.gateway("gw", 80, 81)
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        live = await site.get("gateways", "gw")
        listeners = live["status"]["listeners"]
        listeners[0]["conditions"] = [FOREIGN, *listeners[0]["conditions"]]
        await site.status(
            "gateways", "gw", {"conditions": [FOREIGN, *live["status"]["conditions"]], "listeners": listeners}
        )
        parents = ours(await site.get("httproutes", "r"), site)
        await site.status("httproutes", "r", {"parents": [entry, *parents]})
        await site.gateway("gw", 80, 82)
        await site.route("r", host="a.example.com")
        gateway = await site.until("gateways", "gw", programmed_after(server, 2))
        route = await site.until("httproutes", "r", lambda found: generation_of(ours(found, site)) == 2)
    assert condition(gateway, FOREIGN["type"]) == FOREIGN
    by_name = {one["name"]: one for one in gateway["status"]["listeners"]}
    assert set(by_name) == {"p80", "p82"}
    assert condition(by_name["p80"], FOREIGN["type"]) == FOREIGN
    assert route["status"]["parents"][0] == entry
    assert len(route["status"]["parents"]) == 2


def generation_of(entries: list[dict[str, Any]]) -> int | None:
    return min((one["observedGeneration"] for entry in entries for one in entry["conditions"]), default=None)


def programmed_after(server: Server, generation: int) -> Callable[[dict[str, Any]], bool]:
    def what(found: dict[str, Any]) -> bool:
        server.envoy()
        return found["metadata"]["generation"] == generation and programmed(found)

    return what


async def test_entries_go_when_a_route_leaves_and_when_a_class_is_not_ours(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        await site.route("r", "nowhere")
        found = await site.until("httproutes", "r", lambda found: not ours(found, site))
        assert found["status"] == {"parents": []}
        await site.gateway("gw", class_="of-nobody")
        found = await site.until("gateways", "gw", lambda found: condition(found, "Accepted")["status"] == "Unknown")
        assert {one["type"]: one["status"] for one in found["status"]["conditions"]} == {
            "Accepted": "Unknown",
            "Programmed": "Unknown",
        }
        assert not found["status"].get("listeners")


async def test_a_gateway_that_was_given_up_while_nobody_ran_is_cleaned_and_one_of_others_is_not(site: Site) -> None:
    await site.gateway("gw")
    await site.gateway("theirs", class_="of-others")
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
    status = {"conditions": [{**FOREIGN, "type": "Accepted", "status": "True"}]}
    await site.status("gateways", "theirs", status)
    await site.gateway("gw", class_="of-nobody")
    async with serving(site) as server:
        await site.until("gateways", "gw", lambda found: condition(found, "Accepted")["status"] == "Unknown")
        await rested(server)
        assert condition(await site.get("gateways", "theirs"), "Accepted") == status["conditions"][0]


async def test_two_that_write_at_the_same_time_lose_nothing(site: Site) -> None:
    """One writes its own entry as fast as it can, the other is us, with a spec that changes."""
    await site.gateway()
    await site.route()
    done = asyncio.Event()

    async def other() -> str:
        """Returns what it wrote last."""
        for number in map(str, count()):
            while True:
                live = await site.get("httproutes", "r")
                entries = [one for one in live.get("status", {}).get("parents", []) if one["controllerName"] != THEIRS]
                entry = {
                    "controllerName": THEIRS,
                    "parentRef": {"name": "elsewhere"},
                    "conditions": [{**FOREIGN, "message": number}],
                }
                value = {**live, "status": {"parents": [*entries, entry]}}
                try:
                    await site.client.replace(site.where("httproutes", "r", "status"), value)
                except ConflictError:
                    continue
                break
            if done.is_set():
                return number
        raise AssertionError

    async with serving(site) as server:
        await settled(site, server)
        writing = asyncio.create_task(other())
        for number in range(MOST_EDITS):
            await site.route("r", host=f"h{number}.example.com")
            await asyncio.sleep(0.02)
            if number >= 30 and any(result == "conflict" for _, result in server.results):
                break
        done.set()
        last = await writing
        found = await site.until(
            "httproutes", "r", lambda found: generation_of(ours(found, site)) == found["metadata"]["generation"]
        )
        theirs = [one for one in found["status"]["parents"] if one["controllerName"] == THEIRS]
        assert [one["conditions"][0]["message"] for one in theirs] == [last]
        assert any(result == "conflict" for _, result in server.results)


async def test_a_restart_and_a_new_leader_write_nothing(site: Site) -> None:
    """Not even before any Envoy is back: what was programmed stays so."""
    await site.gateway()
    await site.route()
    async with serving(site) as first:
        await settled(site, first)
        before = await site.versions()
    async with serving(site, identity="b") as second:
        await until(lambda: second.election.leading)
        await asyncio.sleep(2)
        assert await site.versions() == before
        assert second.written == 0
        second.envoy()
        await asyncio.sleep(1)
        assert await site.versions() == before
        await site.gateway("gw", 80, 81)
        await site.until("gateways", "gw", programmed_after(second, 2))


async def test_only_the_leader_writes_and_the_next_one_goes_on(site: Site) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(site, identity="a"))
        await until(lambda: first.election.leading)
        async with serving(site, identity="b") as second:
            await site.gateway()
            await site.route()
            await site.until("gateways", "gw", lambda found: condition(found, "Accepted")["status"] == "True")
            await site.until("httproutes", "r", lambda found: ours(found, site))
            await rested(first)
            assert second.results == []
            await stack.aclose()
            await until(lambda: second.election.leading)
            await site.route("other")
            await site.until("httproutes", "other", lambda found: ours(found, site))
            assert {kind for kind, _ in second.results} <= {"HTTPRoute", "Gateway"}


async def test_an_object_made_anew_under_the_same_name_gets_its_status(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        for _ in range(3):
            await site.client.delete(site.where("httproutes", "r"))
            await site.route()
            await site.until("httproutes", "r", lambda found: ours(found, site))


async def test_what_somebody_writes_over_ours_is_put_right(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        await site.status("gateways", "gw", {"conditions": [{**FOREIGN, "type": "Accepted"}]})
        found = await site.until("gateways", "gw", lambda found: condition(found, "Accepted")["status"] == "True")
        assert condition(found, "Ready")


async def test_a_server_that_is_away_is_waited_for_and_the_newest_is_written(site: Site, client: KubeClient) -> None:
    cut, key = Cut(client, "leases"), Key(site.namespace, "r")
    await site.gateway()
    await site.route()
    async with serving(site, cut) as server:
        await settled(site, server)
        cut.cut = True
        written = server.written
        for number in range(5):
            await site.route("r", host=f"h{number}.example.com")
            await asyncio.sleep(0.2)
        await until(lambda: any(result == "failed" for _, result in server.results))
        await until(lambda: (live := server.source.live.get("HTTPRoute", key)) and live.generation == 6)
        await until(lambda: settled_all(server))
        assert server.written == written
        cut.cut = False
        await site.until("httproutes", "r", lambda found: generation_of(ours(found, site)) == 6)
        await rested(server)
        assert server.written == written + 1


async def test_a_status_that_the_server_refuses_is_told_once(site: Site) -> None:
    """With the words of the API server, and not sent again until something changes."""
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        original = server.writer._desired

        async def broken(id_: Any) -> Any:
            row = await original(id_)
            if id_[0] != "HTTPRoute" or row is None:
                return row
            return {"parents": [{"parentRef": {"name": ""}, "controllerName": site.controller_name, "conditions": []}]}

        server.writer._desired = broken  # type: ignore[method-assign]
        await site.route("r", host="x.example.com")
        await until(lambda: server.notices)
        await asyncio.sleep(1)
        assert [(id_[0], reason) for id_, reason, _ in server.notices] == [("HTTPRoute", "StatusRefused")]
        assert "status.parents[0].parentRef.name" in server.notices[0][2]
        assert sum(result == "refused" for _, result in server.results) == 1
        server.writer._desired = original  # type: ignore[method-assign]
        await site.route("r", host="y.example.com")
        await site.until("httproutes", "r", lambda found: generation_of(ours(found, site)) == 3)


async def test_two_thousand_routes_have_their_status_in_seconds(site: Site) -> None:
    await site.gateway()
    names = [f"r{number:04}" for number in range(2000)]
    began = time.monotonic()
    for begin in range(0, len(names), 50):
        await asyncio.gather(*(site.route(name, host=f"{name}.example.com") for name in names[begin : begin + 50]))
    creating = time.monotonic() - began
    async with serving(site) as server:
        measuring = asyncio.create_task(turns())
        await until(lambda: server.election.leading, 30)
        began = time.monotonic()
        await until(lambda: server.written >= len(names) + 2, 120)
        seconds = time.monotonic() - began
        measuring.cancel()
        print(
            f"2,000 routes created in {creating:.1f} s, their statuses written in {seconds:.1f} s;"
            f" the loop worked {longest[0]:.3f} s at a time at most"
        )
        routes = await site.client.get_object(path(V1, "httproutes", site.namespace))
        assert all(ours(one, site) for one in routes["items"])
        gateway = await site.get("gateways", "gw")
        assert gateway["status"]["listeners"][0]["attachedRoutes"] == len(names)
        assert seconds < 2 * creating + 5
        assert longest[0] < 1.0


longest = [0.0]


async def turns() -> None:
    """How long others wait for their turn in the loop at most: seconds of this thread, which others' work on the machine
    makes no longer.
    """
    longest[0] = 0.0
    while True:
        before = time.thread_time()
        await asyncio.sleep(0.01)
        longest[0] = max(longest[0], time.thread_time() - before)


async def test_deleted_objects_are_forgotten(site: Site) -> None:
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        await site.client.delete(site.where("httproutes", "r"))
        await site.client.delete(site.where("gateways", "gw"))
        await until(lambda: server.source.live.get("Gateway", Key(site.namespace, "gw")) is None)
        await until(lambda: not len(server.writer.queue))
        with pytest.raises(NotFoundError):
            await site.get("gateways", "gw")
        assert all(result in ("written", "conflict") for _, result in server.results)


async def test_an_object_that_cannot_be_read_says_so_and_is_served_on(site: Site) -> None:
    """A fault stands for a schema of another release, which a shared cluster cannot be given for a test."""
    await site.gateway()
    await site.route()
    async with serving(site) as server:
        await settled(site, server)
        faults: dict[Any, Fault] = {}
        server.writer.fault = lambda kind, key: faults.get((kind, key))
        key = Key(site.namespace, "r")
        faults["HTTPRoute", key] = Fault("must be a list", "HTTPRoute", *key, "spec.rules")
        server.writer.look_at("HTTPRoute", key)
        found = await site.until(
            "httproutes", "r", lambda found: condition(ours(found, site)[0], "Accepted")["status"] == "False"
        )
        assert condition(ours(found, site)[0], "Accepted")["message"].startswith("spec.rules must be a list.")
        assert condition(ours(found, site)[0], "ResolvedRefs")
        faults.clear()
        server.writer.look_at("HTTPRoute", key)
        await site.until(
            "httproutes", "r", lambda found: condition(ours(found, site)[0], "Accepted")["status"] == "True"
        )
