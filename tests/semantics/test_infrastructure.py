"""What Gateways have put on everything that is made for them; the topic `gateways` of scenarios shows parameters."""

from xds_server.model.gateway import GatewayInfrastructure, ParametersRef
from xds_server.model.meta import Key
from xds_server.semantics.infrastructure import Infrastructure, carried

GATEWAY = Key("shop", "gw")


def test_without_any_nothing_is_asked_for() -> None:
    assert carried(GATEWAY, None) == Infrastructure()


def test_entries_are_carried_and_parameters_are_beside_the_gateway() -> None:
    spec = GatewayInfrastructure(
        {"team": "a"}, {"example.com/note": "any text"}, ParametersRef("", "ConfigMap", "size")
    )
    assert carried(GATEWAY, spec) == Infrastructure(
        {"team": "a"}, {"example.com/note": "any text"}, Key("shop", "size")
    )


def test_entries_that_no_object_could_have_are_left_out_and_told() -> None:
    spec = GatewayInfrastructure({"team": "a b", "stage": "test"}, {"/": "x", "note": "y" * 5000})
    found = carried(GATEWAY, spec)
    assert (found.labels, found.annotations) == ({"stage": "test"}, {})
    for place in ("infrastructure.labels.team", "infrastructure.annotations./", "infrastructure.annotations.note"):
        assert place in found.note
