"""Explanations name what a row was made from, down to the inputs."""

import pytest

from xds_server.flow.explain import Explanation, Read, explain, origins
from xds_server.flow.graph import Graph, Judged


@pytest.fixture
def graph():
    graph = Graph()
    routes, services, settings = graph.input("routes"), graph.input("services"), graph.input("settings")
    by_label = services.by("label", lambda _, row: (row["label"],))

    def translate(key, row, lookup):
        lookup.items(settings)
        found = lookup.rows(by_label, row["label"])
        lookup.get(services, "fallback")
        if row.get("bad"):
            raise ValueError("bad")
        return Judged([((row["host"], key), len(found))] if found else [], "judged")

    fragments, _ = graph.derive_judged("fragments", routes, translate)
    graph.group("hosts", fragments.by("host", lambda key, _: (key[0],)), lambda _, rows, lookup: sum(rows))
    graph.derive("domains", routes, lambda key, row, _: [(row["host"], key)])
    settings.put("limit", 1)
    services.replace({"s1": {"label": "x"}, "s2": {"label": "x"}, "s3": {"label": "y"}})
    routes.put("r1", {"host": "a", "label": "x"})
    routes.put("r2", {"host": "a", "label": "y"})
    routes.put("r3", {"host": "b", "label": "none"})
    graph.settle()
    return graph


READS = (Read("settings", "items"), Read("services", "rows", "label", "x"), Read("services", "row", key="fallback"))


def test_a_derived_row(graph):
    assert explain(graph, "fragments", ("a", "r1")) == Explanation(
        table="fragments",
        key=("a", "r1"),
        kind="derived",
        present=True,
        sources=(("routes", "r1"),),
        reads=READS,
    )


def test_a_verdict(graph):
    explanation = explain(graph, "fragments.verdicts", "r1")
    assert (explanation.sources, explanation.reads) == ((("routes", "r1"),), READS)


def test_a_group(graph):
    assert explain(graph, "hosts", "a") == Explanation(
        table="hosts",
        key="a",
        kind="group",
        present=True,
        sources=(("fragments", ("a", "r1")), ("fragments", ("a", "r2"))),
    )


def test_an_input(graph):
    assert explain(graph, "routes", "r1") == Explanation("routes", "r1", "input", present=True)


def test_a_row_that_is_not_there(graph):
    assert explain(graph, "fragments", ("z", "r1")) == Explanation("fragments", ("z", "r1"), "derived", present=False)
    with pytest.raises(KeyError):
        explain(graph, "no such table", "a")


def test_a_failed_key_is_explained_by_its_rows_and_by_itself(graph):
    graph.tables["routes"].put("r1", {"host": "a", "label": "x", "bad": True})
    graph.tables["routes"].put("r9", {"host": "a", "label": "x", "bad": True})
    graph.settle()
    stale = explain(graph, "fragments", ("a", "r1"))
    assert stale.present
    assert stale.failure.error == "ValueError: bad"
    fresh = explain(graph, "fragments", "r9")
    assert not fresh.present
    assert (fresh.sources, fresh.reads, fresh.failure.error) == ((("routes", "r9"),), READS, "ValueError: bad")


def test_rivals_are_named(graph):
    assert explain(graph, "domains", "a").rivals == ("r1", "r2")
    assert explain(graph, "domains", "a").sources == (("routes", "r1"),)
    assert explain(graph, "domains", "b").rivals == ()
    assert "which 'r1' yields too" in explain(graph, "domains", "r2").failure.error


def test_origins_are_all_input_rows_behind_a_row(graph):
    services = {("services", "s1"), ("services", "s2")}
    assert origins(graph, "fragments", ("a", "r1")) == {("routes", "r1"), ("settings", "limit"), *services}
    assert origins(graph, "hosts", "a") == {
        *{("routes", "r1"), ("routes", "r2"), ("settings", "limit"), ("services", "s3")},
        *services,
    }
    assert origins(graph, "fragments.verdicts", "r3") == {("routes", "r3"), ("settings", "limit")}
    assert origins(graph, "routes", "r1") == {("routes", "r1")}
    graph.tables["services"].put("fallback", {"label": "z"})
    graph.settle()
    assert ("services", "fallback") in origins(graph, "fragments.verdicts", "r3")


def test_what_is_not_there_has_no_origins(graph):
    assert origins(graph, "hosts", "z") == set()
    assert origins(graph, "routes", "z") == set()
    with pytest.raises(KeyError):
        origins(graph, "no such table", "a")
