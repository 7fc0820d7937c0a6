"""What Envoys have, told from replica to replica: who is connected, up to which generations they have everything, and
what they rejected; and what follows for all replicas together.

Generations are of a Gateway and of its ListenerSets, each with the object's uid: one that is made anew under its name
starts anew. What was reached stays reached (Gateway API: `Programmed`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from xds_server.model.gateway import Gateway
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Key, Struct
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.semantics.statuses import Served
from xds_server.wire.part import Owner
from xds_server.xds.resource import ResourceType

MOST_REJECTIONS = 50
"""Of a Gateway, that are told to other replicas; all of them hold where they were found."""
MOST_DETAIL = 1000


class Generation(Struct, frozen=True):
    """An object's generation."""

    uid: str
    number: int


class Reached(Struct, frozen=True):
    """Generations of a Gateway and, by NAMESPACE/NAME, of its ListenerSets that Envoys have in full."""

    gateway: Generation
    sets: dict[str, Generation] = {}  # noqa: RUF012 (msgspec copies such defaults)

    def about(self, now: "Reached | None") -> "Reached | None":
        """Of the objects as they are now alone; None where the Gateway is another."""
        if now is None or self.gateway.uid != now.gateway.uid:
            return None
        uids = {key: one.uid for key, one in now.sets.items()}
        return Reached(self.gateway, {key: one for key, one in self.sets.items() if uids.get(key) == one.uid})

    def served(self, envoys: int, *, ready: bool = True) -> Served:
        """As statuses are told of it."""
        sets = {Key(*key.split("/", 1)): one.number for key, one in self.sets.items()}
        return Served(self.gateway.number, envoys, sets, ready)


class Rejection(Struct, frozen=True):
    """A part that Envoys of one version rejected: its type and leaf, hashes, Envoy's words, whose it is."""

    build: str
    type: str
    leaf: str
    hashes: tuple[str, ...]
    detail: str
    owners: tuple[Owner, ...]


class GatewayAcks(Struct, frozen=True):
    """What one replica's Envoys have of a Gateway. `nodes` are by id, with the time (seconds since 1970) at which each
    connected.
    """

    reached: Reached | None = None
    nodes: dict[str, float] = {}  # noqa: RUF012
    rejections: tuple[Rejection, ...] = ()


class Report(Struct, frozen=True):
    """What one replica tells the others, by NAMESPACE/NAME of Gateways."""

    gateways: dict[str, GatewayAcks] = {}  # noqa: RUF012

    def items(self) -> Iterator[tuple[Key, GatewayAcks]]:
        """By Gateway."""
        return ((Key(*key.split("/", 1)), acks) for key, acks in self.gateways.items())

    def silenced(self) -> "Report":
        """Of a replica that is gone: what its Envoys rejected may be known to nobody else yet."""
        kept = {key: GatewayAcks(rejections=one.rejections) for key, one in self.gateways.items() if one.rejections}
        return Report(kept)


_TYPES = {type_.value: type_ for type_ in ResourceType}
_DECODER = msgspec.json.Decoder(Report)


def encoded(report: Report) -> str:
    """As JSON."""
    return msgspec.json.encode(report).decode()


def decoded(text: str) -> Report | None:
    """None for what is no report."""
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError:
        return None


def rejections(holds: Iterable[tuple[HoldId, Hold]]) -> dict[Key, tuple[Rejection, ...]]:
    """What is held since Envoys rejected it, by Gateway."""
    found: dict[Key, list[Rejection]] = {}
    for id_, hold in holds:
        told = found.setdefault(id_.gateway, [])
        if hold.rejected and len(told) < MOST_REJECTIONS:
            hashes, detail = tuple(sorted(hold.rejected)), hold.detail[:MOST_DETAIL]
            told.append(Rejection(id_.build, id_.type.value, id_.leaf, hashes, detail, hold.owners))
    return {key: tuple(told) for key, told in found.items() if told}


def holds(reports: Iterable[Report]) -> dict[HoldId, Hold]:
    """The rejections of all reports, as rows for statuses; nothing is served by them."""
    found = {}
    for report in reports:
        for key, acks in report.items():
            for one in acks.rejections:
                if (type_ := _TYPES.get(one.type)) is not None:
                    hold = Hold(frozenset(one.hashes), detail=one.detail, owners=one.owners)
                    found[HoldId(key, one.build, type_, one.leaf)] = hold
    return found


def everywhere(acks: Sequence[GatewayAcks], before: Reached | None) -> tuple[Reached | None, int]:
    """What all Envoys have together, and how many they are: a node counts where it connected last, and a replica at
    which none counts has no say. `before` was reached already. All of it is about the same objects.
    """
    newest: dict[str, tuple[float, int]] = {}
    for index, one in enumerate(acks):
        for node, since in one.nodes.items():
            newest[node] = max(newest.get(node, (since, index)), (since, index))
    concerned = [acks[index].reached for index in sorted({index for _, index in newest.values()})]
    least: Reached | None = concerned[0] if concerned else None
    for reached in concerned[1:]:
        least = _both(least, reached)
    return _either(before, least), len(newest)


def _both(one: Reached | None, other: Reached | None) -> Reached | None:
    if one is None or other is None:
        return None
    sets = {
        key: min(found, other.sets[key], key=lambda generation: generation.number)
        for key, found in one.sets.items()
        if key in other.sets
    }
    return Reached(min(one.gateway, other.gateway, key=lambda generation: generation.number), sets)


def _either(before: Reached | None, now: Reached | None) -> Reached | None:
    if before is None or now is None:
        return before or now
    sets = dict(now.sets)
    for key, found in before.sets.items():
        if key not in sets or sets[key].number < found.number:
            sets[key] = found
    return Reached(max(before.gateway, now.gateway, key=lambda generation: generation.number), sets)


@dataclass(slots=True)
class Revisions:
    """Numbers for what a Gateway and its ListenerSets are: another number whenever one of them is another."""

    _number: int = 0
    _known: dict[Key, dict[int, Reached]] = field(default_factory=dict)

    def of(self, gateway: Key, row: Gateway, sets: Mapping[Key, ListenerSet]) -> int:
        """The number of what they are now."""
        now = Reached(
            Generation(row.metadata.uid, row.metadata.generation),
            {str(key): Generation(one.metadata.uid, one.metadata.generation) for key, one in sets.items()},
        )
        known = self._known.setdefault(gateway, {})
        if not known or known[max(known)] != now:
            self._number += 1
            known[self._number] = now
        return max(known)

    def now(self, gateway: Key) -> Reached | None:
        """What they are now."""
        known = self._known.get(gateway)
        return known[max(known)] if known else None

    def is_another(self, gateway: Key, row: Gateway) -> bool:
        """Was the Gateway deleted, and made anew under its name?"""
        known = self.now(gateway)
        return known is not None and known.gateway.uid != row.metadata.uid

    def at(self, gateway: Key, number: int | None) -> Reached | None:
        """What they were at a number; earlier ones are forgotten."""
        if number is None:
            return None
        known = self._known.get(gateway, {})
        for earlier in [one for one in known if one < number]:
            del known[earlier]
        return known.get(number)

    def withdrawn(self, gateway: Key) -> None:
        """The Gateway is gone."""
        self._known.pop(gateway, None)
