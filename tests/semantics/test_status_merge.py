"""Statuses put into what the API server has: ours alone change, and only where they differ."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.model.kinds import KINDS
from xds_server.semantics import conditions
from xds_server.semantics.status_merge import (
    LAYOUTS,
    MOST_CONDITIONS,
    MOST_MESSAGE,
    Told,
    is_written_by,
    merged,
    released,
)

OURS = "xds-server.dev/gateway-controller"
THEIRS = "example.com/other"
THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
TOLD = Told(OURS, "shop", NOW)
GATEWAY, ROUTE, POLICY = LAYOUTS["Gateway"], LAYOUTS["HTTPRoute"], LAYOUTS["BackendTLSPolicy"]


def condition(type_: str, status: str = "True", generation: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": more.pop("reason", type_),
        "message": more.pop("message", ""),
        "observedGeneration": generation,
        **more,
    }


def stamped(*args: Any, **more: Any) -> dict[str, Any]:
    return condition(*args, **more) | {"lastTransitionTime": THEN}


def entry(name: str, controller: str = OURS, *found: dict[str, Any], field: str = "parentRef") -> dict[str, Any]:
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}
    return {field: reference, "controllerName": controller, "conditions": list(found)}


def wanted(name: str, *found: dict[str, Any], field: str = "parentRef", **reference: Any) -> dict[str, Any]:
    """An entry as the pipeline makes it: defaults are left out."""
    return {field: {"name": name, **reference}, "controllerName": OURS, "conditions": list(found)}


def listener(name: str, *found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "supportedKinds": [], "attachedRoutes": 0, "conditions": list(found), **more}


def test_every_kind_with_a_status_has_a_layout() -> None:
    assert set(LAYOUTS) == {row.kind for row in KINDS if row.channel != "core" and row.kind != "ReferenceGrant"}


def test_every_type_of_condition_is_known_to_be_ours() -> None:
    """One that is not would stay in the object for ever once it was written."""
    made = {
        node.args[0].value
        for node in ast.walk(ast.parse(Path(conditions.__file__).read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_condition"
        and isinstance(node.args[0], ast.Constant)
    }
    known = {type_ for one in LAYOUTS.values() for type_ in (*one.conditions, *one.listeners, *one.entry_conditions)}
    assert made == known


class TestConditions:
    def test_the_first_write_stamps_the_time(self) -> None:
        found = merged(GATEWAY, {}, {"conditions": [condition("Accepted")], "listeners": []}, TOLD).status
        assert found == {"conditions": [condition("Accepted") | {"lastTransitionTime": NOW}], "listeners": []}

    def test_the_time_stays_until_the_status_flips(self) -> None:
        live = {"conditions": [stamped("Accepted", reason="Old"), stamped("Programmed", "False")], "listeners": []}
        desired = {"conditions": [condition("Accepted", generation=2), condition("Programmed", generation=2)]}
        found = merged(GATEWAY, live, desired, TOLD).status
        assert found is not None
        assert [one["lastTransitionTime"] for one in found["conditions"]] == [THEN, NOW]

    def test_others_stay_as_and_where_they_are(self) -> None:
        foreign = stamped("example.com/Audited", "Unknown", 1, note={"deep": [1]})
        live = {"conditions": [stamped("Accepted"), foreign, stamped("Programmed")], "custom": 7}
        found = merged(GATEWAY, live, {"conditions": [condition("Accepted", "False", 2)], "listeners": []}, TOLD).status
        assert found is not None
        assert found["conditions"][1] is foreign
        assert [one["type"] for one in found["conditions"]] == ["Accepted", "example.com/Audited"]
        assert found["custom"] == 7

    def test_a_change_of_nothing_is_not_written(self) -> None:
        live = {"conditions": [stamped("Accepted")], "listeners": [listener("a", stamped("Programmed"))]}
        desired = {"conditions": [condition("Accepted")], "listeners": [listener("a", condition("Programmed"))]}
        assert merged(GATEWAY, live, desired, TOLD).status is None

    def test_a_message_that_says_nothing_is_said(self) -> None:
        desired = {"conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted"}]}
        found = merged(GATEWAY, {}, desired, TOLD).status
        assert found is not None
        assert found["conditions"][0]["message"] == ""

    def test_long_messages_are_cut_between_characters(self) -> None:
        message = "x" + "ü" * MOST_MESSAGE
        found = merged(GATEWAY, {}, {"conditions": [condition("Accepted", message=message)]}, TOLD).status
        assert found is not None
        cut = found["conditions"][0]["message"]
        assert MOST_MESSAGE - 2 <= len(cut.encode()) <= MOST_MESSAGE
        assert cut.endswith("ü …")
        assert merged(GATEWAY, found, {"conditions": [condition("Accepted", message=message)]}, TOLD).status is None

    def test_where_there_is_no_room_the_least_worthy_are_left_out(self) -> None:
        foreign = [stamped(f"example.com/C{index}") for index in range(MOST_CONDITIONS - 2)]
        desired = {"conditions": [condition("Ready"), condition("Accepted"), condition("Programmed")]}
        found = merged(GATEWAY, {"conditions": foreign}, desired, TOLD)
        assert found.status is not None
        assert found.status["conditions"][:6] == foreign
        assert [one["type"] for one in found.status["conditions"][6:]] == ["Accepted", "Programmed"]
        assert found.left_out == ("conditions, of which the API allows 8: Ready",)

    def test_what_was_said_of_a_later_generation_is_not_written_over(self) -> None:
        desired = {"conditions": [condition("Accepted", generation=3)], "listeners": []}
        later = {"conditions": [stamped("Accepted", "False", 4)]}
        assert merged(GATEWAY, later, desired, TOLD).status is None
        on_listener = {"conditions": [], "listeners": [listener("a", stamped("Accepted", "False", 4))]}
        assert merged(GATEWAY, on_listener, desired, TOLD).status is None
        foreign = {"conditions": [stamped("example.com/Audited", "True", 4)]}
        assert merged(GATEWAY, foreign, desired, TOLD).status is not None


class TestProgrammed:
    """Once true for a generation, neither a restart of the server nor another leader takes it back."""

    LIVE: Mapping[str, Any] = {
        "conditions": [stamped("Programmed", "True", 2), stamped("Ready", "True", 2)],
        "listeners": [listener("a", stamped("Programmed", "True", 2))],
    }

    @staticmethod
    def desired(status: str, reason: str, generation: int) -> dict[str, Any]:
        programmed = condition("Programmed", status, generation, reason=reason)
        ready = condition("Ready", status, generation, reason={"Pending": "ListenersNotReady"}.get(reason, reason))
        return {"conditions": [programmed, ready], "listeners": [listener("a", programmed)]}

    def test_waiting_takes_nothing_back(self) -> None:
        assert merged(GATEWAY, self.LIVE, self.desired("False", "Pending", 2), TOLD).status is None

    def test_a_fault_does(self) -> None:
        found = merged(GATEWAY, self.LIVE, self.desired("False", "Invalid", 2), TOLD).status
        assert found is not None
        assert {one["status"] for one in found["conditions"] + found["listeners"][0]["conditions"]} == {"False"}

    def test_a_later_generation_waits_for_envoys(self) -> None:
        found = merged(GATEWAY, self.LIVE, self.desired("False", "Pending", 3), TOLD).status
        assert found is not None
        assert {one["status"] for one in found["conditions"]} == {"False"}


class TestListeners:
    def test_they_keep_what_others_said_of_them_and_follow_the_spec(self) -> None:
        foreign = stamped("example.com/Scanned")
        live = {"listeners": [listener("gone", foreign), listener("b", foreign, stamped("Conflicted"), extra=1)]}
        desired = {"listeners": [listener("a"), listener("b", condition("Accepted"), attachedRoutes=3)]}
        found = merged(GATEWAY, live, desired, TOLD).status
        assert found is not None
        accepted = condition("Accepted") | {"lastTransitionTime": NOW}
        assert found["listeners"] == [listener("a"), listener("b", foreign, accepted, extra=1, attachedRoutes=3)]


class TestFields:
    def test_they_are_replaced_cut_and_removed(self) -> None:
        live = {"addresses": [{"type": "IPAddress", "value": "10.0.0.1"}], "attachedListenerSets": 2}
        many = [{"type": "IPAddress", "value": f"10.0.1.{index}"} for index in range(17)]
        found = merged(GATEWAY, live, {"addresses": many, "attachedListenerSets": 0}, TOLD)
        assert found.status is not None
        assert found.status["addresses"] == many[:16]
        assert found.status["attachedListenerSets"] == 0
        assert found.left_out == ("addresses, of which the API allows 16: 1",)
        gone = merged(GATEWAY, live, {"conditions": []}, TOLD).status
        assert gone is not None
        assert not gone.keys() & {"addresses", "attachedListenerSets"}


class TestEntries:
    def test_ours_change_and_go_while_others_stay_in_place(self) -> None:
        theirs, other = entry("gw", THEIRS, stamped("Accepted")), entry("b", THEIRS)
        live = {"parents": [entry("stale"), theirs, entry("gw", OURS, stamped("Accepted", reason="Old")), other]}
        desired = {"parents": [wanted("new", condition("Accepted")), wanted("gw", condition("Accepted"))]}
        found = merged(ROUTE, live, desired, TOLD).status
        assert found is not None
        accepted = condition("Accepted") | {"lastTransitionTime": NOW}
        assert found["parents"] == [
            theirs,
            entry("gw", OURS, stamped("Accepted")),
            other,
            entry("new", OURS, accepted),
        ]

    def test_a_namespace_that_is_told_is_the_same_parent_as_one_that_is_not(self) -> None:
        live = {"parents": [entry("gw", OURS, stamped("Accepted"))]}
        desired = {"parents": [wanted("gw", condition("Accepted"), namespace="shop")]}
        found = merged(ROUTE, live, desired, TOLD).status
        assert found is not None
        assert found["parents"][0]["conditions"] == [stamped("Accepted")]
        assert found["parents"][0]["parentRef"]["namespace"] == "shop"

    def test_a_route_that_is_no_longer_ours_loses_our_entries_alone(self) -> None:
        theirs = entry("gw", THEIRS)
        assert merged(ROUTE, {"parents": [entry("gw"), theirs]}, None, TOLD).status == {"parents": [theirs]}
        assert merged(ROUTE, {"parents": [theirs]}, None, TOLD).status is None
        assert merged(ROUTE, {}, None, TOLD).status is None

    def test_a_full_list_takes_no_more(self) -> None:
        theirs = [entry(f"t{index}", THEIRS, field="ancestorRef") for index in range(15)]
        desired = {"ancestors": [wanted(name, condition("Accepted"), field="ancestorRef") for name in "abc"]}
        found = merged(POLICY, {"ancestors": theirs}, desired, TOLD)
        assert found.status is not None
        assert found.status["ancestors"][:15] == theirs
        assert [one["ancestorRef"]["name"] for one in found.status["ancestors"][15:]] == ["a"]
        assert found.left_out == ("ancestors, of which the API allows 16: 2",)

    def test_only_our_own_entries_can_be_of_a_later_generation(self) -> None:
        desired = {"parents": [wanted("gw", condition("Accepted", "False", 3))]}
        ours = {"parents": [entry("gw", OURS, stamped("Accepted", "True", 4))]}
        theirs = {"parents": [entry("gw", THEIRS, stamped("Accepted", "True", 4))]}
        assert merged(ROUTE, ours, desired, TOLD).status is None
        assert merged(ROUTE, theirs, desired, TOLD).status is not None


class TestReleased:
    @pytest.mark.parametrize("generation", [1, 2])
    def test_nothing_of_ours_stays(self, generation: int) -> None:
        """Whether it was ours in this generation, or in the one before."""
        foreign = stamped("example.com/Audited")
        live = {
            "conditions": [stamped("Accepted"), foreign, stamped("Programmed"), stamped("Ready")],
            "listeners": [listener("a", stamped("Accepted")), listener("b", stamped("Accepted"), foreign)],
            "addresses": [{"type": "IPAddress", "value": "10.0.0.1"}],
        }
        found = released(GATEWAY, live, generation, TOLD).status
        assert found is not None
        assert [(one["type"], one["status"], one["reason"]) for one in found["conditions"]] == [
            ("Accepted", "Unknown", "Pending"),
            (foreign["type"], "True", foreign["reason"]),
            ("Programmed", "Unknown", "Pending"),
        ]
        assert found["listeners"] == [listener("b", foreign)]
        assert "addresses" not in found
        assert released(GATEWAY, found, generation, TOLD).status is None

    def test_without_a_desired_status_nobody_knows_whose_conditions_are(self) -> None:
        assert merged(GATEWAY, {"conditions": [stamped("Accepted")]}, None, TOLD).status is None

    @pytest.mark.parametrize("manager", [OURS, THEIRS])
    @pytest.mark.parametrize("subresource", ["status", ""])
    def test_managed_fields_tell_who_wrote(self, manager: str, subresource: str) -> None:
        fields = {"f:status": {"f:conditions": {'k:{"type":"Accepted"}': {"f:status": {}}}}}
        entry_ = {"manager": manager, "operation": "Update", "subresource": subresource, "fieldsV1": fields}
        assert is_written_by([{"manager": OURS, "subresource": "status"}, entry_], OURS) == (
            manager == OURS and subresource == "status"
        )


statuses = st.sampled_from(["True", "False", "Unknown"])
types = st.sampled_from(["Accepted", "Programmed", "ResolvedRefs", "Ready", "example.com/A", "example.com/B"])
ours = st.sampled_from(["Accepted", "Programmed", "ResolvedRefs", "Ready"])
reasons = st.sampled_from(["Pending", "Invalid", "Fine"])


@st.composite
def conditions_of(draw: st.DrawFn, of: st.SearchStrategy[str], *, live: bool) -> list[dict[str, Any]]:
    found = {}
    for type_ in draw(st.lists(of, unique=True, max_size=6)):
        one = condition(type_, draw(statuses), draw(st.integers(1, 3)) if live else 2, reason=draw(reasons))
        found[type_] = one | ({"lastTransitionTime": draw(st.sampled_from([THEN, NOW]))} if live else {})
    return list(found.values())


@st.composite
def gateways(draw: st.DrawFn, *, live: bool) -> dict[str, Any]:
    of = types if live else ours
    names = draw(st.lists(st.sampled_from("abc"), unique=True))
    own = conditions_of(of, live=live)
    return {"conditions": draw(own), "listeners": [listener(name, *draw(own)) for name in names]}


@st.composite
def routes(draw: st.DrawFn, *, live: bool) -> dict[str, Any]:
    of = types if live else st.sampled_from(["Accepted", "ResolvedRefs"])
    ids = draw(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([OURS, THEIRS])), unique=True, max_size=40))
    return {
        "parents": [
            entry(name, controller, *draw(conditions_of(of, live=live)))
            for name, controller in ids
            if live or controller == OURS
        ]
    }


def foreign(found: dict[str, Any], own: tuple[str, ...]) -> list[Any]:
    return [one for one in found.get("conditions") or [] if one["type"] not in own]


@given(gateways(live=True), gateways(live=False))
def test_of_any_gateway_what_others_said_survives_and_a_second_merge_writes_nothing(
    live: dict[str, Any], desired: dict[str, Any]
) -> None:
    found = merged(GATEWAY, live, desired, TOLD).status
    if found is None:
        return
    assert foreign(dict(found), GATEWAY.conditions) == foreign(live, GATEWAY.conditions)
    before = {one["name"]: one for one in live["listeners"]}
    for one in found["listeners"]:
        assert foreign(one, GATEWAY.listeners) == foreign(before.get(one["name"], {}), GATEWAY.listeners)
    assert [one["name"] for one in found["listeners"]] == [one["name"] for one in desired["listeners"]]
    assert merged(GATEWAY, found, desired, Told(OURS, "shop", "2030-01-01T00:00:00Z")).status is None


@given(routes(live=True), routes(live=False) | st.none())
def test_of_any_route_others_entries_survive_and_a_second_merge_writes_nothing(
    live: dict[str, Any], desired: dict[str, Any] | None
) -> None:
    found = merged(ROUTE, live, desired, TOLD).status
    if found is None:
        return
    theirs = [one for one in live["parents"] if one["controllerName"] == THEIRS]
    assert [one for one in found["parents"] if one["controllerName"] == THEIRS] == theirs
    own = {one["parentRef"]["name"] for one in found["parents"] if one["controllerName"] == OURS}
    assert own == {one["parentRef"]["name"] for one in (desired or {"parents": []})["parents"]}
    assert merged(ROUTE, found, desired, Told(OURS, "shop", "2030-01-01T00:00:00Z")).status is None
