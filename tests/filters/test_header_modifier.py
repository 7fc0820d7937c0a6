"""Header changes: one after the other as the API means them, in the single step that Envoy takes."""

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as api
from hypothesis import given
from hypothesis import strategies as st

from xds_server.filters.header_modifier import REQUEST_HEADER_MODIFIER, RESPONSE_HEADER_MODIFIER
from xds_server.model.httproute import HTTPHeader, HTTPHeaderFilter, HTTPRouteFilter
from xds_server.routing.feature import Place, Refused, Surroundings
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.wire.construct import fast

PLACE = Place(80, "http", Match(PathMatch(PathKind.PREFIX, "/")))
AROUND: Surroundings[object] = Surroundings(lambda _: _)  # type: ignore[arg-type,return-value]
Headers = dict[str, list[str]]


@st.composite
def changes(draw: st.DrawFn) -> HTTPHeaderFilter:
    """Lists with names that differ between them: what one filter does to one header twice is left open by the API."""
    names = draw(st.permutations("abc"))
    lists: dict[str, list[HTTPHeader]] = {"set": [], "add": []}
    remove = []
    for name in names[: draw(st.integers(0, 3))]:
        where = draw(st.sampled_from(["set", "add", "remove"]))
        written = draw(st.sampled_from([name, name.upper()]))
        if where == "remove":
            remove.append(written)
        else:
            lists[where].append(HTTPHeader(name=written, value=draw(st.sampled_from(["1", "2", "50%"]))))
    return HTTPHeaderFilter(set=tuple(lists["set"]), add=tuple(lists["add"]), remove=tuple(remove))


def as_the_api_means(headers: Headers, filters: list[HTTPHeaderFilter]) -> Headers:
    found = {name: list(values) for name, values in headers.items()}
    for one in filters:
        for entry in one.set:
            found[entry.name.lower()] = [entry.value]
        for entry in one.add:
            found.setdefault(entry.name.lower(), []).append(entry.value)
        for name in one.remove:
            found.pop(name.lower(), None)
    return found


def as_envoy_does(headers: Headers, options: list[core.HeaderValueOption], removed: list[str]) -> Headers:
    """Source: Envoy's HeaderParser: removals first, then additions in order; `%%` is a percent sign."""
    found = {name: list(values) for name, values in headers.items() if name not in removed}
    for option in options:
        assert option.header is not None
        value = option.header.value.replace("%%", "%")
        assert "%" not in option.header.value.replace("%%", "")
        if option.append_action is core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD:
            found[option.header.key] = [value]
        else:
            found.setdefault(option.header.key, []).append(value)
    return found


HEADERS = st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("xy"), min_size=1, max_size=2))


@given(HEADERS, st.lists(changes(), min_size=1, max_size=4))
def test_filters_in_a_row_mean_what_they_mean_one_by_one(headers: Headers, filters: list[HTTPHeaderFilter]) -> None:
    route = fast(api.Route)(route=fast(api.RouteAction)())
    for one in filters:
        config = REQUEST_HEADER_MODIFIER.parse(
            HTTPRouteFilter(type="RequestHeaderModifier", request_header_modifier=one), AROUND
        )
        assert not isinstance(config, Refused)
        assert REQUEST_HEADER_MODIFIER.edit_route is not None
        assert REQUEST_HEADER_MODIFIER.edit_route(config, route, PLACE) == []
    found = as_envoy_does(headers, route.request_headers_to_add, route.request_headers_to_remove)
    assert found == as_the_api_means(headers, filters)
    assert (route.response_headers_to_add, route.response_headers_to_remove) == ([], [])


@given(HEADERS, changes())
def test_a_weighted_backend_and_a_response_are_changed_alike(headers: Headers, one: HTTPHeaderFilter) -> None:
    weight = fast(api.WeightedClusterClusterWeight)(name="a")
    for feature, spec in (
        (REQUEST_HEADER_MODIFIER, HTTPRouteFilter(type="RequestHeaderModifier", request_header_modifier=one)),
        (RESPONSE_HEADER_MODIFIER, HTTPRouteFilter(type="ResponseHeaderModifier", response_header_modifier=one)),
    ):
        config = feature.parse(spec, AROUND)
        assert not isinstance(config, Refused)
        assert feature.edit_backend is not None
        feature.edit_backend(config, weight)
    wanted = as_the_api_means(headers, [one])
    assert as_envoy_does(headers, weight.request_headers_to_add, weight.request_headers_to_remove) == wanted
    assert as_envoy_does(headers, weight.response_headers_to_add, weight.response_headers_to_remove) == wanted


def parsed(**lists: object) -> object:
    return REQUEST_HEADER_MODIFIER.parse(
        HTTPRouteFilter(type="RequestHeaderModifier", request_header_modifier=HTTPHeaderFilter(**lists)),  # type: ignore[arg-type]
        AROUND,
    )


@pytest.mark.parametrize("value", ["", " ", "a b", "\t", "ä", "𝔘", "100%", "a,b", '"'])
def test_values_that_a_header_may_have(value: str) -> None:
    assert not isinstance(parsed(set=(HTTPHeader(name="a", value=value),)), Refused)


@pytest.mark.parametrize("value", ["\0", "a\nb", "a\r", "\x7f", "\ud800"])
def test_values_that_no_header_has(value: str) -> None:
    found = parsed(add=(HTTPHeader(name="a", value=value),))
    assert isinstance(found, Refused)
    assert found.reason == "UnsupportedValue"


@pytest.mark.parametrize("name", ["", " ", "a b", ":path", "a:", "ä", "a\n", "(a)"])
def test_names_that_no_header_has(name: str) -> None:
    assert isinstance(parsed(set=(HTTPHeader(name=name, value="1"),)), Refused)
    assert isinstance(parsed(remove=(name,)), Refused)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "upgrade"])
def test_how_a_message_is_framed_is_not_for_filters_to_say(name: str) -> None:
    for found in (parsed(set=(HTTPHeader(name=name, value="5"),)), parsed(add=(HTTPHeader(name=name, value="5"),))):
        assert isinstance(found, Refused)
        assert "framed" in found.message
    assert not isinstance(parsed(remove=(name,)), Refused)
