"""Arbitrary manifests: what the schemas allow, made of values that mean something to each other.

Built from the models' own types, so that a new field is generated as soon as it is there; POOLS say which values a
field of that name has. Names, ports and hostnames come from few, so that objects meet, refer to each other and clash.
"""

from functools import cache
from random import Random
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from xds_server.model.document import Object
from xds_server.model.kinds import BY_KIND
from xds_server.model.meta import Key, Metadata, Struct
from xds_server.model.validate import _holds_structs, _problems

NAMES = ("a", "b", "c")
NAMESPACES = ("default", "other")
_HOSTS = ("example.com", "*.example.com", "*.com", "a.example.com", "A.example.com", "a.b.example.com", "xn--a.org")
_PATHS = ("/", "/a", "/a/", "/a/b", "/A", "/%20", "/a.b", "/a;b=c", "/(a|b)")
_PATTERNS = ("/a.*", "((", "[a-z]+", "(?i)a", "\\d{3}", ".*", "a{1000}", "^$", "(?P<n>a)", "\\")
_TEXTS = ("a", "A", "%", "%REQ(a)%", "a b", "ä", '"', "\t", "{}", "x" * 200)
_DURATIONS = ("0s", "1ms", "500ms", "10s", "1h30m", "99999h")
_HEADERS = ("x-a", "X-B", "Host", ":method", "content-length", "Connection", "x-envoy-retry-on", "Cookie", "a_b")
_GROUPS = ("", "gateway.networking.k8s.io", "gateway.networking.x-k8s.io", "example.com")
_KINDS = ("Service", "Secret", "ConfigMap", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "XBackend", "Bucket")
POOLS: dict[str, tuple[Any, ...]] = {
    "name": NAMES,
    "namespace": (None, *NAMESPACES),
    "section_name": (None, "one", "two", *NAMES),
    "group": _GROUPS,
    "kind": _KINDS,
    "port": (None, 80, 443, 8080, 65535),
    "hostname": (None, *_HOSTS),
    "hostnames": _HOSTS,
    "protocol": ("HTTP", "HTTPS", "TLS", "TCP", "UDP", "example.com/odd"),
    "mode": ("Terminate", "Passthrough", "AllowValidOnly", "AllowInsecureFallback"),
    "from_": ("All", "Same", "Selector", "None"),
    "scheme": (None, "http", "https"),
    "status_code": (301, 302, 303, 307, 308),
    "method": (None, "GET", "POST", "OPTIONS", "CONNECT"),
    "weight": (0, 1, 1, 1, 50, 1_000_000),
    "remove": _HEADERS,
    "request": (None, *_DURATIONS),
    "backend_request": (None, *_DURATIONS),
    "backoff": (None, *_DURATIONS),
    "absolute_timeout": (None, *_DURATIONS),
    "interval": _DURATIONS,
    "replace_full_path": (None, *_PATHS, *_TEXTS),
    "replace_prefix_match": (None, *_PATHS, *_TEXTS),
    "percent": (None, 0, 1, 50, 100),
    "numerator": (0, 1, 33, 100, 1000),
    "denominator": (1, 3, 100, 1000),
    "codes": (400, 404, 500, 503, 599),
    "attempts": (0, 1, 3, 100),
    "allow_origins": ("*", "https://example.com", "http://*.example.com:8080", "https://*"),
    "allow_methods": ("*", "GET", "POST"),
    "allow_headers": ("*", "x-a", "X-B"),
    "expose_headers": ("x-a", "X-B"),
    "gateway_class_name": ("any",),
    "default_scope": ("None", "All"),
    "use_default_gateways": ("None", "None", "All"),
    "options": (),
}
"""By field name. What is not here is text out of `_TEXTS`, or as its type says."""
BY_FIELD: dict[tuple[str, str], tuple[Any, ...]] = {
    ("Listener", "name"): ("one", "two", "three", "four"),
    ("Listener", "port"): (80, 81, 443, 444),
    ("HTTPPathMatch", "type"): ("Exact", "PathPrefix", "RegularExpression"),
    ("HTTPPathMatch", "value"): (*_PATHS, *_PATHS, *_PATTERNS),
    ("NamedMatch", "type"): ("Exact", "RegularExpression"),
    ("NamedMatch", "name"): ("x-a", "X-B", "Host", "q"),
    ("NamedMatch", "value"): (*_TEXTS, *_PATTERNS),
    ("HTTPHeader", "name"): _HEADERS,
    ("HTTPHeader", "value"): _TEXTS,
    ("HTTPPathModifier", "type"): ("ReplaceFullPath", "ReplacePrefixMatch"),
    ("HTTPRequestRedirectFilter", "hostname"): (None, "example.org"),
    ("HTTPURLRewriteFilter", "hostname"): (None, "example.org"),
    ("GRPCMethodMatch", "type"): ("Exact", "RegularExpression"),
    ("GRPCMethodMatch", "service"): (None, "a.B", "a.C", "((", ".*"),
    ("GRPCMethodMatch", "method"): (None, "Get", "Put", "G.*"),
    ("HTTPRouteRule", "name"): (None,),
    ("GRPCRouteRule", "name"): (None,),
    ("L4RouteRule", "name"): (None,),
    ("ListenerTLS", "mode"): ("Terminate", "Passthrough"),
    ("HeaderConfig", "name"): ("x-session", "X-B"),
    ("CookieConfig", "name"): (None, "session", "a"),
    ("CookieConfig", "path"): (None, "/", "/a"),
    ("SessionPersistence", "type"): ("Cookie", "Header"),
    ("CookieConfig", "lifetime_type"): ("Session", "Permanent"),
    ("LabelSelectorRequirement", "operator"): ("In", "NotIn", "Exists", "DoesNotExist"),
    ("BackendObjectReference", "group"): ("", "", "", "example.com"),
    ("BackendObjectReference", "kind"): ("Service", "Service", "Service", "XBackend"),
    ("ParentReference", "group"): ("gateway.networking.k8s.io",),
    ("ParentReference", "name"): ("a", "a", "a", "b"),
    ("ParentReference", "namespace"): ("default", "default", None),
    ("ParentReference", "section_name"): (None, None, None, "one"),
    ("ParentReference", "port"): (None, None, None, 80),
    ("RouteNamespaces", "from_"): ("All", "All", "Same", "Selector", "None"),
    ("RouteGroupKind", "group"): ("gateway.networking.k8s.io",),
    ("RouteGroupKind", "kind"): ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "Bucket"),
    ("GatewayAddress", "type"): ("IPAddress", "Hostname"),
    ("GatewayAddress", "value"): ("", "127.0.0.1"),
    ("BackendObjectReference", "name"): ("a", "a", "b", "c"),
    ("BackendObjectReference", "namespace"): (None, None, None, "other"),
    ("BackendObjectReference", "port"): (8080, 8080, 8080, 80, None),
    ("ParentReference", "kind"): ("Gateway", "Gateway", "ListenerSet", "Service"),
    ("LocalPolicyTargetReference", "name"): ("a", "a", "b"),
    ("LocalPolicyTargetReference", "group"): ("", "", "gateway.networking.x-k8s.io"),
    ("LocalPolicyTargetReference", "kind"): ("Service", "Service", "XBackend"),
    ("LocalObjectReference", "name"): ("a", "a", "b"),
    ("LocalObjectReference", "group"): ("", "", "gateway.networking.k8s.io"),
    ("LocalObjectReference", "kind"): ("ConfigMap", "ConfigMap", "Gateway", "ClusterTrustBundle"),
    ("ObjectReference", "name"): ("a", "a", "b"),
    ("ObjectReference", "group"): ("",),
    ("ObjectReference", "kind"): ("ConfigMap", "Secret"),
    ("BackendTLSPolicyValidation", "hostname"): ("a.example.com", "b.example.com"),
    ("BackendTLSPolicyValidation", "well_known_ca_certificates"): (None, "System"),
    ("SubjectAltName", "type"): ("Hostname", "URI"),
    ("SubjectAltName", "hostname"): (None, "a.example.com"),
    ("SubjectAltName", "uri"): (None, "spiffe://a/b"),
    ("XBackendSpec", "type"): ("ExternalHostname", "EndpointSelector"),
    ("XBackendSpec", "protocol"): (None, "TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "GRPC", "WSS", "MCP"),
    ("ExternalHostnameBackend", "hostname"): ("localhost", "none.invalid"),
    ("BackendTLS", "mode"): ("None", "ServerOnly", "ClientAndServer"),
    ("TracingConfig", "mode"): ("Enabled", "Enabled", "Disabled", "ImplementationDefault"),
    ("ParentBasedSampling", "mode"): ("Enabled", "Disabled", "ImplementationDefault"),
    ("TracingAttribute", "source_type"): ("Header", "Literal", "Attribute"),
    ("TracingAttribute", "attribute_key"): ("http.request.method", "url.path", "odd.key", ""),
    ("TracingAttribute", "header_name"): ("x-a", ""),
    ("TracingAttribute", "name"): ("a.b", "c"),
    ("HTTPExternalAuthFilter", "protocol"): ("HTTP", "GRPC"),
    ("ForwardBodyConfig", "max_size"): (0, 10, 2**31 - 1),
    ("HTTPAuthConfig", "path"): ("", "/", "/check"),
    ("SecretObjectReference", "group"): ("", "", "example.com"),
    ("SecretObjectReference", "kind"): ("Secret", "Secret", "ConfigMap"),
}
FILTERS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "CORS": "cors",
    "ExternalAuth": "external_auth",
    "ExtensionRef": "extension_ref",
}
"""By type, the field of its payload."""
_TIMES = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
_MOST = 3
"""Entries of a list."""
_SHARE = 0.5
"""How many of the fields that may be left out are there; of those that make an object do something, all."""
_ALWAYS = ("parent_refs", "rules", "matches", "backend_refs", "listeners", "target_refs")
_TRIES = 1000


