import pytest

from xds_server.flow.explain import explain, origins
from xds_server.flow.graph import Graph


def two():
    graph = Graph(strict=True)
    left, right = graph.input("left"), graph.input("right")
    left.put("a", 1)
    both = graph.union("both", {"l": left, "r": right})
    return graph, left, right, both


def test_rows_of_all_sources_are_under_their_tags():
    graph, _, right, both = two()
    right.put("a", 2)
    right.put("b", 3)
    graph.settle()
    assert dict(both.items()) == {("l", "a"): 1, ("r", "a"): 2, ("r", "b"): 3}


def test_changes_and_removals_follow():
    graph, left, right, both = two()
    right.put("b", 3)
    graph.settle()
    left.put("a", 5)
    right.remove("b")
    settled = graph.settle()
    assert dict(both.items()) == {("l", "a"): 5}
    assert settled.changed["both"] == [("l", "a"), ("r", "b")]
    assert not settled.calls


def test_an_equal_row_is_no_change():
    graph, left, _, _ = two()
    graph.settle()
    left.put("a", 1)
    assert graph.settle().changed == {}


def test_what_follows_runs_for_the_changed_rows_alone():
    graph, left, right, both = two()
    doubled = graph.derive("doubled", both, lambda key, row, _: [(key, 2 * row)])
    by_parity = both.by("parity", lambda _, row: (row % 2,))
    right.put("a", 2)
    graph.settle()
    left.put("a", 4)
    assert graph.settle().calls == {"doubled": 1}
    assert dict(doubled.items()) == {("l", "a"): 8, ("r", "a"): 4}
    assert list(by_parity.keys(0)) == [("l", "a"), ("r", "a")]


def test_an_index_that_raises_costs_its_row_alone():
    graph = Graph()
    left = graph.input("left")
    both = graph.union("both", {"l": left})
    both.by("inverse", lambda _, row: (1 / row,))
    left.put("a", 0)
    left.put("b", 2)
    settled = graph.settle()
    assert dict(both.items()) == {("l", "b"): 2}
    assert list(settled.failures) == [("both", ("l", "a"))]


def test_it_is_explained():
    graph, *_ = two()
    graph.settle()
    explained = explain(graph, "both", ("l", "a"))
    assert (explained.kind, explained.present, explained.sources) == ("union", True, (("left", "a"),))
    assert origins(graph, "both", ("l", "a")) == {("left", "a")}
    assert not explain(graph, "both", ("r", "a")).present


def test_tables_of_another_graph_are_refused():
    _, left, _, _ = two()
    with pytest.raises(ValueError, match="another graph"):
        Graph().union("x", {"l": left})
