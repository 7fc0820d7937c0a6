"""Construction without validation: what comes out is an ordinary instance."""

import copy
import inspect
import pickle
import warnings

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.route.v3 import (
    HeaderMatcher,
    RedirectAction,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router

from tests.wire.messages import reachable
from xds_server.wire.construct import any_of, copy_of, fast
from xds_server.wire.registry import UnknownTypeError


@pytest.mark.parametrize("cls", reachable(), ids=lambda cls: cls.__name__)
def test_defaults_are_those_of_the_validated_constructor(cls: type) -> None:
    quick, validated = fast(cls)(), cls()
    assert type(quick) is cls
    assert quick.__dict__ == validated.__dict__
    assert list(quick.__dict__) == list(validated.__dict__)


def test_an_instance_can_do_what_every_instance_can() -> None:
    make = fast(VirtualHost)
    host = make(name="a", domains=["*"], routes=[fast(Route)(match=fast(RouteMatch)(prefix="/"))])
    same = VirtualHost(name="a", domains=["*"], routes=[Route(match=RouteMatch(prefix="/"))])
    assert host == same
    assert bytes(host) == bytes(same)
    assert repr(host) == repr(same)
    assert copy.deepcopy(host) == host
    assert pickle.loads(pickle.dumps(host)) == host
    host.name = "b"
    assert host != same


def test_lists_and_maps_are_not_shared() -> None:
    make = fast(VirtualHost)
    one, other = make(), make()
    one.domains.append("*")
    one.typed_per_filter_config["a"] = any_of(Router())
    assert (other.domains, other.typed_per_filter_config, make().domains) == ([], {}, [])


def test_it_keeps_the_name_and_the_documentation_of_the_class() -> None:
    assert fast(Route).__name__ == "Route"
    assert inspect.getdoc(fast(Route)) == inspect.getdoc(Route)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^Route has no field called mach$"):
        fast(Route)(mach=RouteMatch())
    with pytest.raises(TypeError, match=r"^Route has no field called _unknown_fields$"):
        fast(Route)(_unknown_fields=b"")


def test_positional_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^Route takes keyword arguments only$"):
        fast(Route)("name")


def test_two_members_of_a_oneof_are_refused_and_none_is_no_member() -> None:
    with pytest.raises(ValueError, match=r"^Route: route and redirect are of one oneof, only one can be set$"):
        fast(Route)(name="a", route=RouteAction(), redirect=RedirectAction())
    with pytest.raises(ValueError, match=r"present_match and contains_match are of one oneof"):
        fast(HeaderMatcher)(present_match=False, contains_match=r"")
    assert fast(Route)(route=RouteAction(), redirect=None) == Route(route=RouteAction())


def test_a_deprecated_field_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fast(HeaderMatcher)(exact_match=r"a").exact_match == "a"
        with pytest.raises(DeprecationWarning):
            HeaderMatcher(exact_match=r"a")


def test_any_of_names_the_type_and_holds_the_bytes() -> None:
    packed = any_of(Cluster(name="shop/cart:8080"))
    assert packed.type_url == "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    assert packed.unpack() == Cluster(name="shop/cart:8080")


def test_any_of_a_class_without_a_type_url() -> None:
    class Stranger(Router):
        pass

    with pytest.raises(UnknownTypeError, match=r"^Stranger has no type URL$"):
        any_of(Stranger())


def test_a_copy_is_changed_alone_and_shares_what_it_holds() -> None:
    route = Route(name="a", match=RouteMatch(prefix="/"))
    other = copy_of(route)
    assert other == route
    other.name = "b"
    assert route.name == "a"
    assert other.match is route.match
