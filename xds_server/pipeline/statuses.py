"""The status of every object that has one, as rows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xds_server.envoy import names
from xds_server.flow.graph import Graph, Judged
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.infra.target_ports import Port
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Key, ObjectRef
from xds_server.pipeline import policy_statuses
from xds_server.pipeline.deployments import Deployments
from xds_server.pipeline.gateway import GatewayTables, RouteKey
from xds_server.pipeline.holds import Hold, RejectionId
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.pipeline.places import Places
from xds_server.pipeline.policy_statuses import PolicyKey
from xds_server.routing.backend import Backend
from xds_server.routing.listener import ListenerId
from xds_server.routing.rule import Rule
from xds_server.semantics import infrastructure, statuses
from xds_server.semantics.attach import Claim, ParentVerdict, Route
from xds_server.semantics.features import Crd, carried, releases, supported
from xds_server.semantics.listener_sets import parent_of
from xds_server.semantics.policy_statuses import PolicyStatus
from xds_server.semantics.spread import limited
from xds_server.semantics.statuses import (
    GatewayClassStatus,
    GatewayStatus,
    ListenerSetStatus,
    Losses,
    Program,
    Rejected,
    RouteStatus,
    Served,
)
from xds_server.semantics.world import World
from xds_server.xds.resource import ResourceType

NOT_SERVED = Served()


@dataclass(frozen=True, slots=True)
class Statuses:
    """Status tables, each keyed like its kind's input but for that of routes."""

    classes: Table[Key, GatewayClassStatus]
    gateways: Table[Key, GatewayStatus]
    listener_sets: Table[Key, ListenerSetStatus]
    routes: Table[RouteKey, RouteStatus]
    """Of all kinds of routes, by kind and key."""
    policies: Table[PolicyKey, PolicyStatus]
    """Of all kinds of policies, by kind and key."""

    def of(self, kind: str, key: Key) -> Any:
        """The status of one object; None where it has none."""
        tables: dict[str, Table[Key, Any]] = {
            "GatewayClass": self.classes,
            "Gateway": self.gateways,
            "ListenerSet": self.listener_sets,
        }
        if (table := tables.get(kind)) is not None:
            return table.get(key)
        return self.routes.get((kind, key)) or self.policies.get((kind, key))


