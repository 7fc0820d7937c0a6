"""What the CRD of HTTPRoute asks (gateway-api 1.7; where the channels differ, the laxer one)."""

from collections.abc import Iterator

from xds_server.model.httproute import (
    ForwardBodyConfig,
    Fraction,
    GRPCAuthConfig,
    HTTPAuthConfig,
    HTTPBackendRef,
    HTTPCORSFilter,
    HTTPExternalAuthFilter,
    HTTPHeader,
    HTTPHeaderFilter,
    HTTPPathMatch,
    HTTPPathModifier,
    HTTPRequestMirrorFilter,
    HTTPRequestRedirectFilter,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPRouteRetry,
    HTTPRouteRule,
    HTTPRouteSpec,
    HTTPRouteTimeouts,
    HTTPURLRewriteFilter,
    NamedMatch,
)
from xds_server.model.rules import syntax
from xds_server.model.rules.route import hostnames_are_hostnames, parents_are_distinct, rule_names_differ
from xds_server.model.rules.syntax import Fields, Rules, between, count

_INT32 = 2**31 - 1
_MOST_MATCHES = 128

FIELDS: Fields = {
    HTTPRouteSpec: {
        "parent_refs": count(32),
        "use_default_gateways": syntax.scope,
        "hostnames": count(16),
        "rules": count(16, least=1),
    },
    HTTPRouteRule: {
        "name": syntax.subdomain,
        "matches": count(64),
        "filters": count(16),
        "backend_refs": count(16),
    },
    HTTPRouteMatch: {"headers": count(16), "query_params": count(16)},
    HTTPPathMatch: {"value": syntax.text(0, 1024)},
    NamedMatch: {"name": syntax.header_name, "value": syntax.text(1, 4096)},
    HTTPHeader: {"name": syntax.header_name, "value": syntax.text(1, 4096)},
    HTTPHeaderFilter: {"set": count(16), "add": count(16), "remove": count(16)},
    HTTPPathModifier: {
        "replace_full_path": syntax.text(0, 1024),
        "replace_prefix_match": syntax.text(0, 1024),
    },
    HTTPRequestRedirectFilter: {
        "hostname": syntax.precise_hostname,
        "port": syntax.port,
        "status_code": syntax.one_of(301, 302, 303, 307, 308),
    },
    HTTPURLRewriteFilter: {"hostname": syntax.precise_hostname},
    HTTPBackendRef: {"weight": between(0, 1_000_000), "filters": count(16)},
    HTTPRequestMirrorFilter: {"percent": between(0, 100)},
    Fraction: {"numerator": between(0, _INT32), "denominator": between(1, _INT32)},
    HTTPCORSFilter: {
        "allow_origins": count(64),
        "allow_methods": count(9),
        "allow_headers": count(64),
        "expose_headers": count(64),
        "max_age": between(1, _INT32),
    },
    GRPCAuthConfig: {"allowed_headers": count(64)},
    HTTPAuthConfig: {"allowed_headers": count(64), "allowed_response_headers": count(64)},
    ForwardBodyConfig: {"max_size": between(0, _INT32)},
    HTTPRouteTimeouts: {"request": syntax.duration, "backend_request": syntax.duration},
    HTTPRouteRetry: {"attempts": between(0, syntax.INT64), "backoff": syntax.duration},
}

_PAYLOADS = {
    "RequestHeaderModifier": ("request_header_modifier", "requestHeaderModifier"),
    "ResponseHeaderModifier": ("response_header_modifier", "responseHeaderModifier"),
    "RequestMirror": ("request_mirror", "requestMirror"),
    "RequestRedirect": ("request_redirect", "requestRedirect"),
    "URLRewrite": ("url_rewrite", "urlRewrite"),
    "CORS": ("cors", "cors"),
    "ExternalAuth": ("external_auth", "externalAuth"),
    "ExtensionRef": ("extension_ref", "extensionRef"),
}
_MANY_ALLOWED = ("RequestMirror", "ExternalAuth", "ExtensionRef")


def matches_are_few(spec: HTTPRouteSpec) -> Iterator[tuple[str, str]]:
    """All rules together have a bounded number of matches."""
    total = sum(len(rule.matches) for rule in spec.rules)
    if total > _MOST_MATCHES:
        yield "rules", f"have {total} matches together, more than {_MOST_MATCHES}"


