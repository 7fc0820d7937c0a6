"""Envoy's listeners: what is bound, and the filter chains behind it.

One listener per socket of a Gateway. Its filter chains come from its listeners and, where those hand on connections,
from the routes that are attached to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from xds_server.envoy import filter_chain, listener, names
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.holds import Holds, Variant, Variants, left_out, serve, serve_all
from xds_server.routing.listener import Bind, Listener, ListenerId, Socket
from xds_server.semantics.listeners import AttachPoint
from xds_server.wire.part import Part
from xds_server.xds.resource import ResourceType

GatewaySecret = tuple[Key, Key]


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


def build(
    graph: Graph, tables: GatewayTables, secrets: Table[GatewaySecret, Variants], holds: Holds, binds: Binds
) -> Listeners:
    """Creates the table of listeners."""
    sockets = tables.listeners.by("socket", lambda _, point: (point.served.socket,) if point.served else ())
    table = graph.group("gateway.listeners", sockets, partial(_listener, binds=binds, secrets=secrets, holds=holds))
    return Listeners(table, sockets)


def _listener(
    key: Socket,
    points: Sequence[AttachPoint],
    look: Lookup,
    *,
    binds: Binds,
    secrets: Table[GatewaySecret, Variants],
    holds: Holds,
) -> Variants | None:
    gateway = key.gateway
    bind = look.get(binds.table, gateway) or binds.default
    if bind is None or not bind.serves(key.port):
        return None
    served = sorted((point.served for point in points if point.served), key=lambda one: one.hostname)
    chains = _chains(served)
    if not chains:
        return None
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
    plain = [one for one in served if one.protocol == "http"]
    chains = [(plain[0], filter_chain.build(plain[0], tuple(plain)))] if plain else []
    return chains + [(one, filter_chain.build(one, (one,))) for one in served if one.protocol == "https"]
