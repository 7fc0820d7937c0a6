"""TLSRoute, TCPRoute and UDPRoute (gateway.networking.k8s.io/v1): routes for connections and datagrams."""

from xds_server.model.httproute import BackendObjectReference, ParentReference
from xds_server.model.meta import Metadata, Struct


class BackendRef(BackendObjectReference, frozen=True):
    """backendRefs entry: a backend and its share of the connections."""

    weight: int = 1


class L4RouteRule(Struct, frozen=True):
    """The one rule of such a route."""

    name: str | None = None
    backend_refs: tuple[BackendRef, ...] = ()


class TLSRouteSpec(Struct, frozen=True):
    """TLSRoute.spec; `hostnames` are server names (SNI)."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: str = "None"
    hostnames: tuple[str, ...] = ()
    rules: tuple[L4RouteRule, ...] = ()


class TLSRoute(Struct, frozen=True):
    """A route for TLS connections, by the server name that the client asks for."""

    metadata: Metadata
    spec: TLSRouteSpec


class L4RouteSpec(Struct, frozen=True):
    """TCPRoute.spec and UDPRoute.spec."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: str = "None"
    rules: tuple[L4RouteRule, ...] = ()


class TCPRoute(Struct, frozen=True):
    """A route for all connections of a port."""

    metadata: Metadata
    spec: L4RouteSpec


class UDPRoute(Struct, frozen=True):
    """A route for all datagrams of a port."""

    metadata: Metadata
    spec: L4RouteSpec
