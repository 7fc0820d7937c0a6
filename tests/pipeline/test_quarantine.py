"""Searches for culprits against simulated proxies: who is found, at what cost, and what is served meanwhile."""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xds_server.model.meta import Key
from xds_server.pipeline.holds import Hold, HoldId, left_out, serve_all
from xds_server.pipeline.quarantine import Proxies, Quarantine
from xds_server.routing.audience import ForGateway
from xds_server.wire.part import Owner, Part
from xds_server.xds.resource import Resource, ResourceType, made_without

GATEWAY = Key("shop", "web")
ROUTES = ResourceType.ROUTE
NAME = "http-80"


def leaf(name: str, text: str = "good", *, fallback: str = "500") -> Part:
    """A leaf whose content is `text`; with a fallback unless that is empty. What begins with "bad" is rejected."""
    make = (lambda part: Part(part.id, f"{name} {fallback};".encode())) if fallback else None
    owner = Owner("HTTPRoute", "shop", name, "rules[0]")
    return Part(name, f"{name} {text};".encode(), owners=(owner,), fallback=make)


def texts(resource: Resource | None) -> dict[str, str]:
    """What a resource says, by leaf."""
    words = resource.body.decode().split(";")[:-1] if resource else []
    return dict(word.split(" ", 1) for word in words)


@dataclass
class Proxy:
    """A simulated Envoy: it has what it accepted last, and answers what it is sent when it is told to."""

    build: str = "1.40.0"
    refuses: Callable[[str], bool] = lambda text: text.startswith("bad")
    has: Resource | None = None
    sent: Resource | None = None
    answered: str = ""
    """The version that it answered last; that is not sent again."""


@dataclass
class World:
    """Leaves of one resource, what is published of them per build, and proxies. Nothing happens by itself."""

    leaves: dict[str, Part]
    proxies: list[Proxy] = field(default_factory=lambda: [Proxy()])
    quarantine: Quarantine = field(default_factory=Quarantine)
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    catalog: dict[str, Resource] = field(default_factory=dict)
    published: list[dict[str, str]] = field(default_factory=list)
    """What each push to the first build said."""

    def __post_init__(self) -> None:
        self.settle()

    def change(self, *leaves: Part, gone: Iterable[str] = ()) -> None:
        """Edits what the objects mean; published with the next settle."""
        self.leaves |= {one.id: one for one in leaves}
        for name in gone:
            self.leaves.pop(name, None)

    def settle(self) -> None:
        """Publishes as the control loop does, until nothing feeds back."""
        for _ in range(20):
            self.quarantine.settling()
            self._publish()
            changes = self.quarantine.refresh(lambda id_: self.leaves.get(id_.leaf))
            changes |= self.quarantine.published(self.current)
            self.apply(changes)
            if not changes:
                return
        raise AssertionError("it does not come to rest")

    def _publish(self) -> None:
        for build in dict.fromkeys(proxy.build for proxy in self.proxies):
            leaves = list(self.leaves.values())
            hold_of = partial(self.hold_of, build)
            kept = serve_all(leaves, hold_of)
            part = Part(NAME, b"".join(one.data for one in kept), parts=kept)
            without = tuple(sorted(left_out(leaves, hold_of)))
            resource = Resource(ROUTES, NAME, ForGateway("shop", "web", build), part, without=without)
            if (known := self.catalog.get(build)) is None or known.version != resource.version:
                self.catalog[build] = resource
                if build == self.proxies[0].build:
                    self.published.append(texts(resource))
        for proxy in self.proxies:  # as a stream does when it is woken
            if proxy.answered != self.catalog[proxy.build].version:
                proxy.answered = ""

    def hold_of(self, build: str, leaf: str) -> Hold | None:
        return self.holds.get(HoldId(GATEWAY, build, ROUTES, leaf))

    def restart(self) -> None:
        """Another server, which knows the objects and hears what proxies say that they have."""
        self.quarantine = Quarantine()
        self.holds.clear()
        self.settle()
        for proxy in self.proxies:
            proxy.sent, proxy.answered = None, ""
            if proxy.has is not None:
                whose = Proxies(GATEWAY, proxy.build, ROUTES)
                self.quarantine.returned(whose, frozenset(made_without(proxy.has.version)))

    def current(self, proxies: Proxies, name: str) -> Resource | None:
        assert (proxies.gateway, proxies.type, name) == (GATEWAY, ROUTES, NAME)
        resource = self.catalog[proxies.build]
        return resource if resource.body else None

    def apply(self, changes: dict[HoldId, Hold | None]) -> None:
        for id_, hold in changes.items():
            if hold is None:
                del self.holds[id_]
            else:
                self.holds[id_] = hold

    def send(self, proxy: Proxy) -> bool:
        """Sends what is current, unless the proxy has it, has refused it, or is about to answer."""
        wanted = self.catalog[proxy.build]
        if proxy.sent is not None or proxy.answered == wanted.version:
            return False
        proxy.sent = wanted
        return True

    def answer(self, proxy: Proxy) -> bool:
        """The proxy answers what it was sent, if anything."""
        resource, proxy.sent = proxy.sent, None
        if resource is None:
            return False
        # As a stream does: it looks what to send next, and that another version came between is seen then.
        proxy.answered = resource.version if resource.version == self.catalog[proxy.build].version else ""
        whose = Proxies(GATEWAY, proxy.build, ROUTES)
        bad = [name for name, text in texts(resource).items() if proxy.refuses(text)]
        if bad:
            self.apply(self.quarantine.rejected(whose, {NAME: resource}, self.current, f"no {bad[0]}"))
        else:
            proxy.has = resource
            self.apply(self.quarantine.acknowledged(whose, {NAME: resource}, self.current))
        return True

    def run(self) -> None:
        """Everyone is quick, until nothing is left to do."""
        for _ in range(500):
            self.settle()
            moved = [self.send(proxy) or self.answer(proxy) for proxy in self.proxies]
            if not any(moved):
                return
        raise AssertionError("it does not come to rest")

    def convicted(self, build: str = "1.40.0") -> set[str]:
        return {id_.leaf for id_, hold in self.holds.items() if hold.rejected and id_.build == build}


