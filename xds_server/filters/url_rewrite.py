"""URLRewrite: the Host and path that the backend sees. Source: Gateway API HTTPURLRewriteFilter."""

from dataclasses import dataclass
from typing import Any

from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from xds_server.envoy import path_rewrite
from xds_server.model.httproute import HTTPRouteFilter
from xds_server.routing.feature import Feature, Place, Refused, Surroundings
from xds_server.routing.path_change import PathChange
from xds_server.semantics import path_modifier


@dataclass(frozen=True, slots=True)
class Rewrite:
    """None keeps the request's."""

    hostname: str | None
    path: PathChange | None


def _parse(spec: HTTPRouteFilter, around: Surroundings[Any]) -> Rewrite | Refused:
    rewrite = spec.url_rewrite
    if rewrite is None:
        return Refused("UnsupportedValue", "urlRewrite is missing")
    path: PathChange | None = None
    if rewrite.path is not None:
        parsed = path_modifier.parse(rewrite.path, "urlRewrite.path", around)
        if isinstance(parsed, Refused):
            return parsed
        path = parsed
    return Rewrite(rewrite.hostname, path)


def _edit_route(rewrite: Rewrite, route: route_v3.Route, place: Place) -> list[route_v3.Route]:
    action = route.route
    assert action is not None
    if rewrite.hostname is not None:
        action.host_rewrite_literal = rewrite.hostname
    if (change := _path(rewrite, place)) is not None:  # instead of a rule's, where this is its backend's
        action.prefix_rewrite = change if isinstance(change, str) else ""
        action.regex_rewrite = None if isinstance(change, str) else change
    return []


def _path(rewrite: Rewrite, place: Place) -> str | matcher.RegexMatchAndSubstitute | None:
    if rewrite.path is not None and rewrite.path.full is not None:
        return path_rewrite.substitution("^/.*$", rewrite.path.full)
    if rewrite.path is not None and rewrite.path.prefix is not None:
        return path_rewrite.prefix_rewrite(rewrite.path.prefix, place.match)
    return None


def _describe(rewrite: Rewrite) -> str:
    host = f"Host {rewrite.hostname}" if rewrite.hostname is not None else ""
    return ", ".join(filter(None, (host, str(rewrite.path or ""))))


URL_REWRITE: Feature[HTTPRouteFilter, Rewrite, route_v3.Route] = Feature(
    name="url-rewrite",
    type="URLRewrite",
    advertises=("HTTPRouteBackendURLRewrite", "HTTPRouteHostRewrite", "HTTPRoutePathRewrite"),
    parse=_parse,
    edit_route=_edit_route,
    describe=_describe,
    forwards=True,
)
