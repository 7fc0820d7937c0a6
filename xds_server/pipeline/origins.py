"""The objects behind what is derived: the grants that allow a reference, the slices that endpoints come from."""

from collections.abc import Sequence
from typing import TypeVar

from xds_server.flow.table import Index, Table
from xds_server.model.meta import Key
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.streams import endpoints as serving_endpoints
from xds_server.routing.backend import Backend, EndpointsId, Verification
from xds_server.semantics import backends, x_backends
from xds_server.semantics.endpoints import serving
from xds_server.semantics.grants import Referrer, allows

I = TypeVar("I")  # noqa: E741 - the index value
K = TypeVar("K")
V = TypeVar("V")
_GROUPS = {kind: group for (group, kind) in backends.KINDS}


class _Settled:
    """A Lookup for who is not part of the graph: what is asked is not recorded."""

    def get(self, table: Table[K, V], key: K) -> V | None:
        """As in Lookup."""
        return table.get(key)

    def rows(self, index: Index[I, K, V], value: I) -> Sequence[V]:
        """As in Lookup."""
        return index.rows(value)

    def keys(self, index: Index[I, K, V], value: I) -> Sequence[K]:
        """As in Lookup."""
        return index.keys(value)

    def items(self, table: Table[K, V]) -> Sequence[tuple[K, V]]:
        """As in Lookup."""
        return table.items()


_LOOK = _Settled()


def grant(pipeline: Pipeline, referrer: Referrer, kind: str, target: Key) -> str:
    """`NAMESPACE/NAME` of the first ReferenceGrant that allows the reference; empty where none does or is needed."""
    if referrer.namespace == target.namespace:
        return ""
    for one in pipeline.tables.world.grants_by_namespace.rows(target.namespace):
        if allows(one, referrer, kind, target, _GROUPS.get(kind, "")):
            return str(one.metadata.key)
    return ""


def endpoints(pipeline: Pipeline, id_: EndpointsId) -> tuple[list[str], list[str]]:
    """What takes traffic, ADDRESS:PORT or HOSTNAME:PORT, and `NAMESPACE/NAME` of the EndpointSlices that have it."""
    world = pipeline.tables.world
    if (hostname := backends.hostname(id_, _LOOK, world)) is not None:
        return [f"{hostname}:{id_.port}"], []
    found = serving_endpoints(id_, _LOOK, world)
    addresses = list(dict.fromkeys(_socket(one.address, one.port) for one in found))
    service = world.services.get(id_.service) if id_.kind == "Service" else None
    port = service.port(id_.port, id_.transport.upper()) if service else None
    slices = world.slices_by_service.rows(id_.service) if port else ()
    named = [str(one.metadata.key) for one in slices if port and set(serving([one], port.name)) & set(found)]
    return addresses, named


def unreached(pipeline: Pipeline, backend: Backend) -> str:
    """Why nobody is connected to, whatever endpoints there are; empty where that is not so."""
    tables = pipeline.tables
    if backend.kind == x_backends.KIND:
        row = tables.world.x_backends.get(backend.service)
        if row is not None and row.problem is not None:
            return row.problem[1]
    if (id_ := backend.authorities) is None:
        return ""
    verification = tables.secured.verifications.get(id_)
    trusted = tables.secured.authorities.get(id_)
    if not isinstance(verification, Verification):
        return f"{id_.kind} {id_.key} {verification or 'does not exist'}"
    if trusted is None or not trusted.usable:
        why = trusted.message if trusted and trusted.message else "there are no authorities"
        return f"{id_.kind} {id_.key} trusts nobody: {why}"
    return ""


def _socket(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
