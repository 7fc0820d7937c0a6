"""The tables of gateways, in the order in which they follow from each other. Read top to bottom: this is the program.

Every right-hand function is pure and lives in `semantics`, `filters` or `envoy`; here they only meet.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from xds_server.envoy import route, virtual_host
from xds_server.flow.graph import Graph, Judged
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.infra import metadata
from xds_server.model.core import Pod, Service
from xds_server.model.kinds import ROUTE_KINDS
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.policy import XBackend
from xds_server.pipeline import backends, before_routing, parameters, secrets, streams, traffic_policies
from xds_server.pipeline.backends import Secured
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.pipeline.secrets import Uses
from xds_server.pipeline.streams import Streams
from xds_server.pipeline.traffic_policies import TrafficPolicies
from xds_server.routing.backend import Backend
from xds_server.routing.feature import Place
from xds_server.routing.hostname import ancestors, is_wildcard, specificity
from xds_server.routing.listener import ListenerId, Protocol, Scope
from xds_server.routing.secret import SecretId
from xds_server.routing.tracing import Tracing
from xds_server.semantics import attach, backend_tls, default_gateways, listener_sets, listeners, telemetry, x_backends
from xds_server.semantics.attach import Claim, ClaimId, Listeners, ParentVerdict, Route
from xds_server.semantics.certificates import Certificate, lapse, serve
from xds_server.semantics.clock import Clock
from xds_server.semantics.listeners import AttachPoint, GatewayVerdict
from xds_server.semantics.routes import l4, l7
from xds_server.semantics.routes.grpc import GRPC
from xds_server.semantics.routes.http import HTTP
from xds_server.semantics.routes.rules import RouteRules, RulesVerdict
from xds_server.semantics.spread import Spread, spread
from xds_server.semantics.world import ServedBackend, ServedPod, World, served_pod, served_service
from xds_server.wire.part import Part

DIALECTS = {dialect.kind: dialect for dialect in (HTTP, GRPC)}
"""The kinds of routes that speak HTTP; the others hand on connections and datagrams."""
HTTP_PROTOCOLS: tuple[Protocol, ...] = ("http", "https")
RouteKey = tuple[str, Key]
"""Kind and key."""
ListenerHost = tuple[ListenerId, str]
ScopeHost = tuple[Scope, str]
EntryId = tuple[ListenerId, str, str]


class PlacedId(NamedTuple):
    """A route's rules as one Gateway serves them on one port."""

    kind: str
    route: Key
    gateway: Key
    port: int
    protocol: Protocol


User = tuple[str, PlacedId | ListenerId | Key]
"""Who names a backend: ("route", where it is placed), ("listener", its id) or ("tracing", the Gateway)."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The leaves of a route at one place, in rule order, with the rank of each; and the backends they name.

    Routes for connections have no leaves: they are part of a listener.
    """

    leaves: tuple[tuple[tuple[object, ...], Part], ...]
    backends: tuple[Backend, ...]


class Entry(NamedTuple):
    """One leaf on one host of a listener."""

    order: tuple[object, ...]
    leaf: Part


@dataclass(frozen=True, slots=True)
class GatewayTables:
    """What the other parts of the pipeline, the statuses and the debug endpoint read."""

    world: World
    listeners: Table[ListenerId, AttachPoint]
    listeners_by_gateway: Index[Key, ListenerId, AttachPoint]
    listeners_by_owner: Index[ObjectRef, ListenerId, AttachPoint]
    gateway_verdicts: Table[Key, GatewayVerdict]
    ours: Table[Key, bool]
    """The Gateways that are served here."""
    claims: Table[ClaimId, Claim]
    routes: Table[RouteKey, Route]
    parent_verdicts: Table[RouteKey, tuple[ParentVerdict, ...]]
    rules: Table[RouteKey, RouteRules]
    rules_verdicts: Table[RouteKey, RulesVerdict]
    spreads: Table[ListenerId, Spread]
    """Of the listeners that refuse something."""
    placed: Table[PlacedId, Placed]
    placed_by_leaf: Index[tuple[Key, str], PlacedId, Placed]
    segments: Table[ListenerHost, Part]
    streams: Streams
    claims_by_host: Index[ScopeHost, ClaimId, Claim]
    claims_by_route: Index[RouteKey, ClaimId, Claim]
    tracing: Table[Key, Tracing]
    listener_filters: Table[ListenerId, Part]
    """The leaf with what requests of a listener meet before a route is chosen, for listeners that have any."""
    uses: Table[tuple[Key, Backend, User], None]
    clusters: Table[Backend, Part]
    secured: Secured
    traffic: TrafficPolicies
    secret_uses: Uses
    secrets: Table[SecretId, Part]


