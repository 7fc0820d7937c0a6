"""Endpoints to an assignment: by zone, each once, in an order that does not depend on theirs."""

import random

from envoy_data_plane.envoy.config.endpoint import v3 as api

from tests.scenarios.show_resources import assignment as shown
from xds_server.envoy.endpoint import assignment
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
