"""Quarantine: finds what an Envoy rejected, so that everything else can go on.

In: what proxies of one Gateway and Envoy build acknowledged and rejected, and what was published since. Out: holds,
by which the pipeline leaves parts out or puts others in their place. A state machine without clock or I/O.

Suspects are the leaves that differ from what was last acknowledged. Half of them are held back, with their last
acknowledged bytes standing in, and the rest is sent; an answer later, the half that holds a culprit is halved again.
A culprit is kept out by its content hash and its fallback, if it has one, is tried before anything else. Then all that
is still held back is sent at once, which is rejected again if there is another culprit. Finding k culprits among n
changed leaves takes at most k * (log2(n) + 2) + 1 pushes, the one that was first rejected included.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from xds_server.model.meta import Key
from xds_server.pipeline.holds import Hold, HoldId, serve
from xds_server.wire.part import Part, changed_leaves, leaves
from xds_server.xds.encoding import named_in, unbound_in
from xds_server.xds.events import Rejected
from xds_server.xds.resource import Resource, ResourceType


class Proxies(NamedTuple):
    """Whose answers are taken together: the proxies of one Gateway with one Envoy build, for one type."""

    gateway: Key
    build: str
    type: ResourceType


_LAST_GOOD_SERVES = frozenset({ResourceType.ENDPOINT, ResourceType.SECRET})
"""Of these the last acknowledged state stays in service when a later one is rejected, as Envoy itself would have it."""
Current = Callable[[Proxies, str], Resource | None]
"""What these proxies are to have now: the published resource of that name."""
LeafOf = Callable[[HoldId], Part | None]
"""The leaf as the tables make it now, before any hold."""
Changes = dict[HoldId, Hold | None]


class _Suspect(NamedTuple):
    """A leaf that may be a culprit, and what was last acknowledged in its place."""

    leaf: Part
    stand_in: Part | None


@dataclass(frozen=True, slots=True)
class _Blame:
    """Who may have done it: the culprits, where they are known; else suspects, of which those that Envoys of another
    build rejected, or these before a restart of ours, are the likeliest.
    """

    culprits: list[_Suspect] = field(default_factory=list)
    suspects: list[_Suspect] = field(default_factory=list)
    likely: list[_Suspect] = field(default_factory=list)


@dataclass(slots=True)
class _Case:
    """What is known of one type at its proxies, and the search that goes on there.

    One of `sent` and `held` is a culprit, whose search is about `names`; what is in `rest` is held back too, but may
    be good.
    """

    type: ResourceType
    acknowledged: dict[str, Resource] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    """By leaf."""
    names: set[str] = field(default_factory=set)
    sent: list[_Suspect] = field(default_factory=list)
    held: list[_Suspect] = field(default_factory=list)
    rest: list[_Suspect] = field(default_factory=list)
    detail: str = ""
    unpublished: bool = False
    """Holds changed and are not published yet: answers are still about what was before."""
    hints: frozenset[str] = frozenset()
    """Hashes of what these proxies rejected before, as they said when they came back."""
    early: list[tuple[Mapping[str, Resource], str]] = field(default_factory=list)
    """Rejections that came meanwhile."""


class Quarantine:
    """The state of all searches. Methods that change holds return those that changed; None takes a hold away."""

    def __init__(self) -> None:
        self._cases: dict[Proxies, _Case] = {}
        self._active: dict[Proxies, None] = {}
        self._under_way: list[Proxies] = []
        """Whose changed holds are in what is published next."""

    def searched(self) -> frozenset[Key]:
        """The Gateways of which something is held back that may be good."""
        return frozenset(proxies.gateway for proxies in self._active)

    def acknowledged(self, proxies: Proxies, resources: Mapping[str, Resource], current: Current) -> Changes:
        """These resources were accepted; a search goes on once all that it is about is accepted as it is now."""
        case = self._case(proxies)
        for name, resource in resources.items():
            if _version(case.acknowledged.get(name)) != (_version(current(proxies, name)) or resource.version):
                case.acknowledged[name] = resource
        return self._go_on(proxies, case, current)

    def removed(self, proxies: Proxies, names: Iterable[str]) -> None:
        """The removal of these resources was accepted."""
        if case := self._cases.get(proxies):
            for name in names:
                case.acknowledged.pop(name, None)

    def rejected(self, proxies: Proxies, resources: Mapping[str, Resource], current: Current, detail: str) -> Changes:
        """A response with these resources was rejected. What is no longer current has been dealt with already."""
        case = self._case(proxies)
        if any(_version(current(proxies, name)) != one.version for name, one in resources.items()):
            return {}
        if proxies.type is ResourceType.LISTENER:
            resources = _bindable(resources, detail)
        if not resources:
            return {}
        if case.unpublished:
            case.early.append((resources, detail))
            return {}
        case.detail = detail
        case.names.update(resources)
        return self._changing(proxies, case, lambda: _narrow_down(case, self._blamed(proxies, case, resources)))

    def returned(self, proxies: Proxies, hashes: frozenset[str]) -> None:
        """A proxy came back and holds what was made without leaves of these hashes."""
        case = self._case(proxies)
        case.hints |= hashes

    def settling(self) -> None:
        """What is published next has all holds so far; those that change until then it may not have."""
        self._under_way = [proxies for proxies in self._active if self._cases[proxies].unpublished]

    def published(self, current: Current) -> Changes:
        """It is published. To be said after each publish, since a search goes on where nothing had to be sent."""
        for proxies in self._under_way:
            if case := self._cases.get(proxies):
                case.unpublished = False
        self._under_way = []
        changes: Changes = {}
        for proxies in tuple(self._active):
            case = self._cases[proxies]
            if case.unpublished:
                continue
            early, case.early = case.early, []
            for resources, detail in early:
                changes |= self.rejected(proxies, resources, current, detail)
            changes |= self._go_on(proxies, case, current)
        return changes

    def refresh(self, leaf: LeafOf) -> Changes:
        """Drops holds on what has changed or is gone since: a changed object gets a new try."""
        changes: Changes = {}
        for proxies, case in self._cases.items():
            if case.holds or case.sent:
                outdated = _refresh(case, partial(_leaf, proxies, leaf))
                changes |= {_hold_id(proxies, id_): None for id_ in outdated}
        return changes

    def left(self, gateway: Key, build: str) -> Changes:
        """The last of these proxies is gone: nobody answers any more, so what was suspected is tried anew when one
        comes back. What was found stays found.
        """
        changes: Changes = {}
        for proxies in [one for one in self._cases if (one.gateway, one.build) == (gateway, build)]:
            case = self._cases[proxies]
            changes |= self._changing(proxies, case, partial(_give_up, case))
            case.acknowledged.clear()
            case.early.clear()
            case.unpublished = False
            if not case.holds:
                del self._cases[proxies]
        return changes

    def forget(self, gateway: Key) -> Changes:
        """The Gateway is gone."""
        changes: Changes = {}
        for proxies in [proxies for proxies in self._cases if proxies.gateway == gateway]:
            changes |= {_hold_id(proxies, id_): None for id_ in self._cases.pop(proxies).holds}
            self._active.pop(proxies, None)
        return changes

    def _case(self, proxies: Proxies) -> _Case:
        if proxies not in self._cases:
            self._cases[proxies] = _Case(proxies.type)
        return self._cases[proxies]

    def _go_on(self, proxies: Proxies, case: _Case, current: Current) -> Changes:
        changes: Changes = {}
        if not case.unpublished and _settled(proxies, case, current):
            while case.names and not changes:  # where nothing has to be published, nothing else would go on with it
                changes = self._changing(proxies, case, lambda: _advance(case))
        return changes

    def _changing(self, proxies: Proxies, case: _Case, step: Callable[[], None]) -> Changes:
        before = dict(case.holds)
        step()
        changes: Changes = {_hold_id(proxies, id_): None for id_ in before.keys() - case.holds.keys()}
        changes |= {_hold_id(proxies, id_): hold for id_, hold in case.holds.items() if before.get(id_) != hold}
        case.unpublished = case.unpublished or bool(changes)
        self._active.pop(proxies, None)
        if case.names:
            self._active[proxies] = None
        return changes

    def _blamed(self, proxies: Proxies, case: _Case, resources: Mapping[str, Resource]) -> _Blame:
        """Of clusters and listeners Envoy names each one that it rejected, and applies the others."""
        named = _named(proxies.type, case.detail, resources)
        suspects = _suspects(case, [resources[name] for name in named or resources])
        if len(suspects) == 1 or (named and all(not resources[name].part.parts for name in named)):
            return _Blame(culprits=suspects)
        others = [case for other, case in self._cases.items() if other == proxies._replace(build=other.build)]
        known = {hash_ for other in others for hold in other.holds.values() for hash_ in hold.rejected} | case.hints
        blame = _Blame()
        for one in suspects:
            (blame.likely if one.leaf.hash in known else blame.suspects).append(one)
        return blame


def blamed(event: Rejected) -> Collection[str]:
    """The resources that Envoy's words name."""
    return _named(event.type, event.detail, event.resources)