def build(graph: Graph, inputs: Inputs, options: Options) -> GatewayTables:
    """Creates the tables from listeners to the parts of resources."""
    kinds = inputs.kinds
    traffic = traffic_policies.build(graph, kinds["XBackendTrafficPolicy"])
    world = _world(graph, inputs, traffic, options)
    authorities = secrets.authorities(graph, kinds, world)
    secured = backends.secured(graph, kinds, world, authorities)
    judge = partial(listeners.judge, world=world, authorities=authorities, features=options.features)
    points, verdicts = graph.derive_judged("listeners", kinds["Gateway"], judge)
    ours = graph.derive("gateways.ours", verdicts, lambda key, row, _: [(key, True)] if row.ours else [])
    tables = _for_routes(graph, points, ours)
    routes = graph.union("routes", {kind: kinds[kind] for kind in ROUTE_KINDS})
    claims, parents = graph.derive_judged("claims", routes, partial(_claims, world=world, tables=tables))
    features = {kind: {type_: one for type_, one in options.features.items() if kind in one.kinds} for kind in DIALECTS}
    rules, rules_verdicts = graph.derive_judged("rules", routes, partial(_rules, world=world, features=features))
    spreads = _spreads(graph, claims, options)
    claims_by_route = claims.by("route", lambda id_, _: ((id_.kind, id_.route),))
    placed = graph.derive(
        "placed", rules, partial(_placed, claims_by_route=claims_by_route, secured=secured, options=options)
    )
    entries = graph.derive("entries", claims, partial(_entries, placed=placed, spreads=spreads))
    by_host = entries.by("host", lambda id_, _: ((id_[0], id_[1]),), order=lambda _, entry: entry.order)
    segments = graph.group("segments", by_host, _segment)
    tracing = graph.derive("tracing", ours, partial(_tracing, world=world, secured=secured))
    users: dict[str, Table[Any, Any]] = {"route": placed, "listener": points, "tracing": tracing}
    uses = graph.derive("uses", graph.union("users", users), partial(_uses, secured=secured, options=options))
    clusters = backends.clusters(graph, uses, secured, world)
    secret_uses = secrets.uses(graph, points, uses)
    return GatewayTables(
        world=world,
        listeners=points,
        listeners_by_gateway=points.by("gateway", lambda id_, _: (id_.gateway,)),
        listeners_by_owner=points.by("owner", lambda id_, _: (id_.owner,)),
        gateway_verdicts=verdicts,
        ours=ours,
        claims=claims,
        routes=routes,
        parent_verdicts=parents,
        rules=rules,
        rules_verdicts=rules_verdicts,
        spreads=spreads,
        placed=placed,
        placed_by_leaf=placed.by("leaf", lambda id_, row: [(id_.gateway, leaf.id) for _, leaf in row.leaves]),
        segments=segments,
        streams=streams.build(graph, claims, rules, secured, world, points=points),
        claims_by_route=claims_by_route,
        claims_by_host=claims.by("host", _scope_host),
        tracing=tracing,
        listener_filters=before_routing.build(graph, points, secured, options),
        uses=uses,
        clusters=clusters,
        secured=secured,
        traffic=traffic,
        secret_uses=secret_uses,
        secrets=secrets.parts(graph, secret_uses, world.certificates, authorities),
    )


