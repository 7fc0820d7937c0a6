"""Clusters: who a backend has to be, what it is shown, and the parts that follow.

A kind of object that tells how connections to a backend are secured is a line in SECURING.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from xds_server.envoy import cluster
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table
from xds_server.model.gateway import Gateway
from xds_server.model.meta import Key
from xds_server.routing.backend import NO_CERTIFICATE, Backend, Verification
from xds_server.routing.secret import SecretId
from xds_server.semantics import backend_tls, backends, client_certificates, x_backends
from xds_server.semantics.authorities import Authorities
from xds_server.semantics.client_certificates import ClientCertificate
from xds_server.semantics.world import World
from xds_server.wire.part import Part

SECURING: Mapping[str, Callable[[Any], Verification | str]] = {
    "BackendTLSPolicy": lambda policy: backend_tls.verification(policy.spec.validation),
    "XBackend": x_backends.verification,
}


@dataclass(frozen=True, slots=True)
class Secured:
    """How connections are secured. `verifications` has a text where nobody can be verified: what is wrong."""

    verifications: Table[SecretId, Verification | str]
    authorities: Table[SecretId, Authorities]
    certificates: Table[Key, ClientCertificate]
    """By Gateway: what it shows."""

    def certificate(self, gateway: Key, look: Lookup) -> Key:
        """The Secret with what a Gateway shows to backends."""
        row = look.get(self.certificates, gateway)
        return NO_CERTIFICATE if row is None else row.secret


def secured(
    graph: Graph, kinds: Mapping[str, Table[Key, Any]], world: World, authorities: Table[SecretId, Authorities]
) -> Secured:
    """Creates the tables of what secures connections."""
    securing = graph.union("backends.securing", {kind: kinds[kind] for kind in SECURING})
    verifications = graph.derive("backends.verifications", securing, _verification)
    certificates = graph.derive("gateways.certificates", kinds["Gateway"], partial(_certificate, world=world))
    return Secured(verifications, authorities, certificates)


def _verification(id_: tuple[str, Key], row: Any, _: Lookup) -> Iterable[tuple[SecretId, Verification | str]]:
    return [(SecretId(*id_), SECURING[id_[0]](row))]


def _certificate(key: Key, gateway: Gateway, look: Lookup, world: World) -> Iterable[tuple[Key, ClientCertificate]]:
    found = client_certificates.of_gateway(key, gateway, look, world)
    return [] if found is None else [(key, found)]


def clusters(
    graph: Graph, uses: Table[tuple[Key, Backend, Any], None], how: Secured, world: World
) -> Table[Backend, Part]:
    """Creates the table of clusters as they are encoded."""
    return graph.group(
        "clusters", uses.by("backend", lambda id_, _: (id_[1],)), partial(_cluster, how=how, world=world)
    )


def _cluster(backend: Backend, _: Sequence[None], look: Lookup, how: Secured, world: World) -> Part:
    if backend.kind == "XBackend":
        row = look.get(world.x_backends, backend.service)
        if row is None or row.problem is not None:
            return cluster.closed(backend)
    budget = look.get(world.retry_budgets, backend.object)
    hostname = backends.hostname(backend.endpoints, look, world)
    secured_by = backend.authorities
    if secured_by is None:
        return cluster.build(backend, hostname=hostname, budget=budget)
    verification = look.get(how.verifications, secured_by)
    trusted = look.get(how.authorities, secured_by)
    if not isinstance(verification, Verification) or trusted is None or not trusted.usable:
        return cluster.closed(backend)
    return cluster.build(backend, verification, hostname=hostname, budget=budget)
