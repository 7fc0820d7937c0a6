"""Rewrites of hosts and paths, a backend's after its rule's."""

import pytest
from envoy_data_plane.envoy.config.route import v3 as api

from xds_server.filters.url_rewrite import URL_REWRITE, Rewrite
from xds_server.routing.feature import Place
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.path_change import PathChange
from xds_server.wire.construct import fast

PLACE = Place(80, "http", Match(PathMatch(PathKind.PREFIX, "/old")))
FULL, PREFIX, ROOT = PathChange(full="/full"), PathChange(prefix="/new"), PathChange(prefix="/")


def rewritten(*rewrites: Rewrite) -> api.RouteAction:
    route = fast(api.Route)(route=fast(api.RouteAction)(cluster="a"))
    for rewrite in rewrites:
        assert URL_REWRITE.edit_route is not None
        assert URL_REWRITE.edit_route(rewrite, route, PLACE) == []
    assert route.route is not None
    return route.route


@pytest.mark.parametrize("first", [FULL, PREFIX, ROOT])
@pytest.mark.parametrize("second", [FULL, PREFIX, ROOT])
def test_the_later_path_replaces_the_earlier_one(first: PathChange, second: PathChange) -> None:
    """Envoy refuses a route that has both a prefix and an expression to rewrite."""
    both, alone = rewritten(Rewrite(None, first), Rewrite(None, second)), rewritten(Rewrite(None, second))
    assert (both.prefix_rewrite, both.regex_rewrite) == (alone.prefix_rewrite, alone.regex_rewrite)
    assert bool(both.prefix_rewrite) != (both.regex_rewrite is not None)


def test_what_a_later_rewrite_does_not_mention_stays() -> None:
    found = rewritten(Rewrite("a.example.com", PREFIX), Rewrite("b.example.com", None))
    assert (found.host_rewrite_literal, found.prefix_rewrite) == ("b.example.com", "/new")
    found = rewritten(Rewrite("a.example.com", None), Rewrite(None, PREFIX))
    assert (found.host_rewrite_literal, found.prefix_rewrite) == ("a.example.com", "/new")
