"""Who is connected: the Node of a stream's first request, and the audiences that it belongs to.

In: the protobuf Node. Out: a frozen value, or RemoteProtocolError with a sentence. Whether the client may
be who it says it is, and which Gateways it serves, is not decided here but by whoever admits it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.json_format import MessageToDict

from xds_server.model.meta import Key
from xds_server.pb import base_pb2
from xds_server.routing.audience import Audience, Everyone, ForGateway, ForNamespace, ForWorkload
from xds_server.xds.errors import RemoteProtocolError

GATEWAY = "gateway"
SIDECAR = "sidecar"

_EXPECTED = (
    'node.id is expected as "gateway~POD.NAMESPACE" or "sidecar~POD.NAMESPACE" and node.cluster as'
    ' "NAMESPACE/GATEWAY" or "NAMESPACE/SERVICEACCOUNT"'
)


@dataclass(frozen=True, slots=True)
class Node:
    """A connected proxy. `namespace` and `name` are those of the Gateway that it names, or of a sidecar's
    ServiceAccount.

    `pod` is POD.NAMESPACE; `build` is Envoy's version such as "1.40.0", empty when not told.
    """

    id: str
    cluster: str
    kind: str
    pod: str
    namespace: str
    name: str
    build: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    gateways: tuple[Key, ...] | None = None
    """The Gateways that it serves, as the server says; of what several of them have under one name, the first one's
    counts. None where the server knows of no pods: the one that it names.
    """
    draining: bool = False
    """Its pod is about to end: it is served, and what it says counts for no Gateway."""

    @property
    def serves(self) -> tuple[Key, ...]:
        """The Gateways whose resources it sees."""
        if self.kind != GATEWAY:
            return ()
        return (Key(self.namespace, self.name),) if self.gateways is None else self.gateways

    @property
    def speaks_for(self) -> tuple[Key, ...]:
        """The Gateways for which counts what it acknowledges and rejects."""
        return () if self.draining else self.serves


def node_of(message: base_pb2.Node) -> Node:
    """The connected proxy, from its first request; RemoteProtocolError when that does not say who it is."""
    kind, _, pod = message.id.partition("~")
    pod_name, _, pod_namespace = pod.rpartition(".")
    if kind not in {GATEWAY, SIDECAR} or not pod_name or not pod_namespace:
        raise RemoteProtocolError(f"node.id is {message.id!r}; {_EXPECTED}")
    namespace, _, name = message.cluster.partition("/")
    if not namespace or not name or "/" in name:
        raise RemoteProtocolError(f"node.cluster is {message.cluster!r}; {_EXPECTED}")
    return Node(
        id=message.id,
        cluster=message.cluster,
        kind=kind,
        pod=pod,
        namespace=namespace,
        name=name,
        build=_build(message),
        metadata=MessageToDict(message.metadata),
    )


def require_same(node: Node, message: base_pb2.Node) -> None:
    """Refuse a later request of the stream that names another node; one that names none is the rule."""
    if (message.id, message.cluster) != (node.id, node.cluster):
        raise RemoteProtocolError(
            f"this stream belongs to node {node.id!r} of {node.cluster!r},"
            f" and a later request came from {message.id!r} of {message.cluster!r}"
        )


def audiences(node: Node) -> tuple[Audience, ...]:
    """What the node sees, in the order of overlay: later ones win."""
    if node.kind == SIDECAR:
        return (Everyone(), ForNamespace(node.namespace), ForWorkload(node.namespace, node.name))
    return of_gateways(node.serves, node.build)


def of_gateways(gateways: Sequence[Key], build: str) -> tuple[Audience, ...]:
    """What a proxy of these Gateways sees."""
    found: list[Audience] = [Everyone()]
    for key in reversed(gateways):
        gateway = ForGateway(*key)
        found += [gateway, gateway._replace(build=build)] if build else [gateway]
    return tuple(found)


def _build(message: base_pb2.Node) -> str:
    if not message.HasField("user_agent_build_version"):
        return ""
    version = message.user_agent_build_version.version
    return f"{version.major_number}.{version.minor_number}.{version.patch}"