@dataclass(frozen=True, slots=True)
class _Program:
    """What classes support: `assumed` while nobody has told which CRDs there are, else what these carry."""

    assumed: Program
    everything: Program
    crds: Table[str, Crd]

    def now(self, look: Lookup) -> Program:
        """With these CRDs."""
        crds = dict(look.items(self.crds))
        if not crds:
            return self.assumed
        features = carried(self.everything.features, crds)
        return replace(self.everything, features=features, bundle_version=", ".join(releases(crds)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What statuses of listeners are made from: `attached` counts routes, `rejected` finds holds by their owner."""

    inputs: Inputs
    tables: GatewayTables
    attached: Table[ListenerId, int]
    rejected: Index[Any, RejectionId, Hold]
    where: Places
    deployments: Deployments | None


def build(
    graph: Graph,
    inputs: Inputs,
    tables: GatewayTables,
    options: Options,
    *,
    where: Places,
    deployments: Deployments | None,
) -> Statuses:
    """Creates the tables of statuses."""
    advertised = [name for feature in options.features.values() for name in feature.advertises]
    program = Program(options.controller_name, supported(advertised, options.channel), options.bundle_version)
    everything = replace(program, features=supported(advertised, "experimental"))
    kinds = inputs.kinds
    controller = tables.world.controller_name
    class_ = partial(_class, program=_Program(program, everything, inputs.crds), world=tables.world)
    classes = graph.derive("statuses.classes", kinds["GatewayClass"], class_)
    rejections = graph.union("rejections", {"elsewhere": inputs.reported, "here": inputs.holds})
    rejected = rejections.by("owner", _owners)
    rejected_clusters = rejections.by("cluster", _clusters)
    route = partial(
        _route, tables=tables, rejected=rejected, rejected_clusters=rejected_clusters, controller=controller
    )
    routes, accepted_by = graph.derive_judged("statuses.routes", tables.routes, route)
    attached_to = accepted_by.by("listener", lambda _, listeners: listeners)
    attached = graph.group("attached", attached_to, lambda _, rows, __: len(rows))
    asked = _Asked(inputs, tables, attached, rejected, where, deployments)
    gateways = graph.derive("statuses.gateways", kinds["Gateway"], partial(_gateway, asked=asked))
    sets = graph.derive("statuses.listenersets", kinds["ListenerSet"], partial(_listener_set, asked=asked))
    return Statuses(classes, gateways, sets, routes, policy_statuses.build(graph, inputs, tables, rejected))


def _class(
    key: Key, row: GatewayClass, look: Lookup, program: _Program, world: World
) -> Iterable[tuple[Key, GatewayClassStatus]]:
    status = statuses.gateway_class_status(row, program.now(look), infrastructure.of_class(row, look, world)[1])
    return [(key, status)] if status else []


def _owners(_: RejectionId, hold: Hold) -> Iterable[tuple[str, str, str]]:
    return {owner[:3] for owner in hold.owners} if hold.rejected else ()


def _gateway(key: Key, row: Gateway, look: Lookup, asked: _Asked) -> Iterable[tuple[Key, GatewayStatus]]:
    verdict = look.get(asked.tables.gateway_verdicts, key)
    if verdict is None or not verdict.ours:
        return
    served = look.get(asked.inputs.served, key) or NOT_SERVED
    shown = look.get(asked.tables.secured.certificates, key)
    found = replace(_found(ObjectRef("Gateway", *key), key, look, asked), resolved=shown.resolved if shown else None)
    status = statuses.gateway_status(row, verdict, served, found)
    if status is not None:
        yield key, status


def _listener_set(key: Key, row: ListenerSet, look: Lookup, asked: _Asked) -> Iterable[tuple[Key, ListenerSetStatus]]:
    gateway = parent_of(key, row)
    parent = look.get(asked.tables.gateway_verdicts, gateway) if gateway else None
    verdict = parent.listener_set(key) if parent else None
    if gateway is None or verdict is None:
        return
    served = look.get(asked.inputs.served, gateway) or NOT_SERVED
    found = _found(ObjectRef("ListenerSet", *key), gateway, look, asked)
    yield key, statuses.listener_set_status(row, verdict, served.of_set(key), found)


def _found(owner: ObjectRef, gateway: Key, look: Lookup, asked: _Asked) -> statuses.Found:
    """What routes, Envoys and ports say of the listeners of one object."""
    points = look.rows(asked.tables.listeners_by_owner, owner)
    counts = {point.id.name: look.get(asked.attached, point.id) or 0 for point in points}
    rejections = _rejections(owner, gateway, look, asked.rejected)
    for point in points:
        for secret in point.served.secrets if point.served else ():
            for one in _rejections(ObjectRef(secret.kind, *secret.key), gateway, look, asked.rejected):
                if one.field == secret.field:
                    what = f"Secret {secret.key}" if secret.is_certificate else "authorities"
                    rejections.append(Rejected(f"listeners[{point.id.name}]", f"{what}: {one.detail}"))
    known = asked.where.unbound(gateway, look)
    bind = look.get(asked.where.binds, gateway)
    absent = [
        point for point in points if point.served and bind is not None and not bind.serves(point.port, point.transport)
    ]
    unbound = {
        point.id.name: _unbound(known.get(Port(point.transport, point.port)))
        for point in absent
        if bind is not None and bind.lacks(point.port, point.transport)
    }
    unplaced = frozenset(point.id.name for point in absent).difference(unbound)
    placement = look.get(asked.where.placements, gateway)
    undeployed = asked.deployments.problem(gateway, look) if asked.deployments else None
    trouble = asked.where.trouble(gateway, look)
    return statuses.Found(
        counts, rejections, unbound, placement, unplaced=unplaced, undeployed=undeployed, trouble=trouble
    )


def _unbound(why: str | None) -> str:
    return f"The port is not bound: {why}." if why else "The port cannot be bound now."


def _route(
    id_: RouteKey,
    row: Route,
    look: Lookup,
    *,
    tables: GatewayTables,
    rejected: Any,
    rejected_clusters: Any,
    controller: str,
) -> Judged[RouteKey, RouteStatus, tuple[ListenerId, ...]]:
    """The status of a route, and the listeners that it counts as attached to."""
    parents = look.get(tables.parent_verdicts, id_) or ()
    rules = look.get(tables.rules_verdicts, id_)
    if not parents or rules is None:
        return Judged((), ())
    parents = tuple(_within_spread(parent, id_, look, tables) for parent in parents)
    losses = {
        parent.gateway: _losses(id_, parent.gateway, look, tables, (rejected, rejected_clusters)) for parent in parents
    }
    status = statuses.route_status(row, parents, rules, losses, controller)
    accepted = {
        listener: None
        for parent, entry in zip(parents, status.parents, strict=True)
        if any((one.type, one.status) == ("Accepted", "True") for one in entry.conditions)
        for listener in parent.listeners
    }
    return Judged([(id_, status)], tuple(accepted))


def _within_spread(parent: ParentVerdict, route: RouteKey, look: Lookup, tables: GatewayTables) -> ParentVerdict:
    spreads = {one: found for one in parent.listeners if (found := look.get(tables.spreads, one))}
    if not spreads:
        return parent
    claims: dict[ListenerId, list[Claim]] = {}
    for claim in look.rows(tables.claims_by_route, route):
        claims.setdefault(claim.listener.id, []).append(claim)
    return limited(parent, claims, spreads)


def _rejections(
    owner: tuple[str, str, str], gateway: Key, look: Lookup, rejected: Index[Any, RejectionId, Hold]
) -> list[Rejected]:
    """What Envoys of this Gateway rejected of the object, as it is now."""
    found = {}
    for (_, id_), hold in zip(look.keys(rejected, owner), look.rows(rejected, owner), strict=True):
        if id_.gateway == gateway:
            for one in hold.owners:
                if one[:3] == owner:
                    found[one.field] = Rejected(one.field, hold.detail)
    return [found[field] for field in sorted(found)]


def _clusters(of: RejectionId, hold: Hold) -> Iterable[tuple[Key, str]]:
    _, id_ = of
    return ((id_.gateway, id_.leaf),) if id_.type is ResourceType.CLUSTER and hold.rejected else ()


def _losses(
    route: RouteKey,
    gateway: Key,
    look: Lookup,
    tables: GatewayTables,
    indexes: tuple[Index[Any, RejectionId, Hold], ...],
) -> Losses:
    """What a route has lost at a Gateway: rules and hostnames that were rejected, rules whose clusters were."""
    rejected, rejected_clusters = indexes
    owner = (route[0], *route[1])
    rejections = _rejections(owner, gateway, look, rejected)
    row = look.get(tables.rules, route)
    rules = row.rules if row else ()
    shown = tables.secured.certificate(gateway, look)
    clusters = {backend: names.cluster(backend.reached(shown)) for backend in (row.backends if row else ())}
    details = {
        backend: hold.detail
        for backend, name in clusters.items()
        for hold in look.rows(rejected_clusters, (gateway, name))
    }
    for backend, detail in details.items():
        fields = {rule.id.field for rule in rules if backend in _backends(rule)}
        rejections += [Rejected(field, f"cluster {clusters[backend]}: {detail}") for field in sorted(fields)]
    if not rejections:
        return Losses()
    leaves = {id_.leaf for _, id_ in look.keys(rejected, owner) if id_.gateway == gateway}
    rejected_rules = {leaf.partition("@")[0] for leaf in leaves}
    streams = tables.streams.leaves(route, gateway, look)
    all_streams = bool(streams) and leaves.issuperset(streams)

    def lost(rule: Rule) -> bool:
        backends = _backends(rule)
        without_cluster = bool(backends) and all(backend in details for backend in backends)
        return rule.action.fault is not None or str(rule.id) in rejected_rules or without_cluster or all_streams

    return Losses(tuple(rejections), everything=all(lost(rule) for rule in rules))


def _backends(rule: Rule) -> set[Backend]:
    """The backends that take a rule's requests."""
    return {entry.backend for entry in rule.action.backends if isinstance(entry.backend, Backend) and entry.weight > 0}
