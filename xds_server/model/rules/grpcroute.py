"""What the CRD of GRPCRoute asks (gateway-api 1.7; where the channels differ, the laxer one)."""

from collections.abc import Iterator

from xds_server.model.grpcroute import (
    GRPCBackendRef,
    GRPCMethodMatch,
    GRPCRouteMatch,
    GRPCRouteRule,
    GRPCRouteSpec,
)
from xds_server.model.rules import syntax
from xds_server.model.rules.httproute import filters_go_together
from xds_server.model.rules.route import hostnames_are_hostnames, parents_are_distinct, rule_names_differ
from xds_server.model.rules.syntax import Fields, Rules, between, count

_MOST_MATCHES = 128
_NO_MATCHES = GRPCRouteRule().matches

FIELDS: Fields = {
    GRPCRouteSpec: {
        "parent_refs": count(32),
        "use_default_gateways": syntax.scope,
        "hostnames": count(16),
        "rules": count(16),
    },
    GRPCRouteRule: {
        "name": syntax.subdomain,
        "matches": count(64),
        "filters": count(16),
        "backend_refs": count(16),
    },
    GRPCRouteMatch: {"headers": count(16)},
    GRPCMethodMatch: {"service": syntax.text(0, 1024), "method": syntax.text(0, 1024)},
    GRPCBackendRef: {"weight": between(0, 1_000_000), "filters": count(16)},
}


def matches_are_few(spec: GRPCRouteSpec) -> Iterator[tuple[str, str]]:
    """All rules together have a bounded number of matches; a rule that gives none adds none."""
    total = sum(len(rule.matches) for rule in spec.rules if rule.matches != _NO_MATCHES)
    if total > _MOST_MATCHES:
        yield "rules", f"have {total} matches together, more than {_MOST_MATCHES}"


def matched_headers_differ(match: GRPCRouteMatch) -> Iterator[tuple[str, str]]:
    """No header is matched twice."""
    yield from syntax.unique("headers", (header.name for header in match.headers), ".name")


def a_method_is_named(match: GRPCMethodMatch) -> Iterator[tuple[str, str]]:
    """A service, a method, or both are named; an Exact name could be one in a .proto file."""
    if match.service is None and match.method is None:
        yield "service", "or method is required"
    if match.type != "Exact":
        return
    for name, value, check in (
        ("service", match.service, syntax.grpc_service),
        ("method", match.method, syntax.grpc_method),
    ):
        if value is not None and len(value) <= 1024 and (reason := check(value)):
            yield name, reason


def filters_of_one_place_go_together(holder: GRPCRouteRule | GRPCBackendRef) -> Iterator[tuple[str, str]]:
    """The filters of a rule, and those of a backend, do not exclude each other."""
    yield from filters_go_together(holder.filters)


RULES: Rules = {
    GRPCRouteSpec: (hostnames_are_hostnames, matches_are_few, rule_names_differ, parents_are_distinct),
    GRPCRouteRule: (filters_of_one_place_go_together,),
    GRPCRouteMatch: (matched_headers_differ,),
    GRPCMethodMatch: (a_method_is_named,),
    GRPCBackendRef: (filters_of_one_place_go_together,),
}
