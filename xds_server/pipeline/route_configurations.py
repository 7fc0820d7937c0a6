"""Virtual hosts and route configurations: which bytes are joined under which host of which listener.

A part that is held for an Envoy build gives that build a variant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from xds_server.envoy import virtual_host
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import GatewayTables, ScopeHost
from xds_server.pipeline.holds import HoldOf, Holds, Variant, Variants, left_out, serve, serve_all
from xds_server.pipeline.listeners import Binds
from xds_server.routing.hostname import ANY, ancestors, covers
from xds_server.routing.listener import Listener, ListenerId, Scope, Socket
from xds_server.semantics.attach import Claim
from xds_server.semantics.listeners import AttachPoint
from xds_server.semantics.ownership import Hostnames, hostnames
from xds_server.wire.part import Owner, Part
from xds_server.xds.resource import ResourceType

HOST_HEADERS = "virtual_hosts.headers"
"""The table of HostHeader rows, by scope and host."""
_MOST_OWNERS = 100
"""How many routes are told when Envoy rejects a hostname that all of them have."""


@dataclass(frozen=True, slots=True)
class HostHeader:
    """A virtual host without its routes, and the listener that owns the host."""

    listener: Listener
    header: Part


@dataclass(frozen=True, slots=True)
class Hosts:
    """The virtual hosts, those of one RouteConfiguration, the hostnames of a port's listeners that own them, and what
    requests of a listener meet before a route is chosen.
    """

    table: Table[ScopeHost, Variants]
    by_scope: Index[Scope, ScopeHost, Variants]
    owned: Table[Socket, Hostnames]
    filters: Table[ListenerId, Part]


def build(graph: Graph, tables: GatewayTables, holds: Holds, binds: Binds) -> Table[Scope, Variants]:
    """Creates the tables of virtual hosts and route configurations."""
    headers = graph.group(HOST_HEADERS, tables.claims_by_host, partial(_header, tables=tables))
    hosts = graph.derive("virtual_hosts", headers, partial(_virtual_host, tables=tables, holds=holds))
    accepted = tables.listeners.by("accepted of socket", _socket)
    owned = graph.group("hostnames", accepted, lambda _, points, __: hostnames(point.hostname for point in points))
    found = Hosts(hosts, hosts.by("scope", lambda id_, _: (id_[0],)), owned, tables.listener_filters)
    scopes = tables.listeners.by("scope", _scope)
    routes_of = partial(_route_configuration, hosts=found, holds=holds, binds=binds)
    return graph.group("gateway.routes", scopes, routes_of)


def _scope(_: ListenerId, point: AttachPoint) -> tuple[Scope, ...]:
    scope = point.served.scope if point.served else None
    return () if scope is None else (scope,)


def _socket(id_: ListenerId, point: AttachPoint) -> tuple[Socket, ...]:
    """Where it owns its hosts, whoever serves it."""
    return (Socket(id_.gateway, point.transport, point.port),) if point.owns_hosts else ()


def _header(key: ScopeHost, claims: Sequence[Claim], look: Lookup, tables: GatewayTables) -> HostHeader | None:
    """None for a host that the listener refuses: its requests are a wider host's."""
    listener = claims[0].listener
    spread = look.get(tables.spreads, listener.id)
    served = [claim for claim in claims if spread is None or not spread.refuses(claim)]
    if not served:
        return None
    owners = [_hostname_owner(claim) for claim in islice(served, _MOST_OWNERS)]
    return HostHeader(listener, virtual_host.header(key[1], owners))


def _hostname_owner(claim: Claim) -> Owner:
    return Owner(claim.kind, claim.route.namespace, claim.route.name, f"hostname {claim.written}")


def _virtual_host(
    key: ScopeHost, row: HostHeader, look: Lookup, tables: GatewayTables, holds: Holds
) -> Iterable[tuple[ScopeHost, Variants]]:
    scope, host = key
    wider = [pattern for pattern in ancestors(host) if covers(row.listener.hostname, pattern)]
    found = [look.get(tables.segments, (row.listener.id, pattern)) for pattern in (host, *wider)]
    segments = [part for part in found if part is not None]
    filters = look.get(tables.listener_filters, row.listener.id)
    yield key, _joined(scope.gateway, row.header, segments, filters, look=look, holds=holds)


