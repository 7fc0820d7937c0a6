"""parentRefs to listeners: where a route is served, under which hosts, and why not elsewhere.

In: a route's parentRefs and hostnames. Out: a Claim per listener and host, and a verdict per parentRef.
The reason told is that of the furthest stage that still had candidates (name and port; namespace, kind and protocol;
hostname), as the API's route conditions ask.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from xds_server.flow.graph import Judged
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.grpcroute import GRPCRoute
from xds_server.model.httproute import HTTPRoute, ParentReference
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.l4route import TCPRoute, TLSRoute, UDPRoute
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.model.wording import some
from xds_server.routing.hostname import ANY, ancestors, covers, intersect, is_wildcard, normalise, specificity
from xds_server.routing.listener import Listener, ListenerId
from xds_server.semantics import conditions, default_gateways, listener_sets, selectors
from xds_server.semantics.listeners import AttachPoint
from xds_server.semantics.world import World

Route = HTTPRoute | GRPCRoute | TLSRoute | TCPRoute | UDPRoute
GatewayHost = tuple[Key, str]
_MOST = 10
"""How many listeners a message names."""


class ClaimId(NamedTuple):
    """A route on a listener's host."""

    listener: ListenerId
    host: str
    kind: str
    route: Key


class Claim(NamedTuple):
    """A route is served under `host` by this listener.

    `listener` is as its routes see it (`Listener.for_routes`).
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
    """The tables of what routes may attach to. `ours` are the Gateways that are served here, and no more of them: what
    else is said of a Gateway is nothing to its routes. The listeners are as routes see them; `by_owner` is by the
    object in which a listener is written.
    """

    ours: Table[Key, bool]
    by_gateway: Index[Key, ListenerId, AttachPoint]
    by_owner: Index[ObjectRef, ListenerId, AttachPoint]
    by_hostname: Index[GatewayHost, ListenerId, AttachPoint]
    narrower: Index[GatewayHost, ListenerId, AttachPoint]
    """By each hostname that covers theirs."""

    def near(self, gateway: Key, hostnames: tuple[str, ...], look: Lookup) -> Sequence[AttachPoint]:
        """The listeners of a Gateway whose hosts are among those of a route, or the other way round. No other one is
        asked about, so that a listener that comes or changes is looked at by those routes alone that it may concern.
        """
        if not hostnames or ANY in hostnames:
            return look.rows(self.by_gateway, gateway)
        asked = dict.fromkeys(pattern for name in hostnames for pattern in (name, *ancestors(name)))
        rows = [look.rows(self.by_hostname, (gateway, pattern)) for pattern in asked]
        rows += [look.rows(self.narrower, (gateway, name)) for name in hostnames if is_wildcard(name)]
        found = {point.id: point for points in rows for point in points}
        return [found[id_] for id_ in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Asking:
    """A route that looks for listeners; `written` are its hostnames, normalised; `size` is its number of matches."""

    kind: str
    key: Key
    route: Route
    written: tuple[str, ...]
    size: int


def judge(
    kind: str, key: Key, route: Route, look: Lookup, *, world: World, listeners: Listeners
) -> Judged[ClaimId, Claim, tuple[ParentVerdict, ...]]:
    """The claims and parent verdicts of one route. Parents that are not served here get no verdict."""
    claims: dict[ClaimId, Claim] = {}
    verdicts = []
    written = tuple(normalise(hostname) for hostname in getattr(route.spec, "hostnames", ()))
    size = sum(len(getattr(rule, "matches", ((),))) for rule in route.spec.rules)
    asking = _Asking(kind, key, route, written, size)
    for reference in (*dict.fromkeys(route.spec.parent_refs), *default_gateways.parents(key, route.spec, look, world)):
        owner = _owner(reference, key)
        gateway = _gateway(owner, look, world) if owner else None
        if owner is None or gateway is None or not look.get(listeners.ours, gateway):
            continue
        points = listeners.near(gateway, written, look)
        attached, accepted = _attach(reference, asking, [one for one in points if one.id.owner == owner], look, world)
        if not attached:  # why not is told of all of them
            attached, accepted = _attach(reference, asking, look.rows(listeners.by_owner, owner), look, world)
        verdicts.append(ParentVerdict(reference, gateway, accepted, tuple(point.id for point in attached)))
        for point in attached:
            claims |= _claims(asking, point, points)
    return Judged(claims.items(), tuple(verdicts))


def _owner(reference: ParentReference, route: Key) -> ObjectRef | None:
    if reference.group != GATEWAY_GROUP or reference.kind not in ("Gateway", "ListenerSet"):
        return None
    return ObjectRef(reference.kind, reference.namespace or route.namespace, reference.name)


def _gateway(owner: ObjectRef, look: Lookup, world: World) -> Key | None:
    """The Gateway that serves what is attached to this parent."""
    if owner.kind == "Gateway":
        return owner.key
    set_ = look.get(world.listener_sets, owner.key)
    return listener_sets.parent_of(owner.key, set_) if set_ is not None else None


def _claims(asking: _Asking, point: AttachPoint, points: Iterable[AttachPoint]) -> dict[ClaimId, Claim]:
    if point.served is None:
        return {}
    created = asking.route.metadata.creation_timestamp
    return {
        ClaimId(point.id, host, asking.kind, asking.key): Claim(
            point.served, host, asking.kind, asking.key, own, created, asking.size
        )
        for host, own in _hosts(point, asking.written, points).items()
    }


def _attach(
    reference: ParentReference, asking: _Asking, points: Sequence[AttachPoint], look: Lookup, world: World
) -> tuple[list[AttachPoint], Condition]:
    named = [
        point
        for point in points
        if reference.section_name in (None, point.id.name) and reference.port in (None, point.port)
    ]
    if not named:
        return [], conditions.no_matching_parent(f"no listener {_wanted(reference)}{_offered(reference, points)}")
    namespace = asking.key.namespace
    allowing = [point for point in named if asking.kind in point.kinds and _allows(point, namespace, look, world)]
    if not allowing:
        names = ", ".join(point.id.name for point in named)
        why = "".join(dict.fromkeys(map(_misled, named)))
        return [], conditions.not_allowed_by_listeners(
            f"listeners {names} do not allow {asking.kind}s from namespace {namespace}{why}"
        )
    written = asking.written
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


def _offered(reference: ParentReference, points: Sequence[AttachPoint]) -> str:
    """The listeners that there are, with what the reference asks of them."""
    ported = reference.port is not None
    told = [f"{point.id.name} on port {point.port}" if ported else point.id.name for point in points]
    return f" (there are: {some(told, _MOST)})" if told else ""


def _allows(point: AttachPoint, namespace: str, look: Lookup, world: World) -> bool:
    allowed = point.namespaces
    known = look.get(world.namespaces, Key("", namespace)) if allowed.from_ == "Selector" else None
    return selectors.allows(allowed.from_, allowed.selector, point.id.owner.namespace, namespace, known)


def _misled(point: AttachPoint) -> str:
    """What is wrong with a listener that allows no namespace at all."""
    problem = selectors.problem(point.namespaces.from_, point.namespaces.selector)
    return f" (allowedRoutes.namespaces.{problem})" if problem else ""


def _hosts(point: AttachPoint, written: tuple[str, ...], points: Iterable[AttachPoint]) -> dict[str, str]:
    """Host served on this listener -> the most specific hostname of the route that gave it.

    A host that a more specific listener of the same port owns is that listener's alone (listener isolation).
    """
    narrower = [
        other.hostname
        for other in points
        if other.hostname != point.hostname
        and other.owns_hosts
        and (other.port, other.transport) == (point.port, point.transport)
        and covers(point.hostname, other.hostname)
    ]
    hosts: dict[str, str] = {}
    for name in written or ("*",):
        host = intersect(point.hostname, name)
        if host is None or any(covers(other, host) for other in narrower):
            continue
        if host not in hosts or specificity(name) > specificity(hosts[host]):
            hosts[host] = name
    return hosts