def of(count: int, bad: Iterable[int] = (), **how: str) -> list[Part]:
    """Leaves of which some are bad; names sort as their numbers."""
    bad = set(bad)
    return [leaf(f"r{n:03}", "bad" if n in bad else "new", **how) for n in range(count)]


def served(count: int) -> World:
    """A world in which everything old is good and accepted."""
    world = World({one.id: one for one in [leaf(f"r{n:03}", "old") for n in range(count)]})
    world.run()
    world.published.clear()
    return world


@pytest.mark.parametrize("position", [0, 1, 31, 62, 63])
@pytest.mark.parametrize("fallback", ["500", "bad too", ""])
def test_one_culprit(position: int, fallback: str) -> None:
    world = served(64)
    world.change(*of(64, [position], fallback=fallback))
    world.run()
    culprit = f"r{position:03}"
    expected = {f"r{n:03}": "new" for n in range(64)}
    if fallback == "500":
        expected[culprit] = "500"
    else:
        del expected[culprit]
    assert texts(world.proxies[0].has) == expected
    assert world.convicted() == {culprit}
    (hold,) = world.holds.values()
    assert (hold.detail, hold.suspected, hold.stand_in) == (f"no {culprit}", "", None)
    assert hold.owners == (Owner("HTTPRoute", "shop", culprit, "rules[0]"),)
    assert len(world.published) <= 9


@given(
    count=st.integers(1, 80),
    seed=st.integers(0, 10**6),
    culprits=st.integers(1, 6),
    fallback=st.sampled_from(["500", "bad too", ""]),
)
@settings(max_examples=300, deadline=None)
def test_several_culprits_within_the_bound(count: int, seed: int, culprits: int, fallback: str) -> None:
    found = set(random.Random(seed).sample(range(count), min(culprits, count)))
    world = served(count)
    world.change(*of(count, found, fallback=fallback))
    world.run()
    assert world.convicted() == {f"r{n:03}" for n in found}
    got = texts(world.proxies[0].has)
    assert all(got[f"r{n:03}"] == "new" for n in range(count) if n not in found)
    assert len(world.published) <= len(found) * (math.ceil(math.log2(count)) + 2) + 1
    assert not world.quarantine.searched()


def test_an_innocent_is_served_its_old_or_its_new_state_all_the_time() -> None:
    world = served(20)
    world.change(*of(20, [3, 11, 12]))
    world.run()
    for push in world.published:
        for name, text in push.items():
            assert text in ("old", "new") or name in ("r003", "r011", "r012")
        assert len(push) == 20


def test_without_anything_acknowledged_before() -> None:
    world = World({one.id: one for one in of(16, [5, 6])})
    world.run()
    assert world.convicted() == {"r005", "r006"}
    assert texts(world.proxies[0].has) == {f"r{n:03}": "500" if n in (5, 6) else "new" for n in range(16)}


def test_a_changed_culprit_gets_a_new_try() -> None:
    world = served(8)
    world.change(*of(8, [5]))
    world.run()
    world.published.clear()
    world.change(leaf("r005", "bad again"))
    world.run()
    assert len(world.published) == 2, "only it is new, so only it can be the culprit"
    assert texts(world.proxies[0].has)["r005"] == "500"
    world.change(leaf("r005", "mended"))
    world.run()
    assert texts(world.proxies[0].has)["r005"] == "mended"
    assert world.holds == {}


