"""Ledger: what one client holds of one type, what it lacks, and what is on its way to it; for both protocols.

In: what the client asks for and answers, and views of the catalog. Out: which names are to be sent (`adds`)
and which are gone (`removals`). When to send, in which order and in which bytes, is decided by the stream.

A name is looked at only when something about it changed: the view, the subscription, or an answer. Then it
is in exactly one of these: adds, removals, a rejection, unasked, or none because the client has it.
"""

from collections.abc import Collection, Iterable, Mapping

from xds_server.xds.catalog import View
from xds_server.xds.encoding import named_in, stand_in
from xds_server.xds.events import Acknowledged, Event, Rejected
from xds_server.xds.flight import (
    Flight,
    Rejection,
    accepted_of,
    blamed_by,
    give_up,
    rejection_of,
    repair_of,
    underway,
    version_of,
)
from xds_server.xds.limits import Limits
from xds_server.xds.resource import Resource, ResourceType
from xds_server.xds.subscription import Change, Subscription

_APPLIED_ONE_BY_ONE = frozenset({ResourceType.CLUSTER, ResourceType.LISTENER})
_MOST_FLIGHTS = 8
_UNKNOWN = "unknown"


class Ledger:
    """One type on one stream. Times are seconds of a monotonic clock."""

    def __init__(self, type_: ResourceType, limits: Limits) -> None:
        self.type = type_
        self.subscription = Subscription(type_)
        self.requested = False
        """The client has asked for this type on this stream."""
        self.pushed = False
        """All of the type is sent without having been asked for."""
        self.answer_due = False
        """A wildcard was subscribed to: it is answered even if there is nothing."""
        self.held: dict[str, Resource | None] = {}
        """What the client has once it accepts what is on its way; None for an unknown version of that name."""
        self.adds: set[str] = set()
        self.removals: dict[str, float] = {}
        """Names that are gone from the view, and since when."""
        self.unasked: set[str] = set()
        """Names in the view that the client has not asked for."""
        self.repair: dict[str, Resource | None] = {}
        """What takes back a rejected cluster: the version before it, or None to remove it."""
        self.rejections: list[Rejection] = []
        self.confirmed: list[Event] = []
        """That a returning client holds what it is to hold, which is as good as accepting it; not yet told."""
        self.flights: dict[str, Flight] = {}
        self.last_nonce = ""
        self._limits = limits
        self._everything = True
        """All names are to be looked at."""
        self._owed: set[str] = set()
        self._volunteered: set[str] = set()
        self._dirty: set[str] = set()
        self._claims: Mapping[str, str] = {}
        self._recheck = False

    # What the client says

    def begin(self, change: Change, claims: Mapping[str, str]) -> None:
        """The type's first request on this stream. What the client says it holds replaces what was assumed.

        `claims` are delta's initial_resource_versions: a claimed name is not sent again if its version is the current
        one. What is on its way counts instead: the client has yet to read it. SotW's version_info is no such claim,
        since of a response that was rejected later a part may be applied.
        """
        coming = underway(self.flights.values())
        if claims or not self.pushed:
            self.held = {name: one for name, one in coming.items() if one and self.subscription.covers(name)}
        self.requested = True
        self.pushed = False
        self.adds.clear()
        self.removals.clear()
        self._claims = {name: version for name, version in claims.items() if name not in coming}
        self._everything = True
        self.answer_due = change.wildcard_began or self.subscription.wildcard
        self._owe(change.asked - claims.keys() - coming.keys())

    def changed(self, change: Change) -> None:
        """A later request changed the subscription: what was asked for is owed, what was dropped is forgotten."""
        self._owe(change.asked - self._underway(change.asked))
        self._dirty |= change.asked | change.dropped
        if change.wildcard_began or change.wildcard_ended:
            self.answer_due = change.wildcard_began
            self._everything = True
        uncovered = (name for name in tuple(self.held) if not self.subscription.covers(name))
        for name in uncovered if change.wildcard_ended else change.dropped:
            self.held.pop(name, None)
            self._owed.discard(name)
            self._try_again([name])

    def refresh(self, names: Iterable[str], *, volunteer: bool) -> None:
        """The client needs these again, since what refers to them is sent again.

        With `volunteer` also those that it has not asked for yet; it will have by the time it reads them.
        """
        names = set(names)
        if volunteer:
            self._volunteered |= names
        elif self.requested:
            names = {name for name in names if self.subscription.covers(name)}
        self._owe(names)

    def answered(self, nonce: str, detail: str | None) -> list[Event]:
        """The client accepted (no `detail`) or rejected a response. What it did not answer before, it never will."""
        if nonce not in self.flights:
            return []
        while (oldest := next(iter(self.flights))) != nonce:
            unanswered = self.flights.pop(oldest)
            self._untake(unanswered)
            self._doubt(unanswered)
        self._untake(flight := self.flights.pop(nonce))
        if detail is not None:
            return [self._rejected(flight, detail)]
        return [Acknowledged(self.type, flight.resources, flight.removed, flight.serial, flight.version)]

    def take_back(self, name: str, resource: Resource) -> None:
        """Treat a new resource as rejected until the client says otherwise, or there is another version of it."""
        self.rejections.append(Rejection({name: resource.version}, {}))
        self.repair[name] = None
        self._recheck = True

    def overtaken(self, flights: Collection[Flight], detail: str, *, doubt: bool) -> list[Event]:
        """The last of these, or of those that it names, was rejected, but a later one accepted before it could tell."""
        blamed = [flight for flight in flights if named_in(detail, flight.resources.keys())]
        for flight in flights:
            del self.flights[flight.nonce]
            self._untake(flight)
            if doubt:
                self._doubt(flight)
        rejected = (blamed or list(flights))[-1]
        for name in named_in(detail, rejected.resources.keys()):
            held, resource = self.held.get(name), rejected.resources[name]
            if held is not resource:
                self.rejections.append(Rejection({name: resource.version}, {name: held} if held else {}))
                self._recheck = True
        return [Rejected(self.type, rejected.resources, detail, rejected.version)]

    # What the catalog says

    def see(self, names: Collection[str] | None) -> None:
        """These names changed in the view; None when any may have."""
        if names is None:
            self._everything = True
            self._dirty |= self._volunteered
        elif self.requested or self.pushed:
            self._dirty.update(names)
        else:
            self._dirty |= self._volunteered.intersection(names)
        # Another version may have come between, by which they were free.
        self._try_again([name for one in self.rejections for name in one.versions] if names is None else names)
        self._recheck = True

    def take(self, view: View, now: float) -> None:
        """Look at what changed, in the view or in what the client said, since the last call."""
        if self.requested or self.pushed:
            if self._claims:
                self._take_claims(view)
            if self._everything:
                self._everything = False
                self._recheck = True
                self._dirty.update(view.resources(self.type), self.subscription.names)
                self._dirty.update(self.held, self.adds, self.unasked)
        if self._recheck:
            self._release(view)
        if self._dirty:
            for name in self._dirty:
                self._classify(name, view, now)
            self._dirty.clear()

    def target(self, view: View, name: str) -> Resource | None:
        """What the client is to hold of a name, None if nothing: what exists, or an empty one for a missing one."""
        resource = view.get(self.type, name)
        if resource is None and name in self.subscription.names:
            return stand_in(self.type, name)
        return resource

    def full_state(self, view: View, gone: Collection[str]) -> Mapping[str, Resource]:
        """All that a SotW response has to carry, without the removals in `gone`: leaving out is removing.

        Other removals still wait, and of a rejected resource the client keeps what it accepted.
        """
        exists = view.resources(self.type)
        if self.subscription.wildcard and not self.removals and not self.rejections:
            return exists
        full = {name: resource for name, resource in exists.items() if self.subscription.covers(name)}
        waiting = {name: self.held.get(name) for name in self.removals if name not in gone}
        full.update((name, resource) for name, resource in waiting.items() if resource)
        for rejection in self.rejections:
            for name in rejection.versions:
                full.pop(name, None)
            full.update(rejection.accepted)
        return full

    @property
    def has_news(self) -> bool:
        """Whether there is something to send that does not have to wait for anything else to be gone."""
        return bool(self.adds or self.answer_due or self.repair)

    @property
    def quiet(self) -> bool:
        """Whether nothing is to be sent, answered or waited for, once `take` has looked."""
        return not (self.flights or self.removals or self.rejections or self.has_news)

    @property
    def restless(self) -> bool:
        """Whether there is something to look at or to send, now or later."""
        return bool(self.has_news or self.removals or self._dirty)

    def ripe_removals(self, now: float) -> list[str]:
        """Removals that have waited long enough, whoever may still refer to them."""
        return [name for name, since in self.removals.items() if now >= self.removal_due(since)]

    def removal_due(self, since: float) -> float:
        """When a removal that is known `since` then is sent at the latest."""
        return since + self._limits.removal_seconds

    def missing(self, view: View) -> bool:
        """Whether the view has anything of this type that the client has not asked for."""
        return bool(self.unasked) if self.requested else bool(view.resources(self.type))

    # What is on its way

    def sent(self, flight: Flight, holds: Mapping[str, Resource] | None = None) -> None:
        """A response was made. `holds` is all that the client has after it, when the response says that (SotW)."""
        covers = self.subscription.covers
        flight.unasked = frozenset(name for name in self._volunteered & flight.resources.keys() if not covers(name))
        self.told(flight.names)
        if holds is not None:
            # It carries again what is still unanswered.
            pending = {name for earlier in self.flights.values() for name in earlier.resources if name in holds}
            flight.resources = {**flight.resources, **{name: holds[name] for name in pending}}
        flight.before = accepted_of(flight.resources, self.held, self.flights.values())
        flight.whole = holds is not None
        if holds is not None:
            self.held = dict(holds)
        else:
            self.held.update((name, r) for name, r in flight.resources.items() if name not in flight.unasked)
            for name in flight.removed:
                self.held.pop(name, None)
        self.answer_due = False
        # What was put back may be gone from the view.
        self._dirty.update(self.repair)
        self.repair = {}
        self.flights[flight.nonce] = flight
        self.last_nonce = flight.nonce
        while len(self.flights) > _MOST_FLIGHTS:
            del self.flights[next(iter(self.flights))]

    def give_up(self, names: Iterable[str]) -> None:
        """These are missing, and the protocol has no way to say so."""
        for name in names:
            self.held.pop(name, None)
        self.told(names)

    def told(self, names: Iterable[str]) -> None:
        """Nothing is owed for these names any more."""
        for name in names:
            self.adds.discard(name)
            self.removals.pop(name, None)
            self._owed.discard(name)
            self._volunteered.discard(name)

    def busy(self, now: float) -> bool:
        """Whether a response is on its way and its answer may still be waited for."""
        return any(now < self._expiry(flight) for flight in self.flights.values())

    def forget_unheard(self, now: float) -> None:
        """Give up on responses about names alone that nobody asks for: Envoy drops such a response silently."""
        for nonce, flight in list(self.flights.items()):
            unheard = flight.names and not any(map(self.subscription.covers, flight.names))
            if unheard and now >= self._expiry(flight):
                give_up(self.flights, nonce)

    def overdue(self, now: float) -> list[Flight]:
        """Responses whose answer has been waited for long enough."""
        return [flight for flight in self.flights.values() if now >= self._expiry(flight)]

    def expiries(self) -> list[float]:
        """When each answer will have been waited for long enough."""
        return [self._expiry(flight) for flight in self.flights.values()]

    def _expiry(self, flight: Flight) -> float:
        return flight.sent_at + self._limits.ack_seconds

    # Inside

    def _underway(self, asked: Collection[str]) -> set[str]:
        """Names that the client asks for while they are on their way to it unasked: it will find what it asked for.

        It asked before it read that response, or it would have answered it.
        """
        found: set[str] = set()
        for flight in self.flights.values():
            for name in flight.unasked.intersection(asked):
                self.held[name] = flight.resources[name]
                found.add(name)
        return found

    def _owe(self, names: Collection[str]) -> None:
        """These are to be sent whatever the client holds. Asking again ends the wait for a better version."""
        self._owed.update(names)
        self._dirty.update(names)
        self._try_again(names)

    def _try_again(self, names: Collection[str]) -> None:
        """Stop withholding these, and what was rejected with them: the fault may have been theirs."""
        for rejection in [r for r in self.rejections if not r.versions.keys().isdisjoint(names)]:
            self.rejections.remove(rejection)
            self._dirty.update(rejection.versions)

    def _untake(self, flight: Flight) -> None:
        """This was answered: what was taken back of it before that counts by the answer alone."""
        for rejection in list(self.rejections):
            if any(version_of(flight.resources.get(name)) == v for name, v in rejection.versions.items() if v):
                self.rejections.remove(rejection)
                self._dirty.update(rejection.versions)

    def _doubt(self, flight: Flight) -> None:
        """What the client holds of these names is unknown: of a rejected response Envoy may apply any part."""
        for name, resource in flight.resources.items():
            if self.subscription.covers(name) and self.held.get(name) is resource:
                self.held[name] = None
        for name in filter(self.subscription.covers, flight.removed):
            self.held.setdefault(name, None)
        self._dirty.update(flight.resources, flight.removed)

    def _rejected(self, flight: Flight, detail: str) -> Rejected:
        newer = {name: self.held.get(name) for name, r in flight.resources.items() if self.held.get(name) is not r}
        blamed = blamed_by(detail, flight, self.held) if self.type in _APPLIED_ONE_BY_ONE else {}
        self._doubt(flight)
        self.held.update(dict.fromkeys(blamed.keys() - newer.keys()))
        for rejection in self.rejections:
            for name in blamed:
                rejection.accepted.pop(name, None)
        rejection = rejection_of(flight, blamed)
        rejection.accepted.update((n, r) for n, r in newer.items() if r and n in rejection.versions)
        if self.type is ResourceType.CLUSTER:
            repair = repair_of(flight, blamed.keys())
            self.repair.update((name, resource) for name, resource in repair.items() if name not in newer)
        self._dirty |= blamed.keys()
        # If one was sent unasked, the fault may be its own, and the others are tried without it.
        if all(map(self.subscription.covers, rejection.versions)):
            self.rejections.append(rejection)
            self._recheck = True
        return Rejected(self.type, flight.resources, detail, flight.version)

    def _take_claims(self, view: View) -> None:
        """Compare what the client said it holds. Of names that nobody subscribed to, it may say anything."""
        for name, version in self._claims.items():
            if self.subscription.covers(name):
                target = self.target(view, name)
                self.held[name] = target if target and target.version == version else None
        same = {name: held for name, held in self.held.items() if held and held is view.get(self.type, name)}
        self.confirmed = [Acknowledged(self.type, same, (), view.serial)] if same else []
        self._claims = {}

    def _release(self, view: View) -> None:
        """Stop waiting for the rejected names of which one has another version by now."""
        self._recheck = False
        waiting = []
        for rejection in self.rejections:
            current = {name: self.target(view, name) for name in rejection.versions}
            if any(version_of(current[name]) != version for name, version in rejection.versions.items()):
                self._dirty.update(rejection.versions)
            elif rejection.versions:
                waiting.append(rejection)
        self.rejections = waiting

    def _classify(self, name: str, view: View, now: float) -> None:
        self.adds.discard(name)
        self.unasked.discard(name)
        since = self.removals.pop(name, now)
        exists = view.get(self.type, name) is not None
        if not self.subscription.covers(name):
            if exists:
                (self.adds if name in self._volunteered else self.unasked).add(name)
            return
        if any(name in rejection.versions for rejection in self.rejections):
            return
        target = self.target(view, name)
        if name in self._owed or (name not in self.held and target is not None):
            self.adds.add(name)
        elif name in self.held and (version_of(self.held[name]) or _UNKNOWN) != version_of(target):
            if exists:
                self.adds.add(name)
            else:
                self.removals[name] = since
