"""What each Gateway's proxies get: the tables whose rows are resources, in the order in which types are pushed.

A part that is held for an Envoy build gives that build a variant of the resource.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from xds_server.envoy import cluster, endpoint, names
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table
from xds_server.model.meta import Key
from xds_server.pipeline import listeners, route_configurations, streams
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.holds import HoldId, Holds, Variant, Variants, builds_of, leaf_variants, serve
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.listeners import Binds
from xds_server.pipeline.options import Options
from xds_server.pipeline.places import Places
from xds_server.pipeline.publisher import Output
from xds_server.pipeline.secrets import GatewaySecret
from xds_server.routing.backend import Backend, EndpointsId
from xds_server.routing.listener import Socket
from xds_server.semantics import backends
from xds_server.wire.part import Part
from xds_server.xds.resource import ResourceType


def build(
    graph: Graph, inputs: Inputs, tables: GatewayTables, places: Places, *, options: Options
) -> tuple[Output, ...]:
    """Creates the tables of resources, in the order in which types are pushed."""
    held = inputs.holds.by("gateway and type", lambda id_, _: ((id_.gateway, id_.type),))
    builds = graph.group("builds", held, partial(builds_of, index=held))
    holds = Holds(inputs.holds, builds)
    used = tables.uses.by("gateway and backend", lambda id_, _: ((id_[0], id_[1]),))
    secrets = graph.group(
        "gateway.secrets", tables.secret_uses.by_gateway, partial(_secret, tables=tables, holds=holds)
    )
    made = partial(_cluster, tables=tables, secrets=secrets, holds=holds)
    clusters = graph.group("gateway.clusters", used, made)
    assigned = tables.uses.by("endpoints", lambda id_, _: (id_[1].endpoints,))
    assignments = graph.group("assignments", assigned, partial(_assignment, tables=tables))
    by_assignment = tables.uses.by("gateway and endpoints", lambda id_, _: ((id_[0], id_[1].endpoints),))
    endpoints = graph.group(
        "gateway.endpoints", by_assignment, partial(_endpoints, assignments=assignments, holds=holds)
    )
    binds = Binds(places.binds, options.default_bind)
    bound = listeners.build(graph, tables, secrets, holds, binds=binds, options=options)
    routes = route_configurations.build(graph, tables, holds, binds)
    return (
        Output(
            ResourceType.CLUSTER,
            clusters,
            _first,
            lambda key, part: _named(key[1], part),
        ),
        Output(ResourceType.ENDPOINT, endpoints, _first, lambda *_: ()),
        Output(ResourceType.LISTENER, bound.table, _first, bound.secrets),
        Output(ResourceType.SECRET, secrets, _first, lambda *_: ()),
        Output(ResourceType.ROUTE, routes, _first, lambda *_: ()),
    )


def _first(key: Any) -> Key:
    gateway: Key = key[0]
    return gateway


def _cluster(
    key: tuple[Key, Backend],
    _: Sequence[None],
    look: Lookup,
    *,
    tables: GatewayTables,
    secrets: Table[GatewaySecret, Variants],
    holds: Holds,
) -> Variants | None:
    """A build that has not each of its secrets has a cluster that connects to nobody: it would wait for them. One that
    trusts other authorities than the rest, since it rejected those, has another cluster.
    """
    gateway, backend = key
    part = look.get(tables.clusters, backend)
    if part is None:
        return None
    if not backend.secrets:
        return leaf_variants(part, gateway, ResourceType.CLUSTER, look, holds)
    rows = {one: row for one in backend.secrets if (row := look.get(secrets, (gateway, one))) is not None}
    trusted = rows.get(backend.authorities) if backend.authorities and _connects(backend, part) else None
    base = part if trusted is None else cluster.trusting(part, trusted.base.hash)
    variants = leaf_variants(base, gateway, ResourceType.CLUSTER, look, holds)
    builds = {one.build: one for one in variants.builds}
    for one in trusted.builds if trusted else ():
        if one.part is not None:
            other = cluster.trusting(part, one.part.hash)
            hold = look.get(holds.table, HoldId(gateway, one.build, ResourceType.CLUSTER, part.id))
            builds[one.build] = Variant(one.build, serve(other, hold), unheld=other)
    for row in rows.values():
        lacking = [one.build for one in row.builds if one.part is None]
        builds |= {build: Variant(build, cluster.closed(backend)) for build in lacking}
    return Variants(base, tuple(builds[one] for one in sorted(builds)))


def _connects(backend: Backend, part: Part) -> bool:
    """Is it a cluster that connects to its backend, rather than the one that stands in where it may not?"""
    return part.data != cluster.closed(backend).data


def _named(backend: Backend, part: Part) -> tuple[tuple[ResourceType, str], ...]:
    """What a cluster names, to be sent with it."""
    if backend.secrets and not _connects(backend, part):
        return ()
    secrets = ((ResourceType.SECRET, names.secret(one)) for one in backend.secrets)
    return (ResourceType.ENDPOINT, names.endpoints(backend.endpoints)), *secrets


def _assignment(id_: EndpointsId, _: Sequence[None], look: Lookup, tables: GatewayTables) -> Part | None:
    if id_.kind == "Gateway":
        stream = look.get(tables.streams.datagrams, Socket(id_.service, id_.transport, id_.port))
        return stream.part if stream else endpoint.assignment(names.endpoints(id_), ())
    if backends.hostname(id_, look, tables.world) is not None:
        return None
    return endpoint.assignment(names.endpoints(id_), streams.endpoints(id_, look, tables.world))


def _endpoints(
    key: tuple[Key, EndpointsId], _: Sequence[None], look: Lookup, assignments: Table[EndpointsId, Part], holds: Holds
) -> Variants | None:
    part = look.get(assignments, key[1])
    return leaf_variants(part, key[0], ResourceType.ENDPOINT, look, holds) if part else None


def _secret(key: GatewaySecret, _: Sequence[Any], look: Lookup, tables: GatewayTables, holds: Holds) -> Variants | None:
    gateway, secret = key
    part = look.get(tables.secrets, secret)
    return leaf_variants(part, gateway, ResourceType.SECRET, look, holds) if part else None
