"""Two source keys that yield one derived key: the first in order has it, whatever happened before."""

import itertools

import pytest

from tests.flow.records import records
from xds_server.flow.failure import DuplicateKeyError
from xds_server.flow.graph import Graph


class Contest:
    """Source rows are the derived keys that they yield; a derived row is the source key it comes from."""

    def __init__(self, *, strict=False):
        self.graph = Graph(strict=strict)
        self.source = self.graph.input("source")
        self.derived = self.graph.derive("derived", self.source, lambda key, row, _: [(x, key) for x in row])
        self.count = self.graph.group("count", self.derived.by("all", lambda *_: (0,)), lambda _, rows, __: len(rows))

    def settle(self, **rows):
        for key, row in rows.items():
            if row is None:
                self.source.remove(key)
            else:
                self.source.put(key, row)
        return self.graph.settle()

    @property
    def rows(self):
        return dict(self.derived.items())

    @property
    def failed(self):
        return {key: failure.error for (_, key), failure in self.graph.last.failures.items()}


def test_the_first_in_order_has_the_row_and_the_other_one_is_told():
    contest = Contest()
    contest.settle(b="xy", a="x")
    assert contest.rows == {"x": "a", "y": "b"}
    assert contest.failed == {"b": "DuplicateKeyError: table 'derived': 'b' yields 'x', which 'a' yields too"}
    assert contest.derived.failures.keys() == {"b"}


def test_who_came_first_in_time_does_not_matter():
    for keys in itertools.permutations("abc"):
        contest = Contest()
        for key in keys:
            contest.settle(**{key: "x" + key})
        assert contest.rows == {"x": "a", "a": "a", "b": "b", "c": "c"}
        assert contest.failed.keys() == {"b", "c"}


def test_when_the_first_gives_the_key_up_the_second_gets_it():
    contest = Contest()
    contest.settle(a="x", b="x", c="x")
    settled = contest.settle(a="z")
    assert contest.rows == {"x": "b", "z": "a"}
    assert contest.failed == {"c": "DuplicateKeyError: table 'derived': 'c' yields 'x', which 'b' yields too"}
    assert settled.changed["derived"] == ["x", "z"]
    contest.settle(b=None)
    assert contest.rows == {"x": "c", "z": "a"}
    assert contest.failed == {}
    contest.settle(c=None, a=None)
    assert records(contest.graph) == {}


def test_a_loser_that_goes_changes_nothing():
    contest = Contest()
    contest.settle(a="x", b="x")
    settled = contest.settle(b="")
    assert (settled.changed, settled.failures) == ({"source": ["b"]}, {})
    assert contest.rows == {"x": "a"}


def test_a_losers_latest_row_takes_over():
    graph = Graph()
    source = graph.input("source")
    derived = graph.derive("derived", source, lambda _, row, __: [("x", row)])
    source.replace({"a": 1, "b": 2})
    graph.settle()
    source.put("b", 3)
    assert graph.settle().changed == {"source": ["b"]}
    source.put("a", 4)
    graph.settle()
    assert derived.get("x") == 4
    source.remove("a")
    graph.settle()
    assert derived.get("x") == 3


def test_a_row_under_the_source_keys_own_key_can_be_contested_too():
    contest = Contest()
    contest.settle(b="b")
    contest.settle(a="b")
    assert contest.rows == {"b": "a"}
    contest.settle(c="b", a="a")
    assert contest.rows == {"a": "a", "b": "b"}
    assert contest.failed.keys() == {"c"}
    contest.settle(b=None)
    assert contest.rows == {"a": "a", "b": "c"}
    contest.settle(a=None, c=None)
    assert records(contest.graph) == {}


def test_a_loser_that_ran_again_and_went_does_not_come_back():
    graph = Graph()
    source = graph.input("source")
    derived = graph.derive("derived", source, lambda key, row, _: [("b", (key, row))])
    source.replace({"a": 1, "b": 1})
    graph.settle()
    source.put("b", 2)
    graph.settle()
    source.remove("b")
    graph.settle()
    source.remove("a")
    graph.settle()
    assert derived.items() == []
    assert records(graph) == {}


@pytest.mark.parametrize(("old", "new"), ["ab", "ba"])
def test_a_key_may_move_between_source_keys(old, new):
    """Not even strict minds, and an equal row is no change."""
    graph = Graph(strict=True)
    source = graph.input("source")
    derived = graph.derive("derived", source, lambda key, row, _: [(x, "same") for x in row])
    copies = graph.derive("copies", derived, lambda key, row, _: [(key, row)])
    source.replace({old: "x", new: "y"})
    graph.settle()
    source.replace({old: "", new: "yx"})
    settled = graph.settle()
    assert settled.changed == {"source": ["a", "b"]}
    assert settled.calls == {"derived": 2}
    source.replace({new: ""})
    graph.settle()
    assert len(derived) == len(copies) == 0
    assert records(graph) == {"rows": 1}


def test_strict_raises():
    contest = Contest(strict=True)
    with pytest.raises(DuplicateKeyError, match="'b' yields 'x', which 'a' yields too"):
        contest.settle(a="x", b="x")
    contest.settle(b="y")
    assert contest.rows == {"x": "a", "y": "b"}


def test_one_call_may_say_the_same_twice_but_not_different_things():
    graph = Graph()
    source = graph.input("source")
    derived = graph.derive("derived", source, lambda _, row, __: row)
    source.put("a", [("x", 1), ("x", 1)])
    source.put("b", [("y", 1), ("y", 2)])
    failures = graph.settle().failures
    assert derived.items() == [("x", 1)]
    assert failures["derived", "b"].error == ("DuplicateKeyError: table 'derived': 'b' yields two rows for 'y'")


def test_contests_beyond_number_stay_affordable():
    """A thousand claimants, coming and going in the worst order."""
    contest = Contest()
    keys = [f"{number:04}" for number in range(1000)]
    for key in reversed(keys):
        contest.source.put(key, "x")
    contest.graph.settle()
    for key in keys[:100]:
        contest.source.remove(key)
        contest.graph.settle()
    assert contest.rows == {"x": "0100"}
    assert len(contest.failed) == 899
