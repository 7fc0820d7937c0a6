"""Core Kubernetes kinds and ReferenceGrant, only the fields that translation reads."""

# ruff: noqa: RUF012 (msgspec copies such defaults)

import msgspec

from xds_server.model.meta import Metadata, OwnedMetadata, Struct


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
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    """One for each family, the first is `cluster_ip`; `None` where there is none on purpose."""
    external_ips: tuple[str, ...] = msgspec.field(default=(), name="externalIPs")
    load_balancer_ip: str | None = msgspec.field(default=None, name="loadBalancerIP")
    external_name: str | None = None


class PortStatus(Struct, frozen=True):
    """Service.status.loadBalancer.ingress[].ports[]: with an `error`, the load balancer does not serve the port."""

    port: int
    protocol: str = "TCP"
    error: str | None = None


class Ingress(Struct, frozen=True):
    """Service.status.loadBalancer.ingress[]: an address, or a name of one."""

    ip: str | None = None
    hostname: str | None = None
    ports: tuple[PortStatus, ...] | None = None


class LoadBalancer(Struct, frozen=True):
    """Service.status.loadBalancer."""

    ingress: tuple[Ingress, ...] | None = None


class ServiceStatus(Struct, frozen=True):
    """Service.status."""

    load_balancer: LoadBalancer = LoadBalancer()


class Service(Struct, frozen=True):
    """A Service: the name and ports of a backend, or the addresses of proxies."""

    metadata: OwnedMetadata
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


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


class ContainerPort(Struct, frozen=True):
    """Pod.spec.containers[].ports[]."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"


class Container(Struct, frozen=True):
    """Pod.spec.containers[] and initContainers[]; of the latter those that are started again run beside the others."""

    ports: tuple[ContainerPort, ...] | None = None
    restart_policy: str | None = None


class PodSpec(Struct, frozen=True):
    """Pod.spec."""

    service_account_name: str = ""
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None


class PodCondition(Struct, frozen=True):
    """Pod.status.conditions[]."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    """As RFC 3339 has it."""


class ContainerWaiting(Struct, frozen=True):
    """Pod.status.containerStatuses[].state.waiting."""

    reason: str = ""
    message: str = ""


class ContainerRunning(Struct, frozen=True):
    """Pod.status.containerStatuses[].state.running; the time as RFC 3339 has it."""

    started_at: str | None = None


class ContainerTerminated(Struct, frozen=True):
    """Pod.status.containerStatuses[].state.terminated."""

    reason: str = ""
    message: str = ""
    exit_code: int = 0
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(Struct, frozen=True):
    """Pod.status.containerStatuses[].state and lastState."""

    waiting: ContainerWaiting | None = None
    running: ContainerRunning | None = None
    terminated: ContainerTerminated | None = None


class ContainerStatus(Struct, frozen=True):
    """Pod.status.containerStatuses[] and initContainerStatuses[]."""

    name: str
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()

    @property
    def comes(self) -> bool:
        """It is on its way, or runs, or has just ended; nobody says that it cannot be started."""
        return self.state.waiting is None or self.state.waiting.reason in ("", "ContainerCreating", "PodInitializing")

    @property
    def is_quiet(self) -> bool:
        """It comes and, unless by accident, it never had to be started anew."""
        return self.comes and self.restart_count < 2


class PodIP(Struct, frozen=True):
    """Pod.status.podIPs[]."""

    ip: str


class PodStatus(Struct, frozen=True):
    """Pod.status."""

    phase: str = ""
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None

    @property
    def ready(self) -> bool:
        """Kubernetes sends it traffic."""
        return any(one.type == "Ready" and one.status == "True" for one in self.conditions or ())


class Pod(Struct, frozen=True):
    """A Pod: its labels and addresses, who it is, and the ports that it names."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def kept(self) -> "Pod":
        """Without what nobody reads: how the containers are of one that is ready or has ended, and of others those that
        are not quiet; what conditions say, but for why no node takes it, and since when it is not ready.
        """
        status = self.status
        done = status.ready or status.phase in ("Succeeded", "Failed")
        slim = msgspec.structs.replace(
            status,
            conditions=tuple(map(_kept, status.conditions or ())),
            container_statuses=None if done else _telling(status.container_statuses),
            init_container_statuses=None if done else _telling(status.init_container_statuses),
        )
        return self if slim == status else msgspec.structs.replace(self, status=slim)


def _kept(one: PodCondition) -> PodCondition:
    if one.status == "False" and one.type == "PodScheduled":
        return one
    since = one.last_transition_time if one.status == "False" and one.type == "Ready" else None
    return PodCondition(one.type, one.status, last_transition_time=since)


def _telling(statuses: tuple[ContainerStatus, ...] | None) -> tuple[ContainerStatus, ...] | None:
    return tuple(one for one in statuses or () if not one.is_quiet) or None


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
