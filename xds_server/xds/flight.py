"""A response on its way, and what is remembered of a rejected one: values that a Ledger keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds_server.xds.encoding import named_in
from xds_server.xds.resource import Resource, ResourceType

_APPLIED_ONE_BY_ONE = frozenset({ResourceType.CLUSTER, ResourceType.LISTENER})


@dataclass(slots=True)
class Flight:
    """A response on its way. `resources` are those that it changes, which in SotW are not all that it carries.

    The ledger adds what was so when it was sent: `before` is what the client held of these names (absent when it held
    none, None when that is unknown), `unasked` are those that it had not asked for.
    """

    nonce: str
    sent_at: float
    serial: int
    version: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...]
    before: Mapping[str, Resource | None] = field(default_factory=dict)
    unasked: frozenset[str] = frozenset()


@dataclass(slots=True)
class Rejection:
    """The names of a rejected response. They stay unsent until the catalog's version of one of them is
    another.

    `versions` are those rejected, None for a removal. `accepted` is what the client is taken to hold
    meanwhile, which a SotW response must repeat, for what it leaves out is removed.
    """

    versions: dict[str, str | None]
    accepted: dict[str, Resource]

    def forget(self, name: str) -> None:
        """Leave out a name that the client no longer asks for."""
        self.versions.pop(name, None)
        self.accepted.pop(name, None)


def version_of(resource: Resource | None) -> str | None:
    """Its version, or None for none."""
    return resource.version if resource else None


def rejection_of(type_: ResourceType, flight: Flight, detail: str) -> Rejection:
    """What to remember of a rejected response.

    Envoy applies the good clusters and listeners of it and names the others. When it names none, nothing
    was applied.
    """
    blamed = _blamed(flight, detail) if type_ in _APPLIED_ONE_BY_ONE else frozenset[str]()
    accepted: dict[str, Resource] = {}
    for name, resource in flight.resources.items():
        kept = resource if blamed and name not in blamed else flight.before.get(name)
        if kept is not None:
            accepted[name] = kept
    versions = {name: version_of(resource) for name, resource in flight.resources.items()}
    return Rejection({**versions, **dict.fromkeys(flight.removed)}, accepted)


def repair_of(flight: Flight, detail: str) -> dict[str, Resource | None]:
    """What takes back rejected clusters: the version before, or None to remove one that was new.

    Envoy may keep a rejected cluster among those that warm, and then never answers for clusters again.
    Which to take back: those that it blames, else all new ones. One of which only an unknown version was
    held is left alone.
    """
    blamed = _blamed(flight, detail)
    suspects = blamed or flight.resources.keys() - flight.before.keys()
    repair = {name: flight.before.get(name) for name in suspects}
    return {name: resource for name, resource in repair.items() if resource or name not in flight.before}


def _blamed(flight: Flight, detail: str) -> frozenset[str]:
    return named_in(detail, flight.resources.keys())
