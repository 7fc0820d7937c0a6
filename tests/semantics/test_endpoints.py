"""Which endpoints take traffic, over all states that the conditions can be in."""

from itertools import product

import pytest

from xds_server.model.core import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from xds_server.model.meta import Metadata
from xds_server.routing.endpoint import ServingEndpoint
from xds_server.semantics.endpoints import serving

STATES = list(product((None, True, False), repeat=3))


def slice_(
    *endpoints: Endpoint, port: str | None = None, number: int | None = 3000, family: str = "IPv4"
) -> EndpointSlice:
    return EndpointSlice(
        metadata=Metadata(name="s"),
        address_type=family,
        endpoints=endpoints,
        ports=(EndpointPort(name=port, port=number),),
    )


def condition(ready: bool | None, serves: bool | None, terminating: bool | None) -> Endpoint:
    conditions = EndpointConditions(ready=ready, serving=serves, terminating=terminating)
    return Endpoint(addresses=("10.0.0.9",), conditions=conditions)


READY = Endpoint(addresses=("10.0.0.1",))


@pytest.mark.parametrize(("ready", "serves", "terminating"), STATES)
def test_every_state_alone_and_beside_a_ready_one(
    ready: bool | None, serves: bool | None, terminating: bool | None
) -> None:
    """`ready` that is not said is true; who is leaving and serves is used when nobody is ready, as by kube-proxy."""
    one = condition(ready, serves, terminating)
    takes = ready is not False
    leaves = ready is False and bool(serves) and bool(terminating)
    assert bool(serving([slice_(one)], "")) == (takes or leaves)
    assert [found.address for found in serving([slice_(READY), slice_(one)], "")] == ["10.0.0.1"] + ["10.0.0.9"] * takes


def test_a_port_is_found_by_its_name() -> None:
    assert serving([slice_(READY, port="web")], "web") == [ServingEndpoint("", "10.0.0.1", 3000)]
    assert serving([slice_(READY, port="web")], "") == []
    assert serving([slice_(READY, port="")], "") == serving([slice_(READY)], "") != []
    assert serving([slice_(READY, number=None)], "") == []


def test_what_has_no_address_is_passed_over() -> None:
    assert serving([slice_(Endpoint())], "") == []
    assert serving([EndpointSlice(metadata=Metadata(name="s"))], "") == []
    assert serving([slice_(Endpoint(addresses=("a.example.com",)), family="FQDN")], "") == []
