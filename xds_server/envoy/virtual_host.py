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

HEADER_PREFIX = "host "
"""What the id of a virtual host's header leaf has before its domain."""


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


def route_configuration(scope: Scope, virtual_hosts: Iterable[Part]) -> Part:
    """A RouteConfiguration. The port of a Host header takes no part in matching, and clusters need not exist yet."""
    name = names.route_configuration(scope)
    parts = tuple(virtual_hosts)
    header = encode(RouteConfiguration(name=name, validate_clusters=False, ignore_port_in_host_matching=True))
    return Part(name, b"".join([header, *[part.data for part in parts]]), parts=parts)
