"""What the CRD of HTTPRoute asks (gateway-api 1.7; where the channels differ, the laxer one)."""

from collections import Counter
from collections.abc import Iterable, Iterator

from xds_server.model.httproute import (
    BackendObjectReference,
    Fraction,
    HTTPBackendRef,
    HTTPHeader,
    HTTPHeaderFilter,
    HTTPPathMatch,
    HTTPPathModifier,
    HTTPRequestMirrorFilter,
    HTTPRequestRedirectFilter,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPRouteRule,
    HTTPRouteSpec,
    HTTPRouteTimeouts,
    HTTPURLRewriteFilter,
    LocalObjectReference,
    NamedMatch,
    ParentReference,
)
from xds_server.model.rules import syntax
from xds_server.model.rules.syntax import Fields, Rules, between, count

_INT32 = 2**31 - 1
_MOST_MATCHES = 128

FIELDS: Fields = {
    HTTPRouteSpec: {"parent_refs": count(32), "hostnames": count(16), "rules": count(16, least=1)},
    ParentReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
        "section_name": syntax.subdomain,
        "port": syntax.port,
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
    BackendObjectReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
        "port": syntax.port,
    },
    HTTPBackendRef: {"weight": between(0, 1_000_000), "filters": count(16)},
    HTTPRequestMirrorFilter: {"percent": between(0, 100)},
    Fraction: {"numerator": between(0, _INT32), "denominator": between(1, _INT32)},
    LocalObjectReference: {"group": syntax.group, "kind": syntax.kind, "name": syntax.name},
    HTTPRouteTimeouts: {"request": syntax.duration, "backend_request": syntax.duration},
}

_PAYLOADS = {
    "RequestHeaderModifier": ("request_header_modifier", "requestHeaderModifier"),
    "ResponseHeaderModifier": ("response_header_modifier", "responseHeaderModifier"),
    "RequestMirror": ("request_mirror", "requestMirror"),
    "RequestRedirect": ("request_redirect", "requestRedirect"),
    "URLRewrite": ("url_rewrite", "urlRewrite"),
    "ExtensionRef": ("extension_ref", "extensionRef"),
}
_MANY_ALLOWED = ("RequestMirror", "ExtensionRef")


def hostnames_are_hostnames(spec: HTTPRouteSpec) -> Iterator[tuple[str, str]]:
    """Each hostname is one, with at most a first label *."""
    for index, hostname in enumerate(spec.hostnames):
        if reason := syntax.hostname(hostname):
            yield f"hostnames[{index}]", reason


def matches_are_few(spec: HTTPRouteSpec) -> Iterator[tuple[str, str]]:
    """All rules together have a bounded number of matches."""
    total = sum(len(rule.matches) for rule in spec.rules)
    if total > _MOST_MATCHES:
        yield "rules", f"have {total} matches together, more than {_MOST_MATCHES}"


def rule_names_differ(spec: HTTPRouteSpec) -> Iterator[tuple[str, str]]:
    """A named rule is known by its name."""
    names = Counter(rule.name for rule in spec.rules if rule.name is not None)
    for index, rule in enumerate(spec.rules):
        if rule.name is not None and names[rule.name] > 1:
            yield f"rules[{index}].name", f"must be unique; {rule.name} is used {names[rule.name]} times"


def parents_are_distinct(spec: HTTPRouteSpec) -> Iterator[tuple[str, str]]:
    """References to one parent differ in sectionName or port, and all of them say the same of the two."""
    if len(spec.parent_refs) < 2:
        return
    first: dict[tuple[str, ...], ParentReference] = {}
    seen: set[tuple[str | int | None, ...]] = set()
    for index, ref in enumerate(spec.parent_refs):
        parent = (ref.group, ref.kind, ref.namespace or "", ref.name)
        other = first.setdefault(parent, ref)
        exact = (*parent, ref.section_name, ref.port)
        if exact in seen:
            yield f"parentRefs[{index}]", "names the same parent, sectionName and port as another entry"
        elif _parts_given(ref) != _parts_given(other):
            yield f"parentRefs[{index}]", "must give sectionName and port as other entries for this parent do"
        seen.add(exact)


def _parts_given(ref: ParentReference) -> tuple[bool, bool]:
    return bool(ref.section_name), bool(ref.port)


def path_is_normal(match: HTTPPathMatch) -> Iterator[tuple[str, str]]:
    """Exact and PathPrefix values are absolute and normalised; expressions may be anything."""
    if match.type in ("Exact", "PathPrefix") and (reason := syntax.path(match.value)):
        yield "value", reason


def matched_names_differ(match: HTTPRouteMatch) -> Iterator[tuple[str, str]]:
    """No header or query parameter is matched twice; a parameter's value is shorter than a header's."""
    yield from _unique("headers", (header.name for header in match.headers))
    yield from _unique("queryParams", (param.name for param in match.query_params))
    check = syntax.text(1, 1024)
    for index, param in enumerate(match.query_params):
        if reason := check(param.value):
            yield f"queryParams[{index}].value", reason


def changed_headers_differ(headers: HTTPHeaderFilter) -> Iterator[tuple[str, str]]:
    """No header is set, added or removed twice."""
    yield from _unique("set", (header.name for header in headers.set))
    yield from _unique("add", (header.name for header in headers.add))
    yield from _unique("remove", headers.remove, part="")


def _unique(field: str, names: Iterable[str], part: str = ".name") -> Iterator[tuple[str, str]]:
    seen = set()
    for index, name in enumerate(names):
        if name in seen:
            yield f"{field}[{index}]{part}", f"must be unique; {name} is used more than once"
        seen.add(name)


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


def service_has_port(ref: BackendObjectReference) -> Iterator[tuple[str, str]]:
    """A Service is one of its ports."""
    if ref.group == "" and ref.kind == "Service" and ref.port is None:
        yield "port", "is required for a Service"


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


def rule_filters_go_together(rule: HTTPRouteRule) -> Iterator[tuple[str, str]]:
    """A rule's own filters do not exclude each other, nor its backends."""
    yield from _go_together(rule.filters)
    if rule.backend_refs and any(one.request_redirect is not None for one in rule.filters):
        yield "backendRefs", "must not be given beside a RequestRedirect filter"


def backend_filters_go_together(ref: HTTPBackendRef) -> Iterator[tuple[str, str]]:
    """A backend's filters do not exclude each other."""
    yield from _go_together(ref.filters)


def _go_together(filters: tuple[HTTPRouteFilter, ...]) -> Iterator[tuple[str, str]]:
    seen = set()
    for index, one in enumerate(filters):
        if one.type in seen and one.type not in _MANY_ALLOWED and one.type in (*_PAYLOADS, "CORS"):
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


RULES: Rules = {
    HTTPRouteSpec: (hostnames_are_hostnames, matches_are_few, rule_names_differ, parents_are_distinct),
    HTTPRouteRule: (rule_filters_go_together, prefix_is_replaced_where_one_is_matched),
    HTTPRouteMatch: (matched_names_differ,),
    HTTPPathMatch: (path_is_normal,),
    HTTPHeaderFilter: (changed_headers_differ,),
    HTTPPathModifier: (path_modifier_matches_type,),
    HTTPRouteFilter: (payload_matches_type,),
    BackendObjectReference: (service_has_port,),
    HTTPBackendRef: (backend_filters_go_together,),
    HTTPRequestMirrorFilter: (mirrors_one_share,),
    Fraction: (fraction_is_no_more_than_all,),
    HTTPRouteTimeouts: (backend_timeout_is_no_longer,),
}
