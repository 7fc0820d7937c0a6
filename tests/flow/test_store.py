"""What is kept of dependencies: as much as was asked, and nothing of what is gone."""

from tests.flow.records import records
from xds_server.flow.graph import Graph


def test_a_question_is_kept_once_for_all_who_ask_it():
    graph = Graph(strict=True)
    popular, askers = graph.input("popular"), graph.input("askers")
    index = popular.by("letter", lambda _, row: row)

    def function(key, row, lookup):
        lookup.rows(index, "a")
        lookup.keys(index, "a")
        lookup.items(popular)
        return [(key, lookup.get(popular, 1))]

    table = graph.derive("answers", askers, function)
    askers.replace(dict.fromkeys(range(10), 0))
    graph.settle()
    assert records(graph) == {"rows": 20, "questions": 4, "askers": 10}
    popular.put(1, "a")
    assert graph.settle().calls == {"answers": 10}
    askers.replace({3: 0})
    graph.settle()
    popular.put(1, "ab")
    assert graph.settle().calls == {"answers": 1}
    assert table.items() == [(3, "ab")]


def test_functions_that_ask_nothing_leave_no_record():
    graph = Graph(strict=True)
    source = graph.input("source")
    same = graph.derive("same", source, lambda key, row, _: [(key, row)])
    graph.group("all", same.by("all", lambda *_: (0,)), lambda _, rows, __: len(rows))
    source.replace(dict.fromkeys(range(100), "row"))
    graph.settle()
    assert records(graph) == {"rows": 201, "index values": 1}


def test_nothing_is_left_when_everything_is_gone():
    graph = Graph()
    source, other = graph.input("source"), graph.input("other")
    by_row = other.by("row", lambda _, row: (row,))

    def judge(key, row, lookup):
        lookup.get(other, row)
        lookup.items(other)
        if row == 3:
            raise ValueError(row)
        yield ("shared", 1), lookup.rows(by_row, row)
        yield (key, row), lookup.keys(by_row, row)

    derived = graph.derive("derived", source, judge)
    by_name = derived.by("name", lambda key, _: (key[0],))
    graph.group("groups", by_name, lambda name, rows, lookup: (len(rows), lookup.get(source, name)))
    for turn in range(3):
        source.replace({number: (number + turn) % 5 for number in range(20)})
        other.replace({number: number + turn for number in range(5)})
        assert graph.settle().failures
        assert records(graph).keys() >= {"rows", "questions", "askers", "claims", "failures", "index values"}
    source.replace({})
    graph.settle()
    other.replace({})
    graph.settle()
    assert records(graph) == {}


def test_a_failing_call_replaces_the_record_of_what_was_asked():
    graph = Graph()
    source, other = graph.input("source"), graph.input("other")

    def function(key, row, lookup):
        if lookup.get(other, row) is None:
            raise ValueError("not there")
        return [(key, row)]

    table = graph.derive("derived", source, function)
    source.put("a", 1)
    graph.settle()
    source.put("a", 2)
    graph.settle()
    other.put(1, "one")
    assert graph.settle().calls == {}, "row 1 is not what it fails for now"
    other.put(2, "two")
    assert graph.settle().failures == {}
    assert table.items() == [("a", 2)]
