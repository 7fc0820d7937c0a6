"""HTTPRoute (gateway.networking.k8s.io/v1): matches, filters, backends; experimental fields too.

A filter keeps its payloads side by side as the API does; `type` says which one counts, `filters/` reads them.
"""

from xds_server.model.meta import Metadata, Struct


class ParentReference(Struct, frozen=True):
    """A parentRefs entry; `namespace` defaults to the route's own."""

    name: str
    group: str = "gateway.networking.k8s.io"
    kind: str = "Gateway"
    namespace: str | None = None
    section_name: str | None = None
    port: int | None = None


class HTTPPathMatch(Struct, frozen=True):
    """matches[].path."""

    type: str = "PathPrefix"
    value: str = "/"


class NamedMatch(Struct, frozen=True):
    """A header or query parameter match."""

    name: str
    value: str
    type: str = "Exact"


class HTTPRouteMatch(Struct, frozen=True):
    """One entry of matches[]: all its parts must hold."""

    path: HTTPPathMatch = HTTPPathMatch()
    headers: tuple[NamedMatch, ...] = ()
    query_params: tuple[NamedMatch, ...] = ()
    method: str | None = None


class HTTPHeader(Struct, frozen=True):
    """A header name and value."""

    name: str
    value: str


class HTTPHeaderFilter(Struct, frozen=True):
    """requestHeaderModifier and responseHeaderModifier."""

    set: tuple[HTTPHeader, ...] = ()
    add: tuple[HTTPHeader, ...] = ()
    remove: tuple[str, ...] = ()


class HTTPPathModifier(Struct, frozen=True):
    """How a redirect or rewrite changes the path."""

    type: str
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class HTTPRequestRedirectFilter(Struct, frozen=True):
    """requestRedirect."""

    scheme: str | None = None
    hostname: str | None = None
    path: HTTPPathModifier | None = None
    port: int | None = None
    status_code: int = 302


class HTTPURLRewriteFilter(Struct, frozen=True):
    """urlRewrite."""

    hostname: str | None = None
    path: HTTPPathModifier | None = None


class BackendObjectReference(Struct, frozen=True):
    """A reference to what serves traffic; `namespace` defaults to the route's own."""

    name: str
    group: str = ""
    kind: str = "Service"
    namespace: str | None = None
    port: int | None = None


class Fraction(Struct, frozen=True):
    """A share of requests."""

    numerator: int
    denominator: int = 100


class HTTPRequestMirrorFilter(Struct, frozen=True):
    """requestMirror; without percent and fraction every request is mirrored."""

    backend_ref: BackendObjectReference
    percent: int | None = None
    fraction: Fraction | None = None


class LocalObjectReference(Struct, frozen=True):
    """extensionRef."""

    group: str
    kind: str
    name: str


class HTTPCORSFilter(Struct, frozen=True):
    """cors: who may call from a browser's page of another origin; `max_age` in seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int = 5


class GRPCAuthConfig(Struct, frozen=True):
    """externalAuth.grpc: headers that are sent to the authorization service; none named: all."""

    allowed_headers: tuple[str, ...] = ()


class HTTPAuthConfig(Struct, frozen=True):
    """externalAuth.http: the path that is put before the request's, headers sent, headers taken from the answer."""

    path: str = ""
    allowed_headers: tuple[str, ...] = ()
    allowed_response_headers: tuple[str, ...] = ()


class ForwardBodyConfig(Struct, frozen=True):
    """externalAuth.forwardBody: how many bytes of the request's body are sent along; 0 for none."""

    max_size: int = 0


class HTTPExternalAuthFilter(Struct, frozen=True):
    """externalAuth: who is asked whether a request may pass."""

    protocol: str
    backend_ref: BackendObjectReference
    grpc: GRPCAuthConfig | None = None
    http: HTTPAuthConfig | None = None
    forward_body: ForwardBodyConfig | None = None


class HTTPRouteFilter(Struct, frozen=True):
    """One filter; `type` names the payload that counts."""

    type: str
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_redirect: HTTPRequestRedirectFilter | None = None
    url_rewrite: HTTPURLRewriteFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    cors: HTTPCORSFilter | None = None
    external_auth: HTTPExternalAuthFilter | None = None
    extension_ref: LocalObjectReference | None = None


class HTTPBackendRef(BackendObjectReference, frozen=True):
    """backendRefs entry: a backend, its share of the traffic, its own filters."""

    weight: int = 1
    filters: tuple[HTTPRouteFilter, ...] = ()


class HTTPRouteTimeouts(Struct, frozen=True):
    """timeouts, as GEP-2257 durations; "0s" means none."""

    request: str | None = None
    backend_request: str | None = None


class HTTPRouteRetry(Struct, frozen=True):
    """retry: `attempts` beyond the first one, after these answers or none at all; `backoff` is a duration."""

    codes: tuple[int, ...] = ()
    attempts: int = 1
    backoff: str | None = None


class CookieConfig(Struct, frozen=True):
    """sessionPersistence.cookie."""

    name: str | None = None
    path: str = "/"
    lifetime_type: str = "Session"


class HeaderConfig(Struct, frozen=True):
    """sessionPersistence.header."""

    name: str


class SessionPersistence(Struct, frozen=True):
    """sessionPersistence: requests of one client stay with one endpoint."""

    absolute_timeout: str | None = None
    type: str = "Cookie"
    cookie: CookieConfig | None = None
    header: HeaderConfig | None = None


class HTTPRouteRule(Struct, frozen=True):
    """One rule: if any match holds, filters are applied and a backend answers."""

    name: str | None = None
    matches: tuple[HTTPRouteMatch, ...] = (HTTPRouteMatch(),)
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None
    session_persistence: SessionPersistence | None = None


class HTTPRouteSpec(Struct, frozen=True):
    """HTTPRoute.spec."""

    parent_refs: tuple[ParentReference, ...] = ()
    use_default_gateways: str = "None"
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = (HTTPRouteRule(),)


class HTTPRoute(Struct, frozen=True):
    """A route for HTTP requests."""

    metadata: Metadata
    spec: HTTPRouteSpec
