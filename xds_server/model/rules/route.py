"""What the CRDs of all routes ask of the parts that they share: parents, hostnames, backends, sessions.

Release 1.7 of gateway-api; where the channels differ, the laxer one.
"""

from collections import Counter
from collections.abc import Iterator

from xds_server.model.grpcroute import GRPCRouteSpec
from xds_server.model.httproute import (
    BackendObjectReference,
    CookieConfig,
    HeaderConfig,
    HTTPRouteSpec,
    LocalObjectReference,
    ParentReference,
    SessionPersistence,
)
from xds_server.model.kinds import EXPERIMENTAL_GROUP
from xds_server.model.l4route import L4RouteSpec, TLSRouteSpec
from xds_server.model.rules import syntax
from xds_server.model.rules.syntax import Fields, Rules, one_of

FIELDS: Fields = {
    ParentReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
        "section_name": syntax.subdomain,
        "port": syntax.port,
    },
    BackendObjectReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
        "port": syntax.port,
    },
    LocalObjectReference: {"group": syntax.group, "kind": syntax.kind, "name": syntax.name},
    SessionPersistence: {"absolute_timeout": syntax.duration, "type": one_of("Cookie", "Header")},
    CookieConfig: {
        "name": syntax.header_name,
        "path": syntax.text(0, 1024),
        "lifetime_type": one_of("Permanent", "Session"),
    },
    HeaderConfig: {"name": syntax.header_name},
}


def hostnames_are_hostnames(spec: HTTPRouteSpec | GRPCRouteSpec | TLSRouteSpec) -> Iterator[tuple[str, str]]:
    """Each hostname is one, with at most a first label *."""
    yield from syntax.each("hostnames", spec.hostnames, syntax.hostname)


def rule_names_differ(spec: HTTPRouteSpec | GRPCRouteSpec) -> Iterator[tuple[str, str]]:
    """A named rule is known by its name."""
    names = [rule.name for rule in spec.rules]
    used = Counter(names)
    for index, name in enumerate(names):
        if name is not None and used[name] > 1:
            yield f"rules[{index}].name", f"must be unique; {name} is used {used[name]} times"


def parents_are_distinct(
    spec: HTTPRouteSpec | GRPCRouteSpec | TLSRouteSpec | L4RouteSpec,
) -> Iterator[tuple[str, str]]:
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


def a_service_has_a_port(ref: BackendObjectReference) -> Iterator[tuple[str, str]]:
    """A Service is used by one of its ports; an XBackend names its port itself."""
    if ref.group == "" and ref.kind == "Service" and ref.port is None:
        yield "port", "is required for a Service"
    if ref.group == EXPERIMENTAL_GROUP and ref.kind == "XBackend" and ref.port is not None:
        yield "port", "must not be given for an XBackend"


def a_session_is_kept_one_way(session: SessionPersistence) -> Iterator[tuple[str, str]]:
    """The cookie or header that `type` names is described, and not the other."""
    for kind, name, given in (
        ("Cookie", "cookie", session.cookie is not None),
        ("Header", "header", session.header is not None),
    ):
        if session.type == kind and not given:
            yield name, f"is required for type {kind}"
        elif session.type != kind and given:
            yield name, f"must not be given for type {session.type}"


def a_permanent_cookie_ends(session: SessionPersistence) -> Iterator[tuple[str, str]]:
    """Who keeps a cookie is told for how long."""
    permanent = session.cookie is not None and session.cookie.lifetime_type == "Permanent"
    if permanent and session.absolute_timeout is None:
        yield "absoluteTimeout", "is required for a Permanent cookie"


RULES: Rules = {
    BackendObjectReference: (a_service_has_a_port,),
    SessionPersistence: (a_session_is_kept_one_way, a_permanent_cookie_ends),
}
