"""parentRefs to listeners: where a route is served, under which hosts, and why not elsewhere.

In: a route's parentRefs and hostnames. Out: a Claim per listener and host, and a verdict per parentRef.
The reason told is that of the furthest stage that still had candidates (name and port; namespace, kind and protocol;
hostname), as the API's route conditions ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from xds_server.flow.graph import Judged
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.httproute import HTTPRoute, ParentReference
from xds_server.model.meta import Condition, Key
from xds_server.routing.hostname import covers, intersect, normalise, specificity
from xds_server.routing.listener import Listener, ListenerId
from xds_server.semantics import conditions, selectors
from xds_server.semantics.listeners import AttachPoint, GatewayVerdict
from xds_server.semantics.world import GROUP, World


class ClaimId(NamedTuple):
    """A route on a listener's host."""

    listener: ListenerId
    host: str
    kind: str
    route: Key


@dataclass(frozen=True, slots=True)
class Claim:
    """A route is served under `host` by this listener.

    `written` is the most specific of the route's own hostnames that gave this host: it ranks before path and headers
    (Gateway API v1.7). `size` is the number of matches that the route brings.
    """

    listener: Listener
    host: str
    kind: str
    route: Key
    written: str
    created: str
    size: int

    @property
    def age(self) -> tuple[str, str]:
        """Sort key: oldest route first, then by `namespace/name`."""
        return (self.created, str(self.route))


@dataclass(frozen=True, slots=True)
class ParentVerdict:
    """What one parentRef came to. `listeners` are those the route is attached to."""

    reference: ParentReference
    gateway: Key
    accepted: Condition
    listeners: tuple[ListenerId, ...]


@dataclass(frozen=True, slots=True)
class Listeners:
    """The tables of what routes may attach to."""

    verdicts: Table[Key, GatewayVerdict]
    by_gateway: Index[Key, ListenerId, AttachPoint]


def judge(
    key: Key, route: HTTPRoute, kind: str, look: Lookup, *, world: World, listeners: Listeners
) -> Judged[ClaimId, Claim, tuple[ParentVerdict, ...]]:
    """The claims and parent verdicts of one route. Parents that are not Gateways of ours get no verdict."""
    claims: dict[ClaimId, Claim] = {}
    verdicts = []
    written = tuple(normalise(hostname) for hostname in route.spec.hostnames)
    size = sum(len(rule.matches) for rule in route.spec.rules)
    for reference in dict.fromkeys(route.spec.parent_refs):
        if (reference.group, reference.kind) != (GROUP, "Gateway"):
            continue
        gateway = Key(reference.namespace or key.namespace, reference.name)
        verdict = look.get(listeners.verdicts, gateway)
        if verdict is None or not verdict.ours:
            continue
        points = look.rows(listeners.by_gateway, gateway)
        attached, accepted = _attach(reference, key, kind, written, points, look=look, world=world)
        verdicts.append(ParentVerdict(reference, gateway, accepted, tuple(point.id for point in attached)))
        for point in attached:
            for host, own in _hosts(point, written, points).items():
                if point.served is not None:
                    claim = Claim(point.served, host, kind, key, own, route.metadata.creation_timestamp, size)
                    claims[ClaimId(point.id, host, kind, key)] = claim
    return Judged(claims.items(), tuple(verdicts))


def _attach(
    reference: ParentReference,
    route: Key,
    kind: str,
    written: tuple[str, ...],
    points: Iterable[AttachPoint],
    *,
    look: Lookup,
    world: World,
) -> tuple[list[AttachPoint], Condition]:
    named = [
        point
        for point in points
        if reference.section_name in (None, point.id.name) and reference.port in (None, point.port)
    ]
    if not named:
        return [], conditions.no_matching_parent(f"no listener {_wanted(reference)}")
    allowing = [point for point in named if kind in point.kinds and _allows(point, route, look, world)]
    if not allowing:
        names = ", ".join(point.id.name for point in named)
        return [], conditions.not_allowed_by_listeners(
            f"listeners {names} do not allow {kind}s from namespace {route.namespace}"
        )
    matching = [point for point in allowing if not written or any(intersect(point.hostname, name) for name in written)]
    if not matching:
        hosts = ", ".join(sorted({point.hostname for point in allowing}))
        return [], conditions.no_matching_hostname(
            f"hostnames {', '.join(written)} have nothing in common with the listeners' {hosts}"
        )
    return matching, conditions.accepted("The route is accepted.")


def _wanted(reference: ParentReference) -> str:
    parts = []
    if reference.section_name is not None:
        parts.append(f"is named {reference.section_name}")
    if reference.port is not None:
        parts.append(f"has port {reference.port}")
    return " and ".join(parts) or "exists"


def _allows(point: AttachPoint, route: Key, look: Lookup, world: World) -> bool:
    match point.namespaces.from_:
        case "All":
            return True
        case "Same":
            return route.namespace == point.id.gateway.namespace
        case "Selector" if point.namespaces.selector is not None:
            namespace = look.get(world.namespaces, Key("", route.namespace))
            labels = {"kubernetes.io/metadata.name": route.namespace}
            if namespace is not None:
                labels |= namespace.metadata.labels
            return selectors.matches(point.namespaces.selector, labels)
        case _:
            return False


def _hosts(point: AttachPoint, written: tuple[str, ...], points: Iterable[AttachPoint]) -> dict[str, str]:
    """Host served on this listener -> the most specific hostname of the route that gave it.

    A host that a more specific listener of the same port owns is that listener's alone (listener isolation).
    """
    others = [
        other.hostname
        for other in points
        if other.accepted and other.port == point.port and other.hostname != point.hostname
    ]
    hosts: dict[str, str] = {}
    for name in written or ("*",):
        host = intersect(point.hostname, name)
        if host is None:
            continue
        narrower = [other for other in others if covers(point.hostname, other)]
        if any(covers(other, host) for other in narrower):
            continue
        if host not in hosts or specificity(name) > specificity(hosts[host]):
            hosts[host] = name
    return hosts