def objects(kind: str) -> st.SearchStrategy[Object]:
    """Objects of a kind that its schema lets pass.

    Hypothesis chooses and shrinks which objects there are; what is in each comes from a seed, which is a hundred times
    quicker than to draw every field.
    """
    model: Any = BY_KIND[kind].model
    return st.integers(0, 2**32).map(lambda seed: _struct(model, Random(seed)))


def _struct(model: type[Struct], random: Random) -> Any:
    """A value whose schema lets it pass; where each piece passes on its own, whole objects soon do."""
    if model is Metadata:
        return Metadata(
            name=random.choice(NAMES), namespace=random.choice(NAMESPACES), creation_timestamp=random.choice(_TIMES)
        )
    hints = _hints(model)
    for _ in range(_TRIES):
        value = model(**_values(model, hints, random))
        if not _problems(value):
            return value
    raise AssertionError(f"no {model.__name__} passes its schema: {_problems(value)}")


def _values(model: type[Struct], hints: dict[str, Any], random: Random) -> dict[str, Any]:
    fields = msgspec.structs.fields(model)
    if filters := [(type_, field) for type_, field in FILTERS.items() if field in hints and "type" in hints]:
        type_, field = random.choice(filters)
        return {"type": type_, field: _value(model, field, _without_none(hints[field]), random)}
    chosen = [one.name for one in fields if one.required or one.name in _ALWAYS or random.random() < _SHARE]
    return {name: _value(model, name, hints[name], random) for name in chosen}


