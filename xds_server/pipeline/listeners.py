"""Envoy's listeners: what is bound, and the filter chains behind it.

One listener per socket of a Gateway. Its filter chains come from its listeners and, where those hand on connections,
from the routes that are attached to them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xds_server.envoy import filter_chain, listener, names
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.holds import Holds, Variant, Variants, left_out, serve, serve_all
from xds_server.pipeline.options import Options
from xds_server.pipeline.secrets import GatewaySecret
from xds_server.routing.listener import Bind, Listener, ListenerId, Socket
from xds_server.semantics.listeners import AttachPoint
from xds_server.wire.part import Part
from xds_server.xds.resource import ResourceType


@dataclass(frozen=True, slots=True)
class Binds:
    """Where Gateways are bound. A port that cannot be bound now has neither listener nor routes."""

    table: Table[Key, Bind]
    default: Bind | None


@dataclass(frozen=True, slots=True)
class Listeners:
    """The resources, and the listeners behind each."""

    table: Table[Socket, Variants]
    by_socket: Index[Socket, ListenerId, AttachPoint]

    def secrets(self, key: Socket, _: Part) -> tuple[tuple[ResourceType, str], ...]:
        """The secrets that a listener names, to be sent with it."""
        served = [point.served for point in self.by_socket.rows(key) if point.served]
        found = {names.secret(secret) for one in served for secret in one.secrets}
        return tuple((ResourceType.SECRET, name) for name in sorted(found))


@dataclass(frozen=True, slots=True)
class _Made:
    """What listeners are made from."""

    binds: Binds
    secrets: Table[GatewaySecret, Variants]
    holds: Holds
    http_filters: tuple[Any, ...]
    plain: Table[Socket, Part]
    """The one filter chain of all HTTP listeners of a port."""
    secure: Table[ListenerId, Part]
    """The filter chain of each HTTPS listener."""


def build(
    graph: Graph,
    tables: GatewayTables,
    secrets: Table[GatewaySecret, Variants],
    holds: Holds,
    *,
    binds: Binds,
    options: Options,
) -> Listeners:
    """Creates the tables of filter chains and listeners."""
    points = tables.listeners
    filters = tuple(filter_ for feature in options.features.values() for filter_ in feature.chain)
    of_port = points.by("http socket", lambda _, point: _sockets(point, "http"))
    plain = graph.group("chains.http", of_port, partial(_plain, http_filters=filters))
    secure = graph.derive("chains.https", points, partial(_secure, http_filters=filters))
    sockets = points.by("socket", lambda _, point: _sockets(point))
    made = _Made(binds, secrets, holds, filters, plain, secure)
    return Listeners(graph.group("gateway.listeners", sockets, partial(_listener, made=made)), sockets)


def _sockets(point: AttachPoint, protocol: str = "") -> tuple[Socket, ...]:
    """The socket of a served listener, of a certain protocol where one is named."""
    if point.served is None or protocol not in ("", point.served.protocol):
        return ()
    return (point.served.socket,)


def _plain(_: Socket, points: Sequence[AttachPoint], __: Lookup, http_filters: tuple[Any, ...]) -> Part | None:
    served = tuple(sorted((point.served for point in points if point.served), key=lambda one: one.hostname))
    return filter_chain.build(served[0], served, http_filters)


def _secure(
    id_: ListenerId, point: AttachPoint, _: Lookup, http_filters: tuple[Any, ...]
) -> Iterable[tuple[ListenerId, Part]]:
    if point.served is not None and point.served.protocol == "https":
        yield id_, filter_chain.build(point.served, (point.served,), http_filters)


def _listener(key: Socket, points: Sequence[AttachPoint], look: Lookup, made: _Made) -> Variants | None:
    gateway = key.gateway
    bind = look.get(made.binds.table, gateway) or made.binds.default
    if bind is None or not bind.serves(key.port):
        return None
    served = sorted((point.served for point in points if point.served), key=lambda one: one.hostname)
    chains = _chains(key, served, look, made)
    if not chains:
        return None
    header = listener.header(served[0], bind, tuple(served))
    plain = listener.join(header, [part for _, part in chains])
    builds = []
    for name, hold_of in made.holds.variants(gateway, ResourceType.LISTENER, look, ResourceType.SECRET):
        usable = [found for one, part in chains if (found := _with_certificates(one, part, name, look, made))]
        kept = serve_all(usable, hold_of)
        top = serve(header, hold_of(header.id))
        without = left_out([header, *usable], hold_of)
        builds.append(Variant(name, listener.join(top, kept) if kept and top else None, without))
    return Variants(plain, tuple(builds))


def _chains(key: Socket, served: Sequence[Listener], look: Lookup, made: _Made) -> list[tuple[Listener, Part]]:
    """The filter chains behind a socket, each with a listener that it is of."""
    plain = look.get(made.plain, key)
    chains = [] if plain is None else [(served[0], plain)]
    chains += [(one, part) for one in served if (part := look.get(made.secure, one.id)) is not None]
    return chains


def _with_certificates(one: Listener, chain: Part, build: str, look: Lookup, made: _Made) -> Part | None:
    """The chain as that build gets it: Envoy waits for every secret that it names, so it names those that there are.
    Without a certificate to show, or without the authorities that clients are asked for, there is no chain.
    """
    rows = [(secret, look.get(made.secrets, (one.id.gateway, secret))) for secret in one.secrets]
    left = {secret for secret, row in rows if row is not None and row.of(build).part is not None}
    if len(left) == len(one.secrets):
        return chain
    certificates = tuple(secret for secret in one.certificates if secret in left)
    if not certificates or not left.issuperset(set(one.secrets).difference(one.certificates)):
        return None
    return filter_chain.build(replace(one, certificates=certificates), (one,), made.http_filters)
