"""Which addresses of a Gateway can be had on one machine; scenarios of the topic `addresses` show the rest."""

import pytest

from xds_server.infra.local_addresses import can_be_placed, place, wanted_values
from xds_server.model.gateway import GatewayAddress
from xds_server.semantics.addresses import SENTINEL, Answer, GatewayStatusAddress

CLUSTER = GatewayAddress(routability="Cluster")


@pytest.mark.parametrize(
    ("asked", "placed"),
    [
        ((), True),
        ((CLUSTER,), False),
        ((CLUSTER, GatewayAddress()), True),
        ((GatewayAddress(value="203.0.113.9"),), True),
        ((GatewayAddress(value="203.0.113.9", routability=SENTINEL),), False),
        ((GatewayAddress(value="127.0.0.9", routability=SENTINEL),), True),
    ],
)
def test_only_routabilities_keep_a_gateway_from_its_place(asked: tuple[GatewayAddress, ...], placed: bool) -> None:
    assert can_be_placed(asked) is placed


def test_values_of_entries_that_cannot_be_had_are_not_asked_for() -> None:
    own = GatewayAddress(value="127.0.0.9", routability="Cluster"), GatewayAddress(value="::1")
    assert wanted_values((*own, GatewayAddress("Hostname", "localhost"), GatewayAddress())) == ("::1",)


def test_an_entry_with_a_value_comes_before_one_that_takes_any() -> None:
    given = place((GatewayAddress(), GatewayAddress(value="0:0:0:0:0:0:0:1")), "::1").given
    assert given[1] == Answer((GatewayStatusAddress("IPAddress", "0:0:0:0:0:0:0:1", ""),))


def test_where_a_gateway_is_not_placed() -> None:
    assert place((), None).addresses == ()
    (one,) = place((CLUSTER,), None).given
    assert one.problem is not None
    assert one.problem.reason == "AddressNotAssigned"
