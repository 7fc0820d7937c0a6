"""CORS: which pages of other origins may call, told to browsers by the gateway itself.

Source: Gateway API HTTPCORSFilter; Envoy's cors filter, which answers preflights before the request reaches any backend
and adds headers to answers. It sees no preflight that no route takes, and does nothing on a route that answers itself.
So preflights have a route of their own where the rule asks for a method or for headers, which a preflight does not
carry, or where it redirects or fails; and redirects and failures have a copy for allowed origins that carries the
headers. A backend's filter takes the place of its rule's.

Answers differ by Origin, be it only in whether they tell one, so every one says so in Vary (Fetch standard, "CORS
protocol and HTTP caches"), or a cache would hand the answer to one page to another.
"""

from dataclasses import dataclass
from typing import Any

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.http.cors import v3 as api
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter as HttpFilterMessage
from re2 import escape

from xds_server.envoy import kit, names
from xds_server.model.httproute import HTTPCORSFilter, HTTPRouteFilter
from xds_server.model.rules import syntax
from xds_server.routing.feature import Feature, Place, Refused, Surroundings
from xds_server.routing.request import Request, Response
from xds_server.semantics import patterns
from xds_server.semantics.routes.http import METHODS
from xds_server.wire.construct import any_of, copy_of, fast

HttpFilter = fast(HttpFilterMessage)
CorsFilter = fast(api.Cors)
CorsPolicy = fast(api.CorsPolicy)
Route = fast(route_v3.Route)
RouteAction = fast(route_v3.RouteAction)
HeaderMatcher = fast(route_v3.HeaderMatcher)

NAME = "envoy.filters.http.cors"
ANY = "*"
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_NOT_FOUND = route_v3.RouteActionClusterNotFoundResponseCode.NOT_FOUND
"""For what looks like a preflight to the route's match but not to the filter: an empty Origin."""
_PREFLIGHT = 200
_HOST = r"(?:[^/:\[\]]+|\[[^/\[\]]*\])"
"""What `*` stands for as a whole host: one or more labels, or an IPv6 address."""
_SUBDOMAINS = r"[^/:\[\]]+"
"""What `*` stands for before other labels: one or more labels."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An allowed origin as browsers spell it (lower case, no port that is the scheme's own), or an expression, which
    stands for what is `written`.
    """

    value: str
    regex: bool = False
    written: str = ""


