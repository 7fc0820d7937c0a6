"""ListenerSet (gateway.networking.k8s.io/v1): further listeners for a Gateway, of somebody else."""

from xds_server.model.gateway import Listener
from xds_server.model.meta import Metadata, Struct


class ParentGatewayReference(Struct, frozen=True):
    """spec.parentRef; `namespace` defaults to the set's own."""

    name: str
    group: str = "gateway.networking.k8s.io"
    kind: str = "Gateway"
    namespace: str | None = None


class ListenerSetSpec(Struct, frozen=True):
    """ListenerSet.spec."""

    parent_ref: ParentGatewayReference
    listeners: tuple[Listener, ...] = ()


class ListenerSet(Struct, frozen=True):
    """Listeners that are served by the Gateway that it names, where that allows it."""

    metadata: Metadata
    spec: ListenerSetSpec
