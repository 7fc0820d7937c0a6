"""GatewayClass and Gateway (gateway.networking.k8s.io/v1), the fields that a gateway's traffic depends on.

Enumerations stay plain strings: an unknown value is a condition of the object where one tells of it, else a fault.
"""

# ruff: noqa: RUF012 (msgspec copies such defaults)

import msgspec

from xds_server.model.httproute import HTTPExternalAuthFilter, LocalObjectReference
from xds_server.model.meta import Metadata, Struct


class ParametersRef(Struct, frozen=True):
    """A reference to implementation-specific parameters."""

    group: str
    kind: str
    name: str
    namespace: str | None = None


class GatewayClassSpec(Struct, frozen=True):
    """GatewayClass.spec."""

    controller_name: str
    parameters_ref: ParametersRef | None = None
    description: str | None = None


class GatewayClass(Struct, frozen=True):
    """A class of Gateways; `controllerName` decides who serves them."""

    metadata: Metadata
    spec: GatewayClassSpec


class SecretObjectReference(Struct, frozen=True):
    """A certificateRefs entry."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str | None = None


class ListenerTLS(Struct, frozen=True):
    """Gateway.spec.listeners[].tls."""

    mode: str = "Terminate"
    certificate_refs: tuple[SecretObjectReference, ...] = ()
    options: dict[str, str] = {}


class LabelSelectorRequirement(Struct, frozen=True):
    """One matchExpressions entry."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True):
    """A label selector; both parts must hold."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class RouteNamespaces(Struct, frozen=True):
    """allowedRoutes.namespaces."""

    from_: str = msgspec.field(default="Same", name="from")
    selector: LabelSelector | None = None


class RouteGroupKind(Struct, frozen=True):
    """allowedRoutes.kinds entry."""

    kind: str
    group: str = "gateway.networking.k8s.io"


class AllowedRoutes(Struct, frozen=True):
    """Which routes may attach to a listener."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteGroupKind, ...] = ()


class ListenerRequestFilter(Struct, frozen=True):
    """listeners[].filters.requests[]: runs before a route is chosen (GEP-5224)."""

    type: str
    external_auth: HTTPExternalAuthFilter | None = None
    extension_ref: LocalObjectReference | None = None


class ListenerFilters(Struct, frozen=True):
    """listeners[].filters; their order is binding."""

    requests: tuple[ListenerRequestFilter, ...] = ()


class Listener(Struct, frozen=True):
    """Gateway.spec.listeners[], and ListenerSet.spec.listeners[]."""

    name: str
    port: int
    protocol: str
    hostname: str | None = None
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()
    filters: ListenerFilters = ListenerFilters()


class GatewayAddress(Struct, frozen=True):
    """Gateway.spec.addresses[]; without a value any address of the type will do (GEP-5093: of the routability)."""

    type: str = "IPAddress"
    value: str = ""
    routability: str = ""


class GatewayInfrastructure(Struct, frozen=True):
    """Gateway.spec.infrastructure."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parameters_ref: ParametersRef | None = None


class ListenerNamespaces(RouteNamespaces, frozen=True):
    """allowedListeners.namespaces; `from` None for no ListenerSet at all."""

    from_: str = msgspec.field(default="None", name="from")


class AllowedListeners(Struct, frozen=True):
    """Which ListenerSets may add listeners; none unless the Gateway says so."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class ObjectReference(Struct, frozen=True):
    """A reference to an object of a stated kind: caCertificateRefs of a Gateway."""

    name: str
    group: str
    kind: str
    namespace: str | None = None


class FrontendTLSValidation(Struct, frozen=True):
    """How client certificates are verified, and whether those that fail are let in all the same."""

    ca_certificate_refs: tuple[ObjectReference, ...] = msgspec.field(default=(), name="caCertificateRefs")
    mode: str = "AllowValidOnly"


class TLSConfig(Struct, frozen=True):
    """tls.frontend.default and tls.frontend.perPort[].tls."""

    validation: FrontendTLSValidation | None = None


class TLSPortConfig(Struct, frozen=True):
    """tls.frontend.perPort[]: replaces the default for one port."""

    port: int
    tls: TLSConfig


class FrontendTLSConfig(Struct, frozen=True):
    """tls.frontend: what clients must show."""

    default: TLSConfig
    per_port: tuple[TLSPortConfig, ...] = ()


class GatewayBackendTLS(Struct, frozen=True):
    """tls.backend: what the Gateway shows to backends that speak TLS."""

    client_certificate_ref: SecretObjectReference | None = None


class GatewayTLSConfig(Struct, frozen=True):
    """Gateway.spec.tls."""

    backend: GatewayBackendTLS | None = None
    frontend: FrontendTLSConfig | None = None


class GatewaySpec(Struct, frozen=True):
    """Gateway.spec."""

    gateway_class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners = AllowedListeners()
    tls: GatewayTLSConfig | None = None
    default_scope: str = "None"


class Gateway(Struct, frozen=True):
    """A Gateway: listeners on addresses."""

    metadata: Metadata
    spec: GatewaySpec
