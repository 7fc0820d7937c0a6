from hypothesis import given
from hypothesis import strategies as st

from tests.xds.fills import GATEWAY
from xds_server.pb import discovery_pb2
from xds_server.wire.part import Part
from xds_server.xds.encoding import (
    SERVER_IDENTIFIER,
    delta_response,
    lacks_ipv6,
    listeners_by,
    named_in,
    sotw_response,
    stand_in,
    unbound_in,
)
from xds_server.xds.resource import Resource, ResourceType

TEXTS = st.text(max_size=200)
TYPES = st.sampled_from(ResourceType)
# Lengths on both sides of where a varint grows.
BODIES = st.binary(max_size=300) | st.sampled_from([127, 128, 16_383, 16_384]).map(lambda size: b"x" * size)


@st.composite
def resources(draw: st.DrawFn) -> list[Resource]:
    type_ = draw(TYPES)
    pairs = draw(st.lists(st.tuples(TEXTS, BODIES), max_size=5))
    return [Resource(type_, name, GATEWAY, Part(name, body)) for name, body in pairs]


@given(TYPES, TEXTS, TEXTS, resources(), st.lists(st.text(min_size=1), max_size=3))
def test_delta_is_what_protobuf_writes(
    type_: ResourceType, nonce: str, version: str, found: list[Resource], removed: list[str]
) -> None:
    expected = discovery_pb2.DeltaDiscoveryResponse(
        system_version_info=version,
        type_url=type_.url,
        nonce=nonce,
        removed_resources=removed,
        control_plane={"identifier": SERVER_IDENTIFIER},
        resources=[
            {"name": r.name, "version": r.version, "resource": {"type_url": type_.url, "value": r.body}} for r in found
        ],
    )
    assert delta_response(type_, nonce, version, found, removed) == expected.SerializeToString(deterministic=True)


@given(TYPES, TEXTS, TEXTS, resources())
def test_sotw_is_what_protobuf_writes(type_: ResourceType, nonce: str, version: str, found: list[Resource]) -> None:
    expected = discovery_pb2.DiscoveryResponse(
        version_info=version,
        type_url=type_.url,
        nonce=nonce,
        control_plane={"identifier": SERVER_IDENTIFIER},
        resources=[{"type_url": type_.url, "value": r.body} for r in found],
    )
    assert sotw_response(type_, nonce, version, found) == expected.SerializeToString(deterministic=True)


def test_what_stands_in_bears_the_name_and_nothing_else() -> None:
    from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
    from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

    name = "http-80/" + "x" * 200
    empty_routes, empty_endpoints = stand_in(ResourceType.ROUTE, name), stand_in(ResourceType.ENDPOINT, name)
    assert empty_routes is not None
    assert empty_endpoints is not None
    assert RouteConfiguration.parse(empty_routes.body) == RouteConfiguration(name=name)
    assert ClusterLoadAssignment.parse(empty_endpoints.body) == ClusterLoadAssignment(cluster_name=name)
    assert stand_in(ResourceType.SECRET, name) is None
    assert stand_in(ResourceType.CLUSTER, name) is None
    assert stand_in(ResourceType.ROUTE, "") is None


def test_names_are_found_in_envoys_words() -> None:
    clusters = (
        "Error adding/updating cluster(s) shop/cart:8080/auto: ring hash: minimum_ring_size (9) > maximum_ring_size (1),"
        " b: no"
    )
    assert named_in(clusters, ["shop/cart:8080/auto", "cart:8080/auto", "b", "no", "c"]) == {"shop/cart:8080/auto", "b"}
    listeners = "Error adding/updating listener(s) tcp-80: error adding listener named 'tcp-81'\ntcp-82: no\n"
    assert named_in(listeners, ["tcp-80", "tcp-81", "tcp-82"]) == {"tcp-80", "tcp-82"}
    assert named_in("Proto constraint validation failed", ["a"]) == frozenset()


def test_who_has_no_ipv6() -> None:
    """Envoy's words; an address that begins or ends alike is another one."""
    head = "Error adding/updating listener(s) tcp-80: malformed IP address: "
    assert lacks_ipv6(f"{head}::\ntcp-81: no\n")
    assert unbound_in(f"{head}::\ntcp-81: no\n", ["tcp-80", "tcp-81"]) == {"tcp-80"}
    for detail in (f"{head}::1\n", f"{head}fd00::\n", f"{head}\n", "Error adding/updating listener(s) tcp-80: no"):
        assert not lacks_ipv6(detail)
        assert unbound_in(detail, ["tcp-80"]) == frozenset()


def test_listeners_alone_are_rewritten_and_keep_their_versions() -> None:
    spelling = listeners_by(lambda body: body + b"4")
    for type_ in ResourceType:
        one = Resource(type_, "a", GATEWAY, Part("a", b"1"))
        body = b"14" if type_ is ResourceType.LISTENER else b"1"
        delta = discovery_pb2.DeltaDiscoveryResponse.FromString(
            delta_response(type_, "1", "v", [one], [], spelling=spelling)
        )
        sotw = discovery_pb2.DiscoveryResponse.FromString(sotw_response(type_, "1", "v", [one], spelling=spelling))
        assert (delta.resources[0].resource.value, delta.resources[0].version) == (body, one.version)
        assert sotw.resources[0].value == body
