"""Statuses of policies, as rows: of every one that has to do with a Gateway of ours.

A kind is a line in `build` and a function.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.policy import BackendTLSPolicy, XBackend, XBackendTrafficPolicy, XTelemetryPolicy
from xds_server.pipeline.gateway import GatewayTables, RouteKey
from xds_server.pipeline.holds import Hold, RejectionId
from xds_server.pipeline.inputs import Inputs
from xds_server.routing.backend import NOT_SECURED, Backend
from xds_server.routing.secret import SecretId
from xds_server.semantics import backend_tls, policy_statuses, telemetry, traffic_policies, x_backends
from xds_server.semantics.authorities import Authorities
from xds_server.semantics.policy_statuses import PolicyStatus
from xds_server.semantics.routes.rules import RouteRules

PolicyKey = tuple[str, Key]
"""Kind and key."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What statuses of policies are made from."""

    tables: GatewayTables
    rejected: Index[Any, RejectionId, Hold]
    """By owner."""
    uses: Index[tuple[str, Key], tuple[Key, Backend, Any], None]
    """By kind and key of a backend."""
    missing: Index[ObjectRef, RouteKey, RouteRules]
    """By what they name as a backend that does not exist."""


def build(
    graph: Graph, inputs: Inputs, tables: GatewayTables, rejected: Index[Any, RejectionId, Hold]
) -> Table[PolicyKey, PolicyStatus]:
    """Creates the table of statuses of all kinds of policies, by kind and key."""
    functions: Mapping[str, Callable[[Key, Any, Lookup, Asked], PolicyStatus | None]] = {
        "BackendTLSPolicy": _backend_tls,
        "XBackend": _x_backend,
        "XTelemetryPolicy": _telemetry,
        "XBackendTrafficPolicy": _backend_traffic,
    }
    uses = tables.uses.by("service", lambda id_, _: ((id_[1].kind, id_[1].service),))
    missing = tables.rules.by("missing", lambda _, row: row.missing)
    asked = Asked(tables, rejected, uses, missing)
    policies = graph.union("policies", {kind: inputs.kinds[kind] for kind in functions})
    return graph.derive("statuses.policies", policies, partial(_status, functions=functions, asked=asked))


def _status(
    id_: PolicyKey, row: Any, look: Lookup, functions: Mapping[str, Callable[..., PolicyStatus | None]], asked: Asked
) -> Iterable[tuple[PolicyKey, PolicyStatus]]:
    kind, key = id_
    status = functions[kind](key, row, look, asked)
    return [] if status is None else [(id_, status)]


def _backend_tls(key: Key, policy: BackendTLSPolicy, look: Lookup, asked: Asked) -> PolicyStatus | None:
    claims: dict[Key, list[backend_tls.Claimed]] = {}
    for target, _ in backend_tls.targets(key, policy):
        claim, gateways = _claimed(target, look, asked)
        for gateway in gateways:
            claims.setdefault(gateway, []).append(claim)
    if not claims:
        return None
    tables = asked.tables
    secured = SecretId("BackendTLSPolicy", key)
    verification = look.get(tables.secured.verifications, secured)
    authorities = look.get(tables.secured.authorities, secured)
    assert verification is not None
    by_gateway = {}
    for gateway, found in claims.items():
        told = backend_tls.Found(
            verification, authorities or Authorities(), _rejections("BackendTLSPolicy", key, gateway, look, asked)
        )
        by_gateway[gateway] = backend_tls.judge(policy, found, told)
    return policy_statuses.status(policy.metadata.generation, by_gateway, tables.world.controller_name)


