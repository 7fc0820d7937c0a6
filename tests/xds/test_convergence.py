"""Random schedules: whatever happens on the way, a client ends with exactly what its view says."""

from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tests.xds.fake_envoy import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET
from tests.xds.fills import AUDIENCES, EMPTY, GATEWAY, OTHER, Shelf, fill
from tests.xds.wire_between import Line
from xds_server.routing.audience import Audience, Everyone, ForGateway
from xds_server.xds.catalog import View
from xds_server.xds.resource import Resource, ResourceType

CLUSTERS = ("a", "b", "c")
LISTENERS = ("l", "m")


@dataclass(frozen=True)
class World:
    """One consistent state of the catalog: routes name clusters that exist. 0 is for what does not."""

    clusters: tuple[int, ...] = (1, 1, 1)
    endpoints: tuple[int, ...] = (1, 1)
    listeners: tuple[int, ...] = (1, 1)
    routes: tuple[int, ...] = (1, 1)
    secret: int = 1
    bad: dict[tuple[ResourceType, str], str] = field(default_factory=dict)
    audience: ForGateway = GATEWAY
    named: tuple[str, ...] = LISTENERS
    secured: tuple[str, ...] = ()

    def resources(self) -> list[Resource]:
        found: list[Resource] = []

        def add(type_: ResourceType, name: str, content: str, *references: tuple[ResourceType, str]) -> None:
            bad = self.bad.get((type_, name), "")
            found.append(
                fill(type_, name, f"{content} bad={bad}" if bad else content, *references, audience=self.audience)
            )

        for name, version in zip(CLUSTERS, self.clusters, strict=True):
            # b and c share an assignment.
            eds = "e" if name == "a" else "f"
            if version:
                tls = self.secret and name in self.secured
                secrets = ((SECRET, "s"),) if tls else ()
                add(CLUSTER, name, f"{version} eds={eds}{' secret=s' if tls else ''}", (ENDPOINT, eds), *secrets)
        for name, version in zip("ef", self.endpoints, strict=True):
            if version:
                add(ENDPOINT, name, str(version))
        exist = [name for name, version in zip(CLUSTERS, self.clusters, strict=True) if version]
        exist = [name for name in exist if (CLUSTER, name) not in self.bad]
        for number, name in enumerate(self.named):
            secret = " secret=s" if number else ""
            if self.listeners[number]:
                references = ((SECRET, "s"),) if secret else ()
                add(LISTENER, name, f"{self.listeners[number]} routes=r{name}{secret}", *references)
            if self.routes[number]:
                to = exist[self.routes[number] % len(exist)] if exist else ""
                add(ROUTE, f"r{name}", f"{self.routes[number]} to={to}")
        if self.secret:
            add(SECRET, "s", str(self.secret))
        return found


def versions(count: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.sampled_from([0, 1, 1, 2])] * count)


def worlds(bad: st.SearchStrategy[dict[tuple[ResourceType, str], str]]) -> st.SearchStrategy[World]:
    listeners = st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2), (0, 1), (1, 0)])
    secured = st.sampled_from([(), (), ("c",), ("a", "b")])
    return st.builds(
        World,
        versions(3),
        versions(2),
        listeners,
        versions(2),
        st.sampled_from([0, 1, 1, 2]),
        bad,
        secured=secured,
    )


NAMES = [*((CLUSTER, name) for name in CLUSTERS), (LISTENER, "l"), (ENDPOINT, "e"), (ROUTE, "rl"), (SECRET, "s")]
GOOD = worlds(st.just({}))
BAD = worlds(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["decode", "apply", "ghost"]), max_size=2))
BAD_AND_ANSWERED = worlds(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["decode", "apply"]), max_size=2))
BAD_ROUTES = worlds(st.sampled_from([{}, {(ROUTE, "rl"): "apply"}])).map(
    lambda world: replace(world, endpoints=(1, 1), routes=(world.routes[0] or 1, world.routes[1] or 1))
)
# "all" delivers until nothing is on its way; no time passes.
DELIVERIES = st.sampled_from(["request", "response", "both", "all"])


