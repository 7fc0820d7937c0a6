"""Catalog: every live resource by audience, and the views that clients have of it.

In: changes, published in batches; each batch that changes anything gets the next serial. Out: one View per
tuple of audiences, an immutable snapshot that all clients of these audiences share. A publish costs what
changed; the first view after it copies, shallowly, the mapping of each type that changed. A bounded log of
changed names spares streams the comparison of everything; who is further behind than the log compares
everything.

Nothing here knows clients, and the catalog never waits: who is to be told of a publish is what `Published`
says.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from xds_server.routing.audience import Audience, ForGateway
from xds_server.xds.resource import Resource, ResourceType

Change = tuple[Audience, ResourceType, str]

_LOGGED_PUBLISHES = 128
_NOTHING: Mapping[str, Resource] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Published:
    """What came of a publish: the catalog's serial after it, and the audiences for whom something changed."""

    serial: int
    audiences: frozenset[Audience]


class _Logged(NamedTuple):
    """The names that one publish changed."""

    serial: int
    names: Mapping[tuple[Audience, ResourceType], Collection[str]]


class View:
    """What one tuple of audiences sees at `serial`: an ordered overlay in which later audiences win.

    A snapshot: but for `keeps` it never changes, so it may be read across awaits and from another thread.
    """

    __slots__ = (
        "_changes",
        "_kept",
        "_log",
        "_resources",
        "_shared",
        "_types_changed",
        "_versions",
        "audiences",
        "serial",
    )

    def __init__(
        self,
        serial: int,
        audiences: tuple[Audience, ...],
        resources: Mapping[ResourceType, Mapping[str, Resource]],
        log: "deque[_Logged]",
        kept: Set[Audience],
    ) -> None:
        self.serial = serial
        self.audiences = audiences
        self._resources = resources
        self._log = log
        self._kept = kept
        self._shared = len({one[:2] for one in audiences if isinstance(one, ForGateway)}) > 1
        self._versions: dict[ResourceType, str] = {}
        self._changes: dict[tuple[ResourceType, int], frozenset[str]] = {}
        self._types_changed: dict[int, tuple[ResourceType, ...] | None] = {}
        """Many streams ask the same of a view."""

    @property
    def shared(self) -> bool:
        """Whether the clients serve several Gateways."""
        return self._shared

    @property
    def keeps(self) -> bool:
        """Whether clients are to keep, for now, what is gone and what they may still use: see `Catalog.keep`."""
        return not self._kept.isdisjoint(self.audiences)

    def but(self, type_: ResourceType, resources: Mapping[str, Resource]) -> "View":
        """The same, with other resources of a type."""
        return View(self.serial, self.audiences, {**self._resources, type_: resources}, self._log, self._kept)

    def resources(self, type_: ResourceType) -> Mapping[str, Resource]:
        """All resources of a type, by name."""
        return self._resources.get(type_, _NOTHING)

    def get(self, type_: ResourceType, name: str) -> Resource | None:
        """One resource, or None if this audience has none of that name."""
        return self.resources(type_).get(name)

    def version(self, type_: ResourceType) -> str:
        """Content hash of the set of a type, the same wherever the set is the same: SotW's `version_info`."""
        if type_ not in self._versions:
            self._versions[type_] = set_version(self.resources(type_))
        return self._versions[type_]

    def changed(self, type_: ResourceType, since: int) -> frozenset[str] | None:
        """Names of a type published after serial `since`; None when that is further back than the log."""
        if since < self.serial and since < _before(self._log):
            return None
        known = self._changes.get((type_, since))
        if known is None:
            known = _changed(self._log, self.audiences, type_, range(since + 1, self.serial + 1))
            self._changes[type_, since] = known
        return known

    def types_changed(self, since: int) -> tuple[ResourceType, ...] | None:
        """The types of which `changed` has names; None when it has None."""
        if since not in self._types_changed:
            names = {type_: self.changed(type_, since) for type_ in ResourceType}
            known = tuple(type_ for type_, found in names.items() if found)
            self._types_changed[since] = None if None in names.values() else known
        return self._types_changed[since]


def set_version(resources: Mapping[str, Resource]) -> str:
    """Content hash of a set of resources: 16 hex digits of SHA-256 over their sorted names and versions."""
    lines = sorted(f"{name}\0{resource.version}\n" for name, resource in resources.items())
    return sha256("".join(lines).encode()).hexdigest()[:16]


