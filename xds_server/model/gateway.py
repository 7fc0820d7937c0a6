"""GatewayClass and Gateway (gateway.networking.k8s.io/v1), the fields that a gateway's traffic depends on.

Enumerations stay plain strings: a value outside the API's list is a condition of the object, not a fault.
"""

# ruff: noqa: RUF012 (msgspec copies such defaults)

import msgspec

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


class Listener(Struct, frozen=True):
    """Gateway.spec.listeners[]."""

    name: str
    port: int
    protocol: str
    hostname: str | None = None
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewayAddress(Struct, frozen=True):
    """Gateway.spec.addresses[]."""

    type: str = "IPAddress"
    value: str = ""


class GatewayInfrastructure(Struct, frozen=True):
    """Gateway.spec.infrastructure."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    parameters_ref: ParametersRef | None = None


class GatewaySpec(Struct, frozen=True):
    """Gateway.spec."""

    gateway_class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()
    infrastructure: GatewayInfrastructure | None = None


class Gateway(Struct, frozen=True):
    """A Gateway: listeners on addresses."""

    metadata: Metadata
    spec: GatewaySpec