def test_a_culprit_that_is_mended_or_removed_during_its_search() -> None:
    for mend in (True, False):
        for after in range(1, 7):
            world = served(16)
            world.change(*of(16, [9]))
            for _ in range(after):
                world.settle()
                world.send(world.proxies[0])
                world.answer(world.proxies[0])
            if mend:
                world.change(leaf("r009", "mended"))
            else:
                world.change(gone=["r009"])
            world.run()
            assert world.holds == {}
            got = texts(world.proxies[0].has)
            assert got.pop("r009", None) == ("mended" if mend else None)
            assert set(got.values()) == {"new"}
            assert not world.quarantine.searched()


def test_a_second_culprit_that_comes_during_the_search() -> None:
    world = served(32)
    world.change(*of(32, [30]))
    for _ in range(3):
        world.settle()
        world.send(world.proxies[0])
        world.answer(world.proxies[0])
    world.change(leaf("r002", "bad now"))
    world.run()
    assert world.convicted() == {"r002", "r030"}


def test_another_build_is_not_affected() -> None:
    other = Proxy(build="1.41.0", refuses=lambda text: False)
    world = World({one.id: one for one in of(8, [2])}, [Proxy(), other])
    world.run()
    assert world.convicted() == {"r002"}
    assert texts(other.has)["r002"] == "bad"
    assert {id_.build for id_ in world.holds} == {"1.40.0"}


def test_what_another_build_rejected_is_suspected_first() -> None:
    world = World({one.id: one for one in of(64, [2, 40])})
    world.run()
    late = Proxy(build="1.41.0")
    world.proxies.append(late)
    world.settle()
    answers = 0
    while world.send(late):
        world.answer(late)
        answers += 1
        world.settle()
        if late.has:
            missing = {f"r{n:03}" for n in range(64)} - texts(late.has).keys()
            assert missing <= {"r002", "r040"}, "an innocent was left out"
    assert world.convicted("1.41.0") == {"r002", "r040"}
    assert answers <= 7


@given(count=st.integers(2, 40), seed=st.integers(0, 10**6), fallback=st.sampled_from(["500", "bad too", ""]))
@settings(max_examples=100, deadline=None)
def test_another_server_finds_the_culprits_again_without_leaving_out_others(
    count: int, seed: int, fallback: str
) -> None:
    culprits = set(random.Random(seed).sample(range(count), min(count, 1 + seed % 3)))
    world = World({one.id: one for one in of(count, culprits, fallback=fallback)})
    world.run()
    before = world.convicted()
    world.restart()
    (proxy,) = world.proxies
    for _ in range(100):
        if not world.send(proxy):
            break
        world.answer(proxy)
        world.settle()
        assert {f"r{n:03}" for n in range(count) if n not in culprits} <= texts(proxy.has).keys()
    assert world.convicted() == before == {f"r{n:03}" for n in culprits}


def test_a_rejection_of_what_is_not_current_is_ignored() -> None:
    world = served(4)
    world.change(*of(4, [1]))
    world.settle()
    world.send(world.proxies[0])
    world.change(leaf("r001", "mended"))
    world.settle()
    world.answer(world.proxies[0])
    assert world.holds == {}
    world.run()
    assert set(texts(world.proxies[0].has).values()) == {"mended", "new"}


def test_two_proxies_reject_the_same() -> None:
    world = served(16)
    world.proxies.append(Proxy())
    world.run()
    world.change(*of(16, [4, 5]))
    world.settle()
    for proxy in world.proxies:
        world.send(proxy)
    for proxy in world.proxies:  # both, before anything is published
        world.answer(proxy)
    world.run()
    assert world.convicted() == {"r004", "r005"}


def test_the_gateway_goes_during_the_search() -> None:
    world = served(8)
    world.change(*of(8, [1]))
    world.settle()
    world.send(world.proxies[0])
    world.answer(world.proxies[0])
    assert world.holds
    assert world.quarantine.searched() == {GATEWAY}
    world.apply(world.quarantine.forget(GATEWAY))
    assert world.holds == {}
    assert not world.quarantine.searched()
    assert world.quarantine.published(world.current) == {}


STEPS = st.tuples(
    st.sampled_from(["edit", "edit", "drop", "settle", "send", "answer", "send", "answer"]),
    st.integers(0, 12),
    st.sampled_from(["a", "b", "bad 1", "bad 2"]),
    st.sampled_from(["500", "bad too", ""]),
)


