"""The loop with a real pipeline and a real event loop; times are short, and bounds on them wide."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from structlog.testing import capture_logs

from tests.pipeline import documents as doc
from xds_server.control import Changes, Control, Round
from xds_server.filters import BY_TYPE
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.routing.audience import ForGateway
from xds_server.routing.listener import Bind
from xds_server.wire.part import Owner
from xds_server.xds.events import Acknowledged, Rejected
from xds_server.xds.node import GATEWAY, Node, audiences
from xds_server.xds.resource import Resource, ResourceType

GW = Key("default", "gw")
QUIET = 0.05
LONGEST = 0.3
NEVER = 60.0
NODE = Node("gateway~one.default", "default/gw", GATEWAY, "one.default", "default", "gw", build="1.40.0")


def objects(*documents: doc.Document) -> tuple[tuple[str, Key, Object], ...]:
    found = []
    for document in documents:
        value = parse(document)
        assert not isinstance(value, Fault | Ignored), value
        found.append((kind_of(value).kind, value.metadata.key, value))
    return tuple(found)


class World:
    """A control loop and what it told its watcher."""

    def __init__(self, options: Options, quiet: float, longest: float) -> None:
        self.control = Control(build(options), batch_seconds=quiet, batch_max_seconds=longest)
        self.rounds: list[Round] = []
        self.control.watch(self.rounds.append)
        self.control.resting.set()  # as it is before the first settle, too

    def put(self, *documents: doc.Document) -> None:
        self.control.submit(Changes(objects(*documents)))

    def remove(self, kind: str, key: Key) -> None:
        self.control.submit(Changes(removals=((kind, key),)))

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.002)

    async def rest(self) -> None:
        """Until nothing has been settled for a moment."""
        count = -1
        while count != len(self.rounds) or not self.control.resting.is_set() or self.control._pending:
            count = len(self.rounds)
            await asyncio.sleep(0.1)
            for _ in range(10):  # what was due meanwhile, if all of us had to wait
                await asyncio.sleep(0)

    def settles_of(self, kind: str) -> list[list[Key]]:
        """The keys of that kind that changed, by settle; settles without any are left out."""
        table = self.control.pipeline.inputs.kinds[kind]
        return [list(keys) for round_ in self.rounds if (keys := round_.settled.keys(table))]

    def names(self, type_: ResourceType, gateway: Key = GW) -> list[str]:
        return sorted(self.control.catalog.view((ForGateway(*gateway),)).resources(type_))

    def programmed(self) -> tuple[str, str, int]:
        """Status, reason and generation."""
        status = self.control.pipeline.statuses.gateways.get(GW)
        assert status is not None
        (found,) = (one for one in status.conditions if one.type == "Programmed")
        return found.status, found.reason, found.observed_generation


@asynccontextmanager
async def running(
    options: Options | None = None, *, quiet: float = 0.005, longest: float = 0.05
) -> AsyncIterator[World]:
    world = World(options or Options(any_class=True, strict=True), quiet, longest)
    task = asyncio.create_task(world.control.run())
    try:
        yield world
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


GATEWAY_OBJECT = doc.gateway("gw", doc.listener("web"))
SERVICE = doc.service("cart")


def cart(name: str, path: str = "/", **more: Any) -> doc.Document:
    return doc.route(name, rules=[doc.rule(path, doc.backend("cart"), **more)])


async def test_the_first_change_after_quiet_is_published_at_once() -> None:
    async with running(quiet=NEVER, longest=NEVER) as world:
        world.put(GATEWAY_OBJECT)
        await world.until(lambda: world.names(ResourceType.LISTENER))
        world.put(cart("late"))
        await asyncio.sleep(0.1)
        assert world.settles_of("HTTPRoute") == []


async def test_changes_that_follow_are_collected() -> None:
    async with running(quiet=QUIET * 40, longest=LONGEST * 40) as world:
        world.put(GATEWAY_OBJECT)
        await world.until(lambda: world.settles_of("Gateway"))
        for name in "abc":
            world.put(cart(name))
            await asyncio.sleep(0)
        await world.until(lambda: world.settles_of("HTTPRoute"))
        assert world.settles_of("HTTPRoute") == [[Key("default", name) for name in "abc"]]


async def test_collecting_is_bounded() -> None:
    """Changes that never pause for as long as quiet takes are published all the same."""
    async with running(quiet=NEVER, longest=LONGEST * 5) as world:
        world.put(GATEWAY_OBJECT)
        await world.until(lambda: world.settles_of("Gateway"))
        submitted = 0
        while len(world.settles_of("HTTPRoute")) < 2:
            world.put(cart(f"r{submitted}"))
            submitted += 1
            assert submitted < 2000
            await asyncio.sleep(0.005)
        first, second = world.settles_of("HTTPRoute")[:2]
        assert len(first) > 1
        assert len(second) > 1


async def test_of_several_changes_of_one_object_the_last_counts() -> None:
    async with running(quiet=QUIET) as world:
        world.put(GATEWAY_OBJECT, SERVICE, cart("a", "/one"))
        world.put(cart("a", "/two"))
        world.remove("HTTPRoute", Key("default", "a"))
        world.put(cart("a", "/three"))
        await world.until(lambda: world.settles_of("HTTPRoute"))
        route = world.control.pipeline.inputs.kinds["HTTPRoute"].get(Key("default", "a"))
        assert "/three" in repr(route)


async def test_what_is_submitted_before_it_runs_is_the_first_batch() -> None:
    world = World(Options(any_class=True, strict=True), QUIET, LONGEST)
    world.put(GATEWAY_OBJECT)
    world.put(SERVICE, cart("a"))
    assert not world.control.ready.is_set()
    assert world.control.catalog.serial == 0
    task = asyncio.create_task(world.control.run())
    async with asyncio.timeout(30):
        await world.control.ready.wait()
    assert world.names(ResourceType.LISTENER) == ["tcp-80"]
    assert world.names(ResourceType.CLUSTER) == ["default/cart:80/auto"]
    assert len(world.settles_of("Gateway")) == len(world.settles_of("HTTPRoute")) == 1
    assert gc.isenabled()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_batch_that_says_little_does_not_make_it_ready() -> None:
    """Or a server would begin with an empty world: it would take everything from its Envoys, and delete them."""
    async with running() as world:
        world.control.submit(Changes(crds={}, partial=True))
        await asyncio.sleep(0.1)
        assert not world.control.ready.is_set()
        world.control.submit(Changes())
        async with asyncio.timeout(30):
            await world.control.ready.wait()


async def test_an_empty_first_batch_makes_it_ready_too() -> None:
    async with running() as world:
        world.control.submit(Changes())
        async with asyncio.timeout(30):
            await world.control.ready.wait()
        assert world.control.catalog.serial == 0


async def test_watchers_and_streams_are_told() -> None:
    async with running() as world:
        woken: list[Any] = []
        more: list[Round] = []
        world.control.wake = woken.append
        world.control.watch(more.append)
        world.put(GATEWAY_OBJECT)
        await world.rest()
        assert more == world.rounds
        assert world.rounds[0].serial == 1
        assert world.rounds[0].resources >= 2
        assert world.rounds[0].seconds > 0
        assert woken == [{ForGateway(*GW)}]
        world.put(doc.service("unrelated"))
        await world.rest()
        assert len(woken) == 1
        assert world.rounds[-1].resources == 0
        assert world.rounds[-1].serial == 1


async def test_other_tasks_run_while_much_is_settled() -> None:
    async with running() as world:
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        world.put(GATEWAY_OBJECT, SERVICE, *(cart(f"r{number}", f"/{number}") for number in range(300)))
        await world.until(lambda: world.rounds)
        ticking.cancel()
        assert turns >= world.rounds[0].settled.calls.total() // 100 > 5


async def test_an_envoy_in_sync_makes_a_gateway_programmed() -> None:
    async with running() as world:
        control = world.control
        world.put(GATEWAY_OBJECT)
        await world.rest()
        assert world.programmed()[:2] == ("False", "Pending")
        control.opened(1, NODE)
        await world.rest()
        assert world.programmed()[0] == "False"
        control.synced(1, NODE, control.catalog.serial)
        await world.until(lambda: world.programmed()[:2] == ("True", "Programmed"))
        control.closed(1, NODE)
        await world.rest()
        assert world.programmed()[0] == "True"


async def test_a_new_generation_waits_for_every_envoy() -> None:
    two = replace(NODE, id="gateway~two.default", pod="two.default")
    async with running() as world:
        control = world.control
        world.put(doc.gateway("gw", doc.listener("web"), generation=1))
        await world.rest()
        for stream, node in enumerate((NODE, two)):
            control.opened(stream, node)
            control.synced(stream, node, control.catalog.serial)
        await world.until(lambda: world.programmed() == ("True", "Programmed", 1))
        world.put(doc.gateway("gw", doc.listener("web", 81), generation=2))
        await world.rest()
        assert world.programmed()[0] == "False"
        control.synced(0, NODE, control.catalog.serial)
        await world.rest()
        assert world.programmed()[0] == "False"
        control.synced(1, two, control.catalog.serial)
        await world.until(lambda: world.programmed() == ("True", "Programmed", 2))


async def test_an_envoy_that_goes_as_soon_as_it_came_is_not_counted() -> None:
    async with running() as world:
        world.put(GATEWAY_OBJECT)
        await world.rest()
        for _ in range(2):
            world.control.opened(1, NODE)
            world.control.closed(1, NODE)
        await world.rest()
        served = world.control.pipeline.inputs.served.get(GW)
        assert served is not None
        assert served.envoys == 0


async def test_an_envoy_may_come_before_its_gateway() -> None:
    async with running() as world:
        world.control.opened(1, NODE)
        world.control.synced(1, NODE, 0)
        await world.rest()
        assert world.rounds == []
        world.put(GATEWAY_OBJECT)
        await world.rest()
        assert world.programmed()[0] == "False"
        world.control.synced(1, NODE, world.control.catalog.serial)
        await world.until(lambda: world.programmed()[0] == "True")


async def test_a_gateway_that_is_removed_takes_its_resources_along() -> None:
    async with running() as world:
        control = world.control
        world.put(GATEWAY_OBJECT, doc.gateway("other", doc.listener("web")), SERVICE, cart("a"))
        await world.rest()
        control.opened(1, NODE)
        control.synced(1, NODE, control.catalog.serial)
        await world.until(lambda: world.programmed()[0] == "True")
        kept = {type_: world.names(type_, Key("default", "other")) for type_ in ResourceType}
        world.remove("Gateway", GW)
        await world.rest()
        assert [world.names(type_) for type_ in ResourceType] == [[]] * len(ResourceType)
        assert {type_: world.names(type_, Key("default", "other")) for type_ in ResourceType} == kept
        assert control.pipeline.statuses.gateways.get(GW) is None
        world.put(GATEWAY_OBJECT)
        await world.rest()
        assert world.names(ResourceType.LISTENER) == ["tcp-80"]
        assert world.programmed()[0] == "False", "what its namesake had counts for nothing"


async def test_binds_come_and_go() -> None:
    async with running(Options(any_class=True, strict=True, default_bind=None)) as world:
        world.put(GATEWAY_OBJECT)
        await world.rest()
        assert world.names(ResourceType.LISTENER) == []
        world.control.submit(Changes(binds={GW: Bind(address="127.0.0.1", ports=((80, 8080),))}))
        await world.until(lambda: world.names(ResourceType.LISTENER) == ["tcp-8080"])
        world.control.submit(Changes(binds={GW: None}))
        await world.until(lambda: world.names(ResourceType.LISTENER) == [])


def raising(*, strict: bool) -> Options:
    """A pipeline with a filter that is a mistake of ours: it raises for a header named boom."""
    modifier = BY_TYPE["RequestHeaderModifier"]

    def parsed(spec: Any, around: Any) -> Any:
        if "boom" in repr(spec):
            raise RuntimeError("boom")
        return modifier.parse(spec, around)

    features = {**BY_TYPE, modifier.type: replace(modifier, parse=parsed)}
    return Options(any_class=True, strict=strict, features=features)


def with_header(header: str) -> dict[str, Any]:
    modifier = {"add": [{"name": header, "value": "v"}]}
    return {"filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}]}


def body(world: World) -> bytes:
    view = world.control.catalog.view((ForGateway(*GW),))
    return b"".join(resource.body for resource in view.resources(ResourceType.ROUTE).values())


async def test_a_function_that_raises_costs_its_key_alone() -> None:
    async with running(raising(strict=False)) as world:
        world.put(GATEWAY_OBJECT, SERVICE, cart("a", "/a", **with_header("before")), cart("b", "/b"))
        await world.rest()
        world.put(cart("a", "/a", **with_header("boom")), cart("b", "/b", **with_header("news")))
        await world.rest()
        assert b"before" in body(world)
        assert b"news" in body(world)
        assert [failure.error for failure in world.rounds[-1].settled.failures.values()] == ["RuntimeError: boom"]
        world.put(cart("a", "/a", **with_header("after")))
        await world.rest()
        assert b"after" in body(world)
        assert world.rounds[-1].settled.failures == {}


async def test_a_settle_that_fails_costs_that_settle_alone() -> None:
    async with running(raising(strict=True)) as world:
        world.put(GATEWAY_OBJECT, SERVICE, cart("a", "/a", **with_header("before")))
        await world.rest()
        with capture_logs() as logs:
            world.put(cart("a", "/a", **with_header("boom")), doc.service("other"))
            await world.until(lambda: logs)
        assert [line["event"] for line in logs] == ["settling failed"]
        assert b"before" in body(world)
        world.put(cart("a", "/a", **with_header("after")))
        await world.until(lambda: b"after" in body(world))


async def test_what_is_held_is_reported_whenever_the_report_says_that_it_changed() -> None:
    """Whoever composes it anew on a change, and only then, misses nothing, whenever that is."""
    hold_id = HoldId(GW, "1.40.0", ResourceType.ROUTE, "some-rule")
    owner = Owner("HTTPRoute", "default", "r", "rules[0]")
    async with running() as world:
        world.put(GATEWAY_OBJECT)
        await world.rest()
        standing, seen, reported = world.control.standing, -1, world.control.report()
        world.control._hold({hold_id: Hold(frozenset({"h"}), detail="no", owners=(owner,))})
        world.put(SERVICE)
        for _ in range(100):
            if standing.changes != seen:
                seen, reported = standing.changes, world.control.report()
            await asyncio.sleep(0)
        await world.rest()
        if standing.changes != seen:
            reported = world.control.report()
        assert reported == world.control.report()
        assert list(reported.gateways) == [str(GW)]


async def test_a_search_that_ends_without_an_answer_lets_what_was_in_sync_count() -> None:
    bad = doc.route("bad", rules=[doc.rule("/bad", doc.backend("cart"))])
    async with running() as world:
        control = world.control
        world.put(GATEWAY_OBJECT, SERVICE, cart("a"))
        await world.rest()
        control.opened(1, NODE)
        routes = control.catalog.view((ForGateway(*GW),)).resources(ResourceType.ROUTE)
        control.event(1, NODE, Acknowledged(ResourceType.ROUTE, routes, (), control.catalog.serial))
        world.put(bad)
        await world.rest()
        changed = control.catalog.view((ForGateway(*GW),)).resources(ResourceType.ROUTE)
        control.event(1, NODE, Rejected(ResourceType.ROUTE, changed, "no"))
        assert control.quarantine.searched() == {GW}
        control.synced(1, NODE, control.catalog.serial + 10)
        await world.rest()
        assert world.programmed()[0] == "False", "what is in sync is what stands in"
        world.remove("HTTPRoute", Key("default", "bad"))  # what was acknowledged is current again: no answer comes
        await world.until(lambda: world.programmed()[0] == "True")
        assert not control.quarantine.searched()


# Proxies of several Gateways

OTHER = Key("default", "other")
BOTH = replace(NODE, gateways=(GW, OTHER))


def of_other(name: str, path: str = "/") -> doc.Document:
    return doc.route(name, rules=[doc.rule(path, doc.backend("cart"))], gateway="other")


@asynccontextmanager
async def shared() -> AsyncIterator[World]:
    """Two Gateways on ports of their own with one proxy, which has all of them; both have the cluster of one Service."""
    other = doc.gateway("other", doc.listener("web", 81))
    async with running() as world:
        world.put(GATEWAY_OBJECT, other, SERVICE, cart("a"), of_other("b"))
        await world.rest()
        world.control.opened(1, BOTH)
        view = world.control.catalog.view(audiences(BOTH))
        for type_ in ResourceType:
            world.control.event(1, BOTH, Acknowledged(type_, view.resources(type_), (), view.serial))
        world.control.synced(1, BOTH, view.serial)
        await world.rest()
        yield world


def now(world: World, type_: ResourceType) -> dict[str, Resource]:
    return dict(world.control.catalog.view(audiences(BOTH)).resources(type_))


async def test_a_proxy_of_two_gateways_counts_for_both() -> None:
    async with shared() as world:
        served = world.control.pipeline.inputs.served
        assert [row.envoys for key in (GW, OTHER) if (row := served.get(key))] == [1, 1]
        assert world.programmed()[0] == "True"
        world.control.closed(1, BOTH)
        await world.rest()
        assert [row.envoys for key in (GW, OTHER) if (row := served.get(key))] == [0, 0]


async def test_what_a_proxy_rejects_of_one_gateway_is_not_held_against_the_other() -> None:
    async with shared() as world:
        world.put(of_other("b", "/new"), cart("a", "/new"))
        await world.rest()
        name = next(name for name, one in now(world, ResourceType.ROUTE).items() if one.audience == ForGateway(*OTHER))
        rejected = {name: now(world, ResourceType.ROUTE)[name]}
        world.control.event(1, BOTH, Rejected(ResourceType.ROUTE, rejected, "no"))
        await world.rest()
        assert {id_.gateway for id_, _ in world.control.pipeline.inputs.holds.items()} == {OTHER}


async def test_a_cluster_that_both_have_is_held_for_both() -> None:
    async with shared() as world:
        world.put(doc.service("new"), *(with_new(name) for name in ("gw", "other")))
        await world.rest()
        clusters = now(world, ResourceType.CLUSTER)
        new = next(name for name in clusters if "new" in name)
        detail = f"Error adding/updating cluster(s) {new}: no"
        world.control.event(1, BOTH, Rejected(ResourceType.CLUSTER, clusters, detail))
        await world.rest()
        holds = {(id_.gateway, id_.leaf) for id_, _ in world.control.pipeline.inputs.holds.items()}
        assert holds == {(GW, new), (OTHER, new)}
        assert new not in now(world, ResourceType.CLUSTER)


def with_new(gateway: str) -> doc.Document:
    return doc.route(f"new-{gateway}", rules=[doc.rule("/new", doc.backend("new"))], gateway=gateway)


async def test_a_search_ends_where_another_gateways_resource_comes_to_stand_in_front() -> None:
    """What nobody is sent any more, nobody acknowledges: the search must not wait for it."""
    async with shared() as world:
        control, alone = world.control, replace(NODE, gateways=(OTHER,))
        control.regrouped(1, BOTH, alone)
        world.put(doc.gateway("other", doc.listener("web", 81), doc.listener("same", 80)))
        await world.rest()
        world.put(*(of_other(name, f"/{name}") for name in "bcd"))
        await world.rest()
        routes = dict(control.catalog.view(audiences(alone)).resources(ResourceType.ROUTE))
        assert "http-80" in routes
        control.event(1, alone, Rejected(ResourceType.ROUTE, routes, "no"))
        assert control.quarantine.searched() == {OTHER}
        control.regrouped(1, alone, BOTH)
        for _ in range(8):
            await world.rest()
            control.event(1, BOTH, Acknowledged(ResourceType.ROUTE, now(world, ResourceType.ROUTE), (), 0))
        assert control.quarantine.searched() == frozenset()


async def test_who_drains_speaks_for_nobody_and_ends_the_search_that_it_was_asked_for() -> None:
    async with shared() as world:
        control = world.control
        world.put(*(cart(name, f"/{name}") for name in "ab"))
        await world.rest()
        rejected = {
            name: one for name, one in now(world, ResourceType.ROUTE).items() if one.audience == ForGateway(*GW)
        }
        control.event(1, BOTH, Rejected(ResourceType.ROUTE, rejected, "no"))
        assert control.quarantine.searched() == {GW}
        drains = replace(BOTH, draining=True)
        control.regrouped(1, BOTH, drains)
        assert control.quarantine.searched() == frozenset()
        await world.rest()
        assert not list(control.pipeline.inputs.holds.items())
        control.event(1, drains, Rejected(ResourceType.ROUTE, rejected, "no"))
        control.synced(1, drains, control.catalog.serial)
        await world.rest()
        served = control.pipeline.inputs.served.get(GW)
        assert served is not None
        assert served.envoys == 0
        assert not list(control.pipeline.inputs.holds.items())
        control.closed(1, drains)


async def test_a_gateway_that_joins_a_proxy_waits_for_it() -> None:
    async with running() as world:
        world.put(GATEWAY_OBJECT)
        await world.rest()
        other = replace(NODE, gateways=(OTHER,))
        world.control.opened(1, other)
        world.control.synced(1, other, world.control.catalog.serial)
        await world.rest()
        assert world.programmed()[:2] == ("False", "Pending")
        world.control.regrouped(1, other, BOTH)
        await world.rest()
        assert world.programmed()[0] == "False"
        world.control.synced(1, BOTH, world.control.catalog.serial)
        await world.until(lambda: world.programmed()[0] == "True")
