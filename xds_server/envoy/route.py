"""One routing rule to Envoy routes, as the bytes of VirtualHost.routes entries.

One rule's match gives one Envoy route, or several in a row where Envoy has no single spelling: backends with filters
that Envoy only knows on routes are split by cumulative runtime fractions.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from envoy_data_plane.envoy.config.route import v3 as api

from xds_server.envoy import http_manager, kit, names, retry, session
from xds_server.routing import escapes
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Applied, Feature, Place
from xds_server.routing.match import Match, PathKind
from xds_server.routing.rule import Action, Rule, WeightedBackend
from xds_server.wire.construct import fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part
from xds_server.wire.splice import splice

Route = fast(api.Route)
RouteMatch = fast(api.RouteMatch)
RouteMatchGrpc = fast(api.RouteMatchGrpcRouteMatchOptions)
RouteAction = fast(api.RouteAction)
DirectResponseAction = fast(api.DirectResponseAction)
HeaderMatcher = fast(api.HeaderMatcher)
QueryParameterMatcher = fast(api.QueryParameterMatcher)
WeightedCluster = fast(api.WeightedCluster)
ClusterWeight = fast(api.WeightedClusterClusterWeight)

Features = Mapping[str, Feature[Any, Any, Any]]
_NOT_FOUND = {
    500: api.RouteActionClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR,
    503: api.RouteActionClusterNotFoundResponseCode.SERVICE_UNAVAILABLE,
}
LONG_LIVED_IDLE = timedelta(hours=1)
"""Idle time-out of streams that may well be silent; others have the connection manager's."""
_LONG_LIVED = ("grpc", "http1")
"""Protocols of such streams; a backend has the second by name where it declares WebSocket."""


def build(rule: Rule, place: Place, features: Features, source: str) -> Part:
    """The leaf of one rule at one place. `source` tells apart the places a rule is served at."""
    routes = _routes(rule, place, features)
    owner = Owner(rule.id.kind, rule.id.route.namespace, rule.id.route.name, rule.id.field)
    return Part(
        f"{rule.id}@{source}",
        splice(api.VirtualHost, "routes", [encode(route) for route in routes]),
        owners=(owner,),
        fallback=lambda part: fault_leaf(part, rule),
    )


def fault_leaf(part: Part, rule: Rule) -> Part | None:
    """What stands in for a rejected rule: its match answered with 500 (503 where that is gRPC's)."""
    if rule.action.fault is not None:
        return None
    response = DirectResponseAction(status=rule.action.unusable)
    route = Route(name=_name(rule), match=_match(rule.match), direct_response=response)
    return Part(part.id, splice(api.VirtualHost, "routes", [encode(route)]), owners=part.owners)


def _routes(rule: Rule, place: Place, features: Features) -> list[api.Route]:
    action = rule.action
    if action.fault is not None:
        response = DirectResponseAction(status=action.fault.status)
        failing = Route(name=_name(rule), match=_match(rule.match), direct_response=response)
        return _guarded(failing, action.filters, place, features)
    if any(features[filter_.type].answers for filter_ in action.filters):
        return _edited(Route(name=_name(rule), match=_match(rule.match)), action.filters, place, features)
    serving = tuple(entry for entry in action.backends if entry.weight > 0)
    if len(serving) == 1 or any(_needs_route(entry, action, features) for entry in serving):
        return _one_route_each(rule, serving, place, features)
    forward = _forward(action, serving)
    forward.weighted_clusters = WeightedCluster(clusters=[_weight(entry, place, features) for entry in serving])
    route = Route(
        name=_name(rule), match=_match(rule.match), route=forward, request_body_buffer_limit=_kept_body(action)
    )
    return _edited(route, action.filters, place, features)


def _one_route_each(
    rule: Rule, serving: tuple[WeightedBackend, ...], place: Place, features: Features
) -> list[api.Route]:
    """Routes with the same match for shares of the traffic. Envoy draws one number per request for all of them, so
    the fractions are cumulative and the last route takes the rest.
    """
    total = sum(entry.weight for entry in serving)
    routes: list[api.Route] = []
    after = 0
    for index, entry in enumerate(serving):
        before, after = after, after + entry.weight
        filters = (*rule.action.filters, *entry.filters)
        match = _match(rule.match)
        if index < len(serving) - 1:
            match.runtime_fraction = kit.share(after, total)
        if isinstance(entry.backend, InvalidBackend):
            response = DirectResponseAction(status=rule.action.unusable)
            failing = Route(name=_name(rule), match=match, direct_response=response)
            routes += _guarded(failing, filters, place, features)
            continue
        forward = _forward(rule.action, (entry,))
        forward.cluster = names.cluster(entry.backend)
        kept = session.per_route(entry.session, secure=_is_secure(place))
        route = Route(
            name=_name(rule),
            match=match,
            route=forward,
            request_body_buffer_limit=_kept_body(rule.action),
            typed_per_filter_config=kept,
        )
        routes += _edited(route, filters, place, features)
        for policy in forward.request_mirror_policies:
            policy.runtime_fraction = kit.share_within(policy.runtime_fraction, before, after, total)
    return routes