def _named(type_: ResourceType, detail: str, resources: Mapping[str, Resource]) -> Collection[str]:
    return named_in(detail, resources.keys()) if type_ in (ResourceType.CLUSTER, ResourceType.LISTENER) else ()


def _bindable(resources: Mapping[str, Resource], detail: str) -> Mapping[str, Resource]:
    """Those listeners of a rejected response that Envoy does not say it cannot bind."""
    unbound = unbound_in(detail, resources.keys())
    if unbound and not named_in(detail, resources.keys() - unbound):
        return {}
    return {name: resource for name, resource in resources.items() if name not in unbound}


def _hold_id(proxies: Proxies, leaf: str) -> HoldId:
    return HoldId(proxies.gateway, proxies.build, proxies.type, leaf)


def _leaf(proxies: Proxies, leaf: LeafOf, id_: str) -> Part | None:
    return leaf(_hold_id(proxies, id_))


def _narrow_down(case: _Case, blame: _Blame) -> None:
    """What is sent holds a culprit."""
    case.rest = case.held + case.rest
    case.held = []
    if blame.culprits:
        _convict(case, blame.culprits)
    elif blame.suspects and blame.likely:
        _hold_back(case, blame.suspects, blame.likely)
    elif suspects := blame.suspects or blame.likely:
        _split(case, suspects)
    elif not case.rest:
        case.names.clear()  # it is no leaf, so nothing can be held back