def path_is_normal(match: HTTPPathMatch) -> Iterator[tuple[str, str]]:
    """Exact and PathPrefix values are absolute and normalised; expressions may be anything."""
    if match.type in ("Exact", "PathPrefix") and (reason := syntax.path(match.value)):
        yield "value", reason


def matched_names_differ(match: HTTPRouteMatch) -> Iterator[tuple[str, str]]:
    """No header or query parameter is matched twice; a parameter's value is shorter than a header's."""
    yield from syntax.unique("headers", (header.name for header in match.headers), ".name")
    yield from syntax.unique("queryParams", (param.name for param in match.query_params), ".name")
    check = syntax.text(1, 1024)
    for index, param in enumerate(match.query_params):
        if reason := check(param.value):
            yield f"queryParams[{index}].value", reason


def changed_headers_differ(headers: HTTPHeaderFilter) -> Iterator[tuple[str, str]]:
    """No header is set, added or removed twice."""
    yield from syntax.unique("set", (header.name for header in headers.set), ".name")
    yield from syntax.unique("add", (header.name for header in headers.add), ".name")
    yield from syntax.unique("remove", headers.remove)


def path_modifier_matches_type(modifier: HTTPPathModifier) -> Iterator[tuple[str, str]]:
    """The replacement that `type` names is given, and no other."""
    for kind, name, value in (
        ("ReplaceFullPath", "replaceFullPath", modifier.replace_full_path),
        ("ReplacePrefixMatch", "replacePrefixMatch", modifier.replace_prefix_match),
    ):
        if modifier.type == kind and value is None:
            yield name, f"is required for type {kind}"
        elif modifier.type != kind and value is not None:
            yield name, f"must not be given for type {modifier.type}"


def mirrors_one_share(mirror: HTTPRequestMirrorFilter) -> Iterator[tuple[str, str]]:
    """A share is given one way."""
    if mirror.percent is not None and mirror.fraction is not None:
        yield "fraction", "must not be given beside percent"


def fraction_is_no_more_than_all(fraction: Fraction) -> Iterator[tuple[str, str]]:
    """A share is at most everything."""
    if fraction.numerator > fraction.denominator:
        yield "numerator", f"must be at most the denominator {fraction.denominator}, is {fraction.numerator}"


def payload_matches_type(route_filter: HTTPRouteFilter) -> Iterator[tuple[str, str]]:
    """The payload that `type` names is given, and no other."""
    for kind, (attribute, name) in _PAYLOADS.items():
        given = getattr(route_filter, attribute) is not None
        if given and route_filter.type != kind:
            yield name, f"must not be given for type {route_filter.type}"
        elif not given and route_filter.type == kind:
            yield name, f"is required for type {kind}"


def cors_lists_are_sets(cors: HTTPCORSFilter) -> Iterator[tuple[str, str]]:
    """Origins and headers are well-formed, nothing is listed twice, and * stands alone."""
    yield from syntax.each("allowOrigins", cors.allow_origins, syntax.origin)
    yield from syntax.each("allowHeaders", cors.allow_headers, syntax.header_name)
    yield from syntax.each("exposeHeaders", cors.expose_headers, syntax.header_name)
    yield from syntax.unique("exposeHeaders", cors.expose_headers)
    for name, values in (
        ("allowOrigins", cors.allow_origins),
        ("allowMethods", cors.allow_methods),
        ("allowHeaders", cors.allow_headers),
    ):
        yield from syntax.unique(name, values)
        if "*" in values and len(values) > 1:
            yield name, "must not have other entries beside *"


def authorization_is_asked_one_way(auth: HTTPExternalAuthFilter) -> Iterator[tuple[str, str]]:
    """The settings that `protocol` names are given, and not the other's."""
    for protocol, name, given in (("GRPC", "grpc", auth.grpc is not None), ("HTTP", "http", auth.http is not None)):
        if auth.protocol == protocol and not given:
            yield name, f"is required for protocol {protocol}"
        elif auth.protocol != protocol and given:
            yield name, f"must not be given for protocol {auth.protocol}"


def headers_of_authorization_differ(auth: GRPCAuthConfig | HTTPAuthConfig) -> Iterator[tuple[str, str]]:
    """No header is listed twice."""
    yield from syntax.unique("allowedHeaders", auth.allowed_headers)


