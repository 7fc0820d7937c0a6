"""The decoder: JSON by protobuf's rules, and bytes that are none."""

import datetime
from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
    ClusterLbPolicy,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import (
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    DataSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    Metadata,
    SocketOption,
)
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, Route, RouteAction, RouteMatch, VirtualHost
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import (
    Any as ProtobufAny,
)
from envoy_data_plane.google.protobuf import (
    Empty,
    ListValue,
    StringValue,
    Struct,
    UInt64Value,
    Value,
)

from xds_server.wire.construct import any_of
from xds_server.wire.decode import DecodeError, to_json
from xds_server.wire.encode import encode
from xds_server.wire.registry import UnknownTypeError
from xds_server.wire.scalar import length
from xds_server.wire.splice import field


def shown(message: Any) -> Any:
    return to_json(type(message), encode(message))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Cluster(lb_policy=ClusterLbPolicy(0)), {}),
        (Cluster(lb_policy=ClusterLbPolicy(1)), {"lbPolicy": "LEAST_REQUEST"}),
        (Cluster(lb_policy=ClusterLbPolicy(99)), {"lbPolicy": 99}),
        (Cluster(type=ClusterDiscoveryType(0)), {"type": "STATIC"}),
        (Cluster(dns_lookup_family=ClusterDnsLookupFamily(1)), {"dnsLookupFamily": "V4_ONLY"}),
        (
            ApiConfigSource(api_type=ApiConfigSourceApiType(3), transport_api_version=ApiVersion(2)),
            {"apiType": "DELTA_GRPC", "transportApiVersion": "V3"},
        ),
        (
            HeaderValueOption(
                header=HeaderValue(key="a", value=""), append_action=HeaderValueOptionHeaderAppendAction(2)
            ),
            {"header": {"key": "a"}, "appendAction": "OVERWRITE_IF_EXISTS_OR_ADD"},
        ),
        (OutlierDetection(consecutive_5xx=0), {"consecutive5xx": 0}),
        (HeaderMatcher(present_match=False), {"presentMatch": False}),
        (SocketOption(level=2**40, buf_value=b"\xff"), {"level": "1099511627776", "bufValue": "/w=="}),
        (DataSource(inline_string=""), {"inlineString": ""}),
        (RouteAction(timeout=datetime.timedelta(seconds=1.5)), {"timeout": "1.500s"}),
        (RouteAction(timeout=datetime.timedelta(0)), {"timeout": "0s"}),
        (
            Metadata(filter_metadata={"b": Struct(fields={"x": Value(number_value=1.0)}), "a": Struct()}),
            {"filterMetadata": {"a": {}, "b": {"x": 1}}},
        ),
    ],
)
def test_json_spelling(message: Any, expected: Any) -> None:
    assert shown(message) == expected


def test_numbers_have_no_needless_digits() -> None:
    assert (
        repr(shown(Struct(fields={"a": Value(number_value=50.0), "b": Value(number_value=0.5)})))
        == "{'a': 50, 'b': 0.5}"
    )


def test_any_shows_what_it_holds() -> None:
    inner = any_of(Router(suppress_envoy_headers=True))
    assert shown(HttpFilter(name="router", typed_config=inner)) == {
        "name": "router",
        "typedConfig": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppressEnvoyHeaders": True,
        },
    }


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (ProtobufAny(), {}),
        (any_of(Empty()), {"@type": "type.googleapis.com/google.protobuf.Empty"}),
        (any_of(StringValue(value="a")), {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "a"}),
        (any_of(UInt64Value()), {"@type": "type.googleapis.com/google.protobuf.UInt64Value", "value": "0"}),
        (any_of(Struct()), {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {}}),
        (
            any_of(any_of(Router())),
            {
                "@type": "type.googleapis.com/google.protobuf.Any",
                "value": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            },
        ),
        (ProtobufAny(type_url="a.example/b.C", value=b"\xff"), {"@type": "a.example/b.C", "value": "/w=="}),
        (ProtobufAny(value=b"\xff"), {"value": "/w=="}),
    ],
)
def test_any_of_every_sort(packed: ProtobufAny, expected: Any) -> None:
    assert shown(packed) == expected


def test_equals_betterproto2_where_that_is_right() -> None:
    route = Route(
        name="a",
        match=RouteMatch(prefix="/", headers=[HeaderMatcher(name=":method", present_match=True)]),
        route=RouteAction(cluster="c", timeout=datetime.timedelta(seconds=15)),
        typed_per_filter_config={"router": any_of(Router())},
    )
    host = VirtualHost(name="*", domains=["*"], routes=[route, Route()], include_request_attempt_count=True)
    assert shown(host) == host.to_dict()


def test_a_type_url_will_do() -> None:
    encoded = encode(Route(name="a"))
    assert to_json("type.googleapis.com/envoy.config.route.v3.Route", encoded) == {"name": "a"}
    with pytest.raises(UnknownTypeError):
        to_json("type.googleapis.com/envoy.config.route.v3.Rote", encoded)


