"""A response on its way, and what is remembered of a rejected one: values that a Ledger keeps."""

from collections.abc import Collection, Iterable, Mapping, Reversible
from dataclasses import dataclass, field

from xds_server.xds.encoding import named_in
from xds_server.xds.resource import Resource


@dataclass(slots=True)
class Flight:
    """A response on its way. `resources` are those that it changes, which in SotW are not all that it carries.

    The ledger adds what was so when it was sent: `before` is what the client held of these names (absent when it held
    none, None when that is unknown), `unasked` are those that it had not asked for, `whole` says that it carried all.
    """

    nonce: str
    sent_at: float
    serial: int
    version: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...]
    before: Mapping[str, Resource | None] = field(default_factory=dict)
    unasked: frozenset[str] = frozenset()
    whole: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that it changes or removes."""
        return (*self.resources, *self.removed)


@dataclass(slots=True)
class Rejection:
    """The names of a rejected response. They stay unsent until the catalog's version of one of them is
    another.

    `versions` are those rejected, None for a removal. `accepted` is what the client is taken to hold
    meanwhile, which a SotW response must repeat, for what it leaves out is removed.
    """

    versions: dict[str, str | None]
    accepted: dict[str, Resource]


def version_of(resource: Resource | None) -> str | None:
    """Its version, or None for none."""
    return resource.version if resource else None


def underway(flights: Iterable[Flight]) -> dict[str, Resource | None]:
    """What the client will have been sent of their names when it has read them all, oldest first; None for removed."""
    found: dict[str, Resource | None] = {}
    for flight in flights:
        found |= {**flight.resources, **dict.fromkeys(flight.removed)}
    return found


def give_up(flights: dict[str, Flight], nonce: str) -> None:
    """The client is taken not to have read this one. If it has, no other tells what it has of these names."""
    names = flights.pop(nonce).names
    for other in flights.values():
        other.unasked = other.unasked.difference(names)


def accepted_of(
    names: Collection[str], held: Mapping[str, Resource | None], flights: Reversible[Flight]
) -> dict[str, Resource | None]:
    """What the client last accepted of these: of what it holds, what was before anything that is on its way."""
    accepted = {name: held[name] for name in names if name in held}
    for flight in reversed(flights):
        for name in flight.resources.keys() & set(names):
            accepted.pop(name, None)
            if name in flight.before:
                accepted[name] = flight.before[name]
    return accepted


def blamed_by(detail: str, flight: Flight, held: Mapping[str, Resource | None]) -> dict[str, Resource | None]:
    """Those that a rejection names, of all that the response carried, as the client was sent them."""
    carried = {**held, **flight.resources} if flight.whole else flight.resources
    return {name: carried[name] for name in named_in(detail, carried.keys())}


def rejection_of(flight: Flight, blamed: Mapping[str, Resource | None]) -> Rejection:
    """What to remember of a rejected response; `blamed` are the clusters or listeners that Envoy named, as it got them.

    Of those it applies all but the ones that it names, and these alone are withheld. When it names none, as it never
    does for other types, any may be at fault and nothing is taken to be applied: all are withheld.
    """
    suspects = {**flight.resources, **dict.fromkeys(flight.removed)}
    if blamed:
        suspects = {name: resource for name, resource in blamed.items() if resource is not None}
    accepted = {name: resource for name in suspects if (resource := flight.before.get(name)) is not None}
    return Rejection({name: version_of(resource) for name, resource in suspects.items()}, accepted)


def repair_of(flight: Flight, blamed: Collection[str]) -> dict[str, Resource | None]:
    """What takes back rejected clusters: the version before, or None to remove one that was new.

    Envoy may keep a rejected cluster among those that warm, and then never answers for clusters again. Which to take
    back: those that it names, else all new ones. One of which only an unknown version was held is left alone.
    """
    suspects = flight.resources.keys() & set(blamed) if blamed else flight.resources.keys() - flight.before.keys()
    repair = {name: flight.before.get(name) for name in suspects}
    return {name: resource for name, resource in repair.items() if resource or name not in flight.before}
