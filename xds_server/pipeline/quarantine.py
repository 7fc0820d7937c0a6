"""Quarantine: finds what an Envoy rejected, so that everything else can go on.

In: what proxies of one Gateway and Envoy build acknowledged and rejected. Out: holds, by which the pipeline leaves
parts out or puts others in their place. A state machine without clock or I/O.

Of the leaves that differ from what was last acknowledged, half are held back (their last acknowledged bytes stand in
for them) and the rest is sent; an answer later, the half that holds a culprit is halved again. A culprit is kept out
by its content hash and its fallback, if it has one, is tried alone. Finding k culprits among n changed leaves takes
at most k * (log2(n) + 2) + 1 pushes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xds_server.model.meta import Key
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.wire.part import Part, changed_leaves, leaves
from xds_server.xds.resource import Resource, ResourceType

Name = tuple[ResourceType, str]
Current = Callable[[ResourceType, str], Resource | None]
"""What proxies of the build are to have now: the published resource of that type and name."""
Changes = Mapping[HoldId, Hold | None]


class _Suspect(NamedTuple):
    """A leaf that may be a culprit, and what Envoy last acknowledged in its place."""

    type: ResourceType
    leaf: Part
    stand_in: Part | None


@dataclass(slots=True)
class _Group:
    """Suspects held back. `sure`: one of them is a culprit unless one was found elsewhere since."""

    suspects: list[_Suspect]
    sure: bool = True


@dataclass(slots=True)
class _Proxies:
    """What is known of the proxies of one Gateway and build."""

    acknowledged: dict[Name, Resource] = field(default_factory=dict)
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)
    searched: set[Name] = field(default_factory=set)
    detail: str = ""


class Quarantine:
    """The state of all searches. Every method returns the holds that it changed; None takes a hold away."""

    def __init__(self) -> None:
        self._proxies: dict[tuple[Key, str], _Proxies] = {}

    def acknowledged(
        self,
        gateway: Key,
        build: str,
        type_: ResourceType,
        resources: Mapping[str, Resource],
        current: Current,
    ) -> Changes:
        """Proxies accepted these resources; a search goes on once all that it is about is accepted."""
        proxies = self._proxies.setdefault((gateway, build), _Proxies())
        for name, resource in resources.items():
            proxies.acknowledged[type_, name] = resource
        if not proxies.searched or not _settled(proxies, current):
            return {}
        before = dict(proxies.holds)
        self._advance(gateway, build, proxies)
        return _difference(before, proxies.holds)

    def removed(self, gateway: Key, build: str, type_: ResourceType, names: Iterable[str]) -> None:
        """Proxies accepted the removal of these resources."""
        if proxies := self._proxies.get((gateway, build)):
            for name in names:
                proxies.acknowledged.pop((type_, name), None)

    def rejected(
        self,
        gateway: Key,
        build: str,
        type_: ResourceType,
        resources: Mapping[str, Resource],
        current: Current,
        detail: str,
    ) -> Changes:
        """Proxies rejected a response with these resources. What is no longer current has been dealt with already."""
        if not build or any(_version(current(type_, name)) != one.version for name, one in resources.items()):
            return {}
        proxies = self._proxies.setdefault((gateway, build), _Proxies())
        before = dict(proxies.holds)
        named = [name for name in resources if f"{name}:" in detail] if _names_culprits(type_) else []
        suspects = _suspects(proxies, type_, [resources[name] for name in named or resources])
        proxies.detail = detail
        proxies.searched.update((type_, name) for name in resources)
        if named and len(suspects) > 1 and all(not resources[name].part.parts for name in named):
            for suspect in suspects:
                self._convict(gateway, build, proxies, suspect)
        elif len(suspects) == 1:
            self._convict(gateway, build, proxies, suspects[0])
        elif suspects:
            self._split(gateway, build, proxies, suspects)
        return _difference(before, proxies.holds)

    def refresh(self, leaf: Callable[[HoldId], Part | None]) -> Changes:
        """Drops holds on what has changed or is gone since: a changed object gets a new try."""
        changes: dict[HoldId, Hold | None] = {}
        for proxies in self._proxies.values():
            for id_, hold in list(proxies.holds.items()):
                now = leaf(id_)
                if now is None or (now.hash not in hold.rejected and now.hash != hold.suspected):
                    del proxies.holds[id_]
                    changes[id_] = None
        return changes

    def forget(self, gateway: Key) -> Changes:
        """The Gateway is gone."""
        changes: dict[HoldId, Hold | None] = {}
        for key in [key for key in self._proxies if key[0] == gateway]:
            changes |= dict.fromkeys(self._proxies.pop(key).holds)
        return changes

    def _advance(self, gateway: Key, build: str, proxies: _Proxies) -> None:
        """What is sent is good: try what is held back next."""
        while proxies.groups:
            group = proxies.groups.pop()
            if group.sure and len(group.suspects) == 1:
                self._release(gateway, build, proxies, group.suspects)
                if self._convict(gateway, build, proxies, group.suspects[0]):
                    return
                continue
            if group.sure:
                self._release(gateway, build, proxies, group.suspects)
                self._split(gateway, build, proxies, group.suspects)
            else:
                self._release(gateway, build, proxies, group.suspects)
            return
        proxies.searched.clear()

    def _split(self, gateway: Key, build: str, proxies: _Proxies, suspects: list[_Suspect]) -> None:
        half = (len(suspects) + 1) // 2
        held = suspects[half:]
        proxies.groups.append(_Group(held))
        for suspect in held:
            id_ = HoldId(gateway, build, suspect.type, suspect.leaf.id)
            hold = proxies.holds.get(id_, Hold())
            proxies.holds[id_] = replace(hold, suspected=suspect.leaf.hash, stand_in=suspect.stand_in)

    def _release(self, gateway: Key, build: str, proxies: _Proxies, suspects: Iterable[_Suspect]) -> None:
        for suspect in suspects:
            id_ = HoldId(gateway, build, suspect.type, suspect.leaf.id)
            hold = proxies.holds.get(id_)
            if hold is None or hold.suspected != suspect.leaf.hash:
                continue
            if hold.rejected:
                proxies.holds[id_] = replace(hold, suspected="", stand_in=None)
            else:
                del proxies.holds[id_]

    def _convict(self, gateway: Key, build: str, proxies: _Proxies, suspect: _Suspect) -> bool:
        """Keeps the culprit out. True when its fallback is to be tried before anything else."""
        for group in proxies.groups:
            group.sure = False
        id_ = HoldId(gateway, build, suspect.type, suspect.leaf.id)
        hold = proxies.holds.get(id_, Hold())
        proxies.holds[id_] = Hold(
            rejected=hold.rejected | {suspect.leaf.hash},
            detail=proxies.detail,
            owners=hold.owners or suspect.leaf.owners,
        )
        if not hold.rejected and suspect.leaf.fallback is not None:
            return True
        if proxies.groups:
            self._advance(gateway, build, proxies)
        return False


def _version(resource: Resource | None) -> str | None:
    return resource.version if resource else None


def _names_culprits(type_: ResourceType) -> bool:
    """Envoy lists what it rejected as `NAME: reason` for clusters and listeners, and applies the others."""
    return type_ in (ResourceType.CLUSTER, ResourceType.LISTENER)


def _settled(proxies: _Proxies, current: Current) -> bool:
    """Has everything that is searched been acknowledged as it is now?"""
    for name in proxies.searched:
        wanted, have = current(*name), proxies.acknowledged.get(name)
        if wanted is not None and wanted.body and _version(wanted) != _version(have):
            return False
    return True


def _suspects(proxies: _Proxies, type_: ResourceType, resources: Iterable[Resource]) -> list[_Suspect]:
    found: dict[tuple[str, str], _Suspect] = {}
    for resource in resources:
        good = proxies.acknowledged.get((type_, resource.name))
        stand_ins: dict[str, Part] | None = None
        for leaf in changed_leaves(good.part if good else None, resource.part):
            if stand_ins is None:
                stand_ins = {known.id: known for known in leaves(good.part)} if good else {}
            found.setdefault((leaf.id, leaf.hash), _Suspect(type_, leaf, stand_ins.get(leaf.id)))
    return list(found.values())


def _difference(before: Mapping[HoldId, Hold], after: Mapping[HoldId, Hold]) -> Changes:
    changes: dict[HoldId, Hold | None] = dict.fromkeys(before.keys() - after.keys())
    return changes | {id_: hold for id_, hold in after.items() if before.get(id_) != hold}