def _world(graph: Graph, inputs: Inputs, traffic: TrafficPolicies, options: Options) -> World:
    """The tables that rules may ask."""
    kinds = inputs.kinds
    services = graph.derive("services.served", kinds["Service"], lambda k, row, _: [(k, served_service(row))])
    usable = partial(serve, checks=options.checks)
    certificates = graph.derive("certificates", kinds["Secret"], lambda k, row, _: [(k, usable(row))])
    pods = graph.derive("pods.served", kinds["Pod"], _served_pod)
    policies = kinds["BackendTLSPolicy"]
    targets = graph.derive("backend_tls.targets", policies, lambda key, row, _: backend_tls.targets(key, row))

    def made_for(_: Key, row: Service, __: Lookup) -> Iterable[tuple[Key, tuple[str, str]]]:
        return metadata.made_for(row, options.controller_name)

    made = graph.derive("services.made", kinds["Service"], made_for) if options.deployed else None

    def serve_backend(key: Key, row: XBackend, look: Lookup) -> Iterable[tuple[Key, ServedBackend]]:
        return [(key, x_backends.serve(key, row, look, world))]

    world = World(
        classes=kinds["GatewayClass"],
        gateways=kinds["Gateway"],
        namespaces=kinds["Namespace"],
        services=services,
        slices_by_service=inputs.slices_by_service,
        grants_by_namespace=inputs.grants_by_namespace,
        certificates=certificates,
        x_backends=graph.derive("xbackends.served", kinds["XBackend"], serve_backend),
        pods_by_label=pods.by("label", _labels),
        tls_targets=targets.by("service", lambda id_, _: (id_.service,)),
        sessions=traffic.sessions,
        retry_budgets=traffic.budgets,
        lapses=graph.derive("certificates.lapses", certificates, partial(_lapse, clock=inputs.clock)),
        parameters=parameters.build(graph, kinds, options),
        secrets=kinds["Secret"],
        config_maps=kinds["ConfigMap"],
        trust_bundles=kinds["ClusterTrustBundle"],
        telemetry=kinds["XTelemetryPolicy"].by("gateway", telemetry.targets),
        listener_sets=kinds["ListenerSet"],
        listener_sets_by_gateway=kinds["ListenerSet"].by("gateway", _gateway_of_set),
        default_gateways=kinds["Gateway"].by("default scope", lambda _, row: default_gateways.scopes(row)),
        controller_name=options.controller_name,
        made_of_class=made,
        any_class=options.any_class,
        deployed=options.deployed,
        server_namespace=options.installation.namespace,
        allow_external_names=options.allow_external_names,
        system_authorities=options.system_authorities,
        checks=options.checks,
    )
    return world


def _lapse(key: Key, row: Any, look: Lookup, clock: Clock) -> Iterable[tuple[Key, str]]:
    told = lapse(row, look, clock) if isinstance(row, Certificate) else ""
    return [(key, told)] if told else []


def _served_pod(key: Key, pod: Pod, _: Lookup) -> Iterable[tuple[Key, ServedPod]]:
    found = served_pod(pod)
    return [] if found is None else [(key, found)]


def _labels(key: Key, pod: ServedPod) -> Iterable[tuple[str, str, str]]:
    return [(key.namespace, name, value) for name, value in pod.labels.items()]


def _gateway_of_set(key: Key, row: ListenerSet) -> tuple[Key, ...]:
    gateway = listener_sets.parent_of(key, row)
    return () if gateway is None else (gateway,)


def _for_routes(graph: Graph, points: Table[ListenerId, AttachPoint], ours: Table[Key, bool]) -> Listeners:
    """What routes may attach to; not what is nothing to them."""
    seen = graph.derive("listeners.for_routes", points, lambda id_, point, _: [(id_, point.for_routes())])
    return Listeners(
        ours,
        by_gateway=seen.by("gateway", lambda id_, _: (id_.gateway,)),
        by_owner=seen.by("owner", lambda id_, _: (id_.owner,)),
        by_hostname=seen.by("hostname", lambda id_, row: ((id_.gateway, row.hostname),)),
        narrower=seen.by("narrower", lambda id_, row: [(id_.gateway, wider) for wider in ancestors(row.hostname)]),
    )


def _scope_host(_: ClaimId, claim: Claim) -> tuple[ScopeHost, ...]:
    scope = claim.listener.scope
    return () if scope is None else ((scope, claim.host),)


def _claims(
    id_: RouteKey, row: Route, look: Lookup, world: World, tables: Listeners
) -> Judged[ClaimId, Claim, tuple[ParentVerdict, ...]]:
    return attach.judge(*id_, row, look, world=world, listeners=tables)


def _rules(
    id_: RouteKey, row: Any, look: Lookup, world: World, features: Mapping[str, route.Features]
) -> Judged[RouteKey, RouteRules, RulesVerdict]:
    kind, key = id_
    if (dialect := DIALECTS.get(kind)) is not None:
        rules, verdict = l7.translate(dialect, key, row, features[kind], look=look, world=world)
    else:
        rules, verdict = l4.translate(kind, key, row, look, world)
    return Judged([(id_, rules)], verdict)


