"""From parts to resources: virtual hosts, route configurations, listeners, and what each Gateway's proxies get.

In: the tables of `gateway`. Out: tables of Variants, and for a settled batch the changes to publish. A part that is
held for an Envoy build gives that build a variant of the resource.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any

from xds_server.envoy import endpoint, filter_chain, listener, names, virtual_host
from xds_server.flow.graph import Graph, Settled
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import GatewayTables, ScopeHost
from xds_server.pipeline.holds import Hold, HoldId, HoldOf, Variant, Variants, left_out, serve, serve_all
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.routing.audience import Audience, ForGateway
from xds_server.routing.backend import Backend
from xds_server.routing.hostname import ANY, ancestors, covers
from xds_server.routing.listener import Bind, Listener, ListenerId, Scope
from xds_server.semantics.attach import Claim
from xds_server.semantics.endpoints import serving
from xds_server.semantics.listeners import AttachPoint
from xds_server.wire.part import Owner, Part
from xds_server.xds.resource import Resource, ResourceType

Change = tuple[Audience, ResourceType, str]
HOST_HEADERS = "virtual_hosts.headers"
"""The table of HostHeader rows, by scope and host."""
_MOST_MARKS = 64
"""How many rejected leaves the version of a resource tells of."""
_MOST_OWNERS = 100
"""How many routes are told when Envoy rejects a hostname that all of them have."""
GatewayType = tuple[Key, ResourceType]
GatewaySecret = tuple[Key, Key]
GatewayPort = tuple[Key, int]
ServicePort = tuple[Key, int]


@dataclass(frozen=True, slots=True)
class Output:
    """A table whose rows are resources of one type, and whose Gateway and references each row has."""

    type: ResourceType
    table: Table[Any, Variants]
    gateway: Callable[[Any], Key]
    references: Callable[[Any, Part], tuple[tuple[ResourceType, str], ...]]


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


@dataclass(frozen=True, slots=True)
class HostHeader:
    """A virtual host without its routes, and the listener that owns the host."""

    listener: Listener
    header: Part


@dataclass(frozen=True, slots=True)
class Binds:
    """Where Gateways are bound. A port that cannot be bound now has neither listener nor routes."""

    table: Table[Key, Bind]
    default: Bind | None


@dataclass(frozen=True, slots=True)
class Hosts:
    """The virtual hosts, and those of one RouteConfiguration."""

    table: Table[ScopeHost, Variants]
    by_scope: Index[Scope, ScopeHost, Variants]


def build(graph: Graph, inputs: Inputs, tables: GatewayTables, options: Options) -> tuple[Output, ...]:
    """Creates the tables of resources, in the order in which types are pushed."""
    held = inputs.holds.by("gateway and type", lambda id_, _: ((id_.gateway, id_.type),))
    builds = graph.group("builds", held, partial(_builds, index=held))
    holds = Holds(inputs.holds, builds)
    used = tables.uses.by("gateway and backend", lambda id_, _: ((id_[0], id_[1]),))
    clusters = graph.group("gateway.clusters", used, partial(_cluster, tables=tables, holds=holds))
    assigned = tables.uses.by("service port", lambda id_, _: ((id_[1].service, id_[1].port),))
    assignments = graph.group("assignments", assigned, partial(_assignment, tables=tables))
    by_assignment = tables.uses.by("gateway and service port", lambda id_, _: ((id_[0], id_[1].service, id_[1].port),))
    endpoints = graph.group(
        "gateway.endpoints", by_assignment, partial(_endpoints, assignments=assignments, holds=holds)
    )
    points = tables.listeners
    secret_use = points.by("gateway and secret", _secret_uses)
    secrets = graph.group("gateway.secrets", secret_use, partial(_secret, tables=tables, holds=holds))
    ports = points.by("gateway and port", lambda _, point: ((point.id.gateway, point.port),) if point.served else ())
    binds = Binds(inputs.binds, options.default_bind)
    listener_of = partial(_listener, binds=binds, secrets=secrets, holds=holds)
    listeners = graph.group("gateway.listeners", ports, listener_of)
    headers = graph.group(HOST_HEADERS, tables.claims_by_host, partial(_header, tables=tables))
    hosts = graph.derive("virtual_hosts", headers, partial(_virtual_host, tables=tables, holds=holds))
    found = Hosts(hosts, hosts.by("scope", lambda id_, _: (id_[0],)))
    scopes = points.by("scope", lambda _, point: (point.served.scope,) if point.served else ())
    routes_of = partial(_route_configuration, hosts=found, holds=holds, tables=tables, binds=binds)
    routes = graph.group("gateway.routes", scopes, routes_of)
    return (
        Output(
            ResourceType.CLUSTER,
            clusters,
            _first,
            lambda key, _: ((ResourceType.ENDPOINT, _endpoints_name(key[1])),),
        ),
        Output(ResourceType.ENDPOINT, endpoints, _first, lambda *_: ()),
        Output(ResourceType.LISTENER, listeners, _first, partial(_listener_secrets, ports=ports)),
        Output(ResourceType.SECRET, secrets, _first, lambda *_: ()),
        Output(ResourceType.ROUTE, routes, _first, lambda *_: ()),
    )


def _first(key: Any) -> Key:
    gateway: Key = key[0]
    return gateway


def _builds(
    value: GatewayType, _: Sequence[Hold], look: Lookup, index: Index[GatewayType, HoldId, Hold]
) -> tuple[str, ...]:
    return tuple(sorted({id_.build for id_ in look.keys(index, value)}))


def _leaf(part: Part, gateway: Key, type_: ResourceType, look: Lookup, holds: Holds) -> Variants:
    """A resource that is one leaf."""
    variants = holds.variants(gateway, type_, look)
    return Variants(part, tuple(Variant(name, serve(part, hold_of(part.id))) for name, hold_of in variants))


def _cluster(
    key: tuple[Key, Backend], _: Sequence[None], look: Lookup, tables: GatewayTables, holds: Holds
) -> Variants | None:
    gateway, backend = key
    part = look.get(tables.clusters, backend)
    return _leaf(part, gateway, ResourceType.CLUSTER, look, holds) if part else None


def _endpoints_name(backend: Backend) -> str:
    return names.endpoints(backend.service, backend.port)


def _assignment(key: ServicePort, _: Sequence[None], look: Lookup, tables: GatewayTables) -> Part:
    service, number = key
    known = look.get(tables.world.services, service)
    port = known.port(number) if known else None
    slices = look.rows(tables.world.slices_by_service, service) if port else ()
    return endpoint.assignment(names.endpoints(service, number), serving(slices, port.name) if port else ())


def _endpoints(
    key: tuple[Key, Key, int], _: Sequence[None], look: Lookup, assignments: Table[ServicePort, Part], holds: Holds
) -> Variants | None:
    part = look.get(assignments, (key[1], key[2]))
    return _leaf(part, key[0], ResourceType.ENDPOINT, look, holds) if part else None


def _secret_uses(_: ListenerId, point: AttachPoint) -> list[tuple[Key, Key]]:
    return [(point.id.gateway, secret) for secret in point.served.secrets] if point.served else []


def _secret(
    key: GatewaySecret, _: Sequence[AttachPoint], look: Lookup, tables: GatewayTables, holds: Holds
) -> Variants | None:
    gateway, secret = key
    part = look.get(tables.secrets, secret)
    return _leaf(part, gateway, ResourceType.SECRET, look, holds) if part else None


def _listener(
    key: GatewayPort,
    points: Sequence[AttachPoint],
    look: Lookup,
    *,
    binds: Binds,
    secrets: Table[GatewaySecret, Variants],
    holds: Holds,
) -> Variants | None:
    gateway = key[0]
    bind = look.get(binds.table, gateway) or binds.default
    if bind is None or not bind.serves(key[1]):
        return None
    served = sorted((point.served for point in points if point.served), key=lambda one: one.hostname)
    chains = _chains(served)
    first = served[0]
    header = listener.header(first, bind, tuple(served))
    plain = listener.join(header, [part for _, part in chains])
    builds = []
    for name, hold_of in holds.variants(gateway, ResourceType.LISTENER, look, ResourceType.SECRET):
        usable = [found for one, part in chains if (found := _with_certificates(one, part, name, look, secrets))]
        kept = serve_all(usable, hold_of)
        top = serve(header, hold_of(header.id))
        without = left_out([header, *usable], hold_of)
        builds.append(Variant(name, listener.join(top, kept) if kept and top else None, without))
    return Variants(plain, tuple(builds))


def _with_certificates(
    one: Listener, chain: Part, build: str, look: Lookup, secrets: Table[GatewaySecret, Variants]
) -> Part | None:
    """The chain as that build gets it: Envoy waits for every secret that it names, so it names those that there are."""
    rows = [(secret, look.get(secrets, (one.id.gateway, secret))) for secret in one.secrets]
    left = tuple(secret for secret, row in rows if row is not None and row.of(build).part is not None)
    if left == one.secrets:
        return chain
    return filter_chain.build(replace(one, secrets=left), (one,)) if left else None


def _chains(served: Sequence[Listener]) -> list[tuple[Listener, Part]]:
    if served[0].scheme == "http":
        return [(served[0], filter_chain.build(served[0], tuple(served)))]
    return [(one, filter_chain.build(one, (one,))) for one in served]


def _listener_secrets(
    key: GatewayPort, _: Part, ports: Index[GatewayPort, ListenerId, AttachPoint]
) -> tuple[tuple[ResourceType, str], ...]:
    secrets = {names.secret(secret) for point in ports.rows(key) if point.served for secret in point.served.secrets}
    return tuple((ResourceType.SECRET, name) for name in sorted(secrets))


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
    plain = virtual_host.join(row.header, segments)
    builds = []
    for name, hold_of in holds.variants(scope.gateway, ResourceType.ROUTE, look):
        kept = [_held_segment(part, hold_of) for part in segments]
        same = all(new is old for new, old in zip(kept, segments, strict=True))
        top = serve(row.header, hold_of(row.header.id))
        if same and top is row.header:
            continue
        without = left_out([row.header, *(leaf for part in segments for leaf in part.parts)], hold_of)
        builds.append(Variant(name, virtual_host.join(top, kept) if top else None, without))
    yield key, Variants(plain, tuple(builds))


def _held_segment(part: Part, hold_of: HoldOf) -> Part:
    kept = serve_all(part.parts, hold_of)
    return part if kept is part.parts else virtual_host.segment(part.id, kept)


def _route_configuration(
    scope: Scope,
    __: Sequence[AttachPoint],
    look: Lookup,
    *,
    hosts: Hosts,
    holds: Holds,
    tables: GatewayTables,
    binds: Binds,
) -> Variants | None:
    """All virtual hosts of the scope. Every accepted listener's hostname has one, whoever serves it: a request that
    it owns and no route takes is a 404 there, not the business of a wider listener.
    """
    bind = look.get(binds.table, scope.gateway) or binds.default
    if bind is None or not bind.serves(scope.port):
        return None
    rows = list(look.rows(hosts.by_scope, scope))
    points = look.rows(tables.listeners_by_gateway, scope.gateway)
    accepted = {point.hostname for point in points if point.accepted and point.port == scope.port}
    own = sorted(name for name in accepted - {ANY} if covers(scope.hostname or ANY, name))
    bare = [hostname for hostname in own if look.get(hosts.table, (scope, hostname)) is None]
    rows += [Variants(virtual_host.join(virtual_host.header(hostname, ()), ())) for hostname in bare]
    plain = virtual_host.route_configuration(scope, [row.base for row in rows])
    builds = []
    for name, _ in holds.variants(scope.gateway, ResourceType.ROUTE, look):
        hosts_of_build = [row.of(name) for row in rows]
        parts = [one.part for one in hosts_of_build if one.part is not None]
        without = frozenset[str]().union(*(one.without for one in hosts_of_build))
        builds.append(Variant(name, virtual_host.route_configuration(scope, parts), without))
    return Variants(plain, tuple(builds))


class Publisher:
    """Turns settled changes into changes of the catalog; remembers which names each row has published."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._published: dict[tuple[ResourceType, Any], frozenset[tuple[Audience, str]]] = {}
        self._rows: dict[Change, tuple[str, Any]] = {}

    def changes(self, settled: Settled) -> Mapping[Change, Resource | None]:
        """What to publish after a settle; None removes."""
        changes: dict[Change, Resource | None] = {}
        for output in self._outputs:
            for key in settled.keys(output.table):
                self._row(output, key, changes)
        return changes

    def everything(self) -> Mapping[Change, Resource | None]:
        """What to publish where an earlier set of changes got lost: all there is, and what is gone."""
        changes: dict[Change, Resource | None] = {}
        for output in self._outputs:
            gone = {key for type_, key in self._published if type_ is output.type}
            for key in gone.union(output.table.keys()):
                self._row(output, key, changes)
        for change in self._rows.keys() - changes.keys():
            changes[change] = None
        return changes

    def row_of(self, change: Change) -> tuple[str, Any] | None:
        """The table and key that a published resource was made from."""
        return self._rows.get(change)

    def _row(self, output: Output, key: Any, changes: dict[Change, Resource | None]) -> None:
        row = output.table.get(key)
        resources = _resources(output, key, row) if row is not None else {}
        now = frozenset((audience, name) for audience, _, name in resources)
        for audience, name in self._published.get((output.type, key), frozenset()) - now:
            gone = (audience, output.type, name)
            if self._rows.get(gone) == (output.table.name, key):
                del self._rows[gone]
                changes.setdefault(gone, None)
        for change, resource in resources.items():
            changes[change] = resource
            self._rows[change] = (output.table.name, key)
        if now:
            self._published[output.type, key] = now
        else:
            self._published.pop((output.type, key), None)


def _resources(output: Output, key: Any, row: Variants) -> dict[Change, Resource]:
    gateway = output.gateway(key)
    references = output.references(key, row.base)
    everyone = ForGateway(gateway.namespace, gateway.name)
    name = row.base.id
    found: dict[Change, Resource] = {
        (everyone, output.type, name): Resource(output.type, name, everyone, row.base, references)
    }
    for build_, part, without in row.builds:
        audience = everyone._replace(build=build_)
        hidden = Part(name, b"")
        marks = tuple(sorted(without))[:_MOST_MARKS]
        found[audience, output.type, name] = Resource(output.type, name, audience, part or hidden, references, marks)
    return found
