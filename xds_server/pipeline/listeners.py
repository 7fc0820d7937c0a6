"""Envoy's listeners: what is bound, and the filter chains behind it.

One listener per socket of a Gateway. Its filter chains come from its listeners and, where those hand on connections,
from the routes that are attached to them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from xds_server.envoy import filter_chain, listener, names, stream_chain
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.holds import Holds, Variant, Variants, leaf_variants, left_out, serve, serve_all
from xds_server.pipeline.options import Options
from xds_server.pipeline.secrets import GatewaySecret
from xds_server.pipeline.streams import Stream, Streams
from xds_server.routing.hostname import covers
from xds_server.routing.listener import Bind, Listener, ListenerId, Socket
from xds_server.routing.tracing import Tracing
from xds_server.semantics.listeners import AttachPoint
from xds_server.wire.part import Part
from xds_server.xds.resource import ResourceType

MakeChain = Callable[[Listener, tuple[Listener, ...], Lookup], Part]
"""Makes the filter chain of a listener; the others share it."""


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
    chain: MakeChain
    plain: Table[Socket, Part]
    """The one filter chain of all HTTP listeners of a port."""
    secure: Table[ListenerId, Part]
    """The filter chain of each HTTPS listener."""
    streams: Streams
    closed: Table[ListenerId, Part]
    """The filter chain of each listener for connections whose own hostname no route has."""


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
    chain = partial(_http_chain, http_filters=filters, tracing=tables.tracing)
    plain = graph.group("chains.http", of_port, partial(_plain, chain=chain))
    secure = graph.derive("chains.https", points, partial(_secure, chain=chain))
    sockets = points.by("socket", _socket)
    streams = tables.streams
    closed = graph.derive("chains.closed", points, partial(_closed, streams=streams, sockets=sockets))
    made = _Made(binds, secrets, holds, chain, plain, secure, streams, closed)
    return Listeners(graph.group("gateway.listeners", sockets, partial(_listener, made=made)), sockets)


def _sockets(point: AttachPoint, protocol: str) -> tuple[Socket, ...]:
    """The socket of a served listener of that protocol."""
    return (point.served.socket,) if point.served is not None and point.served.protocol == protocol else ()


def _socket(id_: ListenerId, point: AttachPoint) -> tuple[Socket, ...]:
    """The socket of a listener that owns hosts, served or not."""
    return (Socket(id_.gateway, point.transport, point.port),) if point.owns_hosts else ()


def _http_chain(
    listener_: Listener,
    owners: tuple[Listener, ...],
    look: Lookup,
    http_filters: tuple[Any, ...],
    tracing: Table[Key, Tracing],
) -> Part:
    """A filter chain for HTTP, as the Gateway has its requests told."""
    return filter_chain.build(listener_, owners, http_filters, look.get(tracing, listener_.id.gateway))


def _plain(_: Socket, points: Sequence[AttachPoint], look: Lookup, chain: MakeChain) -> Part | None:
    served = tuple(sorted((point.served for point in points if point.served), key=lambda one: one.hostname))
    return chain(served[0], served, look)


def _secure(id_: ListenerId, point: AttachPoint, look: Lookup, chain: MakeChain) -> Iterable[tuple[ListenerId, Part]]:
    if point.served is not None and point.served.protocol == "https":
        yield id_, chain(point.served, (point.served,), look)


def _closed(
    id_: ListenerId, point: AttachPoint, look: Lookup, streams: Streams, sockets: Index[Socket, ListenerId, AttachPoint]
) -> Iterable[tuple[ListenerId, Part]]:
    """What keeps a wider listener from answering where no route is. An HTTPS listener that cannot be served leaves
    its connections to a wider one that answers 404, but not to one that would hand them on.
    """
    if not point.owns_hosts or point.protocol not in ("TLS", "TCP", "HTTPS"):
        return
    if point.protocol == "HTTPS":
        others = look.rows(sockets, Socket(id_.gateway, "tcp", point.port)) if point.served is None else ()
        if not any(other.protocol == "TLS" and covers(other.hostname, point.hostname) for other in others):
            return
    if look.get(streams.connections, (id_, point.hostname)) is None:
        one = Listener(id_, point.port, "tcp" if point.protocol == "TCP" else "passthrough", point.hostname)
        yield id_, stream_chain.closed(one, point.hostname, (filter_chain.owner(one),))


def _listener(key: Socket, points: Sequence[AttachPoint], look: Lookup, made: _Made) -> Variants | None:
    gateway = key.gateway
    bind = look.get(made.binds.table, gateway) or made.binds.default
    if bind is None or not bind.serves(key.port, key.transport):
        return None
    served = sorted((point.served for point in points if point.served), key=lambda one: one.hostname)
    if key.transport == "udp" and served:
        return leaf_variants(listener.datagrams(served[0], bind), gateway, ResourceType.LISTENER, look, made.holds)
    chains = _chains(key, points, look, made) if served else []
    if not chains:
        return None
    header = listener.header(served[0], bind, tuple(served))
    plain = listener.join(header, [one.part for one in chains])
    builds = []
    for name, hold_of in made.holds.variants(gateway, ResourceType.LISTENER, look, ResourceType.SECRET):
        usable = [found for one in chains if (found := _with_certificates(one, gateway, name, look, made))]
        kept = serve_all(usable, hold_of)
        top = serve(header, hold_of(header.id))
        without = left_out([header, *usable], hold_of)
        is_plain = len(usable) == len(chains) and all(one is of.part for one, of in zip(usable, chains, strict=True))
        unheld = None if is_plain else listener.join(header, usable)
        builds.append(Variant(name, listener.join(top, kept) if kept and top else None, without, unheld))
    return Variants(plain, tuple(builds))


@dataclass(frozen=True, slots=True)
class _Chain:
    """A filter chain, and the HTTPS listener or the route that it is of."""

    part: Part
    of: Listener | Stream | None = None


def _chains(key: Socket, points: Sequence[AttachPoint], look: Lookup, made: _Made) -> list[_Chain]:
    """The filter chains behind a socket, in the order of their listeners' hostnames."""
    plain = look.get(made.plain, key)
    chains = [] if plain is None else [_Chain(plain)]
    for point in sorted(points, key=lambda one: one.hostname):
        if (part := look.get(made.secure, point.id)) is not None:
            chains.append(_Chain(part, point.served))
        if (part := look.get(made.closed, point.id)) is not None:
            chains.append(_Chain(part))
    return chains + [_Chain(one.part, one) for one in look.rows(made.streams.connections_by_socket, key)]


def _with_certificates(one: _Chain, gateway: Key, build: str, look: Lookup, made: _Made) -> Part | None:
    """The chain as that build gets it: Envoy waits for every secret that it names, so it names those that there are.
    Without a certificate to show, or without the authorities that clients are asked for, there is no chain.
    """
    if one.of is None:
        return one.part
    listener_ = one.of.listener if isinstance(one.of, Stream) else one.of
    rows = [(secret, look.get(made.secrets, (gateway, secret))) for secret in listener_.secrets]
    left = {secret for secret, row in rows if row is not None and row.of(build).part is not None}
    if len(left) == len(listener_.secrets):
        return one.part
    certificates = tuple(secret for secret in listener_.certificates if secret in left)
    usable = certificates and left.issuperset(set(listener_.secrets).difference(listener_.certificates))
    if isinstance(one.of, Stream):
        return one.of.with_certificates(certificates if usable else ())
    return made.chain(replace(one.of, certificates=certificates), (one.of,), look) if usable else None
