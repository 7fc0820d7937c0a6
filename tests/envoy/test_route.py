"""Routes of one rule: shares of backends and mirrors, what stands in for a rejected leaf, names."""

from collections import Counter
from typing import Any

from envoy_data_plane.envoy.config.route import v3 as api
from hypothesis import given
from hypothesis import strategies as st

from xds_server.envoy import route
from xds_server.filters import BY_TYPE
from xds_server.filters.request_mirror import Mirror
from xds_server.filters.url_rewrite import Rewrite
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Applied, Place
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.rule import Action, Fault, Rule, RuleId, WeightedBackend
from xds_server.wire.decode import to_json
from xds_server.wire.part import Owner

ROOT = Match(PathMatch(PathKind.PREFIX, "/"))
PLACE = Place(80, "http", ROOT)
MILLION = 1_000_000
REWRITE = Applied("URLRewrite", Rewrite("new.example.com", None))


def backend(name: str) -> Backend:
    return Backend(Key("default", name), 80)


def rule(action: Action, name: str = "") -> Rule:
    return Rule(RuleId("HTTPRoute", Key("default", "shop"), 2, 1, name), ROOT, action, "")


def routes(action: Action) -> list[dict[str, Any]]:
    found = to_json(api.VirtualHost, route.build(rule(action), PLACE, BY_TYPE, "80").data)
    return list(found["routes"])  # type: ignore[call-overload]


def fraction(message: dict[str, Any] | None) -> int:
    return MILLION if message is None else int(message["defaultValue"].get("numerator", 0))


def served(found: list[dict[str, Any]], number: int) -> tuple[str, list[str]]:
    """Where Envoy sends a request that has drawn this number (of a million), and where a copy."""
    taken = next(one for one in found if number < fraction(one["match"].get("runtimeFraction")))
    if "directResponse" in taken:
        return str(taken["directResponse"]["status"]), []
    mirrors = taken["route"].get("requestMirrorPolicies", [])
    copies = [one["cluster"] for one in mirrors if number < fraction(one.get("runtimeFraction"))]
    return taken["route"]["cluster"], copies


weights = st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=2, max_size=5)


@given(weights, st.integers(0, 100))
def test_backends_of_their_own_routes_have_their_shares_and_mirrors_theirs(
    shares: list[tuple[int, bool]], percent: int
) -> None:
    """The first backend has a filter that only routes know, so all become routes; some are invalid."""
    entries = [
        WeightedBackend(
            backend(f"b{index}") if valid else InvalidBackend("BackendNotFound", ""),
            weight,
            (REWRITE,) if index == 0 else (),
        )
        for index, (weight, valid) in enumerate(shares)
    ]
    mirror = Applied("RequestMirror", Mirror(backend("copy"), percent, 100))
    found = routes(Action((mirror,), tuple(entries)))
    total = sum(weight for weight, _ in shares)
    step = 250
    numbers = range(0, MILLION, step)
    drawn = Counter(served(found, number)[0] for number in numbers)
    copied = Counter(served(found, number)[0] for number in numbers if served(found, number)[1])
    wanted: Counter[str] = Counter()
    for index, (weight, valid) in enumerate(shares):
        wanted[f"default/b{index}:80/auto" if valid else "500"] += weight
    for name, weight in wanted.items():
        expected = weight / total * len(numbers)
        assert abs(drawn[name] - expected) <= len(shares) + 1
        if name != "500":
            assert abs(copied[name] - expected * percent / 100) <= 2
    assert drawn.keys() <= wanted.keys()


def test_weights_of_plain_backends_stay_weights() -> None:
    entries = (WeightedBackend(backend("a"), 3), WeightedBackend(backend("b"), 0), WeightedBackend(backend("c"), 1))
    (found,) = routes(Action((), entries))
    assert found["route"]["weightedClusters"] == {
        "clusters": [{"name": "default/a:80/auto", "weight": 3}, {"name": "default/c:80/auto", "weight": 1}]
    }


def test_a_rejected_leaf_is_a_500_at_the_same_match() -> None:
    leaf = route.build(rule(Action((), (WeightedBackend(backend("a"), 1),))), PLACE, BY_TYPE, "80")
    assert leaf.fallback is not None
    fallback = leaf.fallback(leaf)
    assert fallback is not None
    assert (fallback.id, fallback.owners) == (leaf.id, leaf.owners)
    before, after = (to_json(api.VirtualHost, part.data)["routes"][0] for part in (leaf, fallback))  # type: ignore[index]
    assert after == {"name": before["name"], "match": before["match"], "directResponse": {"status": 500}}  # type: ignore[index]


def test_what_is_a_500_already_has_nothing_to_stand_in() -> None:
    leaf = route.build(rule(Action(fault=Fault(500, "why"))), PLACE, BY_TYPE, "80")
    assert leaf.fallback is not None
    assert leaf.fallback(leaf) is None


def test_a_leaf_says_whose_it_is_and_where() -> None:
    leaf = route.build(rule(Action(fault=Fault(500, "why")), "checkout"), PLACE, BY_TYPE, "8080")
    assert leaf.id == "HTTPRoute/default/shop/2/1@8080"
    assert leaf.owners == (Owner("HTTPRoute", "default", "shop", "rules[2]"),)
    (found,) = to_json(api.VirtualHost, leaf.data)["routes"]  # type: ignore[misc]
    assert found["name"] == "HTTPRoute/default/shop/checkout/1"  # type: ignore[index]
