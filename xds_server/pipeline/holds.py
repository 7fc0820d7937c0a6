"""Holds: parts that are not served as they are, because an Envoy rejected them or may be about to.

A hold is for one Gateway and one Envoy version (build): proxies of that build get a variant of each resource that
contains a held part, all others the plain one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.wire.part import Owner, Part
from xds_server.xds.resource import ResourceType


class HoldId(NamedTuple):
    """A leaf of a Gateway's resources of one type, for one Envoy build."""

    gateway: Key
    build: str
    type: ResourceType
    leaf: str


RejectionId = tuple[str, HoldId]
"""A hold of this replica's or of another's, and which of both."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What is known of a leaf.

    `rejected` are the hashes that Envoy rejected, with its words in `detail`: the leaf's, and its fallback's if that
    was no better. `suspected` is a hash (of either) that is not sent while others are tested. `stand_in` is the leaf
    that Envoy last acknowledged, where it is to be served in place of what is suspected or rejected.
    """

    rejected: frozenset[str] = frozenset()
    suspected: str = ""
    stand_in: Part | None = None
    detail: str = ""
    owners: tuple[Owner, ...] = ()


class Variant(NamedTuple):
    """A part as one build gets it (None: not at all), without the rejected leaves that have these hashes. `unheld` is
    the part as it would get it without a hold on the part itself or one in it, where that is not what everyone gets.
    """

    build: str
    part: Part | None
    without: frozenset[str] = frozenset()
    unheld: Part | None = None


class Variants(NamedTuple):
    """A part as everyone gets it, and as single builds get it."""

    base: Part
    builds: tuple[Variant, ...] = ()

    def of(self, build: str) -> Variant:
        """What proxies of that build get."""
        for variant in self.builds:
            if variant.build == build:
                return variant
        return Variant(build, self.base)


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
        return hold.stand_in
    return hold.stand_in if fallback.hash == hold.suspected else fallback


def left_out(parts: Iterable[Part], hold_of: HoldOf) -> frozenset[str]:
    """The hashes by which rejected ones among these parts are known."""
    held = [(part, hold) for part in parts if (hold := hold_of(part.id)) is not None]
    return frozenset(hash_ for part, hold in held if part.hash in hold.rejected for hash_ in hold.rejected)


def serve_all(parts: Sequence[Part], hold_of: HoldOf) -> tuple[Part, ...]:
    """The parts as served; the same tuple when nothing is held."""
    served = tuple(found for part in parts if (found := serve(part, hold_of(part.id))) is not None)
    unchanged = len(served) == len(parts) and all(new is old for new, old in zip(served, parts, strict=True))
    return tuple(parts) if unchanged else served


GatewayType = tuple[Key, ResourceType]


@dataclass(frozen=True, slots=True)
class Holds:
    """How functions ask for the holds that concern them. `builds` is empty for a Gateway without any."""

    table: Table[HoldId, Hold]
    builds: Table[GatewayType, tuple[str, ...]]

    def variants(
        self, gateway: Key, type_: ResourceType, look: Lookup, *also: ResourceType
    ) -> Iterable[tuple[str, HoldOf]]:
        """Each build that something of the types is held for, and the holds of the first type there."""
        found = (look.get(self.builds, (gateway, one)) or () for one in (type_, *also))
        for build in sorted(set(chain.from_iterable(found))):
            yield build, lambda leaf, build=build: look.get(self.table, HoldId(gateway, build, type_, leaf))  # type: ignore[misc]


def builds_of(
    value: GatewayType, _: Sequence[Hold], look: Lookup, index: Index[GatewayType, HoldId, Hold]
) -> tuple[str, ...]:
    """The builds that something of a Gateway's type is held for."""
    return tuple(sorted({id_.build for id_ in look.keys(index, value)}))


def leaf_variants(part: Part, gateway: Key, type_: ResourceType, look: Lookup, holds: Holds) -> Variants:
    """A resource that is one leaf."""
    variants = holds.variants(gateway, type_, look)
    return Variants(part, tuple(Variant(name, serve(part, hold_of(part.id))) for name, hold_of in variants))