class Publisher:
    """Puts worlds on the shelf: what a world does not have is removed."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.known: dict[tuple[ResourceType, str], Resource] = {}

    def publish(self, world: World) -> None:
        now = {(one.type, one.name): one for one in world.resources()}
        gone = [one for key, one in self.known.items() if key not in now]
        self.shelf.put(*now.values(), gone=gone)
        self.known = now


def play(line: Line, publisher: Publisher, step: "World | str | float") -> None:
    if isinstance(step, World):
        publisher.publish(step)
        line.turn()
    elif isinstance(step, float):
        line.wait(step)
    elif step == "reconnect":
        # What a rejected response left behind, and the server had not yet heard of when the stream broke, no new stream
        # can know: Envoy records no version of it, and with a ghost never asks for clusters again.
        assume(not line.envoy.left_behind())
        line.reconnect()
    elif step == "all":
        while line.deliver_response() or line.deliver_request():
            pass
    else:
        if step != "request":
            line.deliver_response()
        if step != "response":
            line.deliver_request()


def assert_has_all(line: Line) -> None:
    """Envoy holds what the view says: all clusters and listeners, and of the rest what these name."""
    view, envoy = line.shelf.view(), line.envoy
    assert envoy.stuck() == []
    for type_ in (CLUSTER, LISTENER):
        expected = {name: one.body.decode().partition("=")[2] for name, one in view.resources(type_).items()}
        assert {name: body.text for name, body in envoy.held[type_].items()} == expected
    for type_ in (ENDPOINT, SECRET, ROUTE):
        for name in envoy.wanted[type_]:
            held, one = envoy.held[type_].get(name), view.get(type_, name)
            if one is not None:
                assert held is not None
                assert held.text == one.body.decode().partition("=")[2]
            elif type_ is not SECRET:
                assert held is not None
                assert held.text == EMPTY
    assert line.stream.synced_serial() == view.serial


def connected(*, delta: bool) -> tuple[Line, Publisher]:
    """A line whose client has all of a small first world."""
    line = Line(Shelf(), delta=delta)
    publisher = Publisher(line.shelf)
    publisher.publish(World(clusters=(1, 0, 0)))
    line.settle()
    return line, publisher


EVENTFUL = st.lists(BAD | DELIVERIES | st.just("reconnect") | st.sampled_from([0.5, 1.5, 2.5, 6.0]), max_size=30)
CALM = st.lists(BAD_ROUTES | DELIVERIES, max_size=30)


def only(version: int, first: int = 0, **bad: str) -> World:
    """Nothing but the listeners and clusters, whose endpoints are missing: c, and maybe a."""
    faults = {(CLUSTER, name): fault for name, fault in bad.items()}
    return World((first, 0, version), (0, 0), (1, 1), (0, 0), 0, faults)


ONE_MORE = World((0, 0, 1), (2, 1), (1, 1), (0, 0), 0)


@given(EVENTFUL, GOOD, st.booleans(), st.booleans())
@example(steps=[only(1), "response", only(2), "reconnect", "request", 1.5], last=only(1), delta=True, new=False).via(
    "a client says what it has while a later version is on its way, and the earlier one is to be had again"
)
@example(steps=[only(0), only(1, c="ghost"), 6.0, only(1, 1, a="decode")], last=only(1), delta=True, new=False).via(
    "a ghost whose mended version was rejected for another's fault"
)
@example(
    steps=[World(clusters=(0, 0, 1), bad={(ROUTE, "rl"): "decode"}), 2.5],
    last=World(clusters=(0, 0, 1)),
    delta=False,
    new=False,
).via("a rejection that comes when a later response is sent")
@example(
    steps=[ONE_MORE, replace(ONE_MORE, clusters=(0, 1, 0), endpoints=(0, 2)), 4.0],
    last=replace(ONE_MORE, endpoints=(0, 1)),
    delta=False,
    new=False,
).via("a response that was given up, and read by a slow client nevertheless")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_schedule_ends_with_the_view(
    steps: list["World | str | float"], last: World, delta: bool, new: bool
) -> None:
    line, publisher = connected(delta=delta)
    if new:
        line = Line(line.shelf, delta=delta)
    for step in steps:
        play(line, publisher, step)
    # In state of the world a listener whose secret does not exist waits for it: nothing can tell it.
    publisher.publish(last if delta else replace(last, secret=1))
    line.settle()
    assert_has_all(line)


@given(CALM, st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_traffic_always_has_a_cluster_to_go_to(steps: list["World | str"], delta: bool) -> None:
    """Make before break: while Envoy answers in time, no route in use ever names a cluster that cannot be sent to."""
    line, publisher = connected(delta=delta)
    for step in steps:
        if isinstance(step, World) and not any(step.clusters):
            continue
        play(line, publisher, step)
        assert line.envoy.broken_routes() == set()


@given(
    st.lists(
        st.sampled_from(["authorities", "authorities and more", "more", "reconnect"]) | DELIVERIES,
        max_size=40,
    )
)
@settings(max_examples=400, deadline=None)
def test_a_cluster_changes_after_its_secret(steps: list[str]) -> None:
    """While Envoy answers in time, it has no cluster that tells of later authorities than those of its secret."""
    line = Line(Shelf(), delta=True)
    secret, edits = 1, 1

    def publish() -> None:
        said = f"{edits} authorities={secret}"
        clusters = [
            fill(CLUSTER, name, f"{said} eds=e secret=s", (ENDPOINT, "e"), (SECRET, "s"), audience=GATEWAY)
            for name in "ab"
        ]
        other = fill(CLUSTER, "c", f"{edits} eds=e", (ENDPOINT, "e"), audience=GATEWAY)
        rest = fill(ENDPOINT, "e", "1", audience=GATEWAY), fill(LISTENER, "l", "1", audience=GATEWAY)
        line.shelf.put(*clusters, other, *rest, fill(SECRET, "s", str(secret), audience=GATEWAY))
        line.turn()

    publish()
    line.settle()
    for step in steps:
        secret += step.startswith("authorities")
        edits += step.endswith("more")
        if step.endswith(("authorities", "more")):
            publish()
        else:
            play(line, Publisher(line.shelf), step)
        has = int(line.envoy.held[SECRET]["s"].text)
        assert all(int(line.envoy.held[CLUSTER][name].words("authorities")[0]) <= has for name in "ab")
    line.settle()
    assert_has_all(line)


@given(CALM, st.sampled_from(["request", "response", "all", "both"]))
@settings(max_examples=200, deadline=None)
def test_nothing_rejected_is_repeated(steps: list["World | str"], delivery: str) -> None:
    """No response carries a resource in the version that was rejected last, unless the client asked or it had changed."""
    line, publisher = connected(delta=True)
    for step in steps:
        play(line, publisher, step)
        play(line, publisher, delivery)
    publisher.publish(World(bad={(ROUTE, "rl"): "apply"}, routes=(3, 3)))
    line.settle()
    sent = len(line.sent)
    line.wait(3600)
    assert len(line.sent) == sent
    assert any("rl" in response.resources for response in line.sent)


@given(GOOD.filter(lambda world: world.secret))
@settings(max_examples=100, deadline=None)
def test_a_client_that_comes_back_in_sync_is_sent_nothing(world: World) -> None:
    line, publisher = connected(delta=True)
    publisher.publish(world)
    line.settle()
    before = len(line.sent)
    line.reconnect()
    line.settle()
    assert [response.resources for response in line.sent[before:] if response.resources or response.removed] == []
    assert_has_all(line)


# Audiences that change: a second Gateway, with listeners and routes of its own and clusters that both have.

SETS: tuple[tuple[Audience, ...], ...] = (
    AUDIENCES,
    (Everyone(), OTHER),
    (Everyone(), OTHER, GATEWAY),
    (Everyone(), GATEWAY, OTHER),
    (Everyone(),),
)


def of_other(world: World) -> World:
    return replace(world, audience=OTHER, named=("n", "o"))


@given(
    st.lists(
        BAD_AND_ANSWERED
        | BAD_AND_ANSWERED.map(of_other)
        | DELIVERIES
        | st.sampled_from(SETS)
        | st.sampled_from([0.5, 2.5, 6.0]),
        max_size=30,
    ),
    GOOD,
    st.sampled_from(SETS),
    st.booleans(),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_change_of_audiences_ends_with_the_view(
    steps: list["World | str | float | tuple[Audience, ...]"], last: World, sees: tuple[Audience, ...], delta: bool
) -> None:
    line, publisher = connected(delta=delta)
    other = Publisher(line.shelf)
    for step in steps:
        if isinstance(step, tuple):
            line.regroup(step)
        else:
            play(line, other if isinstance(step, World) and step.audience == OTHER else publisher, step)
    publisher.publish(replace(last, secret=1))
    other.publish(of_other(replace(last, secret=1)))
    line.regroup(sees)
    line.settle()
    assert_has_all(line)


def contents(view: View) -> dict[tuple[ResourceType, str], str]:
    return {(type_, name): one.version for type_ in ResourceType for name, one in view.resources(type_).items()}


@given(GOOD, GOOD.map(of_other), st.lists(st.sampled_from(SETS), min_size=1, max_size=6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_another_audience_is_sent_as_the_difference(
    one: World, two: World, sets: list[tuple[Audience, ...]], delta: bool
) -> None:
    """What both views have alike is not sent again, but for what a changed cluster or listener needs."""
    line, publisher = connected(delta=delta)
    publisher.publish(replace(one, secret=1))
    Publisher(line.shelf).publish(replace(two, secret=1))
    line.settle()
    for audiences in sets:
        before, sent = contents(line.shelf.view()), len(line.sent)
        line.regroup(audiences)
        line.settle()
        assert_has_all(line)
        after = contents(line.shelf.view())
        differ = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        again = {(ENDPOINT, "e"), (ENDPOINT, "f"), (SECRET, "s")}
        for response in line.sent[sent:]:
            # In state of the world clusters and listeners are sent in full.
            if delta or response.type not in (CLUSTER, LISTENER):
                real = {name for name, resource in response.resources.items() if resource.audience != Everyone()}
                assert {(response.type, name) for name in real} <= differ | again
        if not differ:
            assert len(line.sent) == sent


@given(
    st.lists(BAD_ROUTES.map(of_other) | DELIVERIES | st.sampled_from(SETS[2:4]), max_size=30),
    st.sampled_from(SETS[1:4]),
)
@settings(max_examples=200, deadline=None)
def test_what_happens_to_another_gateway_leaves_traffic_alone(
    steps: list["World | str | tuple[Audience, ...]"], last: tuple[Audience, ...]
) -> None:
    """Routes of the one always name clusters that can be sent to, and its listeners are never touched."""
    line, publisher = connected(delta=True)
    publisher.publish(World())
    line.settle()
    other, sent = Publisher(line.shelf), len(line.sent)
    for step in [*steps, last if GATEWAY in last else AUDIENCES]:
        if isinstance(step, tuple):
            line.regroup(step)
        elif not isinstance(step, World) or any(step.clusters):
            play(line, other, step)
        assert line.envoy.broken_routes() == set()
    line.settle()
    for response in line.sent[sent:]:
        if response.type is LISTENER:
            assert not {*response.resources, *response.removed} & {*LISTENERS}
