"""World: the tables that rules may ask, by name. Every question goes through a Lookup, which records it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds_server.flow.table import Index, Table
from xds_server.model.core import ClusterTrustBundle, ConfigMap, EndpointSlice, Namespace, Pod, ReferenceGrant, Service
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.policy import XTelemetryPolicy
from xds_server.routing.backend import NO_CERTIFICATE, RetryBudget
from xds_server.routing.rule import Session
from xds_server.semantics.certificates import KeptSecret
from xds_server.settings import CONTROLLER_NAME


@dataclass(frozen=True, slots=True)
class ServedPort:
    """One port of a Service as routing needs it."""

    port: int
    name: str
    app_protocol: str
    protocol: str


@dataclass(frozen=True, slots=True)
class ServedService:
    """What routing needs of a Service: a change of anything else does not reach it."""

    type: str
    ports: tuple[ServedPort, ...]
    external_name: str = ""

    def port(self, number: int, protocol: str = "TCP") -> ServedPort | None:
        """The port of that number and transport."""
        return next((port for port in self.ports if (port.port, port.protocol) == (number, protocol)), None)


@dataclass(frozen=True, slots=True)
class ServedPod:
    """A Pod that can take traffic; `leaving` while it is being ended. Of its addresses the first."""

    address: str
    leaving: bool
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServedBackend:
    """What routing needs of an XBackend. `hostname` is None for Pods; `problem` is why nobody is connected to, reason
    and message.
    """

    hostname: str | None
    labels: tuple[tuple[str, str], ...]
    port: int
    protocol: str | None
    secured: bool
    certificate: Key = NO_CERTIFICATE
    session: Session | None = None
    problem: tuple[str, str] | None = None


Overlays = Mapping[str, Mapping[str, Any]]
"""Fragments of objects by the keys of parameters, such as `deployment`."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a ConfigMap says of how things are made, or why it cannot be used."""

    overlays: Overlays = field(default_factory=dict)
    problem: str = ""
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """The tables below all rules. `any_class` serves Gateways of any class while no GatewayClass is given (files)."""

    classes: Table[Key, GatewayClass]
    gateways: Table[Key, Gateway]
    namespaces: Table[Key, Namespace]
    services: Table[Key, ServedService]
    slices_by_service: Index[Key, Key, EndpointSlice]
    grants_by_namespace: Index[str, Key, ReferenceGrant]
    certificates: Table[Key, Any]
    sessions: Table[ObjectRef, Session]
    """By Service or XBackend: what a policy asks for."""
    retry_budgets: Table[ObjectRef, RetryBudget]
    lapses: Table[Key, str]
    """Why clients refuse certificates now: before their time, or after it."""
    parameters: Table[Key, Parameters]
    """By ConfigMap, of those that Gateways and classes name."""
    secrets: Table[Key, KeptSecret]
    config_maps: Table[Key, ConfigMap]
    trust_bundles: Table[Key, ClusterTrustBundle]
    tls_targets: Index[Key, Any, Any]
    """What BackendTLSPolicies claim, by Service."""
    x_backends: Table[Key, ServedBackend]
    pods_by_label: Index[tuple[str, str, str], Key, ServedPod]
    """By namespace, and name and value of each label."""
    listener_sets: Table[Key, ListenerSet]
    listener_sets_by_gateway: Index[Key, Key, ListenerSet]
    telemetry: Index[Key, Key, XTelemetryPolicy]
    """By the Gateways that they are about."""
    default_gateways: Index[str, Key, Gateway]
    """By the scope that they serve."""
    controller_name: str = CONTROLLER_NAME
    made_of_class: Table[Key, tuple[str, str]] | None = None
    """By Gateway, in a cluster: its uid and class when its Service was last made."""
    any_class: bool = False
    deployed: bool = False
    """Gateways are deployed in a cluster."""
    server_namespace: str = ""
    """Where the server is installed, in a cluster."""
    system_authorities: str = ""
    """The file with the authorities that the proxies' own machine trusts."""
    allow_external_names: bool = False
    """Serve Services of type ExternalName."""
    checks: bool = True
    """False only in tests that want Envoy itself to reject what the checks would have caught."""


def served_service(service: Service) -> ServedService:
    """The part of a Service that routing reads."""
    ports = (
        ServedPort(port=port.port, name=port.name, app_protocol=port.app_protocol or "", protocol=port.protocol)
        for port in service.spec.ports
    )
    return ServedService(service.spec.type, tuple(ports), (service.spec.external_name or "").rstrip("."))


def served_pod(pod: Pod) -> ServedPod | None:
    """The part of a Pod that routing reads; None for one that takes no traffic."""
    ready = any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions)
    if not ready or not pod.status.pod_ips:
        return None
    metadata = pod.metadata
    return ServedPod(pod.status.pod_ips[0].ip, bool(metadata.deletion_timestamp), metadata.labels)