def test_the_last_member_of_a_oneof_counts() -> None:
    action = field(Route, "route", encode(RouteAction(cluster="a")))
    other = field(Route, "direct_response", b"\x08\xc8\x01")
    assert to_json(Route, action + other) == {"directResponse": {"status": 200}}
    assert to_json(Route, action + other + action) == {"route": {"cluster": "a"}}
    later = field(Route, "route", encode(RouteAction(prefix_rewrite="/")))
    assert to_json(Route, action + other + later) == {"route": {"prefixRewrite": "/"}}


def test_a_field_set_back_to_its_default_is_not_shown() -> None:
    assert to_json(Route, bytes.fromhex("7200 720161")) == {"name": "a"}
    assert to_json(Route, bytes.fromhex("720161 7200")) == {}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("72", "envoy.config.route.v3.Route.name at byte 1: the bytes end within a value"),
        ("7205 6161", "envoy.config.route.v3.Route.name at byte 1: a length of 5 where 2 bytes are left"),
        ("7201 ff", "envoy.config.route.v3.Route.name at byte 2: a string that is not UTF-8"),
        ("0a03 2201 08", "google.protobuf.BoolValue.value at byte 5: the bytes end"),
        ("0a03 2202 08", "envoy.config.route.v3.RouteMatch.case_sensitive at byte 3: a length of 2 where 1 bytes"),
        ("1a02 08ff", "at byte 4: the bytes end within a value"),
        ("1a02 08ff 7200", "runs past the end of its message"),
        ("ffffffffffffffffffff01", "envoy.config.route.v3.Route at byte 0: a varint of more than ten bytes"),
        ("8080808010 00", "envoy.config.route.v3.Route at byte 0: a tag beyond 32 bits"),
        ("0000", "envoy.config.route.v3.Route at byte 1: field number 0"),
        ("fc3f", "field 1023 at byte 2: the end of a group that was not begun"),
        ("fb3f 08 05", "field 1023 at byte 4: the bytes end within a value"),
        ("fe3f", "field 1023 at byte 2: wire type 6"),
        ("6a03 0a01 ff", "envoy.config.route.v3.Route.typed_per_filter_config.key at byte 4: a string that is not"),
    ],
)
def test_bytes_that_are_no_message(data: str, text: str) -> None:
    with pytest.raises(DecodeError) as raised:
        to_json(Route, bytes.fromhex(data))
    assert text in str(raised.value)


@pytest.mark.parametrize(
    "data", ["f83f 8001", "f93f 0102030405060708", "fa3f 01ff", "fb3f 0805 fc3f", "fd3f 01020304", "7005"]
)
def test_unknown_fields_are_passed_over(data: str) -> None:
    assert to_json(Route, bytes.fromhex(data + "720161")) == {"name": "a"}


def test_broken_bytes_within_an_any_keep_their_offset() -> None:
    packed = ProtobufAny(type_url="type.googleapis.com/envoy.config.route.v3.Route", value=b"\x72\x05")
    encoded = encode(HttpFilter(name="x", typed_config=packed))
    with pytest.raises(DecodeError, match=rf"^envoy\.config\.route\.v3\.Route\.name at byte {len(encoded) - 1}: "):
        to_json(HttpFilter, encoded)


def test_nesting_without_end_is_refused() -> None:
    data = b""
    for _ in range(5_000):
        data = field(Value, "list_value", field(ListValue, "values", data))
    with pytest.raises(DecodeError, match=r"^google\.protobuf\.Value: messages are nested too deeply$"):
        to_json(Value, data)


@pytest.mark.parametrize("after", [encode(Value(string_value="x")), field(Value, "struct_value", b"")])
def test_what_something_else_takes_the_place_of_must_be_readable_too(after: bytes) -> None:
    """A message that ends within a value, which another member of the oneof voids or a further piece would go on with."""
    unreadable = field(Value, "list_value", b"\x0a\x05")
    with pytest.raises(DecodeError, match="ListValue"):
        to_json(Value, unreadable + after)
    rest = field(Value, "list_value", b"\x0a\x03abc")
    with pytest.raises(DecodeError, match="ListValue"):
        to_json(Value, unreadable + rest)


def test_merging_at_every_level_reads_every_byte_once() -> None:
    """A reader that decodes first and merges then would need 2**100 steps for this."""
    data = encode(Value(bool_value=True))
    for _ in range(100):
        entry = b"\x0a\x01a" + field(ListValue, "values", data).replace(b"\x0a", b"\x12", 1) + b"\x12\x00"
        data = b"".join(
            [field(Value, "struct_value", b"\x0a" + length(entry) + entry), field(Value, "struct_value", b"")]
        )
    shown_value: Any = to_json(Value, data)
    for _ in range(100):
        shown_value = shown_value["a"]
    assert shown_value is True
