"""The encoder: bytes written by hand from the encoding's specification, and what it refuses."""

import datetime
from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import CircuitBreakersThresholds, Cluster, ClusterLbPolicy
from envoy_data_plane.envoy.config.core.v3 import Address, HttpProtocolOptions, Locality, Metadata
from envoy_data_plane.envoy.config.endpoint.v3 import LbEndpoint
from envoy_data_plane.envoy.config.route.v3 import (
    HeaderMatcher,
    RedirectAction,
    RetryPolicy,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    VirtualHostTlsRequirementType,
)
from envoy_data_plane.envoy.type.matcher.v3 import ListStringMatcher, StringMatcher
from envoy_data_plane.envoy.type.v3 import Percent
from envoy_data_plane.google.protobuf import Duration, Struct, Timestamp, Value
from google.protobuf.duration_pb2 import Duration as GoogleDuration

from xds_server.wire.construct import fast
from xds_server.wire.encode import encode


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(VirtualHost(), "", id="nothing set"),
        pytest.param(VirtualHost(name="ab"), "0a 02 6162", id="string"),
        pytest.param(VirtualHost(domains=["", "é"]), "12 00 12 02 c3a9", id="repeated strings, the empty one too"),
        pytest.param(VirtualHost(require_tls=VirtualHostTlsRequirementType(2)), "20 02", id="enum"),
        pytest.param(Locality(region="r" * 200), "0a c801" + "72" * 200, id="a length of two bytes"),
        pytest.param(RouteMatch(prefix=""), "0a 00", id="an empty member of a oneof"),
        pytest.param(HeaderMatcher(present_match=False), "38 00", id="a false member of a oneof"),
        pytest.param(Route(route=RouteAction()), "12 00", id="an empty message that is set"),
        pytest.param(CircuitBreakersThresholds(max_connections=0), "12 00", id="a wrapped zero"),
        pytest.param(CircuitBreakersThresholds(max_connections=300), "12 03 08 ac02", id="a wrapped number"),
        pytest.param(RetryPolicy(retriable_status_codes=[1, 300]), "3a 03 01 ac02", id="packed numbers"),
        pytest.param(Percent(value=50.0), "09 0000000000004940", id="double"),
        pytest.param(Percent(value=-0.0), "09 0000000000000080", id="minus zero is no default"),
        pytest.param(
            HttpProtocolOptions(idle_timeout=datetime.timedelta(seconds=1.5)),
            "0a 08 08 01 10 80cab5ee01",
            id="duration",
        ),
        pytest.param(
            Metadata(filter_metadata={"b": Struct(), "a": Struct()}),
            "0a 05 0a0161 1200 0a 05 0a0162 1200",
            id="maps are sorted",
        ),
        pytest.param(LbEndpoint.parse(bytes.fromhex("fa07 01 78")), "fa07 01 78", id="unknown fields are kept"),
    ],
)
def test_bytes_by_the_specification(message: Any, expected: str) -> None:
    assert encode(message) == bytes.fromhex(expected)


def test_google_types_are_messages_of_their_own() -> None:
    assert (
        encode(Duration(seconds=-1, nanos=-500_000_000))
        == GoogleDuration(seconds=-1, nanos=-500_000_000).SerializeToString()
    )
    assert encode(Timestamp(seconds=5)) == b"\x08\x05"


def test_equal_messages_have_equal_bytes_whatever_the_order_of_their_maps() -> None:
    names = [f"filter.{number}" for number in range(20)]
    one, other = (
        {name: Struct(fields={name: Value(bool_value=True)}) for name in order} for order in (names, names[::-1])
    )
    assert encode(Metadata(filter_metadata=one)) == encode(Metadata(filter_metadata=other))


