"""The nodes: what a function yields becomes rows, and what it raises harms its own key alone."""

import pytest

from tests.flow.records import records
from xds_server.flow.graph import Graph, Judged


def fragile(key, row, _):
    """Fails for negative rows; before it does, it has yielded a row already."""
    yield (key, "half"), row
    if row < 0:
        raise ValueError(f"{row} is negative")
    yield (key, "whole"), row


def build(*, strict=False):
    graph = Graph(strict=strict)
    source = graph.input("source")
    return graph, source, graph.derive("derived", source, fragile)


class TestFailures:
    def test_a_key_that_fails_does_not_stop_the_others(self):
        graph, source, derived = build()
        source.replace({"a": 1, "b": -1, "c": 3})
        settled = graph.settle()
        assert {key for key, _ in derived} == {"a", "c"}
        assert list(settled.failures) == [("derived", "b")]
        assert settled.failures["derived", "b"].error == "ValueError: -1 is negative"
        assert "in fragile" in settled.failures["derived", "b"].traceback
        assert settled.calls == {"derived": 3}

    def test_it_keeps_its_last_good_rows(self):
        graph, source, derived = build()
        source.put("a", 1)
        graph.settle()
        source.put("a", -1)
        settled = graph.settle()
        assert settled.changed == {"source": ["a"]}
        assert derived.items() == [(("a", "half"), 1), (("a", "whole"), 1)]

    def test_a_failure_lasts_until_the_key_succeeds(self):
        graph, source, derived = build()
        source.put("a", -1)
        graph.settle()
        assert graph.settle().failures.keys() == {("derived", "a")}
        assert derived.failures.keys() == {"a"}
        source.put("a", 1)
        assert graph.settle().failures == {}
        assert derived.failures == {}

    def test_or_until_the_key_goes_with_its_rows(self):
        graph, source, derived = build()
        source.put("a", 1)
        graph.settle()
        source.put("a", -1)
        graph.settle()
        source.remove("a")
        settled = graph.settle()
        assert (settled.failures, len(derived)) == ({}, 0)
        assert records(graph) == {}

    def test_what_it_asked_before_failing_makes_it_run_again(self):
        graph = Graph()
        source, limits = graph.input("source"), graph.input("limits")
        derived = graph.derive("derived", source, lambda key, row, lookup: [(key, row / lookup.get(limits, "x"))])
        source.put("a", 6)
        assert "TypeError" in graph.settle().failures["derived", "a"].error
        limits.put("x", 0)
        assert "ZeroDivisionError" in graph.settle().failures["derived", "a"].error
        limits.put("x", 2)
        assert graph.settle().failures == {}
        assert derived.items() == [("a", 3)]

    def test_strict_raises(self):
        graph, source, derived = build(strict=True)
        source.replace({"a": 1, "b": -1, "c": 3})
        with pytest.raises(ValueError, match="-1 is negative"):
            graph.settle()
        source.put("b", 2)
        settled = graph.settle()
        assert settled.changed == {"source": ["a", "b", "c"], "derived": list(derived.keys())}
        assert len(derived) == 6

    def test_an_interrupt_is_not_a_failure(self):
        graph = Graph()
        source = graph.input("source")
        interrupts = [KeyboardInterrupt()]

        def function(key, row, _):
            if interrupts:
                raise interrupts.pop()
            return [(key, row)]

        derived = graph.derive("derived", source, function)
        source.put("a", 1)
        with pytest.raises(KeyboardInterrupt):
            graph.settle()
        assert graph.settle().changed == {"source": ["a"], "derived": ["a"]}
        assert derived.get("a") == 1

    def test_a_result_that_is_no_rows_is_a_failure(self):
        graph = Graph()
        source = graph.input("source")
        graph.derive("derived", source, lambda *_: None)
        source.put("a", 1)
        assert "TypeError" in graph.settle().failures["derived", "a"].error