def _advance(case: _Case) -> None:
    """What is sent is good, unless it went to a resource that the search is not about: then all is tried anew."""
    if case.held and not _are_accepted(case):
        case.rest, case.held = case.held + case.rest, []
        _release_rest(case)
    elif len(case.held) == 1:
        culprits, case.held = case.held, []
        _convict(case, culprits)
    elif case.held:
        _split(case, case.held)
    elif case.rest:
        _release_rest(case)
    else:
        case.sent = []
        case.names.clear()


def _are_accepted(case: _Case) -> bool:
    resources = (case.acknowledged[name].part for name in case.names if name in case.acknowledged)
    accepted = {(one.id, one.hash) for part in resources for one in leaves(part)}
    return all((one.leaf.id, one.leaf.hash) in accepted for one in case.sent)


def _give_up(case: _Case) -> None:
    _release(case, [*case.held, *case.rest])
    case.sent, case.held, case.rest = [], [], []
    case.names.clear()


def _split(case: _Case, suspects: list[_Suspect]) -> None:
    half = (len(suspects) + 1) // 2
    _hold_back(case, suspects[:half], suspects[half:])


def _hold_back(case: _Case, sent: list[_Suspect], held: list[_Suspect]) -> None:
    case.sent, case.held = sent, held
    _release(case, sent)
    for leaf, stand_in in held:
        hold = case.holds.get(leaf.id, Hold())
        case.holds[leaf.id] = replace(hold, suspected=leaf.hash, stand_in=stand_in)


