"""The status of every object that has one, as rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from xds_server.envoy import names
from xds_server.flow.graph import Graph, Judged
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.httproute import HTTPRoute
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import KIND, GatewayTables
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.inputs import Inputs
from xds_server.routing.backend import Backend
from xds_server.routing.listener import ListenerId
from xds_server.routing.rule import Rule
from xds_server.semantics import statuses
from xds_server.semantics.attach import Claim, ParentVerdict
from xds_server.semantics.spread import limited
from xds_server.semantics.statuses import (
    GatewayClassStatus,
    GatewayStatus,
    Losses,
    Rejected,
    RouteStatus,
    Served,
)
from xds_server.xds.resource import ResourceType

NOT_SERVED = Served()


@dataclass(frozen=True, slots=True)
class Statuses:
    """Status tables, each keyed like its kind's input."""

    classes: Table[Key, GatewayClassStatus]
    gateways: Table[Key, GatewayStatus]
    routes: Table[Key, RouteStatus]


def build(graph: Graph, inputs: Inputs, tables: GatewayTables) -> Statuses:
    """Creates the tables of statuses."""
    kinds = inputs.kinds
    controller = tables.world.controller_name
    classes = graph.derive("statuses.classes", kinds["GatewayClass"], partial(_class, controller=controller))
    rejected = inputs.holds.by("owner", _owners)
    rejected_clusters = inputs.holds.by("cluster", _clusters)
    route = partial(
        _route, tables=tables, rejected=rejected, rejected_clusters=rejected_clusters, controller=controller
    )
    routes, accepted_by = graph.derive_judged("statuses.httproutes", kinds["HTTPRoute"], route)
    attached_to = accepted_by.by("listener", lambda _, listeners: listeners)
    attached = graph.group("attached", attached_to, lambda _, rows, __: len(rows))
    gateways = graph.derive(
        "statuses.gateways",
        kinds["Gateway"],
        partial(_gateway, inputs=inputs, tables=tables, attached=attached, rejected=rejected),
    )
    return Statuses(classes, gateways, routes)


def _class(key: Key, row: GatewayClass, _: Lookup, controller: str) -> Iterable[tuple[Key, GatewayClassStatus]]:
    status = statuses.gateway_class_status(row, controller)
    return [(key, status)] if status else []


def _owners(_: HoldId, hold: Hold) -> Iterable[tuple[str, str, str]]:
    return {owner[:3] for owner in hold.owners} if hold.rejected else ()


def _gateway(
    key: Key, row: Gateway, look: Lookup, *, inputs: Inputs, tables: GatewayTables, attached: Any, rejected: Any
) -> Iterable[tuple[Key, GatewayStatus]]:
    verdict = look.get(tables.gateway_verdicts, key)
    if verdict is None or not verdict.ours:
        return
    counts = {one.name: look.get(attached, ListenerId(key, one.name)) or 0 for one in verdict.listeners}
    served = look.get(inputs.served, key) or NOT_SERVED
    rejections = _rejections(("Gateway", *key), key, look, rejected)
    for point in look.rows(tables.listeners_by_gateway, key):
        for secret in point.served.secrets if point.served else ():
            for found in _rejections(("Secret", *secret), key, look, rejected):
                rejections.append(Rejected(f"listeners[{point.id.name}]", f"Secret {secret}: {found.detail}"))
    bind = look.get(inputs.binds, key)
    unbound = {
        point.id.name
        for point in look.rows(tables.listeners_by_gateway, key)
        if point.served and bind is not None and not bind.serves(point.port)
    }
    status = statuses.gateway_status(row, verdict, served, statuses.Found(counts, rejections, frozenset(unbound)))
    if status is not None:
        yield key, status


def _route(
    key: Key,
    row: HTTPRoute,
    look: Lookup,
    *,
    tables: GatewayTables,
    rejected: Any,
    rejected_clusters: Any,
    controller: str,
) -> Judged[Key, RouteStatus, tuple[ListenerId, ...]]:
    """The status of a route, and the listeners that it counts as attached to."""
    parents = look.get(tables.parent_verdicts, key) or ()
    rules = look.get(tables.rules_verdicts, key)
    if not parents or rules is None:
        return Judged((), ())
    parents = tuple(_within_spread(parent, key, look, tables) for parent in parents)
    losses = {
        parent.gateway: _losses(key, parent.gateway, look, tables, (rejected, rejected_clusters)) for parent in parents
    }
    status = statuses.route_status(row, parents, rules, losses, controller)
    accepted = {
        listener: None
        for parent, entry in zip(parents, status.parents, strict=True)
        if any((one.type, one.status) == ("Accepted", "True") for one in entry.conditions)
        for listener in parent.listeners
    }
    return Judged([(key, status)], tuple(accepted))


def _within_spread(parent: ParentVerdict, route: Key, look: Lookup, tables: GatewayTables) -> ParentVerdict:
    spreads = {one: found for one in parent.listeners if (found := look.get(tables.spreads, one)) and found.refused}
    if not spreads:
        return parent
    claims: dict[ListenerId, list[Claim]] = {}
    for claim in look.rows(tables.claims_by_route, (KIND, route)):
        claims.setdefault(claim.listener.id, []).append(claim)
    return limited(parent, claims, spreads)


def _rejections(
    owner: tuple[str, ...], gateway: Key, look: Lookup, rejected: Index[Any, HoldId, Hold]
) -> list[Rejected]:
    """What Envoys of this Gateway rejected of the object, as it is now."""
    found = {}
    for id_, hold in zip(look.keys(rejected, owner), look.rows(rejected, owner), strict=True):
        if id_.gateway == gateway:
            for one in hold.owners:
                if one[:3] == owner:
                    found[one.field] = Rejected(one.field, hold.detail)
    return [found[field] for field in sorted(found)]


def _clusters(id_: HoldId, hold: Hold) -> Iterable[tuple[Key, str]]:
    return ((id_.gateway, id_.leaf),) if id_.type is ResourceType.CLUSTER and hold.rejected else ()


def _losses(
    route: Key, gateway: Key, look: Lookup, tables: GatewayTables, indexes: tuple[Index[Any, HoldId, Hold], ...]
) -> Losses:
    """What a route has lost at a Gateway: rules and hostnames that were rejected, rules whose clusters were."""
    rejected, rejected_clusters = indexes
    owner = (KIND, *route)
    rejections = _rejections(owner, gateway, look, rejected)
    row = look.get(tables.rules, route)
    rules = row.rules if row else ()
    details = {
        backend: hold.detail
        for backend in (row.backends if row else ())
        for hold in look.rows(rejected_clusters, (gateway, names.cluster(backend)))
    }
    for backend, detail in details.items():
        fields = {rule.id.field for rule in rules if backend in _backends(rule)}
        rejections += [Rejected(field, f"cluster {names.cluster(backend)}: {detail}") for field in sorted(fields)]
    if not rejections:
        return Losses()
    leaves = {id_.leaf for id_ in look.keys(rejected, owner) if id_.gateway == gateway}
    rejected_rules = {leaf.partition("@")[0] for leaf in leaves}

    def lost(rule: Rule) -> bool:
        backends = _backends(rule)
        without_cluster = bool(backends) and all(backend in details for backend in backends)
        return rule.action.fault is not None or str(rule.id) in rejected_rules or without_cluster

    return Losses(tuple(rejections), everything=all(lost(rule) for rule in rules))


def _backends(rule: Rule) -> set[Backend]:
    """The backends that take a rule's requests."""
    return {entry.backend for entry in rule.action.backends if isinstance(entry.backend, Backend) and entry.weight > 0}