def _edited(route: api.Route, filters: tuple[Applied, ...], place: Place, features: Features) -> list[api.Route]:
    """The route with its filters written in, after further routes that a filter asks to be tried first. The filter
    that answers is written last, since such further routes are copies of what has been written until then.
    """
    first: list[api.Route] = []
    for filter_ in sorted(filters, key=lambda filter_: features[filter_.type].answers):
        if (edit := features[filter_.type].edit_route) is not None:
            first += edit(filter_.config, route, place)
    return _wrapped([*first, route], filters, place, features)


def _guarded(route: api.Route, filters: tuple[Applied, ...], place: Place, features: Features) -> list[api.Route]:
    """A route that answers with a failure, with the filters that come before even that."""
    for filter_ in filters:
        feature = features[filter_.type]
        if feature.guards and feature.edit_route is not None:
            feature.edit_route(filter_.config, route, place)
    return _wrapped([route], filters, place, features)


def _wrapped(
    routes: list[api.Route], filters: tuple[Applied, ...], place: Place, features: Features
) -> list[api.Route]:
    if not filters:
        return routes
    for filter_ in {filter_.type: filter_ for filter_ in filters}.values():
        if (wrap := features[filter_.type].wrap) is not None:
            routes = wrap(filter_.config, routes, place)
    return routes


def _needs_route(entry: WeightedBackend, action: Action, features: Features) -> bool:
    """Filters without a spelling on weighted clusters; and any beside the rule's own, which come first, while Envoy
    applies the changes of a weighted cluster before those of its route.
    """
    missing = any(features[filter_.type].edit_backend is None for filter_ in entry.filters)
    return missing or bool(entry.filters and action.filters)


def _weight(entry: WeightedBackend, place: Place, features: Features) -> api.WeightedClusterClusterWeight:
    name = names.cluster(entry.backend) if isinstance(entry.backend, Backend) else names.MISSING_CLUSTER
    kept = session.per_route(entry.session, secure=_is_secure(place))
    weight = ClusterWeight(name=name, weight=entry.weight, typed_per_filter_config=kept)
    for filter_ in entry.filters:
        if (edit := features[filter_.type].edit_backend) is not None:
            edit(filter_.config, weight)
    return weight


def _is_secure(place: Place) -> bool:
    return place.scheme == "https"


def _forward(action: Action, serving: tuple[WeightedBackend, ...]) -> api.RouteAction:
    return RouteAction(
        cluster_not_found_response_code=_NOT_FOUND[action.unusable],
        timeout=_timeout(action),
        retry_policy=retry.policy(action.retry, action.timeouts.backend_request) if action.retry else None,
        idle_timeout=_idle(action, serving),
    )


def _kept_body(action: Action) -> int | None:
    return retry.BODY_LIMIT_BYTES if action.retry else None


def _idle(action: Action, serving: tuple[WeightedBackend, ...]) -> timedelta | None:
    """None for the connection manager's. Calls of gRPC and WebSockets are silent for long, so is whoever asked for no
    limit; and a backend that may take its time before it answers is not cut off before.
    """
    timeouts = (action.timeouts.request, action.timeouts.backend_request)
    limit = kit.milliseconds(max((limit for limit in timeouts if limit), default=0))
    protocols = {entry.backend.protocol for entry in serving if isinstance(entry.backend, Backend)}
    if 0 in timeouts or not protocols.isdisjoint(_LONG_LIVED):
        return max(limit, LONG_LIVED_IDLE)
    return limit if limit > http_manager.STREAM_IDLE else None


def _timeout(action: Action) -> timedelta:
    """The whole exchange; without retries a try's limit is the exchange's. 0 is no limit (Envoy's default is 15 s)."""
    timeouts = action.timeouts
    limits = (timeouts.request, None if action.retry else timeouts.backend_request)
    return kit.milliseconds(min((limit for limit in limits if limit), default=0))


def _name(rule: Rule) -> str:
    return names.rule(rule.id)


def _match(match: Match) -> api.RouteMatch:
    message = RouteMatch()
    pattern = None if match.path.kind is PathKind.REGEX else escapes.any_case(match.path.value)
    match match.path.kind:
        case PathKind.EXACT if pattern is not None:
            message.safe_regex = kit.RegexMatcher(regex=pattern)
        case PathKind.PREFIX if pattern is not None:
            message.safe_regex = kit.RegexMatcher(regex=f"{pattern}(?:/.*)?")
        case PathKind.EXACT:
            message.path = match.path.value
        case PathKind.PREFIX if match.path.value == "/":
            message.prefix = "/"
        case PathKind.PREFIX:
            message.path_separated_prefix = match.path.value
        case PathKind.REGEX:
            message.safe_regex = kit.RegexMatcher(regex=match.path.value)
    if match.rpc is not None:
        message.grpc = RouteMatchGrpc()
    if match.method is not None:
        message.headers.append(HeaderMatcher(name=":method", string_match=kit.StringMatcher(exact=match.method)))
    for value in match.headers:
        matcher = kit.string_matcher(value.value, regex=value.regex)
        message.headers.append(HeaderMatcher(name=value.name, string_match=matcher))
    for value in match.query:
        pattern = value.value if value.regex else escapes.of_parameter(value.value)
        matcher = kit.string_matcher(pattern or value.value, regex=pattern is not None)
        message.query_parameters.append(QueryParameterMatcher(name=value.name, string_match=matcher))
    return message
