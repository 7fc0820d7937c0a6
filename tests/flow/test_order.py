"""The order of keys: `<` where it says yes, something as fixed where it does not."""

import enum
import itertools
import random
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.flow.order import Members, arranged, place, rank


class Key(NamedTuple):
    namespace: str
    name: str


class Scheme(enum.Enum):
    HTTPS = "https"
    HTTP = "http"


@dataclass(frozen=True)
class Backend:
    name: str
    port: int | None


@dataclass(frozen=True, order=True)
class Touchy:
    """Its own `<` raises between some of its own kind."""

    value: str | None


SHUFFLED = {
    "tuples": [("a", "b"), ("a", "c"), ("b", "a")],
    "lengths": [(), ("a",), ("a", ""), ("b",)],
    "none first": [("a", None), ("a", "x"), ("b", None)],
    "kinds of scalars": [None, -1, 2.5, 3, "", "3", b"", ()],
    "enums by value": [Scheme.HTTP, Scheme.HTTPS],
    "dataclasses by field": [Backend("a", None), Backend("a", 80), Backend("b", None)],
    "dates by their own order, beside None": [(None, 1), (date(999, 1, 2), 1), (date(2020, 1, 1), None)],
    "named tuples as tuples": [Key("a", "b"), Key("a", "c"), ("a", "d"), Key("b", "")],
    "frozensets by size, then content": [frozenset(), frozenset("b"), frozenset("c"), frozenset("ab")],
    "nested frozensets": [(1, frozenset("b")), (1, frozenset("c")), (1, frozenset("ab")), (2, frozenset())],
}


@pytest.mark.parametrize("values", SHUFFLED.values(), ids=SHUFFLED)
def test_the_order_does_not_depend_on_arrival(values):
    for permutation in itertools.islice(itertools.permutations(values), 200):
        assert arranged(permutation) == values
        marks: list[object] = []
        for value in permutation:
            marks.insert(place(marks, value), value)
        assert marks == values


def test_a_kind_that_cannot_compare_its_own_is_ordered_by_repr():
    values = [Touchy("b"), Touchy(None), Touchy("a")]
    expected = [Touchy("a"), Touchy("b"), Touchy(None)]
    assert all(arranged(permutation) == expected for permutation in itertools.permutations(values))


LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=2) | st.sampled_from(Scheme)
VALUES = st.recursive(
    LEAVES | st.frozensets(LEAVES, max_size=3), lambda item: st.lists(item, max_size=3).map(tuple), max_leaves=4
)


@given(st.lists(VALUES, unique=True, max_size=12), st.randoms(use_true_random=False))
def test_any_values_have_one_order(values, random):
    expected = arranged(values)
    random.shuffle(values)
    assert arranged(values) == expected
    members = Members(values[0], str(values[0])) if values else None
    for value in values[1:]:
        members.insert(value, str(value))
    assert members is None or members.marks == expected
    assert members is None or members.rows == [str(value) for value in expected]


@given(VALUES, VALUES)
def test_rank_agrees_with_less_than(a, b):
    try:
        less = a < b
    except TypeError:
        return
    if less:
        assert rank(a) < rank(b)
    if a == b:
        assert rank(a) == rank(b)


def test_members_keep_rows_beside_their_marks():
    members = Members((2, "b"), "B")
    members.insert((1, "c"), "C")
    members.insert((2, "a"), "A")
    assert members.view() == ("C", "A", "B")
    assert members.replace((2, "a"), (2, "a"), "A2") is False
    assert members.replace((2, "a"), (1.5, "a"), "A3") is False, "a new mark in the old place moves nothing"
    assert members.replace((1, "c"), (9, "c"), "C2") is True
    assert members.view() == ("A3", "B", "C2")
    assert (2, "b") in members
    assert (3, "b") not in members
    members.remove((2, "b"))
    assert members.marks == [(1.5, "a"), (9, "c")]
    with pytest.raises(ValueError):
        members.remove((2, "b"))


def test_a_view_stays_as_it_was():
    members = Members(0, "row 0")
    for number in range(1, 20):
        members.insert(number, f"row {number}")
    before = members.view()
    assert members.view() is before
    members.replace(3, 3, "other")
    assert members.view()[3] == "other"
    members.remove(4)
    assert members.view()[4] == "row 5"
    members.insert(4, "new")
    assert members.view()[4] == "new"
    assert before == tuple(f"row {number}" for number in range(20))


def test_members_stay_findable_where_order_breaks_down():
    values = [Touchy(None), *(Touchy(letter) for letter in "dbca"), Touchy("")]
    generator = random.Random(7)
    for _ in range(50):
        generator.shuffle(values)
        members = Members(values[0], values[0].value)
        for value in values[1:]:
            members.insert(value, value.value)
        generator.shuffle(values)
        for value in values:
            assert value in members
            members.remove(value)
        assert members.marks == members.rows == []