def _spreads(graph: Graph, claims: Table[ClaimId, Claim], options: Options) -> Table[ListenerId, Spread]:
    by_host = claims.by("listener and host", lambda id_, _: ((id_.listener, id_.host),))
    hosts = graph.group("hosts", by_host, lambda *_: True)
    narrower = hosts.by("wider", lambda id_, _: [(id_[0], wider) for wider in ancestors(id_[1])])
    wildcards = claims.by("wildcards", _on_wildcard)
    by_listener = claims.by("listener", lambda id_, _: (id_.listener,))
    limit = options.repeated_matches_limit

    def function(listener: ListenerId, rows: Sequence[Claim], look: Lookup) -> Spread | None:
        """None where nothing is refused: so the first wildcard of a listener is no news to all of its routes."""
        sizes: Counter[str] = Counter()
        for claim in rows:
            sizes[claim.host] += claim.size
        wanted = sum(size * len(look.keys(narrower, (listener, host))) for host, size in sizes.items())
        found = spread(look.rows(by_listener, listener), limit) if wanted > limit else None
        return found if found is not None and found.refused else None

    return graph.group("spreads", wildcards, function)


def _on_wildcard(id_: ClaimId, claim: Claim) -> tuple[ListenerId, ...]:
    return (id_.listener,) if is_wildcard(claim.host) and claim.listener.scope is not None else ()


def _placed(
    id_: RouteKey,
    rules: RouteRules,
    look: Lookup,
    *,
    claims_by_route: Index[RouteKey, ClaimId, Claim],
    secured: Secured,
    options: Options,
) -> Iterable[tuple[PlacedId, Placed]]:
    """The route's rules encoded once for each Gateway and port that serves them."""
    claims = look.rows(claims_by_route, id_)
    places = {(claim.listener.id.gateway, claim.listener.port, claim.listener.protocol) for claim in claims}
    for gateway, port, protocol in sorted(places):
        shown = secured.certificate(gateway, look)
        leaves = tuple(
            (
                rule.rank,
                route.build(rule.reached(shown), Place(port, protocol, rule.match), options.features, str(port)),
            )
            for rule in rules.rules
            if protocol in HTTP_PROTOCOLS
        )
        needed = streams.needed(protocol, gateway, port, rules.backends)
        yield PlacedId(*id_, gateway, port, protocol), Placed(leaves, tuple(one.reached(shown) for one in needed))


def _entries(
    _: ClaimId,
    claim: Claim,
    look: Lookup,
    placed: Table[PlacedId, Placed],
    spreads: Table[ListenerId, Spread],
) -> Iterable[tuple[EntryId, Entry]]:
    listener = claim.listener
    if listener.scope is None:
        return
    found = look.get(spreads, listener.id)
    if found is not None and found.refuses(claim):
        return
    row = look.get(placed, PlacedId(claim.kind, claim.route, listener.id.gateway, listener.port, listener.protocol))
    if row is None:
        return
    exact, length = specificity(claim.written)
    for rank, leaf in row.leaves:
        yield (listener.id, claim.host, leaf.id), Entry((not exact, -length, *rank), leaf)


def _segment(id_: ListenerHost, entries: Sequence[Entry], _: Lookup) -> Part:
    return virtual_host.segment(id_[1], [entry.leaf for entry in entries])


def _tracing(gateway: Key, _: bool, look: Lookup, world: World, secured: Secured) -> Iterable[tuple[Key, Tracing]]:
    found = telemetry.of_gateway(gateway, look, world)
    return [] if found is None else [(gateway, found.reached(secured.certificate(gateway, look)))]


def _uses(
    user: User, row: Placed | AttachPoint | Tracing, look: Lookup, secured: Secured, options: Options
) -> Iterable[tuple[tuple[Key, Backend, User], None]]:
    id_ = user[1]
    gateway = id_ if isinstance(id_, Key) else id_.gateway
    found: Iterable[Backend]
    if isinstance(row, AttachPoint):
        found = before_routing.backends(row.served, look, secured, options)
    else:
        found = row.backends
    return [((gateway, backend, user), None) for backend in found]
