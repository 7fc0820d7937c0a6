"""Core Kubernetes kinds and ReferenceGrant, only the fields that translation reads."""

# ruff: noqa: RUF012 (msgspec copies such defaults)

import msgspec

from xds_server.model.meta import Metadata, Struct


class Namespace(Struct, frozen=True):
    """A namespace; its labels decide what listeners with a selector allow."""

    metadata: Metadata


class ServicePort(Struct, frozen=True):
    """Service.spec.ports[]."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None
    node_port: int | None = None


class ServiceSpec(Struct, frozen=True):
    """Service.spec."""

    type: str = "ClusterIP"
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    external_name: str | None = None


class Service(Struct, frozen=True):
    """A Service: the name and ports of a backend."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class EndpointConditions(Struct, frozen=True):
    """An endpoint's state; absent `ready` means ready, absent `serving` follows `ready`."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Struct, frozen=True):
    """EndpointSlice.endpoints[]."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    zone: str | None = None
    node_name: str | None = None


class EndpointPort(Struct, frozen=True):
    """EndpointSlice.ports[]; its name is the Service port's name."""

    name: str | None = None
    port: int | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSlice(Struct, frozen=True):
    """A part of a Service's endpoints, tied to it by the label kubernetes.io/service-name."""

    metadata: Metadata
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class Secret(Struct, frozen=True):
    """A Secret; `data` is decoded from base64, `stringData` is merged over it when parsed."""

    metadata: Metadata
    type: str = "Opaque"
    data: dict[str, bytes] = {}


class ConfigMap(Struct, frozen=True):
    """A ConfigMap."""

    metadata: Metadata
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}


class ClusterTrustBundleSpec(Struct, frozen=True):
    """ClusterTrustBundle.spec."""

    trust_bundle: str
    signer_name: str = ""


class ClusterTrustBundle(Struct, frozen=True):
    """Certificates of authorities in PEM that everyone in the cluster may read."""

    metadata: Metadata
    spec: ClusterTrustBundleSpec


class PodCondition(Struct, frozen=True):
    """Pod.status.conditions[]."""

    type: str
    status: str


class PodIP(Struct, frozen=True):
    """Pod.status.podIPs[]."""

    ip: str


class PodStatus(Struct, frozen=True):
    """Pod.status."""

    phase: str = ""
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    conditions: tuple[PodCondition, ...] = ()


class Pod(Struct, frozen=True):
    """A Pod: its labels and addresses."""

    metadata: Metadata
    status: PodStatus = PodStatus()


class ReferenceGrantFrom(Struct, frozen=True):
    """Who may refer."""

    group: str
    kind: str
    namespace: str


class ReferenceGrantTo(Struct, frozen=True):
    """What may be referred to; without a name, everything of that kind."""

    group: str
    kind: str
    name: str | None = None


class ReferenceGrantSpec(Struct, frozen=True):
    """ReferenceGrant.spec: any `from` may refer to any `to`."""

    from_: tuple[ReferenceGrantFrom, ...] = msgspec.field(default=(), name="from")
    to: tuple[ReferenceGrantTo, ...] = ()


class ReferenceGrant(Struct, frozen=True):
    """Allows references from other namespaces into its own."""

    metadata: Metadata
    spec: ReferenceGrantSpec
