"""The objects behind what is derived: the grants that allow a reference, the slices that endpoints come from."""

from xds_server.model.meta import Key
from xds_server.pipeline.program import Pipeline
from xds_server.routing.backend import EndpointsId
from xds_server.semantics.endpoints import serving
from xds_server.semantics.grants import Referrer, allows


def grant(pipeline: Pipeline, referrer: Referrer, kind: str, target: Key) -> str:
    """`NAMESPACE/NAME` of the first ReferenceGrant that allows the reference; empty where none does or is needed."""
    if referrer.namespace == target.namespace:
        return ""
    for one in pipeline.tables.world.grants_by_namespace.rows(target.namespace):
        if allows(one, referrer, kind, target):
            return str(one.metadata.key)
    return ""


def endpoints(pipeline: Pipeline, id_: EndpointsId) -> tuple[list[str], list[str]]:
    """The addresses that take traffic, ADDRESS:PORT, and `NAMESPACE/NAME` of the EndpointSlices that have them."""
    world = pipeline.tables.world
    service = world.services.get(id_.service)
    port = service.port(id_.port, id_.transport.upper()) if service else None
    if port is None:
        return [], []
    slices = world.slices_by_service.rows(id_.service)
    found = serving(slices, port.name)
    addresses = list(dict.fromkeys(_socket(one.address, one.port) for one in found))
    named = [str(one.metadata.key) for one in slices if any(two in found for two in serving([one], port.name))]
    return addresses, named


def _socket(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