def _joined(
    gateway: Key, header: Part, segments: Sequence[Part], filters: Part | None, *, look: Lookup, holds: Holds
) -> Variants:
    """A virtual host as everyone gets it, and as single builds get it."""
    plain = virtual_host.join(header, segments, filters)
    builds = []
    for name, hold_of in holds.variants(gateway, ResourceType.ROUTE, look):
        kept = [_held_segment(part, hold_of) for part in segments]
        same = all(new is old for new, old in zip(kept, segments, strict=True))
        top = serve(header, hold_of(header.id))
        held = _held_filters(filters, hold_of)
        if same and top is header and held is filters:
            continue
        own = (header,) if filters is None else (header, filters)
        without = left_out([*own, *(leaf for part in segments for leaf in part.parts)], hold_of)
        builds.append(Variant(name, virtual_host.join(top, kept, held) if top else None, without))
    return Variants(plain, tuple(builds))


def _held_filters(filters: Part | None, hold_of: HoldOf) -> Part | None:
    """Never none in place of some: what is under suspicion and was never good closes the virtual host meanwhile."""
    if filters is None:
        return None
    return serve(filters, hold_of(filters.id)) or virtual_host.closed(filters)


def _held_segment(part: Part, hold_of: HoldOf) -> Part:
    kept = serve_all(part.parts, hold_of)
    return part if kept is part.parts else virtual_host.segment(part.id, kept)


def _route_configuration(
    scope: Scope,
    points: Sequence[AttachPoint],
    look: Lookup,
    *,
    hosts: Hosts,
    holds: Holds,
    binds: Binds,
) -> Variants | None:
    """All virtual hosts of the scope, those with routes and those without."""
    bind = look.get(binds.table, scope.gateway) or binds.default
    if bind is None or not bind.serves(scope.port):
        return None
    filters = {point.hostname: look.get(hosts.filters, point.id) for point in points}
    rows = [*look.rows(hosts.by_scope, scope), *_without_routes(scope, filters, look, hosts, holds)]
    plain = virtual_host.route_configuration(scope, [row.base for row in rows])
    builds = []
    for name, _ in holds.variants(scope.gateway, ResourceType.ROUTE, look):
        hosts_of_build = [row.of(name) for row in rows]
        parts = [one.part for one in hosts_of_build if one.part is not None]
        without = frozenset[str]().union(*(one.without for one in hosts_of_build))
        builds.append(Variant(name, virtual_host.route_configuration(scope, parts), without))
    return Variants(plain, tuple(builds))


def _without_routes(
    scope: Scope, filters: Mapping[str, Part | None], look: Lookup, hosts: Hosts, holds: Holds
) -> Iterable[Variants]:
    """What no route takes is not the business of a wider listener.

    All HTTP listeners of a port share a scope: each has its hostname there, with 404. An HTTPS listener has its own,
    so that of others' hosts the client learns that it came by the wrong connection. `filters` are those of the
    listeners by hostname: they see these requests, too, and so need virtual hosts where 404 would do without.
    """
    found = look.get(hosts.owned, Socket(scope.gateway, "tcp", scope.port))
    if found is None:
        return
    bare: list[tuple[Part, Part | None]] = []
    for hostname in (scope.hostname,) if scope.hostname else found.all:
        own = filters.get(hostname)
        if (hostname != ANY or own) and look.get(hosts.table, (scope, hostname)) is None:
            bare.append((virtual_host.header(hostname, ()), own))
    if scope.hostname:
        own, others = filters.get(scope.hostname), found.of_others(scope.hostname)
        if others:
            bare.append((virtual_host.misdirected(others), own))
        if own and ANY not in (scope.hostname, *others):
            bare.append((virtual_host.header(ANY, ()), own))
    for header, own in bare:
        yield _joined(scope.gateway, header, (), own, look=look, holds=holds)
