"""What the CRDs of TLSRoute, TCPRoute and UDPRoute ask (gateway-api 1.7).

A TLSRoute may have no hostnames, as v1alpha2 allows, which the experimental channel serves beside v1. Several rules,
which it allows too, are refused as by v1: nothing says what the second of them would mean.
"""

from collections.abc import Iterator

from xds_server.model.l4route import BackendRef, L4RouteRule, L4RouteSpec, TLSRouteSpec
from xds_server.model.rules import syntax
from xds_server.model.rules.route import hostnames_are_hostnames, parents_are_distinct
from xds_server.model.rules.syntax import Fields, Rules, between, count

FIELDS: Fields = {
    TLSRouteSpec: {
        "parent_refs": count(32),
        "use_default_gateways": syntax.scope,
        "hostnames": count(1024),
        "rules": count(1, least=1),
    },
    L4RouteSpec: {"parent_refs": count(32), "use_default_gateways": syntax.scope, "rules": count(1, least=1)},
    L4RouteRule: {"name": syntax.subdomain, "backend_refs": count(16, least=1)},
    BackendRef: {"weight": between(0, 1_000_000)},
}


def hostnames_are_no_addresses(spec: TLSRouteSpec) -> Iterator[tuple[str, str]]:
    """A server name is never an IP address (RFC 6066)."""
    for index, hostname in enumerate(spec.hostnames):
        if not syntax.ip(hostname):
            yield f"hostnames[{index}]", f"must not be an IP address, is {hostname}"


RULES: Rules = {
    TLSRouteSpec: (hostnames_are_hostnames, hostnames_are_no_addresses, parents_are_distinct),
    L4RouteSpec: (parents_are_distinct,),
}
