"""Virtual hosts and RouteConfigurations, joined from the bytes of their children."""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.route import v3 as api

from xds_server.envoy import names
from xds_server.routing.listener import Scope
from xds_server.wire.construct import fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part
from xds_server.wire.splice import splice

VirtualHost = fast(api.VirtualHost)
RouteConfiguration = fast(api.RouteConfiguration)
Route = fast(api.Route)
RouteMatch = fast(api.RouteMatch)
DirectResponseAction = fast(api.DirectResponseAction)

HEADER_PREFIX = "host "
"""What the id of a virtual host's header leaf has before its domain."""
MISDIRECTED_REQUEST = 421
MISDIRECTED = "misdirected requests"
"""The virtual host of what is other listeners'; no hostname has a space."""
MISDIRECTED_ROUTE = "misdirected"
"""Its route, as access logs tell it."""


def segment(host: str, routes: Iterable[Part]) -> Part:
    """All routes of one host of a listener, in order."""
    parts = tuple(routes)
    return Part(host, b"".join([part.data for part in parts]), parts=parts)


def header(host: str, owners: Iterable[Owner]) -> Part:
    """The leaf that names the virtual host and its domain; without it there is no virtual host."""
    return Part(f"{HEADER_PREFIX}{host}", encode(VirtualHost(name=host, domains=[host])), owners=tuple(owners))


def join(top: Part, segments: Iterable[Part]) -> Part:
    """The virtual host of one domain: its own routes, then those of the wider hosts that cover it."""
    parts = (top, *segments)
    host = top.id.removeprefix(HEADER_PREFIX)
    body = b"".join([part.data for part in parts])
    return Part(host, splice(api.RouteConfiguration, "virtual_hosts", [body]), parts=parts)


def misdirected(domains: Iterable[str]) -> Part:
    """One virtual host for all hosts that other listeners own: 421, whatever is asked for."""
    top = Part(f"{HEADER_PREFIX}{MISDIRECTED}", encode(VirtualHost(name=MISDIRECTED, domains=list(domains))))
    answer = Route(
        name=MISDIRECTED_ROUTE,
        match=RouteMatch(prefix="/"),
        direct_response=DirectResponseAction(status=MISDIRECTED_REQUEST),
    )
    return join(top, [Part(MISDIRECTED_ROUTE, splice(api.VirtualHost, "routes", [encode(answer)]))])


def route_configuration(scope: Scope, virtual_hosts: Iterable[Part]) -> Part:
    """A RouteConfiguration. The port of a Host header takes no part in matching, and clusters need not exist yet."""
    name = names.route_configuration(scope)
    parts = tuple(virtual_hosts)
    header = encode(RouteConfiguration(name=name, validate_clusters=False, ignore_port_in_host_matching=True))
    return Part(name, b"".join([header, *[part.data for part in parts]]), parts=parts)