@dataclass(frozen=True, slots=True)
class Cors:
    """What is told to browsers. `*` alone in origins, methods or headers allows all; `max_age` in seconds."""

    origins: tuple[Origin, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    expose: tuple[str, ...]
    credentials: bool
    max_age: int


def _parse(spec: HTTPRouteFilter, _: Surroundings[Any]) -> Cors | Refused:
    cors = spec.cors
    if cors is None:
        return Refused("UnsupportedValue", "cors is missing")
    if problem := _problem(cors):
        return Refused("UnsupportedValue", f"cors.{problem}")
    origins = tuple(_origin(origin) for origin in _all_or_some(cors.allow_origins))
    if problem := patterns.problem(_expression(origins)):
        return Refused("UnsupportedValue", f"cors.allowOrigins: {problem}")
    return Cors(
        origins=origins,
        methods=_all_or_some(cors.allow_methods),
        headers=_all_or_some(cors.allow_headers),
        expose=tuple(dict.fromkeys(cors.expose_headers)),
        credentials=cors.allow_credentials,
        max_age=cors.max_age,
    )


def _problem(cors: HTTPCORSFilter) -> str | None:
    for index, origin in enumerate(cors.allow_origins):
        if reason := syntax.origin(origin):
            return f"allowOrigins[{index}]: {reason}"
    for index, method in enumerate(cors.allow_methods):
        if method not in METHODS and method != ANY:
            return f"allowMethods[{index}]: {method} is not a method"
    for field, headers in (("allowHeaders", cors.allow_headers), ("exposeHeaders", cors.expose_headers)):
        for index, header in enumerate(headers):
            if reason := syntax.header_name(header):
                return f"{field}[{index}]: {reason}"
    if ANY in cors.expose_headers and cors.allow_credentials:
        return "exposeHeaders: * has no meaning to browsers beside allowCredentials"
    return f"maxAge: must be at least 1, is {cors.max_age}" if cors.max_age < 1 else None


def _all_or_some(values: tuple[str, ...]) -> tuple[str, ...]:
    return (ANY,) if ANY in values else tuple(dict.fromkeys(values))


def _origin(origin: str) -> Origin:
    """A wildcard stands for any labels to its left, dots included; a port that is not named is the scheme's."""
    if origin == ANY:
        return Origin(ANY)
    scheme, _, rest = origin.lower().partition("://")
    rest = rest.removesuffix(_DEFAULT_PORTS[scheme])
    if not rest.startswith(ANY):
        return Origin(f"{scheme}://{rest}")
    rest = rest.removeprefix(ANY)
    any_host = _SUBDOMAINS if rest.startswith(".") else _HOST
    return Origin(f"{scheme}://{any_host}{escape(rest)}", regex=True, written=origin)


def _expression(origins: tuple[Origin, ...]) -> str:
    """All of them in one regular expression."""
    return "|".join(f"(?:{one.value if one.regex else escape(one.value)})" for one in origins) or "$^"


def _policy(cors: Cors, *, headers: bool = True) -> api.CorsPolicy:
    return CorsPolicy(
        allow_origin_string_match=[kit.string_matcher(one.value, regex=one.regex) for one in cors.origins],
        allow_methods=", ".join(cors.methods),
        allow_headers=", ".join(cors.headers) if headers else "",
        expose_headers=", ".join(cors.expose),
        max_age=str(cors.max_age),
        allow_credentials=cors.credentials,
        forward_not_matching_preflights=False,
    )


def _wrap(cors: Cors, routes: list[route_v3.Route], place: Place) -> list[route_v3.Route]:
    """The last route is the rule's own; others before it are for some of the requests that it would take."""
    answers = routes[-1].route is None
    missed = place.match.headers or place.match.method not in (None, "OPTIONS")
    wrapped = []
    if cors.headers == (ANY,):
        wrapped.append(_preflight(routes[-1], place, _policy(cors, headers=False), _NO_HEADERS_ASKED))
    if answers or missed:
        wrapped.append(_preflight(routes[-1], place, _policy(cors)))
    for route in routes:
        if cors.origins:
            route.response_headers_to_add = [*route.response_headers_to_add, _VARY]
        if route.route is not None:
            route.typed_per_filter_config = {**route.typed_per_filter_config, NAME: any_of(_policy(cors))}
        elif cors.origins:
            wrapped.append(_shared(cors, route))
        wrapped.append(route)
    return wrapped


_VARY = kit.HeaderValueOption(
    header=kit.HeaderValue(key="vary", value="Origin"),
    append_action=core.HeaderValueOptionHeaderAppendAction.APPEND_IF_EXISTS_OR_ADD,
    keep_empty_value=True,
)
"""Preflights need none: no cache keeps answers to OPTIONS."""
_NO_HEADERS_ASKED = HeaderMatcher(name="access-control-request-headers", present_match=True, invert_match=True)
"""A preflight that asks for no headers is told none; Envoy would tell it an empty name."""


def _preflight(
    route: route_v3.Route, place: Place, policy: api.CorsPolicy, *more: route_v3.HeaderMatcher
) -> route_v3.Route:
    """A route for the preflights of requests that another one takes. Its cluster is never asked."""
    assert route.match is not None
    match = copy_of(route.match)
    method = place.match.method
    asked = HeaderMatcher(name="access-control-request-method", present_match=True)
    if method not in (None, "OPTIONS"):
        asked = HeaderMatcher(name=asked.name, string_match=kit.string_matcher(method or "", regex=False))
    match.headers = [
        HeaderMatcher(name=":method", string_match=kit.string_matcher("OPTIONS", regex=False)),
        HeaderMatcher(name="origin", present_match=True),
        asked,
        *more,
    ]
    return Route(
        name=route.name,
        match=match,
        route=RouteAction(cluster=names.MISSING_CLUSTER, cluster_not_found_response_code=_NOT_FOUND),
        typed_per_filter_config={NAME: any_of(policy)},
    )


def _shared(cors: Cors, route: route_v3.Route) -> route_v3.Route:
    """The route for requests of allowed origins, whose pages may read the answer."""
    assert route.match is not None
    shared = copy_of(route)
    shared.match = copy_of(route.match)
    origin = HeaderMatcher(name="origin", present_match=True)
    if cors.origins != (Origin(ANY),):
        origin = HeaderMatcher(name="origin", string_match=kit.string_matcher(_expression(cors.origins), regex=True))
    shared.match.headers = [*route.match.headers, origin]
    told = {"access-control-allow-origin": "%REQ(origin)%"}
    if cors.credentials:
        told["access-control-allow-credentials"] = "true"
    if cors.expose:
        told["access-control-expose-headers"] = ", ".join(cors.expose)
    shared.response_headers_to_add = [*route.response_headers_to_add, *(_header(*one) for one in told.items())]
    return shared


def _header(name: str, value: str) -> core.HeaderValueOption:
    action = core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    return kit.HeaderValueOption(
        header=kit.HeaderValue(key=name, value=value), append_action=action, keep_empty_value=True
    )


def _describe(cors: Cors) -> str:
    origins = [one.written or one.value for one in cors.origins]
    told = {"origins": origins, "methods": cors.methods, "headers": cors.headers}
    return ", ".join(f"{name} {' '.join(values) or 'none'}" for name, values in told.items())


def _intercepts(_: Cors, place: Place, request: Request) -> Response | None:
    """Preflights, of allowed origins and of others: these are told nothing."""
    asked = request.values("access-control-request-method")
    if request.method != "OPTIONS" or not asked or not request.values("origin"):
        return None
    return Response(_PREFLIGHT) if place.match.method in (None, "OPTIONS", *asked) else None


CORS: Feature[HTTPRouteFilter, Cors, route_v3.Route] = Feature(
    name="cors",
    type="CORS",
    advertises=("HTTPRouteCORS",),
    parse=_parse,
    wrap=_wrap,
    describe=_describe,
    intercepts=_intercepts,
    chain=(HttpFilter(name=NAME, typed_config=any_of(CorsFilter())),),
)
