"""Joining encoded pieces equals encoding the whole."""

import datetime
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core.v3 import ConfigSource
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteConfiguration, Vhds, VirtualHost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.messages import arguments, messages
from xds_server.wire.construct import fast
from xds_server.wire.decode import to_json
from xds_server.wire.encode import encode
from xds_server.wire.splice import field, splice

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@EXAMPLES
@given(arguments(VirtualHost, 1), st.lists(messages(Route, 1), max_size=4))
def test_a_parent_and_its_children(parent: dict[str, Any], routes: list[Route]) -> None:
    whole = encode(fast(VirtualHost)(**{**parent, "routes": routes}))
    header = encode(fast(VirtualHost)(**{**parent, "routes": []}))
    joined = header + splice(VirtualHost, "routes", [encode(route) for route in routes])
    assert VirtualHost.parse(joined) == VirtualHost.parse(whole)
    assert to_json(VirtualHost, joined) == to_json(VirtualHost, whole)
    assert len(joined) == len(whole)


def test_the_same_bytes_where_the_children_come_last() -> None:
    routes = [Route(name=str(number) * number) for number in (0, 1, 130, 3000)]
    children = splice(VirtualHost, "routes", map(encode, routes))
    assert encode(VirtualHost(name="a", domains=["*"])) + children == encode(
        VirtualHost(name="a", domains=["*"], routes=routes)
    )


def test_nested_joins() -> None:
    routes = [encode(Route(name="a")), encode(Route(name="b"))]
    host = encode(VirtualHost(name="*")) + splice(VirtualHost, "routes", routes)
    joined = encode(RouteConfiguration(name="http-80")) + field(RouteConfiguration, "virtual_hosts", host)
    assert joined == encode(
        RouteConfiguration(
            name="http-80", virtual_hosts=[VirtualHost(name="*", routes=[Route(name="a"), Route(name="b")])]
        )
    )


def test_a_singular_field_given_twice_is_merged() -> None:
    first = encode(RouteAction(cluster="a", timeout=datetime.timedelta(seconds=1)))
    second = encode(RouteAction(cluster="b", prefix_rewrite="/"))
    joined = field(Route, "route", first) + field(Route, "route", second)
    assert to_json(Route, joined) == {"route": {"cluster": "b", "timeout": "1s", "prefixRewrite": "/"}}


def test_nothing_to_join() -> None:
    assert splice(VirtualHost, "routes", ()) == b""
    assert field(RouteConfiguration, "vhds", encode(Vhds())) == encode(RouteConfiguration(vhds=Vhds()))


@pytest.mark.parametrize("name", ["name", "domains", "matcher", "nonsense", "typed_per_filter_config"])
def test_only_repeated_messages_are_spliced(name: str) -> None:
    with pytest.raises(ValueError, match=f"^VirtualHost has no repeated message field called {name}$"):
        splice(VirtualHost, name, [b""])


@pytest.mark.parametrize("name", ["name", "domains", "nonsense"])
def test_only_messages_are_fields_of_bytes(name: str) -> None:
    with pytest.raises(ValueError, match=f"^VirtualHost has no message field called {name}$"):
        field(VirtualHost, name, encode(ConfigSource()))
