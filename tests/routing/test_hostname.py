"""Hostnames: coverage, intersection, specificity; held against a definition by labels."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.routing.hostname import (
    ANY,
    ancestors,
    covers,
    intersect,
    is_wildcard,
    normalise,
    specificity,
)

labels = st.sampled_from(["a", "b", "com", "example"])
exact = st.lists(labels, min_size=1, max_size=4).map(".".join)
pattern = st.one_of(exact, exact.map("*.{}".format), st.just(ANY))


def covers_by_labels(wide: str, narrow: str) -> bool:
    """`*.x` stands for one or more labels before x; a pattern covers what stands for no host outside of it."""
    if wide in (ANY, narrow):
        return True
    if not wide.startswith("*."):
        return False
    suffix = wide.split(".")[1:]
    found = narrow.split(".")
    return len(found) > len(suffix) and found[-len(suffix) :] == suffix


@given(pattern, pattern)
def test_covers(wide: str, narrow: str) -> None:
    assert covers(wide, narrow) == covers_by_labels(wide, narrow)


@given(pattern, pattern)
def test_intersect_is_the_narrower_of_two(left: str, right: str) -> None:
    found = intersect(left, right)
    assert found == intersect(right, left)
    if found is None:
        assert not covers(left, right)
        assert not covers(right, left)
    else:
        assert found in (left, right)
        assert covers(left, found)
        assert covers(right, found)


@given(pattern, pattern, pattern)
def test_covering_is_transitive(one: str, two: str, three: str) -> None:
    if covers(one, two) and covers(two, three):
        assert covers(one, three)


@given(pattern, st.lists(pattern, unique=True))
def test_ancestors_are_the_wider_patterns_in_order(host: str, others: list[str]) -> None:
    wider = ancestors(host)
    assert [one for one in others if one != host and covers(one, host)] == [one for one in others if one in wider]
    assert host not in wider
    assert wider == sorted(wider, key=specificity, reverse=True)
    assert host == ANY or wider[-1] == ANY


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        (None, "*"),
        ("", "*"),
        ("Shop.Example.COM", "shop.example.com"),
        ("example.com.", "example.com"),
        ("*.A.b", "*.a.b"),
    ],
)
def test_normalise(written: str | None, compared: str) -> None:
    assert normalise(written) == compared


def test_a_wildcard_covers_no_apex_and_no_part_of_a_label() -> None:
    assert not covers("*.example.com", "example.com")
    assert not covers("*.example.com", "badexample.com")
    assert not covers("example.com", "a.example.com")
    assert not covers("a.example.com", "*.example.com")
    assert covers("*.example.com", "*.a.example.com")


def test_order_of_specificity() -> None:
    ranked = ["abc.example.com", "a.com", "*.example.com", "*.com", "*"]
    assert all(specificity(first) > specificity(second) for first, second in pairwise(ranked))
    assert [is_wildcard(one) for one in ranked] == [False, False, True, True, True]


def test_ancestors_of_an_exact_and_a_wildcard_host() -> None:
    assert ancestors("a.b.example.com") == ["*.b.example.com", "*.example.com", "*.com", "*"]
    assert ancestors("*.b.example.com") == ["*.example.com", "*.com", "*"]
    assert ancestors("localhost") == ["*"]
    assert ancestors(ANY) == []
