"""GRPCRoute: matches on service, method and headers, as matches on the path of an HTTP request.

Source: Gateway API GRPCRouteMatch. A call of `package.Service/Method` is a POST to `/package.Service/Method`.
"""

from typing import Any

from re2 import escape

from xds_server.model import grpcroute as api
from xds_server.routing.feature import Refused
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.semantics import patterns
from xds_server.semantics.routes.l7 import Dialect, values
from xds_server.semantics.world import World

_ANY = "[^/]+"


def _match(spec: api.GRPCRouteMatch, world: World) -> Match | list[str]:
    problems: list[str] = []
    path = _path(spec.method, world, problems)
    headers = values("headers", spec.headers, world, problems, lower=True)
    if problems:
        return problems
    service, method = (spec.method.service or "", spec.method.method or "") if spec.method else ("", "")
    return Match(path, headers, rpc=(len(service), len(method)))


def _path(spec: api.GRPCMethodMatch | None, world: World, problems: list[str]) -> PathMatch:
    """Where a call of the method goes; `problems` gets what is wrong with the match."""
    if spec is None or not (spec.service or spec.method):
        return PathMatch(PathKind.PREFIX, "/")
    if spec.type == "Exact":
        if spec.service and spec.method:
            return PathMatch(PathKind.EXACT, f"/{spec.service}/{spec.method}")
        if spec.service:
            return PathMatch(PathKind.PREFIX, f"/{spec.service}")
        return PathMatch(PathKind.REGEX, f"/{_ANY}/{escape(spec.method)}")
    if spec.type != "RegularExpression":
        problems.append(f"method.type: {spec.type} is not supported")
    for field, value in (("service", spec.service), ("method", spec.method)):
        if value and world.checks and (problem := patterns.problem(value)):
            problems.append(f"method.{field}: {problem}")
    service, method = (f"(?:{value})" if value else _ANY for value in (spec.service, spec.method))
    return PathMatch(PathKind.REGEX, f"/{service}/{method}")


def _settings(_: api.GRPCRouteRule, __: str) -> tuple[dict[str, Any], list[Refused]]:
    return {}, []


GRPC = Dialect(kind="GRPCRoute", spoken="grpc", unusable=503, match=_match, settings=_settings)