def http_authorization_is_well_formed(auth: HTTPAuthConfig) -> Iterator[tuple[str, str]]:
    """The path could be one of a URI; no header of the answer is listed twice."""
    if auth.path and (reason := syntax.uri_path(auth.path)):
        yield "path", reason
    yield from syntax.unique("allowedResponseHeaders", auth.allowed_response_headers)


def rule_filters_go_together(rule: HTTPRouteRule) -> Iterator[tuple[str, str]]:
    """A rule's own filters do not exclude each other, nor its backends."""
    yield from filters_go_together(rule.filters)
    if rule.backend_refs and any(one.request_redirect is not None for one in rule.filters):
        yield "backendRefs", "must not be given beside a RequestRedirect filter"


def backend_filters_go_together(ref: HTTPBackendRef) -> Iterator[tuple[str, str]]:
    """A backend's filters do not exclude each other."""
    yield from filters_go_together(ref.filters)


def filters_go_together(filters: tuple[HTTPRouteFilter, ...]) -> Iterator[tuple[str, str]]:
    """Each type but some is there once at most; nothing is both redirected and rewritten."""
    seen = set()
    for index, one in enumerate(filters):
        if one.type in seen and one.type not in _MANY_ALLOWED and one.type in _PAYLOADS:
            yield f"filters[{index}].type", f"{one.type} must not be repeated"
        seen.add(one.type)
    if {"RequestRedirect", "URLRewrite"} <= seen:
        yield "filters", "must not have both RequestRedirect and URLRewrite"


def prefix_is_replaced_where_one_is_matched(rule: HTTPRouteRule) -> Iterator[tuple[str, str]]:
    """ReplacePrefixMatch needs to know the prefix: the rule has one match, by PathPrefix."""
    if len(rule.matches) == 1 and rule.matches[0].path.type == "PathPrefix":
        return
    places = [("filters", rule.filters)]
    places += [(f"backendRefs[{index}].filters", ref.filters) for index, ref in enumerate(rule.backend_refs)]
    for place, filters in places:
        for index, one in enumerate(filters):
            for name, payload in (("requestRedirect", one.request_redirect), ("urlRewrite", one.url_rewrite)):
                if payload and payload.path and payload.path.type == "ReplacePrefixMatch":
                    reason = "ReplacePrefixMatch needs a rule with exactly one match, of type PathPrefix"
                    yield f"{place}[{index}].{name}.path.type", reason


def backend_timeout_is_no_longer(timeouts: HTTPRouteTimeouts) -> Iterator[tuple[str, str]]:
    """One try takes no longer than all of them; 0 is no limit."""
    request, backend = timeouts.request, timeouts.backend_request
    if not request or not backend or syntax.duration(request) or syntax.duration(backend):
        return
    whole = syntax.milliseconds(request)
    if whole and syntax.milliseconds(backend) > whole:
        yield "backendRequest", f"must be at most request, which is {request}; is {backend}"


def retried_codes_are_errors(retry: HTTPRouteRetry) -> Iterator[tuple[str, str]]:
    """Answers that are retried are errors, each named once."""
    yield from syntax.each("codes", retry.codes, between(400, 599))
    yield from syntax.unique("codes", retry.codes)


RULES: Rules = {
    HTTPRouteSpec: (hostnames_are_hostnames, matches_are_few, rule_names_differ, parents_are_distinct),
    HTTPRouteRule: (rule_filters_go_together, prefix_is_replaced_where_one_is_matched),
    HTTPRouteMatch: (matched_names_differ,),
    HTTPPathMatch: (path_is_normal,),
    HTTPHeaderFilter: (changed_headers_differ,),
    HTTPPathModifier: (path_modifier_matches_type,),
    HTTPRouteFilter: (payload_matches_type,),
    HTTPBackendRef: (backend_filters_go_together,),
    HTTPRequestMirrorFilter: (mirrors_one_share,),
    Fraction: (fraction_is_no_more_than_all,),
    HTTPCORSFilter: (cors_lists_are_sets,),
    HTTPExternalAuthFilter: (authorization_is_asked_one_way,),
    GRPCAuthConfig: (headers_of_authorization_differ,),
    HTTPAuthConfig: (http_authorization_is_well_formed, headers_of_authorization_differ),
    HTTPRouteRetry: (retried_codes_are_errors,),
    HTTPRouteTimeouts: (backend_timeout_is_no_longer,),
}
