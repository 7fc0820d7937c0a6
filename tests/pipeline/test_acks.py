"""What replicas tell each other of their Envoys, and what follows for all of them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xds_server.model.gateway import Gateway, GatewaySpec
from xds_server.model.httproute import ParentReference
from xds_server.model.listenerset import ListenerSet, ListenerSetSpec
from xds_server.model.meta import Key, Metadata
from xds_server.pipeline.acks import (
    MOST_DETAIL,
    GatewayAcks,
    Generation,
    Reached,
    Rejection,
    Report,
    Revisions,
    decoded,
    encoded,
    everywhere,
    holds,
    rejections,
)
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.semantics.statuses import Served
from xds_server.wire.part import Owner
from xds_server.xds.resource import ResourceType

GW = Key("shop", "gw")
SET = Key("shop", "more")


def reached(number: int, uid: str = "u", **sets: int) -> Reached:
    return Reached(Generation(uid, number), {f"shop/{name}": Generation(name, one) for name, one in sets.items()})


def gateway(generation: int, uid: str = "u") -> Gateway:
    return Gateway(Metadata("gw", "shop", uid, generation), GatewaySpec("c"))


def listener_set(generation: int, uid: str = "s") -> ListenerSet:
    return ListenerSet(Metadata("more", "shop", uid, generation), ListenerSetSpec(ParentReference("gw")))


class TestEverywhere:
    def test_nobody_connected_reaches_nothing_new(self) -> None:
        assert everywhere([], None) == (None, 0)
        assert everywhere([GatewayAcks(reached(3))], reached(2)) == (reached(2), 0)

    def test_all_replicas_with_envoys_must_have_it(self) -> None:
        acks = [GatewayAcks(reached(3), {"a": 1.0}), GatewayAcks(reached(2), {"b": 1.0, "c": 1.0}), GatewayAcks()]
        assert everywhere(acks, None) == (reached(2), 3)
        assert everywhere([*acks, GatewayAcks(None, {"d": 1.0})], None) == (None, 4)

    def test_what_was_reached_stays_so(self) -> None:
        assert everywhere([GatewayAcks(None, {"new": 9.0})], reached(4)) == (reached(4), 1)
        assert everywhere([GatewayAcks(reached(3), {"a": 1.0})], reached(4)) == (reached(4), 1)

    def test_a_node_counts_where_it_connected_last(self) -> None:
        """The replica that it left may not have noticed yet."""
        acks = [GatewayAcks(reached(1), {"a": 10.0}), GatewayAcks(reached(2), {"a": 11.0})]
        assert everywhere(acks, None) == (reached(2), 1)
        assert everywhere(list(reversed(acks)), None) == (reached(2), 1)

    def test_listener_sets_are_reached_each_for_itself(self) -> None:
        acks = [GatewayAcks(reached(1, x=3, y=1), {"a": 1.0}), GatewayAcks(reached(1, x=2), {"b": 1.0})]
        assert everywhere(acks, None) == (reached(1, x=2), 2)
        assert everywhere(acks, reached(1, y=1)) == (reached(1, x=2, y=1), 2)

    @given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.sampled_from("abcd"))), max_size=4), st.integers(0, 5))
    def test_it_never_goes_back_and_never_ahead_of_anybody(self, replicas: Any, before: int) -> None:
        acks = [GatewayAcks(reached(number), dict.fromkeys(nodes, 1.0)) for number, nodes in replicas]
        found, envoys = everywhere(acks, reached(before))
        assert found is not None
        assert found.gateway.number >= before
        assert envoys == len({node for _, nodes in replicas for node in nodes})
        if found.gateway.number > before:
            assert sum(number >= found.gateway.number for number, nodes in replicas if nodes) >= 1


class TestRevisions:
    def test_each_change_of_a_generation_has_a_number(self) -> None:
        revisions = Revisions()
        first = revisions.of(GW, gateway(1), {})
        assert revisions.of(GW, gateway(1), {}) == first
        second = revisions.of(GW, gateway(1), {SET: listener_set(1)})
        third = revisions.of(GW, gateway(1), {SET: listener_set(2)})
        assert first < second < third
        found = revisions.at(GW, second)
        assert found is not None
        assert found.served(2) == Served(1, 2, {SET: 1})
        assert revisions.at(GW, first) is None
        assert revisions.at(GW, third) is not None

    def test_one_made_anew_is_another(self) -> None:
        revisions = Revisions()
        assert not revisions.is_another(GW, gateway(1))
        revisions.of(GW, gateway(7, "old"), {})
        assert not revisions.is_another(GW, gateway(8, "old"))
        assert revisions.is_another(GW, gateway(1, "new"))
        revisions.withdrawn(GW)
        assert revisions.now(GW) is None

    def test_of_what_is_no_more_nothing_counts(self) -> None:
        now = Reached(Generation("u", 1), {"shop/more": Generation("new", 1)})
        old = Reached(Generation("u", 1), {"shop/more": Generation("old", 9)})
        assert old.about(now) == Reached(Generation("u", 1))
        assert reached(9, "other").about(now) is None
        assert reached(9).about(None) is None


class TestReports:
    ID = HoldId(GW, "1.40.0", ResourceType.ROUTE, "rule-1")
    HOLD = Hold(frozenset({"h"}), detail="no such thing", owners=(Owner("HTTPRoute", "shop", "r", "rules[0]"),))

    def test_they_survive_the_way(self) -> None:
        rejected = rejections([(self.ID, self.HOLD)])
        report = Report({"shop/gw": GatewayAcks(reached(2, x=1), {"gateway~a.shop": 1.5}, rejected[GW])})
        found = decoded(encoded(report))
        assert found == report
        assert found is not None
        assert dict(found.items()) == {GW: report.gateways["shop/gw"]}
        assert holds([found]) == {self.ID: self.HOLD}

    def test_what_is_no_report_is_none(self) -> None:
        assert decoded("") is None
        assert decoded('{"gateways": 3}') is None

    def test_suspicions_are_not_told_and_words_are_cut(self) -> None:
        assert rejections([(self.ID, Hold(suspected="h"))]) == {}
        long = Hold(frozenset({"h"}), detail="x" * 5000)
        assert len(rejections([(self.ID, long)])[GW][0].detail) == MOST_DETAIL

    def test_of_a_replica_that_is_gone_only_rejections_count(self) -> None:
        rejected = rejections([(self.ID, self.HOLD)])[GW]
        report = Report({"shop/gw": GatewayAcks(reached(2), {"a": 1.0}, rejected), "shop/b": GatewayAcks(reached(1))})
        assert report.silenced() == Report({"shop/gw": GatewayAcks(rejections=rejected)})

    def test_a_type_that_is_not_known_is_left_out(self) -> None:
        unknown = Rejection("1.50.0", "scopes", "leaf", ("h",), "", ())
        assert holds([Report({"shop/gw": GatewayAcks(rejections=(unknown,))})]) == {}