class TestIndexFailures:
    """An index function that raises is the failure of whoever brought the row."""

    def test_of_a_derived_row(self):
        graph, source, derived = build()
        index = derived.by("inverse", lambda _, row: (12 // row,))
        source.replace({"a": 3, "b": 4})
        graph.settle()
        source.put("a", 0)
        assert "ZeroDivisionError" in graph.settle().failures["derived", "a"].error
        assert {value: index.keys(value) for value in index} == {
            3: (("b", "half"), ("b", "whole")),
            4: (("a", "half"), ("a", "whole")),
        }
        source.put("a", 4)
        assert graph.settle().failures == {}
        assert list(index) == [3]

    def test_of_an_input_row(self):
        graph = Graph()
        source = graph.input("source")
        index = source.by("inverse", lambda _, row: (12 // row,))
        source.put("a", 3)
        source.put("b", 0)
        assert graph.settle().failures.keys() == {("source", "b")}
        source.put("a", 0)
        assert graph.settle().failures.keys() == {("source", "a"), ("source", "b")}
        assert source.items() == [("a", 3)]
        assert index.keys(4) == ("a",)
        source.put("a", 3)
        source.replace({"a": 3})
        assert graph.settle().failures == {}

    def test_of_a_row_that_is_there_when_the_index_is_made(self):
        graph, source, derived = build()
        source.put("a", 0)
        graph.settle()
        with pytest.raises(ZeroDivisionError):
            derived.by("inverse", lambda _, row: (12 // row,))
        source.put("a", 1)
        assert graph.settle().failures == {}

    def test_of_a_verdict_and_of_a_group(self):
        graph = Graph()
        source = graph.input("source")
        _, verdicts = graph.derive_judged("derived", source, lambda key, row, _: Judged([(key, row)], row))
        sums = graph.group("sums", source.by("all", lambda *_: ("all",)), lambda _, rows, __: sum(rows))
        for table in (verdicts, sums):
            table.by("inverse", lambda _, row: (12 // row,))
        source.put("a", 1)
        graph.settle()
        source.put("a", 0)
        assert graph.settle().failures.keys() == {("derived", "a"), ("sums", "all")}
        assert (verdicts.get("a"), sums.get("all")) == (1, 1)


def test_a_carry_that_raises_keeps_the_row_before():
    graph = Graph()
    table = graph.input("table", carry=lambda old, new: (old or 0) + new)
    for row in (1, "x", 2):
        table.put("a", row)
    table.put("b", 1)
    table.put("b", "x")
    settled = graph.settle()
    assert table.items() == [("a", 3), ("b", 1)]
    assert list(settled.failures) == [("table", "b")]
    table.remove("b")
    assert graph.settle().failures == {}


class TestJudged:
    """One call, two tables: also a row that yields nothing has its verdict."""

    def build(self):
        graph = Graph()
        source = graph.input("source")

        def judge(key, row, _):
            if row == 13:
                raise ValueError(row)
            return Judged([(key, row)] if row > 0 else [], "accepted" if row > 0 else "refused")

        return graph, source, *graph.derive_judged("derived", source, judge)

    def test_one_call_fills_both(self):
        graph, source, derived, verdicts = self.build()
        source.replace({"a": 1, "b": -1})
        settled = graph.settle()
        assert settled.calls == {"derived": 2}
        assert settled.changed == {"source": ["a", "b"], "derived": ["a"], "derived.verdicts": ["a", "b"]}
        assert derived.items() == [("a", 1)]
        assert verdicts.items() == [("a", "accepted"), ("b", "refused")]
        assert (verdicts.name, verdicts.calls, derived.calls) == ("derived.verdicts", 2, 2)

    def test_an_equal_verdict_is_no_change(self):
        graph, source, _, verdicts = self.build()
        graph.group("counts", verdicts.by("verdict", lambda _, row: (row,)), lambda _, rows, __: len(rows))
        source.put("a", 1)
        graph.settle()
        source.put("a", 2)
        settled = graph.settle()
        assert settled.changed == {"source": ["a"], "derived": ["a"]}
        assert settled.calls == {"derived": 1}

    def test_a_failure_keeps_both_and_a_removal_takes_both(self):
        graph, source, derived, verdicts = self.build()
        source.put("a", 1)
        graph.settle()
        source.put("a", 13)
        assert graph.settle().failures.keys() == {("derived", "a")}
        assert (derived.get("a"), verdicts.get("a")) == (1, "accepted")
        assert verdicts.failures == derived.failures != {}
        source.remove("a")
        settled = graph.settle()
        assert settled.changed == {"source": ["a"], "derived": ["a"], "derived.verdicts": ["a"]}
        assert records(graph) == {}


class TestGroup:
    def build(self, function=lambda word, rows, _: "".join(rows)):
        graph = Graph()
        source = graph.input("source")
        by_length = source.by("length", lambda _, row: (len(row),), order=lambda _, row: row)
        return graph, source, graph.group("groups", by_length, function)

    def test_members_come_in_the_order_of_the_index(self):
        graph, source, groups = self.build()
        source.replace({1: "b", 2: "a", 3: "cc", 4: "a"})
        assert graph.settle().calls == {"groups": 2}
        assert groups.items() == [(1, "aab"), (2, "cc")]

    def test_only_groups_with_a_changed_member_run(self):
        graph, source, groups = self.build()
        source.replace({1: "b", 2: "a", 3: "cc", 4: "ddd"})
        graph.settle()
        source.put(2, "aa")
        settled = graph.settle()
        assert settled.calls == {"groups": 2}
        assert settled.changed == {"source": [2], "groups": [1, 2]}
        assert groups.items() == [(1, "b"), (2, "aacc"), (3, "ddd")]

    def test_without_members_it_is_not_called_and_the_row_goes(self):
        graph, source, groups = self.build()
        source.put(1, "a")
        graph.settle()
        source.put(1, "bb")
        assert graph.settle().calls == {"groups": 1}
        assert groups.items() == [(2, "bb")]

    def test_none_is_no_row(self):
        graph, source, groups = self.build(lambda _, rows, __: rows[0] if len(rows) > 1 else None)
        source.put(1, "a")
        assert graph.settle().changed == {"source": [1]}
        source.put(2, "b")
        assert graph.settle().changed == {"source": [2], "groups": [1]}
        source.remove(1)
        assert graph.settle().changed == {"source": [1], "groups": [1]}
        assert len(groups) == 0

    def test_it_runs_again_when_what_it_asked_changed(self):
        graph = Graph()
        source, names = graph.input("source"), graph.input("names")
        index = source.by("letter", lambda _, row: row)
        groups = graph.group("groups", index, lambda letter, rows, lookup: (lookup.get(names, letter), len(rows)))
        source.replace({1: "ab", 2: "b"})
        graph.settle()
        names.put("a", "alpha")
        assert graph.settle().calls == {"groups": 1}
        assert groups.items() == [("a", ("alpha", 1)), ("b", (None, 2))]

    def test_a_failing_group_keeps_its_row_until_its_members_are_gone(self):
        graph, source, groups = self.build(lambda length, rows, _: 6 // len([row for row in rows if row != "x"]))
        source.replace({1: "a", 2: "bb"})
        graph.settle()
        source.put(1, "x")
        assert graph.settle().failures.keys() == {("groups", 1)}
        assert groups.items() == [(1, 6), (2, 6)]
        source.remove(1)
        assert graph.settle().failures == {}
        assert groups.items() == [(2, 6)]