def _x_backend(key: Key, backend: XBackend, look: Lookup, asked: Asked) -> PolicyStatus | None:
    gateways = {id_[0] for id_ in look.keys(asked.uses, ("XBackend", key))}
    found = look.get(asked.tables.world.x_backends, key)
    if not gateways or found is None:
        return None
    authorities = look.get(asked.tables.secured.authorities, SecretId("XBackend", key))
    by_gateway = {
        gateway: x_backends.judge(found, authorities, _rejections("XBackend", key, gateway, look, asked))
        for gateway in gateways
    }
    controller, most = asked.tables.world.controller_name, policy_statuses.MOST_ANCESTORS_OF_BACKENDS
    return policy_statuses.status(backend.metadata.generation, by_gateway, controller, most)


def _telemetry(key: Key, policy: XTelemetryPolicy, look: Lookup, asked: Asked) -> PolicyStatus | None:
    world = asked.tables.world
    found = []
    for gateway in telemetry.targets(key, policy):
        known = look.get(world.gateways, gateway) is not None
        if known and not look.get(asked.tables.ours, gateway):
            continue
        found.append(telemetry.Target(gateway, known, telemetry.policy_of(gateway, look, world)))
    by_gateway = dict(telemetry.judge(key, policy, found, look, world))
    return policy_statuses.status(policy.metadata.generation, by_gateway, world.controller_name) if found else None


def _claimed(target: backend_tls.TargetId, look: Lookup, asked: Asked) -> tuple[backend_tls.Claimed, set[Key]]:
    """A claim, and the Gateways that reach what is claimed, or would; those that only hand on TLS have nothing to do
    with it.
    """
    service = look.get(asked.tables.world.services, target.service)
    if service is None:
        gateways = _missing(ObjectRef("Service", *target.service), look, asked)
        return backend_tls.Claimed(target, missing="does not exist"), gateways
    uses = [(id_[0], id_[1]) for id_ in look.keys(asked.uses, ("Service", target.service))]
    ports = {port.port: port.name for port in service.ports if port.protocol == "TCP"}
    if target.section and target.section not in ports.values():
        missing = f"has no port called {target.section}"
        return backend_tls.Claimed(target, missing=missing), {gateway for gateway, _ in uses}
    gateways = {
        gateway
        for gateway, backend in uses
        if backend.tls != NOT_SECURED and target.section in ("", ports.get(backend.port))
    }
    return backend_tls.Claimed(target, rival=backend_tls.rival(target, look, asked.tables.world)), gateways


def _backend_traffic(key: Key, policy: XBackendTrafficPolicy, look: Lookup, asked: Asked) -> PolicyStatus | None:
    tables = asked.tables
    traffic = look.get(tables.traffic.policies, key)
    assert traffic is not None
    claims: dict[Key, list[traffic_policies.Claimed]] = {}
    for target in traffic.targets:
        winner = look.get(tables.traffic.winners, target)
        rival = winner.policy if winner is not None and winner.policy != key else None
        claimed = traffic_policies.Claimed(target, missing=False, rival=rival)
        for gateway in {gateway for gateway, *_ in look.keys(asked.uses, (target.kind, target.key))}:
            claims.setdefault(gateway, []).append(claimed)
        for gateway in _missing(target, look, asked):
            claims.setdefault(gateway, []).append(replace(claimed, missing=True))
    by_gateway = {gateway: traffic_policies.judge(traffic, found) for gateway, found in claims.items()}
    if not by_gateway:
        return None
    return policy_statuses.status(policy.metadata.generation, by_gateway, tables.world.controller_name)


def _missing(target: ObjectRef, look: Lookup, asked: Asked) -> set[Key]:
    """The Gateways with a route that names as a backend what does not exist."""
    claims = asked.tables.claims_by_route
    routes = look.keys(asked.missing, target)
    return {id_.listener.gateway for route in routes for id_ in look.keys(claims, route)}


def _rejections(kind: str, key: Key, gateway: Key, look: Lookup, asked: Asked) -> tuple[str, ...]:
    """What Envoys of a Gateway said of what was made from the object."""
    owner = (kind, *key)
    found = zip(look.keys(asked.rejected, owner), look.rows(asked.rejected, owner), strict=True)
    return tuple(sorted({hold.detail for (_, id_), hold in found if id_.gateway == gateway}))
