"""The endpoints of one Service port to a ClusterLoadAssignment, by zone; those of several, by share."""

from collections.abc import Iterable, Sequence

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

NOWHERE = ServingEndpoint("", "127.0.0.1", 9)
"""Discards what is sent to it, or does not exist: what is to be dropped goes there and leaves the machine in no case.
"""


def assignment(name: str, endpoints: Iterable[ServingEndpoint]) -> Part:
    """The assignment of that name. Empty is a value too: requests are answered with 503."""
    zones: dict[str, list[api.LbEndpoint]] = {}
    for endpoint in sorted(set(endpoints)):
        address = kit.tcp(endpoint.address, endpoint.port)
        zones.setdefault(endpoint.zone, []).append(LbEndpoint(endpoint=Endpoint(address=address)))
    localities = [
        LocalityLbEndpoints(
            locality=Locality(zone=zone), lb_endpoints=endpoints_, load_balancing_weight=len(endpoints_)
        )
        for zone, endpoints_ in zones.items()
    ]
    return Part(name, encode(ClusterLoadAssignment(cluster_name=name, endpoints=localities)))


def shared(name: str, shares: Iterable[tuple[int, Sequence[ServingEndpoint]]], owners: tuple[Owner, ...]) -> Part:
    """The assignment that several backends share by weight. The share of one without endpoints is dropped."""
    localities = [
        LocalityLbEndpoints(
            locality=Locality(region=str(index)),
            lb_endpoints=[
                LbEndpoint(endpoint=Endpoint(address=kit.udp(one.address, one.port)))
                for one in sorted(set(endpoints)) or (NOWHERE,)
            ],
            load_balancing_weight=weight,
        )
        for index, (weight, endpoints) in enumerate(shares)
    ]
    return Part(name, encode(ClusterLoadAssignment(cluster_name=name, endpoints=localities)), owners=owners)
