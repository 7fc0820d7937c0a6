"""Secrets: which object tells to trust whom, which Gateway's listeners and clusters name which secret, and their parts.

A kind of object that tells whom to trust is a line in ASKING.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from xds_server.envoy import secret
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend
from xds_server.routing.listener import ListenerId
from xds_server.routing.secret import SecretId
from xds_server.semantics import authorities as rules
from xds_server.semantics import backend_tls, frontend_validation, x_backends
from xds_server.semantics.authorities import Asked, Authorities
from xds_server.semantics.certificates import Certificate
from xds_server.semantics.listeners import AttachPoint
from xds_server.semantics.world import World
from xds_server.wire.part import Part

GatewaySecret = tuple[Key, SecretId]
Use = tuple[str, Any]
"""Either ("listener", ListenerId) or ("cluster", (Gateway, Backend, who names it))."""

ASKING: Mapping[str, Callable[[Key, Any], Iterable[tuple[SecretId, Asked]]]] = {
    "BackendTLSPolicy": backend_tls.asked,
    "Gateway": frontend_validation.asked,
    "XBackend": x_backends.asked,
}
"""By kind: whom an object tells to trust, under the name by which listeners or clusters ask for them."""


def authorities(graph: Graph, kinds: Mapping[str, Table[Key, Any]], world: World) -> Table[SecretId, Authorities]:
    """Creates the table of everyone who is to be trusted by anyone, usable or not."""
    asking = graph.union("authorities.asking", {kind: kinds[kind] for kind in ASKING})

    def function(id_: tuple[str, Key], row: Any, look: Lookup) -> Iterable[tuple[SecretId, Authorities]]:
        kind, key = id_
        return [(secret_id, rules.resolve(asked, look, world)) for secret_id, asked in ASKING[kind](key, row)]

    return graph.derive("authorities", asking, function)


@dataclass(frozen=True, slots=True)
class Uses:
    """Who names which secret."""

    by_secret: Index[SecretId, Use, Any]
    by_gateway: Index[GatewaySecret, Use, Any]


def uses(
    graph: Graph,
    points: Table[ListenerId, AttachPoint],
    clusters: Table[tuple[Key, Backend, Any], None],
) -> Uses:
    """Creates the table of everyone who names secrets."""
    sources: Mapping[str, Table[Any, Any]] = {"listener": points, "cluster": clusters}
    table = graph.union("secrets.uses", sources)
    return Uses(
        table.by("secret", lambda id_, row: [secret for _, secret in _named(id_, row)]),
        table.by("gateway and secret", _named),
    )


def _named(id_: Use, row: Any) -> list[GatewaySecret]:
    where, key = id_
    if where == "cluster":
        gateway, backend, _ = key
        return [(gateway, one) for one in backend.secrets]
    return [(row.id.gateway, one) for one in row.served.secrets] if row.served else []


def parts(
    graph: Graph, used: Uses, certificates: Table[Key, Any], trusted: Table[SecretId, Authorities]
) -> Table[SecretId, Part]:
    """Creates the table of secrets as they are encoded."""
    return graph.group("secrets.parts", used.by_secret, partial(_part, certificates=certificates, trusted=trusted))


def _part(
    id_: SecretId,
    _: Sequence[Any],
    look: Lookup,
    certificates: Table[Key, Any],
    trusted: Table[SecretId, Authorities],
) -> Part | None:
    if id_.is_certificate:
        pair = look.get(certificates, id_.key)
        return secret.certificate(id_, pair.chain, pair.key) if isinstance(pair, Certificate) else None
    row = look.get(trusted, id_)
    if row is None or not row.usable:
        return None
    return secret.authorities(id_, row.pem, row.path, accept_untrusted=row.accept_untrusted)
