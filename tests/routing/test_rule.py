"""The rank of rules, and what they are called."""

from itertools import pairwise

from xds_server.model.meta import Key
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.rule import Action, Rule, RuleId

ROOT = Match(PathMatch(PathKind.PREFIX, "/"))


def rule(name: str, created: str = "", *, namespace: str = "a", index: int = 0, match: int = 0) -> Rule:
    return Rule(RuleId("HTTPRoute", Key(namespace, name), index, match), ROOT, Action(), created)


def test_of_equal_matches_the_oldest_then_the_name_then_the_place_decides() -> None:
    ranked = [
        rule("z", "2020-01-01T00:00:00Z"),
        rule("a", "2021-01-01T00:00:00Z", namespace="a-b"),
        rule("a", "2021-01-01T00:00:00Z", index=1, match=1),
        rule("a", "2021-01-01T00:00:00Z", index=2, match=0),
        rule("a", "2021-01-01T00:00:00Z", index=2, match=1),
        rule("a", "2021-01-01T00:00:00Z", index=10),
        rule("b", "2021-01-01T00:00:00Z"),
    ]
    assert all(first.rank < second.rank for first, second in pairwise(ranked))


def test_an_object_without_a_time_is_older_than_any() -> None:
    assert rule("z").rank < rule("a", "2020-01-01T00:00:00Z").rank


def test_a_rule_is_found_by_its_field() -> None:
    id_ = RuleId("HTTPRoute", Key("shop", "cart"), 2, 1, "named")
    assert id_.field == "rules[2]"
    assert str(id_) == "HTTPRoute/shop/cart/2/1"
