"""HTTPRoute: matches on path, method, headers and query; timeouts and retries."""

from typing import Any

from xds_server.model import httproute as api
from xds_server.routing import escapes
from xds_server.routing.feature import Refused
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.rule import Retry, Timeouts
from xds_server.semantics import durations, patterns
from xds_server.semantics.routes.l7 import Dialect, values
from xds_server.semantics.world import World

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
PATH_KINDS = {"Exact": PathKind.EXACT, "PathPrefix": PathKind.PREFIX, "RegularExpression": PathKind.REGEX}


def _match(spec: api.HTTPRouteMatch, world: World) -> Match | list[str]:
    """The match, or all that is wrong with it."""
    problems: list[str] = []
    if spec.path.type not in PATH_KINDS:
        problems.append(f"path.type: {spec.path.type} is not supported")
    kind = PATH_KINDS.get(spec.path.type, PathKind.EXACT)
    value = spec.path.value
    if kind is not PathKind.REGEX:  # as requests are compared
        value = escapes.capital(escapes.unescaped(value))
    if kind is PathKind.PREFIX:
        value = value.rstrip("/") or "/"
    if kind is PathKind.REGEX and world.checks and (problem := patterns.problem(value)):
        problems.append(f"path.value: {problem}")
    if spec.method is not None and spec.method not in METHODS:
        problems.append(f"method: {spec.method} is not supported")
    headers = values("headers", spec.headers, world, problems, lower=True)
    query = values("queryParams", spec.query_params, world, problems, lower=False)
    return problems or Match(PathMatch(kind, value), headers, query, spec.method)


def _settings(rule: api.HTTPRouteRule, place: str) -> tuple[dict[str, Any], list[Refused]]:
    found = {"timeouts": _timeouts(place, rule.timeouts), "retry": _retry(f"{place}.retry", rule.retry)}
    refused = [one for one in found.values() if isinstance(one, Refused)]
    return {field: value for field, value in found.items() if not isinstance(value, Refused)}, refused


def _timeouts(place: str, spec: api.HTTPRouteTimeouts | None) -> Timeouts | Refused:
    if spec is None:
        return Timeouts()
    try:
        request = None if spec.request is None else durations.milliseconds(spec.request)
        backend = None if spec.backend_request is None else durations.milliseconds(spec.backend_request)
    except ValueError as error:
        return Refused("UnsupportedValue", f"{place}.timeouts: {error}")
    if request and backend and backend > request:
        message = f"{place}.timeouts: backendRequest {spec.backend_request} is longer than request {spec.request}"
        return Refused("UnsupportedValue", message)
    return Timeouts(request, backend)


def _retry(place: str, spec: api.HTTPRouteRetry | None) -> Retry | Refused | None:
    """None where no further try is made, be it that the rule says so (0 attempts)."""
    if spec is None:
        return None
    for index, code in enumerate(spec.codes):
        if not 400 <= code <= 599:
            return Refused("UnsupportedValue", f"{place}.codes[{index}]: {code} is not from 400 to 599")
    if spec.attempts < 0:
        return Refused("UnsupportedValue", f"{place}.attempts: {spec.attempts} is less than 0")
    try:
        backoff = None if spec.backoff is None else durations.milliseconds(spec.backoff)
    except ValueError as error:
        return Refused("UnsupportedValue", f"{place}.backoff: {error}")
    return Retry(spec.attempts, tuple(dict.fromkeys(spec.codes)), backoff) if spec.attempts else None


HTTP = Dialect(
    kind="HTTPRoute",
    spoken="http",
    unusable=500,
    match=_match,
    settings=_settings,
)
