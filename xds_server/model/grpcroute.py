"""GRPCRoute (gateway.networking.k8s.io/v1): matches on methods and headers. Filters are HTTPRoute's."""

from xds_server.model.httproute import (
    BackendObjectReference,
    HTTPRouteFilter,
    NamedMatch,
    ParentReference,
    SessionPersistence,
)
from xds_server.model.meta import Metadata, Struct


class GRPCMethodMatch(Struct, frozen=True):
    """matches[].method; at least one of service and method is given."""

    type: str = "Exact"
    service: str | None = None
    method: str | None = None


class GRPCRouteMatch(Struct, frozen=True):
    """One entry of matches[]: all its parts must hold."""

    method: GRPCMethodMatch | None = None
    headers: tuple[NamedMatch, ...] = ()


class GRPCBackendRef(BackendObjectReference, frozen=True):
    """backendRefs entry: a backend, its share of the calls, its own filters."""

    weight: int = 1
    filters: tuple[HTTPRouteFilter, ...] = ()


class GRPCRouteRule(Struct, frozen=True):
    """One rule; without matches it takes every call."""

    name: str | None = None
    matches: tuple[GRPCRouteMatch, ...] = (GRPCRouteMatch(),)
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[GRPCBackendRef, ...] = ()
    session_persistence: SessionPersistence | None = None


class GRPCRouteSpec(Struct, frozen=True):
    """GRPCRoute.spec."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: str = "None"
    hostnames: tuple[str, ...] = ()
    rules: tuple[GRPCRouteRule, ...] = ()


class GRPCRoute(Struct, frozen=True):
    """A route for gRPC calls."""

    metadata: Metadata
    spec: GRPCRouteSpec
