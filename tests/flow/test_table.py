"""Tables, indexes and inputs as their readers and writers see them."""

import pytest

from xds_server.flow.failure import OrderError
from xds_server.flow.graph import Graph


def filled(rows):
    graph = Graph(strict=True)
    table = graph.input("table")
    table.replace(rows)
    graph.settle()
    return graph, table


def test_a_table_lists_in_the_order_of_keys_whatever_the_order_of_arrival():
    _, table = filled({"b": 2, "c": 3, "a": 1})
    assert table.keys() == tuple(table) == ("a", "b", "c")
    assert table.values() == [1, 2, 3]
    assert table.items() == [("a", 1), ("b", 2), ("c", 3)]
    assert (len(table), "a" in table, "x" in table) == (3, True, False)
    assert (table.get("b"), table.get("x")) == (2, None)
    assert repr(table) == "<Input table: 3 rows>"


def test_keys_follow_rows_that_come_and_go():
    graph, table = filled({"b": 2})
    assert table.keys() == ("b",)
    table.put("a", 1)
    graph.settle()
    assert table.keys() == ("a", "b")
    table.remove("b")
    graph.settle()
    assert table.keys() == ("a",)


def test_none_is_a_row():
    graph, table = filled({"a": None})
    assert "a" in table
    table.put("a", None)
    assert graph.settle().changed == {}


class TestInput:
    def test_what_is_written_is_read_after_the_settle(self):
        graph, table = filled({"a": 1})
        table.put("a", 2)
        table.put("b", 1)
        assert table.items() == [("a", 1)]
        assert graph.settle().changed == {"table": ["a", "b"]}
        assert table.items() == [("a", 2), ("b", 1)]

    def test_the_last_write_wins(self):
        graph, table = filled({"a": 1})
        table.put("a", 2)
        table.remove("a")
        table.put("a", 3)
        table.put("b", 1)
        table.remove("b")
        assert graph.settle().changed == {"table": ["a"]}
        assert table.items() == [("a", 3)]

    def test_writing_what_is_there_is_no_change(self):
        graph, table = filled({"a": [1], "b": [2]})
        same = table.get("a")
        table.put("a", [1])
        table.remove("b")
        table.put("b", [2])
        table.remove("x")
        assert graph.settle().changed == {}
        assert table.get("a") is same

    def test_a_relist_counts_differences_only(self):
        graph, table = filled({"same": 1, "other": 1, "gone": 1})
        table.put("pending", 1)
        table.replace({"same": 1, "other": 2, "new": 1})
        assert graph.settle().changed == {"table": ["gone", "new", "other"]}
        assert table.items() == [("new", 1), ("other", 2), ("same", 1)]

    def test_writes_go_on_after_a_relist(self):
        graph, table = filled({"a": 1})
        table.replace({"b": 2})
        table.put("a", 3)
        graph.settle()
        assert table.items() == [("a", 3), ("b", 2)]


class TestCarry:
    """A row may keep something of the one before: here, its last good value."""

    @staticmethod
    def keep(old, new):
        return (new, new if new > 0 else old and old[1])

    def build(self):
        graph = Graph(strict=True)
        return graph, graph.input("certificates", carry=self.keep)

    def test_a_row_is_carried_over_from_the_one_before(self):
        graph, table = self.build()
        for value in (-1, 5, -2, -3):
            table.put("a", value)
            graph.settle()
        assert table.get("a") == (-3, 5)

    def test_batching_does_not_matter(self):
        graph, table = self.build()
        for value in (-1, 5, -2, -3):
            table.put("a", value)
        graph.settle()
        assert table.get("a") == (-3, 5)

    def test_nothing_is_carried_over_a_removal(self):
        graph, table = self.build()
        table.put("a", 5)
        graph.settle()
        table.remove("a")
        table.put("a", -1)
        graph.settle()
        assert table.get("a") == (-1, None)

    def test_a_relist_carries_over_too(self):
        graph, table = self.build()
        table.replace({"a": 5, "b": 6})
        table.replace({"a": -1})
        graph.settle()
        assert table.items() == [("a", (-1, 5))]


class TestIndex:
    def test_a_row_is_found_under_every_one_of_its_values(self):
        _, table = filled({1: "ab", 2: "b", 3: ""})
        index = table.by("letter", lambda _, row: row)
        assert list(index) == ["a", "b"]
        assert (index.rows("a"), index.rows("b"), index.rows("x")) == (("ab",), ("ab", "b"), ())
        assert (index.keys("a"), index.keys("b"), index.keys("x")) == ((1,), (1, 2), ())
        assert ("a" in index, "x" in index, len(index)) == (True, False, 2)
        assert repr(index) == "<Index table.letter: 2 values>"

    def test_a_value_named_twice_counts_once(self):
        graph, table = filled({1: "aa"})
        index = table.by("letter", lambda _, row: row)
        assert index.keys("a") == (1,)
        table.remove(1)
        graph.settle()
        assert list(index) == []

    def test_it_follows_its_table(self):
        graph, table = filled({})
        index = table.by("letter", lambda _, row: row)
        table.replace({1: "ab", 2: "b"})
        graph.settle()
        table.put(1, "bc")
        graph.settle()
        assert {value: index.rows(value) for value in index} == {"b": ("bc", "b"), "c": ("bc",)}
        table.remove(1)
        graph.settle()
        assert {value: index.rows(value) for value in index} == {"b": ("b",)}

    def test_rows_are_in_the_order_of_their_keys_unless_told_otherwise(self):
        _, table = filled({"b": 1, "c": 2, "a": 3})
        index = table.by("all", lambda *_: (0,))
        assert index.keys(0) == ("a", "b", "c")
        assert index.rows(0) == (3, 1, 2)

    def test_order_goes_first_and_ties_are_by_key(self):
        graph, table = filled({"d": 1, "b": 2, "c": 1, "a": 3})
        index = table.by("all", lambda *_: (0,), order=lambda _, row: -row)
        assert index.keys(0) == ("a", "b", "c", "d")
        table.put("d", 4)
        table.put("a", 1)
        graph.settle()
        assert index.keys(0) == ("d", "b", "a", "c")
        assert index.rows(0) == (4, 2, 1, 1)

    def test_what_was_read_stays_as_it_was(self):
        graph, table = filled({key: key for key in range(100)})
        index = table.by("all", lambda *_: (0,))
        rows, keys = index.rows(0), index.keys(0)
        table.replace({})
        graph.settle()
        assert rows == keys == tuple(range(100))

    def test_asking_for_the_same_index_again_returns_it(self):
        _, table = filled({})

        def letters(_, row):
            return row

        index = table.by("letter", letters)
        assert table.by("letter", letters) is index
        assert table.indexes == {"letter": index}
        with pytest.raises(ValueError, match="another index 'letter'"):
            table.by("letter", letters, order=lambda *_: 0)


def test_a_function_that_reads_a_table_past_its_lookup_is_refused():
    """Nobody would know to run it again."""
    for read in (
        lambda table, _: table.get("a"),
        lambda table, _: table.keys(),
        lambda table, _: "a" in table,
        lambda table, _: len(table),
        lambda _, index: index.rows(0),
        lambda _, index: index.keys(0),
        lambda _, index: list(index),
        lambda table, _: table.by("late", lambda *_: ()),
    ):
        graph, table = filled({"a": 1})
        index = table.by("all", lambda *_: (0,))
        graph.derive("derived", table, lambda key, row, _, read=read, at=(table, index): [(key, read(*at))])
        with pytest.raises(OrderError, match="'derived' reads 'table' directly"):
            graph.settle()
        assert table.get("a") == 1, "outside of functions it may be read"
