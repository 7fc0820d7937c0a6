"""The endpoints of one Service port to a ClusterLoadAssignment, by zone; those of several, by share."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as api

from xds_server.envoy import kit
from xds_server.routing.endpoint import ServingEndpoint
from xds_server.wire.construct import fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part

ClusterLoadAssignment = fast(api.ClusterLoadAssignment)
LocalityLbEndpoints = fast(api.LocalityLbEndpoints)
LbEndpoint = fast(api.LbEndpoint)
Endpoint = fast(api.Endpoint)
Locality = fast(core.Locality)

NOWHERE = ("127.0.0.1", 9)
"""Discards what is sent to it, or does not exist: what is to be dropped goes there and never leaves the machine."""
MAX_WEIGHTS = 2**31
"""The sum of weights, with room for those that are rounded up."""


def assignment(name: str, endpoints: Iterable[ServingEndpoint]) -> Part:
    """The assignment of that name. Empty is a value too: requests are answered with 503.

    An address counts once, in a zone that is known if there is one: slices may differ while an endpoint moves from one
    to another. Envoy would take it once and give each zone the share of all that are named there.
    """
    found = {(one.address, one.port): one.zone for one in sorted(set(endpoints))}
    zones: dict[str, list[api.LbEndpoint]] = {}
    for zone, address in sorted((zone, address) for address, zone in found.items()):
        zones.setdefault(zone, []).append(LbEndpoint(endpoint=Endpoint(address=kit.tcp(*address))))
    localities = [
        LocalityLbEndpoints(
            locality=Locality(zone=zone), lb_endpoints=endpoints_, load_balancing_weight=len(endpoints_)
        )
        for zone, endpoints_ in zones.items()
    ]
    return Part(name, encode(ClusterLoadAssignment(cluster_name=name, endpoints=localities)))


def shared(name: str, shares: Iterable[tuple[int, Sequence[ServingEndpoint]]], owners: tuple[Owner, ...]) -> Part:
    """The assignment that several backends share by weight. The share of one without endpoints is dropped.

    An address has a part of the share of each backend that it is behind: Envoy knows an address only once, and would
    give the share of a locality whose addresses it has seen elsewhere to the others.
    """
    parts: dict[tuple[str, int], Fraction] = {}
    for weight, endpoints in shares:
        addresses = {(one.address, one.port) for one in endpoints} or {NOWHERE}
        for address in addresses:
            parts[address] = parts.get(address, Fraction(0)) + Fraction(weight, len(addresses))
    weights = _whole(sorted(parts.items()))
    endpoints_ = [
        LbEndpoint(endpoint=Endpoint(address=kit.udp(*address)), load_balancing_weight=weight)
        for address, weight in weights.items()
    ]
    localities = [LocalityLbEndpoints(lb_endpoints=endpoints_)] if endpoints_ else []
    return Part(name, encode(ClusterLoadAssignment(cluster_name=name, endpoints=localities)), owners=owners)


def _whole(parts: Iterable[tuple[tuple[str, int], Fraction]]) -> dict[tuple[str, int], int]:
    """Whole numbers in the same proportion, the smallest there are; Envoy wants each to be at least 1, and their sum
    to have 32 bits.
    """
    found = dict(parts)
    common = lcm(*(one.denominator for one in found.values()))
    whole = {address: int(one * common) for address, one in found.items()}
    divisor = max(Fraction(gcd(*whole.values()) or 1), Fraction(sum(whole.values()), MAX_WEIGHTS))
    return {address: max(1, int(weight / divisor)) for address, weight in whole.items()}
