"""What takes connections and datagrams: one route for each server name of a TLS listener, and for each other port.

All routes that are attached stay attached; the one that serves is that with the most specific hostname as its author
wrote it, then the oldest, then the first by namespace and name (Gateway API v1.7).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from xds_server.envoy import endpoint, names, stream_chain
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.backends import Secured
from xds_server.routing.backend import NO_CERTIFICATE, NOT_SECURED, Backend, EndpointsId, InvalidBackend, of_port
from xds_server.routing.endpoint import ServingEndpoint
from xds_server.routing.hostname import specificity
from xds_server.routing.listener import CONNECTIONS, Listener, ListenerId, Protocol, Socket
from xds_server.routing.rule import Rule, WeightedBackend
from xds_server.routing.secret import SecretId
from xds_server.semantics import x_backends
from xds_server.semantics.attach import Claim, ClaimId
from xds_server.semantics.endpoints import serving
from xds_server.semantics.listeners import AttachPoint
from xds_server.semantics.routes.rules import RouteRules
from xds_server.semantics.world import World
from xds_server.wire.part import Owner, Part

RouteKey = tuple[str, Key]
ListenerHost = tuple[ListenerId, str]
RouteAt = tuple[RouteKey, Key]
"""A route and a Gateway."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The route that takes a server name of a listener, or its port: `part` is its filter chain; for datagrams the
    endpoints of the port's cluster.
    """

    listener: Listener
    host: str
    route: RouteKey
    rule: Rule | None
    part: Part

    def with_certificates(self, certificates: tuple[SecretId, ...]) -> Part:
        """The chain with those certificates alone; without any it closes connections."""
        if self.rule is None or not certificates:
            return stream_chain.closed(self.listener, self.host, self.part.owners)
        listener = replace(self.listener, certificates=certificates)
        return stream_chain.build(listener, self.host, self.rule, self.part.owners)


@dataclass(frozen=True, slots=True)
class Streams:
    """The tables of both kinds."""

    connections: Table[ListenerHost, Stream]
    connections_by_socket: Index[Socket, ListenerHost, Stream]
    connections_by_route: Index[RouteAt, ListenerHost, Stream]
    datagrams: Table[Socket, Stream]
    datagrams_by_route: Index[RouteAt, Socket, Stream]

    def leaves(self, route: RouteKey, gateway: Key, look: Lookup) -> list[str]:
        """The ids of all leaves that a route has at a Gateway."""
        found = look.rows(self.connections_by_route, (route, gateway))
        return [one.part.id for one in (*found, *look.rows(self.datagrams_by_route, (route, gateway)))]


def build(
    graph: Graph,
    claims: Table[ClaimId, Claim],
    rules: Table[RouteKey, RouteRules],
    secured: Secured,
    world: World,
    *,
    points: Table[ListenerId, AttachPoint],
) -> Streams:
    """Creates the tables."""
    by_host = claims.by("connections", _of_connections)
    connections = graph.group(
        "streams.connections", by_host, partial(_connections, rules=rules, secured=secured, points=points)
    )
    by_port = claims.by("datagrams", _of_datagrams)
    datagrams = graph.group("streams.datagrams", by_port, partial(_datagrams, rules=rules, world=world))
    return Streams(
        connections,
        connections.by("socket", lambda _, row: (row.listener.socket,)),
        connections.by("route", _route),
        datagrams,
        datagrams.by("route", _route),
    )


def needed(protocol: Protocol, gateway: Key, port: int, backends: tuple[Backend, ...]) -> tuple[Backend, ...]:
    """The clusters that a route needs on a port. Datagrams have one for all backends together."""
    if protocol == "udp":
        return (of_port(gateway, port),)
    return tuple(dict.fromkeys(_at(backend, protocol) for backend in backends))


def _at(backend: Backend, protocol: Protocol) -> Backend:
    """The backend as listeners of that protocol use it: TLS that is handed on is secured by the client itself."""
    return backend._replace(tls=NOT_SECURED, certificate=NO_CERTIFICATE) if protocol == "passthrough" else backend


def _of_connections(id_: ClaimId, claim: Claim) -> tuple[ListenerHost, ...]:
    return ((id_.listener, id_.host),) if claim.listener.protocol in CONNECTIONS else ()


def _of_datagrams(_: ClaimId, claim: Claim) -> tuple[Socket, ...]:
    return (claim.listener.socket,) if claim.listener.protocol == "udp" else ()


def _route(_: object, row: Stream) -> tuple[RouteAt, ...]:
    return ((row.route, row.listener.id.gateway),)


def _winner(claims: Iterable[Claim]) -> Claim:
    return max(claims, key=lambda claim: specificity(claim.written))


def _oldest_first(claims: Iterable[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: (claim.age, claim.kind))


def _served(claims: Sequence[Claim], look: Lookup, rules: Table[RouteKey, RouteRules]) -> tuple[Claim, Rule | None]:
    """The claim that wins and its route's rule; None where it has none that can be served."""
    claim = _winner(_oldest_first(claims))
    row = look.get(rules, (claim.kind, claim.route))
    return claim, next(iter(row.rules), None) if row else None


def _connections(
    key: ListenerHost,
    claims: Sequence[Claim],
    look: Lookup,
    *,
    rules: Table[RouteKey, RouteRules],
    secured: Secured,
    points: Table[ListenerId, AttachPoint],
) -> Stream:
    host = key[1]
    claim, rule = _served(claims, look, rules)
    point = look.get(points, claim.listener.id)
    listener = point.served if point is not None and point.served is not None else claim.listener
    field = f"hostname {claim.written}" if claim.kind == "TLSRoute" else "rules[0]"
    owners = (Owner(claim.kind, *claim.route, field),)
    if rule is None:
        part = stream_chain.closed(listener, host, owners)
    else:
        rule = replace(rule, action=replace(rule.action, backends=_backends(rule, listener.protocol)))
        rule = rule.reached(secured.certificate(listener.id.gateway, look))
        part = stream_chain.build(listener, host, rule, owners)
    return Stream(listener, host, (claim.kind, claim.route), rule, part)


def _backends(rule: Rule, protocol: Protocol) -> tuple[WeightedBackend, ...]:
    return tuple(
        one if isinstance(one.backend, InvalidBackend) else replace(one, backend=_at(one.backend, protocol))
        for one in rule.action.backends
    )


def _datagrams(
    socket: Socket, claims: Sequence[Claim], look: Lookup, rules: Table[RouteKey, RouteRules], world: World
) -> Stream:
    claim, rule = _served(claims, look, rules)
    backends = rule.action.backends if rule else ()
    shares = [(one.weight, _endpoints(one, look, world)) for one in backends if one.weight > 0]
    name = names.endpoints(of_port(socket.gateway, socket.port).endpoints)
    part = endpoint.shared(name, shares, (Owner(claim.kind, *claim.route, "rules[0]"),))
    return Stream(claim.listener, claim.host, (claim.kind, claim.route), rule, part)


def _endpoints(one: WeightedBackend, look: Lookup, world: World) -> list[ServingEndpoint]:
    return endpoints(one.backend.endpoints, look, world) if isinstance(one.backend, Backend) else []


def endpoints(id_: EndpointsId, look: Lookup, world: World) -> list[ServingEndpoint]:
    """The addresses behind one port of a Service, or behind an XBackend."""
    if id_.kind == "XBackend":
        return x_backends.endpoints(id_.service, look, world)
    known = look.get(world.services, id_.service)
    port = known.port(id_.port, id_.transport.upper()) if known else None
    return serving(look.rows(world.slices_by_service, id_.service), port.name) if port else []
