"""Holds: parts that are not served as they are, because an Envoy rejected them or may be about to.

A hold is for one Gateway and one Envoy version (build): proxies of that build get a variant of each resource that
contains a held part, all others the plain one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xds_server.model.meta import Key
from xds_server.wire.part import Owner, Part
from xds_server.xds.resource import ResourceType


class HoldId(NamedTuple):
    """A leaf of a Gateway's resources of one type, for one Envoy build."""

    gateway: Key
    build: str
    type: ResourceType
    leaf: str


@dataclass(frozen=True, slots=True)
class Hold:
    """What is known of a leaf.

    `rejected` are the hashes that Envoy rejected, with its words in `detail`: the leaf's, and its fallback's if that
    was no better. `suspected` is a hash (of either) that is not sent while others are tested, and `stand_in` the leaf
    that Envoy last acknowledged (None: there was none).
    """

    rejected: frozenset[str] = frozenset()
    suspected: str = ""
    stand_in: Part | None = None
    detail: str = ""
    owners: tuple[Owner, ...] = ()


@dataclass(frozen=True, slots=True)
class Variants:
    """A part as everyone gets it, and as single builds get it (None: not at all)."""

    base: Part
    builds: tuple[tuple[str, Part | None], ...] = ()

    def of(self, build: str) -> Part | None:
        """What proxies of that build get."""
        for name, part in self.builds:
            if name == build:
                return part
        return self.base


HoldOf = Callable[[str], Hold | None]
"""The hold of a leaf by its id."""


def serve(leaf: Part, hold: Hold | None) -> Part | None:
    """What is served in place of a leaf: itself, the last good one, its fallback, or nothing."""
    if hold is None:
        return leaf
    if leaf.hash == hold.suspected:
        return hold.stand_in
    if leaf.hash not in hold.rejected:
        return leaf
    fallback = leaf.fallback(leaf) if leaf.fallback else None
    if fallback is None or fallback.hash in hold.rejected:
        return None
    return hold.stand_in if fallback.hash == hold.suspected else fallback


def serve_all(parts: Sequence[Part], hold_of: HoldOf) -> tuple[Part, ...]:
    """The parts as served; the same tuple when nothing is held."""
    served = tuple(found for part in parts if (found := serve(part, hold_of(part.id))) is not None)
    unchanged = len(served) == len(parts) and all(new is old for new, old in zip(served, parts, strict=True))
    return tuple(parts) if unchanged else served