class Catalog:
    """The live resources. Serial 0 is the empty catalog."""

    def __init__(self) -> None:
        self.serial = 0
        self._live: dict[tuple[Audience, ResourceType], dict[str, Resource]] = {}
        self._log: deque[_Logged] = deque(maxlen=_LOGGED_PUBLISHES)
        self._views: dict[tuple[Audience, ...], View] = {}
        self._kept: set[Audience] = set()

    def keep(self, audiences: Iterable[Audience]) -> None:
        """From now on these audiences, and no others, keep what is gone but for listeners.

        They may be sent routes and listeners of before, which name it.
        """
        self._kept.clear()
        self._kept.update(audiences)

    def publish(self, changes: Mapping[Change, Resource | None]) -> Published:
        """Set and (None) remove resources; the serial moves only if anything differs from what is there."""
        changed: dict[tuple[Audience, ResourceType], list[str]] = {}
        for (audience, type_, name), resource in changes.items():
            if self._set((audience, type_), name, resource):
                changed.setdefault((audience, type_), []).append(name)
        if changed:
            self.serial += 1
            self._log.append(_Logged(self.serial, changed))
        return Published(self.serial, frozenset(audience for audience, _ in changed))

    def view(self, audiences: tuple[Audience, ...]) -> View:
        """The current snapshot for these audiences; the same object until the next publish."""
        known = self._views.get(audiences)
        if known is None or known.serial < _before(self._log):
            self._forget_stale_views()
            view = self._built(audiences)
        elif known.serial == self.serial:
            return known
        else:
            view = self._advanced(known)
        self._views[audiences] = view
        return view

    def _set(self, shelf: tuple[Audience, ResourceType], name: str, resource: Resource | None) -> bool:
        live = self._live.get(shelf)
        if resource is not None:
            if live is None:
                live = self._live[shelf] = {}
            if live.get(name) == resource:
                return False
            live[name] = resource
            return True
        if live is None or live.pop(name, None) is None:
            return False
        if not live:
            del self._live[shelf]
        return True

    def _built(self, audiences: tuple[Audience, ...]) -> View:
        resources: dict[ResourceType, Mapping[str, Resource]] = {}
        for type_ in ResourceType:
            overlay: dict[str, Resource] = {}
            for audience in audiences:
                overlay.update(self._live.get((audience, type_), _NOTHING))
            resources[type_] = {name: resource for name, resource in overlay.items() if not resource.hides}
        return View(self.serial, audiences, resources, self._log, self._kept)

    def _advanced(self, known: View) -> View:
        resources: dict[ResourceType, Mapping[str, Resource]] = {}
        for type_ in ResourceType:
            before = known.resources(type_)
            names = _changed(self._log, known.audiences, type_, range(known.serial + 1, self.serial + 1))
            resources[type_] = self._overlaid(known.audiences, type_, before, names) if names else before
        return View(self.serial, known.audiences, resources, self._log, self._kept)

    def _overlaid(
        self,
        audiences: tuple[Audience, ...],
        type_: ResourceType,
        before: Mapping[str, Resource],
        names: Iterable[str],
    ) -> dict[str, Resource]:
        after = dict(before)
        shelves = [self._live.get((audience, type_), _NOTHING) for audience in reversed(audiences)]
        for name in names:
            resource = next((shelf[name] for shelf in shelves if name in shelf), None)
            if resource is None or resource.hides:
                after.pop(name, None)
            else:
                after[name] = resource
        return after

    def _forget_stale_views(self) -> None:
        """Drop the views that nobody has asked for within the length of the log."""
        oldest = _before(self._log)
        self._views = {audiences: view for audiences, view in self._views.items() if view.serial >= oldest}


def _before(log: deque[_Logged]) -> int:
    """The serial from which on the log knows every change."""
    return log[0].serial - 1 if log else 0


def _changed(
    log: deque[_Logged], audiences: tuple[Audience, ...], type_: ResourceType, serials: range
) -> frozenset[str]:
    names: set[str] = set()
    for entry in reversed(log):
        if entry.serial < serials.start:
            break
        if entry.serial in serials:
            for audience in audiences:
                names.update(entry.names.get((audience, type_), ()))
    return frozenset(names)
