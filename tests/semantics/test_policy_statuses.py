"""Entries of a policy's status: no more than the API lets there be."""

from xds_server.model.meta import Key
from xds_server.semantics import conditions
from xds_server.semantics.policy_statuses import MOST_ANCESTORS, status


def test_entries_beyond_the_limit_are_left_out() -> None:
    """The first by name stay, with the controller and the generation."""
    gateways = {Key("default", f"gw-{number:02}"): (conditions.accepted("Good."),) for number in range(20, 0, -1)}
    entries = status(7, gateways, "example.com/controller").ancestors
    assert len(entries) == MOST_ANCESTORS == 16
    assert [one.ancestor_ref.name for one in entries] == [f"gw-{number:02}" for number in range(1, 17)]
    assert {one.controller_name for one in entries} == {"example.com/controller"}
    assert {condition.observed_generation for one in entries for condition in one.conditions} == {7}