def _release(case: _Case, suspects: Iterable[_Suspect]) -> None:
    for leaf, _ in suspects:
        hold = case.holds.get(leaf.id)
        if hold is None or hold.suspected != leaf.hash:
            continue
        if hold.rejected:
            case.holds[leaf.id] = replace(hold, suspected="", stand_in=None)
        else:
            del case.holds[leaf.id]


def _release_rest(case: _Case) -> None:
    _release(case, case.rest)
    case.sent, case.rest = case.rest, []


def _convict(case: _Case, culprits: Iterable[_Suspect]) -> None:
    """Keeps the culprits out. Where none of them has a fallback to be tried, all that is held back goes out again."""
    case.sent = []
    for leaf, stand_in in culprits:
        hold = case.holds.get(leaf.id, Hold())
        case.holds[leaf.id] = Hold(
            rejected=hold.rejected | {leaf.hash},
            stand_in=stand_in if case.type in _LAST_GOOD_SERVES else None,
            detail=case.detail,
            owners=hold.owners or leaf.owners,
        )
    if not any(leaf.fallback and leaf.fallback(leaf) for leaf, _ in culprits):
        _release_rest(case)


def _refresh(case: _Case, leaf: Callable[[str], Part | None]) -> list[str]:
    """Takes away the holds whose leaf is another by now, and says which. A search that this touches, or of which what
    is sent is another (a leaf, or its fallback), knows no more which half its culprit is in; what it holds back is
    tried as a whole.
    """
    outdated = []
    for id_, hold in case.holds.items():
        now = leaf(id_)
        if now is None or (now.hash not in hold.rejected and now.hash != hold.suspected):
            outdated.append(id_)
    for id_ in outdated:
        del case.holds[id_]
    if outdated or any(_is_another(leaf(one.leaf.id), case.holds.get(one.leaf.id), one) for one in case.sent):
        case.rest = case.held + case.rest
        case.sent, case.held = [], []
    return outdated


def _is_another(leaf: Part | None, hold: Hold | None, suspect: _Suspect) -> bool:
    """Whether something else is sent of the leaf by now than the suspect."""
    now = serve(leaf, hold) if leaf else None
    return now is None or now.hash != suspect.leaf.hash


def _version(resource: Resource | None) -> str | None:
    return resource.version if resource else None


def _settled(proxies: Proxies, case: _Case, current: Current) -> bool:
    """Has everything that the search is about been acknowledged as it is now, or is it gone?"""
    wanted = {name: current(proxies, name) for name in case.names}
    return all(one is None or one.version == _version(case.acknowledged.get(name)) for name, one in wanted.items())


def _suspects(case: _Case, resources: Collection[Resource]) -> list[_Suspect]:
    """The leaves that differ from what was acknowledged. One that was acknowledged elsewhere is none: it may stand in,
    or stand, under another host or in another resource than before.
    """
    changed: dict[tuple[str, str], Part] = {}
    for resource in resources:
        good = case.acknowledged.get(resource.name)
        for leaf in changed_leaves(good.part if good else None, resource.part):
            if leaf.data:
                changed.setdefault((leaf.id, leaf.hash), leaf)
    ids = {id_ for id_, _ in changed}
    names = [resource.name for resource in resources]
    known: dict[str, Part] = {}
    for name in dict.fromkeys((*names, *case.acknowledged)):
        for one in leaves(case.acknowledged[name].part) if ids and name in case.acknowledged else ():
            if one.id in ids:
                known.setdefault(one.id, one)
                changed.pop((one.id, one.hash), None)
    return [_Suspect(leaf, known.get(leaf.id)) for leaf in changed.values()]
