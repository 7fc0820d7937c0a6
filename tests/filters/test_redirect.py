"""Location, as Envoy makes it of a redirect, against what the API asks for."""

import re

import pytest
from envoy_data_plane.envoy.config.route import v3 as api
from hypothesis import given
from hypothesis import strategies as st

from xds_server.filters.redirect import CODES, REQUEST_REDIRECT, Redirect
from xds_server.model.httproute import HTTPRequestRedirectFilter, HTTPRouteFilter
from xds_server.routing.feature import Place, Refused, Surroundings
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.wire.construct import fast

ROOT = Match(PathMatch(PathKind.PREFIX, "/"))
DEFAULTS = {"http": 80, "https": 443}


def routes(redirect: Redirect, place: Place) -> list[api.Route]:
    route = fast(api.Route)(match=fast(api.RouteMatch)(prefix="/"))
    assert REQUEST_REDIRECT.edit_route is not None
    return [*REQUEST_REDIRECT.edit_route(redirect, route, place), route]


def location(found: list[api.Route], host: str) -> tuple[str, str, int]:
    """Scheme, host and port of Envoy's answer. Source: Envoy's RouteEntryImplBase::newUri; the scheme is always told."""
    for route in found:
        assert route.match is not None
        patterns = [one.string_match.safe_regex.regex for one in route.match.headers]  # type: ignore[union-attr]
        if all(re.fullmatch(pattern, host) for pattern in patterns):
            break
    action = route.redirect
    assert action is not None
    name, _, port = host.partition(":")
    final = action.host_redirect
    if not final:
        final = name if action.port_redirect else host
    if action.port_redirect:
        final = f"{final}:{action.port_redirect}"
    name, _, port = final.partition(":")
    return action.scheme_redirect, name, int(port or DEFAULTS[action.scheme_redirect])


@given(
    scheme=st.sampled_from([None, "http", "https"]),
    hostname=st.sampled_from([None, "new.example.com"]),
    port=st.sampled_from([None, 80, 443, 8080]),
    place=st.sampled_from([("http", 80), ("http", 8080), ("https", 443), ("https", 8443)]),
    host=st.sampled_from(["old.example.com", "old.example.com:80", "old.example.com:8080", "old.example.com:30443"]),
)
def test_scheme_host_and_port(
    scheme: str | None, hostname: str | None, port: int | None, place: tuple[str, int], host: str
) -> None:
    """The port is the filter's, else the scheme's if the filter has one, else the listener's; never the request's."""
    found = routes(Redirect(scheme, hostname, port, None, 302), Place(place[1], place[0], ROOT))
    wanted_port = port or (DEFAULTS[scheme] if scheme else place[1])
    assert location(found, host) == (scheme or place[0], hostname or "old.example.com", wanted_port)


def test_a_port_that_goes_without_saying_is_not_printed() -> None:
    (route,) = routes(Redirect("https", "new.example.com", 443, None, 302), Place(80, "http", ROOT))
    assert route.redirect is not None
    assert route.redirect.port_redirect == 0


def test_the_second_route_differs_in_its_host_alone() -> None:
    with_port, plain = routes(Redirect(None, None, None, None, 307), Place(80, "http", ROOT))
    assert with_port.match is not None
    assert plain.match is not None
    assert len(with_port.match.headers) == 1
    assert plain.match.headers == []
    assert with_port.redirect is not None
    assert plain.redirect is not None
    assert with_port.redirect.response_code == plain.redirect.response_code == CODES[307]


@pytest.mark.parametrize("code", [300, 304, 305, 200, 0])
def test_codes_that_are_no_redirects(code: int) -> None:
    spec = HTTPRouteFilter(type="RequestRedirect", request_redirect=HTTPRequestRedirectFilter(status_code=code))
    found = REQUEST_REDIRECT.parse(spec, Surroundings(lambda _: _))
    assert isinstance(found, Refused)
    assert found.reason == "UnsupportedValue"
