"""KINDS: one row per kind that is read. A new kind is one row here and one module with its model.

Nothing else lists kinds: parsing, the tables of the pipeline, RBAC and the watches are made from these rows.
Versions: the API's own history (releases 0.4 to 1.7 of gateway-api); newest first, all read as the newest.
"""

from typing import NamedTuple

from xds_server.model.core import (
    ClusterTrustBundle,
    ConfigMap,
    EndpointSlice,
    Namespace,
    Pod,
    ReferenceGrant,
    Secret,
    Service,
)
from xds_server.model.document import Object
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.grpcroute import GRPCRoute
from xds_server.model.httproute import HTTPRoute
from xds_server.model.l4route import TCPRoute, TLSRoute, UDPRoute
from xds_server.model.listenerset import ListenerSet
from xds_server.model.policy import BackendTLSPolicy, XBackend, XBackendTrafficPolicy, XTelemetryPolicy

GATEWAY_GROUP = "gateway.networking.k8s.io"
EXPERIMENTAL_GROUP = "gateway.networking.x-k8s.io"


class Name(NamedTuple):
    """What documents call a kind, and the versions that are read under that name."""

    kind: str
    group: str
    versions: tuple[str, ...]


class Kind(NamedTuple):
    """How one kind is called, which of its versions are read, and what it is read into."""

    kind: str
    group: str
    plural: str
    versions: tuple[str, ...]
    """Newest first."""
    model: type[Object]
    namespaced: bool = True
    channel: str = "standard"
    """The least release channel of gateway-api that holds it; "core" for kinds every cluster has."""
    former: tuple[Name, ...] = ()
    """Names that earlier releases gave to the same thing."""

    @property
    def api_version(self) -> str:
        """The newest apiVersion, as documents spell it."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]

    @property
    def names(self) -> tuple[Name, ...]:
        """Every name of the kind, today's first."""
        return Name(self.kind, self.group, self.versions), *self.former


KINDS = (
    Kind(
        "GatewayClass",
        GATEWAY_GROUP,
        "gatewayclasses",
        ("v1", "v1beta1", "v1alpha2"),
        GatewayClass,
        namespaced=False,
    ),
    Kind("Gateway", GATEWAY_GROUP, "gateways", ("v1", "v1beta1", "v1alpha2"), Gateway),
    Kind(
        "ListenerSet",
        GATEWAY_GROUP,
        "listenersets",
        ("v1",),
        ListenerSet,
        former=(Name("XListenerSet", EXPERIMENTAL_GROUP, ("v1alpha1",)),),
    ),
    Kind("HTTPRoute", GATEWAY_GROUP, "httproutes", ("v1", "v1beta1", "v1alpha2"), HTTPRoute),
    Kind("GRPCRoute", GATEWAY_GROUP, "grpcroutes", ("v1", "v1alpha2"), GRPCRoute),
    Kind("TLSRoute", GATEWAY_GROUP, "tlsroutes", ("v1", "v1alpha3", "v1alpha2"), TLSRoute),
    Kind("TCPRoute", GATEWAY_GROUP, "tcproutes", ("v1", "v1alpha2"), TCPRoute),
    Kind("UDPRoute", GATEWAY_GROUP, "udproutes", ("v1", "v1alpha2"), UDPRoute),
    Kind("BackendTLSPolicy", GATEWAY_GROUP, "backendtlspolicies", ("v1", "v1alpha3", "v1alpha2"), BackendTLSPolicy),
    Kind("XBackend", EXPERIMENTAL_GROUP, "xbackends", ("v1alpha1",), XBackend, channel="experimental"),
    Kind(
        "XBackendTrafficPolicy",
        EXPERIMENTAL_GROUP,
        "xbackendtrafficpolicies",
        ("v1alpha1",),
        XBackendTrafficPolicy,
        channel="experimental",
        former=(Name("BackendLBPolicy", GATEWAY_GROUP, ("v1alpha2",)),),
    ),
    Kind(
        "XTelemetryPolicy",
        EXPERIMENTAL_GROUP,
        "xtelemetrypolicies",
        ("v1alpha1",),
        XTelemetryPolicy,
        channel="experimental",
    ),
    Kind(
        "ReferenceGrant",
        GATEWAY_GROUP,
        "referencegrants",
        ("v1", "v1beta1", "v1alpha2"),
        ReferenceGrant,
        former=(Name("ReferencePolicy", GATEWAY_GROUP, ("v1alpha2",)),),
    ),
    Kind("Service", "", "services", ("v1",), Service, channel="core"),
    Kind("EndpointSlice", "discovery.k8s.io", "endpointslices", ("v1",), EndpointSlice, channel="core"),
    Kind("Secret", "", "secrets", ("v1",), Secret, channel="core"),
    Kind("ConfigMap", "", "configmaps", ("v1",), ConfigMap, channel="core"),
    Kind("Pod", "", "pods", ("v1",), Pod, channel="core"),
    Kind(
        "ClusterTrustBundle",
        "certificates.k8s.io",
        "clustertrustbundles",
        ("v1", "v1beta1", "v1alpha1"),
        ClusterTrustBundle,
        namespaced=False,
        channel="core",
    ),
    Kind("Namespace", "", "namespaces", ("v1",), Namespace, namespaced=False, channel="core"),
)

ROUTE_KINDS = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
"""The kinds that attach to listeners."""

BY_KIND = {row.kind: row for row in KINDS}
BY_MODEL: dict[type[Object], Kind] = {row.model: row for row in KINDS}
BY_GROUP_KIND = {(name.group, name.kind): row for row in KINDS for name in row.names}
"""By every name that a kind has or had."""
VERSIONS = {(name.group, name.kind): name.versions for row in KINDS for name in row.names}
"""The versions that are read under each name; newest first."""


def kind_of(value: Object) -> Kind:
    """The row of an object's kind; KeyError for a value that is none of KINDS."""
    return BY_MODEL[type(value)]