def _value(model: type[Struct], name: str, hint: Any, random: Random) -> Any:
    lineage = [one.__name__ for one in model.__mro__]
    pool = next((BY_FIELD[one, name] for one in lineage if (one, name) in BY_FIELD), POOLS.get(name))
    if pool is None or _holds_structs(hint) or get_origin(hint) is dict:
        return _typed(hint, random, least=name in _ALWAYS)
    if get_origin(hint) is tuple:
        return tuple(random.sample(pool, min(len(pool), random.randint(0, _MOST))))
    return random.choice([one for one in pool if one is not None or NoneType in get_args(hint)])


def _typed(hint: Any, random: Random, least: int = 0) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _typed(random.choice(arguments), random)
    if origin is tuple:
        return tuple(_typed(arguments[0], random) for _ in range(random.randint(least, _MOST)))
    if origin is dict:
        return {random.choice(("team", "app")): random.choice(("a", "b")) for _ in range(random.randint(0, 2))}
    if isinstance(hint, type) and issubclass(hint, Struct):
        return _struct(hint, random)
    simple: dict[Any, Any] = {
        NoneType: None,
        str: random.choice(_TEXTS),
        int: random.randint(0, 100),
        bool: random.random() < _SHARE,
        bytes: random.randbytes(10),
    }
    return simple[hint]


def _without_none(hint: Any) -> Any:
    return next(one for one in get_args(hint) if one is not NoneType)


@cache
def _hints(model: type[Struct]) -> dict[str, Any]:
    return get_type_hints(model)


def identity(value: Object) -> tuple[str, Key]:
    """Kind and key."""
    return type(value).__name__, value.metadata.key
