"""Endpoints to an assignment: by zone, each once, in an order that does not depend on theirs."""

import random

import pytest
from envoy_data_plane.envoy.config.endpoint import v3 as api

from tests.scenarios.show_resources import assignment as shown
from xds_server.envoy.endpoint import assignment, shared
from xds_server.routing.endpoint import ServingEndpoint
from xds_server.wire.decode import to_json

FOUND = [
    ServingEndpoint("b", "10.0.0.2", 80),
    ServingEndpoint("", "10.0.0.3", 80),
    ServingEndpoint("a", "10.0.0.1", 81),
    ServingEndpoint("a", "10.0.0.1", 80),
    ServingEndpoint("a", "2001:db8::1", 80),
    ServingEndpoint("a", "10.0.0.1", 80),
]


def test_by_zone_and_each_once() -> None:
    message = to_json(api.ClusterLoadAssignment, assignment("default/s:80", FOUND).data)
    assert message["clusterName"] == "default/s:80"
    assert shown(message) == {
        "": ["10.0.0.3:80"],
        "a": ["10.0.0.1:80", "10.0.0.1:81", "[2001:db8::1]:80"],
        "b": ["10.0.0.2:80"],
    }


def test_order_of_arrival_does_not_matter() -> None:
    shuffled = list(FOUND)
    random.Random(1).shuffle(shuffled)
    assert assignment("s", shuffled).hash == assignment("s", FOUND).hash


def test_none_is_an_assignment_too() -> None:
    assert to_json(api.ClusterLoadAssignment, assignment("s", ()).data) == {"clusterName": "s"}


def weights(*shares: tuple[int, list[str]]) -> dict[str, int]:
    """The weight of each address; backends are on port 53."""
    whole = [(weight, [ServingEndpoint("", address, 53) for address in addresses]) for weight, addresses in shares]
    part = shared("gateway/shop/gateway:53/udp", whole, ())
    message = api.ClusterLoadAssignment.parse(part.data)
    assert message.cluster_name == part.id
    found = {}
    for locality in message.endpoints:
        for one in locality.lb_endpoints:
            found[one.endpoint.address.socket_address.address] = one.load_balancing_weight
    return found


def test_backends_share_by_weight_and_not_by_their_number_of_endpoints() -> None:
    assert weights((1, ["10.0.0.1"]), (1, ["10.0.1.1", "10.0.1.2"])) == {"10.0.0.1": 2, "10.0.1.1": 1, "10.0.1.2": 1}
    assert weights((90, ["10.0.0.1"]), (10, ["10.0.1.1"])) == {"10.0.0.1": 9, "10.0.1.1": 1}


def test_an_address_behind_two_backends_has_a_part_of_both_shares() -> None:
    assert weights((1, ["10.0.0.1", "10.0.0.2"]), (1, ["10.0.0.2"])) == {"10.0.0.1": 1, "10.0.0.2": 3}


def test_shares_of_backends_without_endpoints_are_dropped() -> None:
    assert weights((3, ["10.0.0.1"]), (1, []), (2, [])) == {"10.0.0.1": 1, "127.0.0.1": 1}
    assert weights() == {}


def test_weights_have_32_bits_however_the_numbers_fall() -> None:
    primes = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)
    shares = [(1_000_000, [f"10.{number}.0.{one}" for one in range(number)]) for number in primes]
    found = weights(*shares, (1, [f"10.99.0.{one}" for one in range(100)]))
    assert sum(found.values()) < 2**32
    assert found["10.2.0.0"] == pytest.approx(found["10.53.0.0"] * 53 / 2, rel=1e-6)
    assert found["10.99.0.1"] >= 1
