"""Searches under any schedule: leaves that stand in several resources, responses that overtake answers, and answers
that come while a settle is under way.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.pipeline.test_quarantine import GATEWAY, ROUTES, leaf, texts
from xds_server.pipeline.holds import Hold, HoldId, left_out, serve_all
from xds_server.pipeline.quarantine import Proxies, Quarantine
from xds_server.routing.audience import ForGateway
from xds_server.wire.part import Part
from xds_server.xds.resource import Resource

BUILD = "1.40.0"
WHOSE = Proxies(GATEWAY, BUILD, ROUTES)
NAMES = ("http-80", "http-81")
PLACES = (("http-80",), ("http-81",), NAMES, ("http-80",))
SCHEDULES = 400
ROUNDS = 500


@dataclass
class Flight:
    """A response on its way."""

    resources: dict[str, Resource]
    removed: tuple[str, ...]


@dataclass
class Proxy:
    """A simulated Envoy with its stream."""

    has: dict[str, Resource] = field(default_factory=dict)
    holds: dict[str, Resource] = field(default_factory=dict)
    """What it has once it has accepted what is on its way."""
    flights: list[Flight] = field(default_factory=list)
    rejections: list[frozenset[str]] = field(default_factory=list)
    """Names of each rejected response: they are unsent until one of them has another version."""


@dataclass
class World:
    """Leaves, the resources that each stands in, and proxies. Nothing happens by itself."""

    leaves: dict[str, Part] = field(default_factory=dict)
    places: dict[str, tuple[str, ...]] = field(default_factory=dict)
    proxies: list[Proxy] = field(default_factory=lambda: [Proxy(), Proxy()])
    quarantine: Quarantine = field(default_factory=Quarantine)
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    catalog: dict[str, Resource] = field(default_factory=dict)
    under_way: tuple[dict[str, Resource], dict[str, Part]] | None = None
    """What the settle that began will publish, and the leaves that it saw."""

    def put(self, one: Part, *places: str) -> None:
        self.leaves[one.id] = one
        self.places[one.id] = places or self.places[one.id]

    def hold_of(self, leaf: str) -> Hold | None:
        return self.holds.get(HoldId(GATEWAY, BUILD, ROUTES, leaf))

    def current(self, _: Proxies, name: str) -> Resource | None:
        return self.catalog.get(name)

    def begin(self) -> None:
        """A settle begins; what changes from now on it does not see."""
        if self.under_way is not None:
            return
        self.quarantine.settling()
        made = {}
        for name in NAMES:
            here = [one for one in self.leaves.values() if name in self.places[one.id]]
            if here:
                kept = serve_all(here, self.hold_of)
                part = Part(name, b"".join(one.data for one in kept), parts=kept)
                without = tuple(sorted(left_out(here, self.hold_of)))
                made[name] = Resource(ROUTES, name, ForGateway("shop", "web", BUILD), part, without=without)
        self.under_way = made, dict(self.leaves)

    def end(self) -> bool:
        """The settle is published. True when another one has to follow."""
        if self.under_way is None:
            return False
        made, leaves = self.under_way
        self.under_way = None
        moved = {name for name in NAMES if _version(made.get(name)) != _version(self.catalog.get(name))}
        self.catalog = made
        for proxy in self.proxies:
            proxy.rejections = [one for one in proxy.rejections if moved.isdisjoint(one)]
        changes = self.quarantine.refresh(lambda id_: leaves.get(id_.leaf))
        changes |= self.quarantine.published(self.current)
        self.apply(changes)
        return bool(changes)

    def settle(self) -> None:
        self.end()
        for _ in range(30):
            self.begin()
            if not self.end():
                return
        raise AssertionError("settling does not come to rest")

    def apply(self, changes: Mapping[HoldId, Hold | None]) -> None:
        for id_, hold in changes.items():
            if hold is None:
                self.holds.pop(id_, None)
            else:
                self.holds[id_] = hold

    def send(self, proxy: Proxy, most: int = 2) -> bool:
        """Sends what is current and neither held nor withheld; removals wait until nothing else is on its way."""
        if len(proxy.flights) >= most:
            return False
        withheld = {name for names in proxy.rejections for name in names}
        has = {name: one.version for name, one in proxy.holds.items()}
        news = {
            name: one for name, one in self.catalog.items() if name not in withheld and has.get(name) != one.version
        }
        removed = () if news or proxy.flights else tuple(proxy.holds.keys() - self.catalog.keys())
        if not news and not removed:
            return False
        proxy.holds |= news
        for name in removed:
            del proxy.holds[name]
        proxy.flights.append(Flight(news, removed))
        return True

    def answer(self, proxy: Proxy) -> bool:
        """The proxy answers the oldest response that is on its way, if any."""
        if not proxy.flights:
            return False
        flight = proxy.flights.pop(0)
        bad = [name for one in flight.resources.values() for name, text in texts(one).items() if text[:3] == "bad"]
        if not bad:
            proxy.has |= flight.resources
            for name in flight.removed:
                proxy.has.pop(name, None)
            self.quarantine.removed(WHOSE, flight.removed)
            self.apply(self.quarantine.acknowledged(WHOSE, flight.resources, self.current))
            return True
        current = {name: _version(self.catalog.get(name)) for name in flight.resources}
        if all(one.version == current[name] for name, one in flight.resources.items()):
            proxy.rejections.append(frozenset(current))
        for name in flight.resources.keys() - {name for later in proxy.flights for name in later.resources}:
            proxy.holds.pop(name)
            if name in proxy.has:
                proxy.holds[name] = proxy.has[name]
        self.apply(self.quarantine.rejected(WHOSE, flight.resources, self.current, f"no {bad[0]}"))
        return True

    def leave(self) -> None:
        """All proxies go, and others come."""
        self.proxies = [Proxy() for _ in self.proxies]
        self.apply(self.quarantine.left(GATEWAY, BUILD))

    def run(self) -> None:
        """Everyone is quick, until nothing is left to do."""
        for _ in range(ROUNDS):
            self.settle()
            moved = [self.send(proxy, 1) or self.answer(proxy) for proxy in self.proxies]
            if not any(moved):
                return
        raise AssertionError("it does not come to rest")

    def check(self) -> None:
        """The culprits are out, all others are served, and nothing is suspected."""
        bad = {name for name, one in self.leaves.items() if b" bad" in one.data}
        assert {id_.leaf for id_, hold in self.holds.items() if hold.rejected} == bad
        assert not [id_ for id_, hold in self.holds.items() if hold.suspected]
        assert not self.quarantine.searched()
        for proxy in self.proxies:
            for place in NAMES:
                got = texts(proxy.has.get(place))
                wanted = {name: one for name, one in self.leaves.items() if place in self.places[name]}
                assert got.keys() <= wanted.keys()
                for name, one in wanted.items():
                    if name in bad:
                        assert got.get(name) in (None, "500")
                    else:
                        assert f"{name} {got[name]};".encode() == one.data


def _version(resource: Resource | None) -> str:
    return resource.version if resource else ""


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_any_schedule_ends_with_the_culprits_out_and_all_others_served(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(1, 8)
    world = World(proxies=[Proxy() for _ in range(chance.randint(1, 3))])
    for number in range(count):
        world.put(leaf(f"r{number}", "old"), *chance.choice(PLACES))
    if chance.random() < 0.6:
        world.run()
    for _ in range(chance.choice([5, 20, 60])):
        _step(world, chance, f"r{chance.randint(0, count + 1)}")
    world.run()
    world.check()


def _step(world: World, chance: random.Random, name: str) -> None:
    proxy = chance.choice(world.proxies)
    steps: Iterable[tuple[Callable[[], object], int]] = (
        (lambda: _edit(world, chance, name), 2),
        (lambda: world.leaves.pop(name, None), 1),
        (lambda: name in world.leaves and world.put(world.leaves[name], *chance.choice(PLACES)), 1),
        (world.begin, 1),
        (world.end, 1),
        (world.settle, 1),
        (lambda: world.send(proxy), 3),
        (lambda: world.answer(proxy), 3),
        (world.leave, 0 if chance.random() < 0.8 else 1),
    )
    (step,) = chance.choices([step for step, _ in steps], [weight for _, weight in steps])
    step()


def _edit(world: World, chance: random.Random, name: str) -> None:
    text, fallback = chance.choice(["a", "b", "bad 1", "bad 2"]), chance.choice(["500", "bad too", ""])
    world.put(leaf(name, text, fallback=fallback), *world.places.get(name, chance.choice(PLACES)))


def test_suspects_that_move_to_another_resource_are_tried_there() -> None:
    world = World(proxies=[Proxy()])
    world.put(leaf("r0", "old"), "http-80")
    for name in ("r3", "r5"):
        world.put(leaf(name, "old"), "http-81")
    world.run()
    world.put(leaf("r3", "bad"))
    world.put(leaf("r5", "new"))
    world.settle()
    (proxy,) = world.proxies
    assert world.send(proxy)
    assert world.answer(proxy)
    world.settle()
    assert [id_.leaf for id_, hold in world.holds.items() if hold.suspected] == ["r5"]
    for name in ("r3", "r5"):
        world.put(world.leaves[name], "http-80")
    world.run()
    world.check()


def test_a_search_ends_when_all_that_it_was_about_is_gone() -> None:
    world = World(proxies=[Proxy()])
    world.put(leaf("r0", "good"), "http-80")
    world.put(leaf("r2", "bad"), "http-81")
    world.settle()
    (proxy,) = world.proxies
    assert world.send(proxy)
    assert world.answer(proxy)
    assert world.quarantine.searched()
    del world.leaves["r0"]
    world.put(leaf("r2", "mended"))
    world.settle()
    del world.leaves["r2"]
    world.settle()
    assert not world.quarantine.searched()


def test_what_stands_in_is_no_suspect_in_a_resource_that_had_it_not() -> None:
    """Of three changed leaves the last is good, is held back first, and has just come into the second resource."""
    world = World()
    for name in ("r0", "r3", "r5"):
        world.put(leaf(name, "old"), "http-80")
    world.put(leaf("r6", "old"), "http-81")
    world.run()
    for name in ("r0", "r3"):
        world.put(leaf(name, "bad"))
    world.put(leaf("r5", "new"), *NAMES)
    world.run()
    world.check()


def test_what_is_served_in_one_resource_is_not_left_out_there_when_it_comes_into_another() -> None:
    world = World()
    for number in range(4):
        world.put(leaf(f"r{number}", "old"), "http-81")
    world.put(leaf("r9", "old"), "http-80")
    world.run()
    for number in range(4):
        world.put(leaf(f"r{number}", "bad" if number == 0 else "new"), *NAMES)
    proxy = world.proxies[0]
    for _ in range(50):
        world.settle()
        if world.send(proxy, 1) or world.answer(proxy):
            got = texts(world.catalog["http-81"])
            assert all(got.get(f"r{number}") in ("old", "new") for number in range(1, 4))
    world.run()
    world.check()
