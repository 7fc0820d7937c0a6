"""Virtual hosts and RouteConfigurations, joined from the bytes of their children."""

from collections.abc import Iterable, Mapping
from typing import Any

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
FILTERS_PREFIX = "filters of "
"""What the id of the leaf with a listener's own filters has before the listener."""
CLOSED = "closed"
"""The route of a virtual host that is not to be served, as access logs tell it."""
NO_ROUTE = "no route"
"""The route of what no other takes, as access logs tell it."""


def segment(host: str, routes: Iterable[Part]) -> Part:
    """All routes of one host of a listener, in order."""
    parts = tuple(routes)
    return Part(host, b"".join([part.data for part in parts]), parts=parts)


def header(host: str, owners: Iterable[Owner]) -> Part:
    """The leaf that names the virtual host and its domain; without it there is no virtual host."""
    return Part(f"{HEADER_PREFIX}{host}", encode(VirtualHost(name=host, domains=[host])), owners=tuple(owners))


def join(top: Part, segments: Iterable[Part], filters: Part | None = None) -> Part:
    """The virtual host of one domain: its own routes, then those of the wider hosts that cover it. `filters` are the
    listener's own: they see its requests, routed or not. What comes last is always the same, so it is no part that
    could be blamed for anything.
    """
    host = top.id.removeprefix(HEADER_PREFIX)
    parts = (top, *segments) if filters is None else (top, filters, *segments)
    last = _MISDIRECTED if host == MISDIRECTED else b"" if filters is None else _UNROUTED
    body = b"".join([part.data for part in parts] + [last])
    return Part(host, splice(api.RouteConfiguration, "virtual_hosts", [body]), parts=parts)


def filters_leaf(settings: Mapping[str, Any], owner: Owner) -> Part:
    """The leaf with a listener's own filters. What is rejected of it closes the virtual host: nothing goes past it."""
    return Part(
        f"{FILTERS_PREFIX}{owner}",
        encode(VirtualHost(typed_per_filter_config=dict(settings))),
        owners=(owner,),
        fallback=closed,
    )


def closed(filters: Part) -> Part:
    """In place of a listener's filters: 500, whatever is asked for."""
    return Part(filters.id, _everything(CLOSED, 500), owners=filters.owners)


def misdirected(domains: Iterable[str]) -> Part:
    """The leaf that names the virtual host for all hosts that other listeners own: 421, whatever is asked for."""
    return Part(f"{HEADER_PREFIX}{MISDIRECTED}", encode(VirtualHost(name=MISDIRECTED, domains=list(domains))))


def _everything(name: str, status: int) -> bytes:
    """A route for all requests."""
    answer = DirectResponseAction(status=status)
    return splice(
        api.VirtualHost, "routes", [encode(Route(name=name, match=RouteMatch(prefix="/"), direct_response=answer))]
    )


_MISDIRECTED = _everything(MISDIRECTED_ROUTE, MISDIRECTED_REQUEST)
_UNROUTED = _everything(NO_ROUTE, 404)
"""Envoy runs what a virtual host configures only for requests that one of its routes takes."""


def route_configuration(scope: Scope, virtual_hosts: Iterable[Part]) -> Part:
    """A RouteConfiguration. The port of a Host header takes no part in matching, and clusters need not exist yet."""
    name = names.route_configuration(scope)
    parts = tuple(virtual_hosts)
    header = encode(RouteConfiguration(name=name, validate_clusters=False, ignore_port_in_host_matching=True))
    return Part(name, b"".join([header, *[part.data for part in parts]]), parts=parts)
