"""EndpointSlices to the endpoints that take traffic on one port of a Service.

Source: EndpointSlice API conditions; as kube-proxy does, endpoints that are terminating but still serve are used when
there is no ready one. An address takes the share of any other, wherever it is: `trafficDistribution`, the hints that
it leaves in EndpointSlices and `internalTrafficPolicy` say what a node may keep to itself, and what is made here is for
all proxies of a Gateway, on whichever nodes and in whichever zones they run. Zones are told to Envoy all the same.
"""

from collections.abc import Iterable

from xds_server.model.core import Endpoint, EndpointSlice
from xds_server.routing.endpoint import ServingEndpoint

ADDRESS_TYPES = ("IPv4", "IPv6")


def serving(slices: Iterable[EndpointSlice], port_name: str) -> list[ServingEndpoint]:
    """The addresses behind the Service port of that name."""
    ready: list[ServingEndpoint] = []
    leaving: list[ServingEndpoint] = []
    for slice_ in slices:
        port = _port(slice_, port_name)
        if port is None or slice_.address_type not in ADDRESS_TYPES:
            continue
        for endpoint in slice_.endpoints or ():
            state = _state(endpoint)
            if state is not None and endpoint.addresses:
                found = ServingEndpoint(endpoint.zone or "", endpoint.addresses[0], port)
                (ready if state else leaving).append(found)
    return ready or leaving


def _port(slice_: EndpointSlice, name: str) -> int | None:
    for port in slice_.ports or ():
        if (port.name or "") == name and port.port is not None:
            return port.port
    return None


def _state(endpoint: Endpoint) -> bool | None:
    """True: ready; False: leaving but still serving; None: takes no traffic. An absent `ready` means ready."""
    conditions = endpoint.conditions
    if conditions.ready is not False:
        return True
    if conditions.terminating and conditions.serving:
        return False
    return None