def steps_of(text: str) -> list[tuple[str, int, str, str]]:
    """Steps such as `send 1` or `edit 3 bad 2 | 500`, in lines."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        before, _, fallback = line.partition("|")
        step, number, *words = before.split()
        found.append((step, int(number), " ".join(words), fallback.strip()))
    return found


ANSWERED_WHEN_GONE = """
edit 0 bad 1 | 500
settle 0
send 1
send 0
edit 0 a
settle 0
answer 0
edit 0 bad 1 | 500
answer 1
"""
FALLBACK_GONE_WHEN_SUSPECTED = """
edit 3 bad 2 | bad too
settle 0
send 1
answer 1
edit 2 a
settle 0
edit 3 bad 2
send 1
answer 1
"""


@given(count=st.integers(1, 12), warm=st.booleans(), steps=st.lists(STEPS, max_size=50))
@example(count=1, warm=False, steps=steps_of(ANSWERED_WHEN_GONE))
@example(count=1, warm=True, steps=steps_of(FALLBACK_GONE_WHEN_SUSPECTED))
@settings(max_examples=1000, deadline=None)
def test_any_order_of_edits_and_answers_ends_with_the_culprits_out_and_all_others_served(
    count: int, warm: bool, steps: list[tuple[str, int, str, str]]
) -> None:
    world = World({one.id: one for one in [leaf(f"r{n:03}", "old") for n in range(count)]}, [Proxy(), Proxy()])
    if warm:
        world.run()
    for step, number, text, fallback in steps:
        match step:
            case "edit":
                world.change(leaf(f"r{number:03}", text, fallback=fallback))
            case "drop":
                world.change(gone=[f"r{number:03}"])
            case "settle":
                world.settle()
            case "send":
                world.send(world.proxies[number % 2])
            case "answer":
                world.answer(world.proxies[number % 2])
    world.run()
    bad = {name for name, one in world.leaves.items() if b" bad" in one.data}
    assert world.convicted() == bad
    for proxy in world.proxies:
        got = texts(proxy.has)
        for name, one in world.leaves.items():
            if name not in bad:
                assert f"{name} {got[name]};".encode() == one.data
            else:
                assert got.get(name) in (None, "500")
    assert not world.quarantine.searched()


def test_a_rejection_that_comes_before_what_an_earlier_one_meant_is_published() -> None:
    whose = Proxies(GATEWAY, "1.40.0", ROUTES)
    catalog = {
        name: Resource(ROUTES, name, ForGateway("shop", "web"), Part(name, one.data, parts=(one,)))
        for name, one in {"http-80": leaf("r1", "bad"), "http-81": leaf("r2", "bad", fallback="")}.items()
    }

    def current(_: Proxies, name: str) -> Resource:
        return catalog[name]

    quarantine = Quarantine()
    first = quarantine.rejected(whose, {"http-80": catalog["http-80"]}, current, "no r1")
    assert [id_.leaf for id_ in first] == ["r1"]
    assert quarantine.rejected(whose, {"http-81": catalog["http-81"]}, current, "no r2") == {}
    assert quarantine.published(current) == {}, "that publish began before"
    quarantine.settling()
    later = quarantine.published(current)
    assert {id_.leaf: hold and hold.detail for id_, hold in later.items()} == {"r2": "no r2"}


def test_a_listener_that_cannot_be_bound_is_no_culprit_and_another_beside_it_is() -> None:
    whose = Proxies(GATEWAY, "1.40.0", ResourceType.LISTENER)
    names = ("tcp-80", "tcp-81", "tcp-82")
    catalog = {
        name: Resource(ResourceType.LISTENER, name, ForGateway("shop", "web"), Part(name, b"x", parts=(leaf(name),)))
        for name in names
    }
    taken = "tcp-80: cannot bind '[::]:80': Address already in use"
    bad = "tcp-82: Proto constraint validation failed"

    def leaves(detail: str) -> list[str]:
        quarantine = Quarantine()
        changes = quarantine.rejected(whose, catalog, lambda _, name: catalog[name], detail)
        return [id_.leaf for id_ in changes]

    assert leaves(f"Error adding/updating listener(s) {taken}\n") == []
    assert leaves(f"Error adding/updating listener(s) {taken}\n{bad}\n") == ["tcp-82"]
    assert leaves(f"Error adding/updating listener(s) {bad}\n") == ["tcp-82"]


def test_a_search_ends_with_its_last_proxy_and_starts_anew_when_one_comes() -> None:
    world = served(8)
    world.change(*of(8, [5]))
    world.settle()
    world.send(world.proxies[0])
    world.answer(world.proxies[0])
    assert world.quarantine.searched() == {GATEWAY}
    world.apply(world.quarantine.left(GATEWAY, world.proxies[0].build))
    world.proxies = [Proxy()]
    assert world.quarantine.searched() == frozenset()
    assert world.holds == {}
    world.run()
    assert world.convicted() == {"r005"}
    assert not world.quarantine.searched()