def test_a_class_that_contains_itself() -> None:
    value = Value(string_value="innermost")
    for _ in range(50):
        value = Value(struct_value=Struct(fields={"inner": value}))
    assert Value.parse(encode(value)) == value


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (fast(VirtualHost)(name=5), TypeError, "VirtualHost.name: expected str, got int 5"),
        (fast(VirtualHost)(name=None), TypeError, "VirtualHost.name: expected str, got NoneType None"),
        (fast(VirtualHost)(domains="a"), TypeError, "VirtualHost.domains: expected list, got str"),
        (fast(VirtualHost)(domains=("a",)), TypeError, "VirtualHost.domains: expected list, got tuple"),
        (fast(VirtualHost)(domains=["a", None]), TypeError, "VirtualHost.domains: expected str, got NoneType None"),
        (fast(VirtualHost)(domains=["\ud800"]), ValueError, "VirtualHost.domains: '\\ud800' has a lone surrogate"),
        (fast(VirtualHost)(routes=[Cluster()]), TypeError, "VirtualHost.routes: expected Route, got Cluster"),
        (
            fast(VirtualHost)(require_tls=1),
            TypeError,
            "VirtualHost.require_tls: expected VirtualHostTlsRequirementType",
        ),
        (
            fast(VirtualHost)(require_tls=ClusterLbPolicy(1)),
            TypeError,
            "VirtualHost.require_tls: expected VirtualHostTlsRequirementType, got ClusterLbPolicy",
        ),
        (
            VirtualHost(require_tls=VirtualHostTlsRequirementType(2**31)),
            ValueError,
            "VirtualHost.require_tls: 2147483648 does not fit int32",
        ),
        (fast(Route)(match=Address()), TypeError, "Route.match: expected RouteMatch, got Address"),
        (fast(Route)(metadata={}), TypeError, "Route.metadata: expected Metadata, got dict"),
        (fast(Metadata)(filter_metadata=[]), TypeError, "Metadata.filter_metadata: expected dict, got list"),
        (fast(Metadata)(filter_metadata={1: Struct()}), TypeError, "Metadata.filter_metadata: expected str, got int 1"),
        (fast(Metadata)(filter_metadata={"a": 1}), TypeError, "Metadata.filter_metadata: expected Struct, got int"),
        (fast(RouteAction)(timeout=15), TypeError, "RouteAction.timeout: expected timedelta, got int 15"),
        (
            fast(RouteAction)(timeout=datetime.timedelta.max),
            ValueError,
            "RouteAction.timeout: 999999999 days, 23:59:59.999999 is longer than the 10,000 years",
        ),
        (
            fast(CircuitBreakersThresholds)(max_requests=-1),
            ValueError,
            "Thresholds.max_requests: -1 does not fit uint32",
        ),
        (
            fast(CircuitBreakersThresholds)(max_requests=2**32),
            ValueError,
            "max_requests: 4294967296 does not fit uint32",
        ),
        (fast(CircuitBreakersThresholds)(max_requests=True), TypeError, "max_requests: expected int, got bool True"),
        (fast(CircuitBreakersThresholds)(track_remaining=1), TypeError, "track_remaining: expected bool, got int 1"),
        (fast(RedirectAction)(response_code="301"), TypeError, "RedirectAction.response_code: expected RedirectAction"),
    ],
)
def test_what_does_not_fit_is_named(message: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        encode(message)
    assert text in str(raised.value)


def test_the_innermost_class_is_named() -> None:
    matcher = ListStringMatcher(patterns=[StringMatcher(exact="a"), fast(StringMatcher)(exact=b"b")])
    with pytest.raises(TypeError, match=r"^StringMatcher\.exact: expected str, got bytes b'b'$"):
        encode(matcher)


def test_two_members_of_a_oneof_set_one_after_the_other() -> None:
    route = Route(route=RouteAction())
    route.redirect = RedirectAction()
    with pytest.raises(ValueError, match=r"^Route\.redirect: route of the same oneof is set too$"):
        encode(route)


@pytest.mark.parametrize("thing", [None, 5, b"", {}, VirtualHost])
def test_only_messages_are_encoded(thing: Any) -> None:
    with pytest.raises(TypeError, match="expected a message, got"):
        encode(thing)
