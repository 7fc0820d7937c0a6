"""RequestRedirect.

Source: Gateway API HTTPRequestRedirectFilter. The port of Location is the filter's, else that of its scheme, else the
listener's; a port that is its scheme's own is left out. Envoy keeps the port of the Host header unless told one, and
prints one that it was told: a request whose Host carries a port therefore has a route of its own. A new path that has a
query of its own goes without the request's, which has no place beside it.
"""

import re
from dataclasses import dataclass
from typing import Any

from envoy_data_plane.envoy.config.route import v3 as route_v3

from xds_server.envoy import kit, path_rewrite
from xds_server.model.httproute import HTTPRouteFilter
from xds_server.model.rules import syntax
from xds_server.routing.feature import Feature, Place, Refused, Surroundings
from xds_server.routing.path_change import PathChange
from xds_server.routing.request import Request, Response
from xds_server.semantics import path_modifier
from xds_server.wire.construct import copy_of, fast

RedirectAction = fast(route_v3.RedirectAction)
HeaderMatcher = fast(route_v3.HeaderMatcher)

_Code = route_v3.RedirectActionRedirectResponseCode
CODES = {
    301: _Code.MOVED_PERMANENTLY,
    302: _Code.FOUND,
    303: _Code.SEE_OTHER,
    307: _Code.TEMPORARY_REDIRECT,
    308: _Code.PERMANENT_REDIRECT,
}
WELL_KNOWN_PORTS = {"http": 80, "https": 443}
_HOST_HAS_PORT = HeaderMatcher(
    name=":authority", string_match=kit.StringMatcher(safe_regex=kit.RegexMatcher(regex=r".*:[0-9]+"))
)


@dataclass(frozen=True, slots=True)
class Redirect:
    """What Location says; None keeps the request's."""

    scheme: str | None
    hostname: str | None
    port: int | None
    path: PathChange | None
    code: int


def _parse(spec: HTTPRouteFilter, around: Surroundings[Any]) -> Redirect | Refused:
    redirect = spec.request_redirect
    if redirect is None:
        return Refused("UnsupportedValue", "requestRedirect is missing")
    if redirect.scheme not in (None, *WELL_KNOWN_PORTS):
        return Refused("UnsupportedValue", f"requestRedirect.scheme: {redirect.scheme} is not supported")
    if redirect.status_code not in CODES:
        return Refused("UnsupportedValue", f"requestRedirect.statusCode: {redirect.status_code} is not supported")
    if redirect.port is not None and (reason := syntax.port(redirect.port)):
        return Refused("UnsupportedValue", f"requestRedirect.port: {reason}")
    path: PathChange | None = None
    if redirect.path is not None:
        parsed = path_modifier.parse(redirect.path, "requestRedirect.path", around, location=True)
        if isinstance(parsed, Refused):
            return parsed
        path = parsed
    return Redirect(redirect.scheme, redirect.hostname, redirect.port, path, redirect.status_code)


def _edit_route(redirect: Redirect, route: route_v3.Route, place: Place) -> list[route_v3.Route]:
    scheme, port = _target(redirect, place)
    route.redirect = _action(redirect, place)
    if port != WELL_KNOWN_PORTS[scheme]:
        route.redirect.port_redirect = port
        return []
    if redirect.hostname is not None:
        return []
    with_port = copy_of(route)
    assert with_port.match is not None
    with_port.match = copy_of(with_port.match)
    with_port.match.headers = [*with_port.match.headers, _HOST_HAS_PORT]
    with_port.redirect = _action(redirect, place)
    with_port.redirect.port_redirect = port
    return [with_port]


def _target(redirect: Redirect, place: Place) -> tuple[str, int]:
    """The scheme and port of Location."""
    port = redirect.port or (WELL_KNOWN_PORTS[redirect.scheme] if redirect.scheme else place.port)
    return redirect.scheme or place.scheme, port


def _action(redirect: Redirect, place: Place) -> route_v3.RedirectAction:
    action = RedirectAction(
        scheme_redirect=redirect.scheme or place.scheme,
        host_redirect=redirect.hostname or "",
        response_code=CODES[redirect.code],
    )
    if redirect.path is not None and redirect.path.full is not None:
        action.path_redirect = redirect.path.full
    elif redirect.path is not None and redirect.path.prefix is not None:
        rewrite = path_rewrite.prefix_rewrite(redirect.path.prefix, place.match)
        if isinstance(rewrite, str):
            action.prefix_rewrite = rewrite
        else:
            action.regex_rewrite = rewrite
    return action


def _describe(redirect: Redirect) -> str:
    parts = {"scheme": redirect.scheme, "host": redirect.hostname, "port": redirect.port, "": redirect.path}
    told = [f"{name} {value}".strip() for name, value in parts.items() if value is not None]
    return f"{redirect.code} to the same address" if not told else f"{redirect.code} to {', '.join(told)}"


def _response(redirect: Redirect, place: Place, request: Request) -> Response:
    """Location as Envoy makes it of the route that `_edit_route` writes."""
    scheme, port = _target(redirect, place)
    host, written = _split(request.authority)
    if redirect.hostname is not None:
        host, written = redirect.hostname, ""
    if port != WELL_KNOWN_PORTS[scheme] or written:
        host = f"{host}:{port}"
    path, mark, query = request.path.partition("?")
    if redirect.path is not None:
        path = redirect.path.apply(path, place.match.path.value)
    told = path if "?" in path else f"{path}{mark}{query}"
    return Response(redirect.code, f"{scheme}://{host}{told}")


def _split(authority: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.*):([0-9]+)", authority)
    return (found[1], found[2]) if found else (authority, "")


REQUEST_REDIRECT: Feature[HTTPRouteFilter, Redirect, route_v3.Route] = Feature(
    name="request-redirect",
    type="RequestRedirect",
    advertises=(
        "HTTPRoute303RedirectStatusCode",
        "HTTPRoute307RedirectStatusCode",
        "HTTPRoute308RedirectStatusCode",
        "HTTPRoutePathRedirect",
        "HTTPRoutePortRedirect",
        "HTTPRouteSchemeRedirect",
    ),
    parse=_parse,
    edit_route=_edit_route,
    answers=True,
    describe=_describe,
    response=_response,
    on_backends=False,
)
