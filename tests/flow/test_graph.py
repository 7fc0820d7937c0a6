"""The graph: changing something runs exactly what follows from it, once, and stops where nothing differs."""

import pytest

from xds_server.flow.graph import Graph, Judged, Settled

ROUTES = 40


class Shop:
    """A small pipeline of the shape that ours has: routes -> fragments -> entries -> hosts -> one configuration.

    A route is (host, path, service); its fragments name the service's port.
    """

    def __init__(self):
        self.graph = Graph(strict=True)
        self.routes = self.graph.input("routes")
        self.services = self.graph.input("services")
        self.notes = self.graph.input("notes")
        self.fragments, self.verdicts = self.graph.derive_judged("fragments", self.routes, self.translate)
        self.entries = self.graph.derive("entries", self.fragments, lambda key, row, _: [(key, f"{row[1]}={row[2]}")])
        self.hosts = self.graph.group(
            "hosts",
            self.entries.by("host", lambda key, _: (key[0],), order=lambda _, row: (-len(row), row)),
            lambda host, rows, _: f"{host}[{' '.join(rows)}]",
        )
        self.configurations = self.graph.group(
            "configurations", self.hosts.by("all", lambda *_: ("http",)), lambda _, rows, __: "\n".join(rows)
        )
        self.attached = self.graph.group(
            "attached",
            self.fragments.by("host", lambda key, _: (key[0],)),
            lambda _, rows, __: len(rows),
        )
        for number in range(ROUTES):
            self.routes.put(f"route-{number:02}", (f"host-{number % 4}", f"/{number}", f"service-{number % 10}"))
        for number in range(9):
            self.services.put(f"service-{number}", 8000 + number)
        self.first = self.graph.settle()

    def translate(self, key, row, lookup):
        host, path, service = row
        port = lookup.get(self.services, service)
        verdict = "resolved" if port is not None else "no such service"
        return Judged([((host, key), (host, path, f"{service}:{port or 0}"))], verdict)


def test_a_cold_start_calls_each_function_once_per_key():
    shop = Shop()
    assert shop.first.calls == {
        "fragments": ROUTES,
        "entries": ROUTES,
        "hosts": 4,
        "configurations": 1,
        "attached": 4,
    }
    assert shop.graph.last is shop.first
    assert shop.configurations.get("http").startswith("host-0[/12=service-2:8002 /16=service-6:8006 ")
    assert shop.verdicts.get("route-09") == "no such service"


def test_nothing_changed_runs_nothing():
    assert Shop().graph.settle() == Settled()


def test_a_red_herring_runs_nothing():
    shop = Shop()
    shop.notes.put("unrelated", "text")
    settled = shop.graph.settle()
    assert settled.changed == {"notes": ["unrelated"]}
    assert settled.calls == {}


def test_one_edited_route_runs_its_own_way_through_only():
    shop = Shop()
    shop.routes.put("route-07", ("host-3", "/seven", "service-7"))
    settled = shop.graph.settle()
    assert settled.calls == {"fragments": 1, "entries": 1, "hosts": 1, "configurations": 1, "attached": 1}
    assert settled.changed == {
        "routes": ["route-07"],
        "fragments": [("host-3", "route-07")],
        "entries": [("host-3", "route-07")],
        "hosts": ["host-3"],
        "configurations": ["http"],
    }
    assert settled.keys(shop.hosts) == ["host-3"]
    assert settled.keys(shop.verdicts) == []


def test_a_route_that_moves_runs_where_it_leaves_and_where_it_arrives():
    shop = Shop()
    shop.routes.put("route-07", ("host-1", "/7", "service-7"))
    settled = shop.graph.settle()
    assert settled.calls == {"fragments": 1, "entries": 1, "hosts": 2, "configurations": 1, "attached": 2}
    assert settled.changed["fragments"] == [("host-1", "route-07"), ("host-3", "route-07")]


def test_one_service_runs_the_routes_that_asked_for_it():
    shop = Shop()
    shop.services.put("service-3", 9003)
    settled = shop.graph.settle()
    assert settled.calls == {"fragments": 4, "entries": 4, "hosts": 2, "configurations": 1, "attached": 2}
    assert shop.verdicts.name not in settled.changed


def test_a_service_that_appears_runs_the_routes_that_missed_it():
    shop = Shop()
    shop.services.put("service-9", 8009)
    settled = shop.graph.settle()
    assert settled.calls["fragments"] == 4
    assert settled.changed["fragments.verdicts"] == ["route-09", "route-19", "route-29", "route-39"]


def test_an_equal_result_stops_the_wave():
    shop = Shop()
    shop.services.put("service-9", None)
    settled = shop.graph.settle()
    assert settled.changed == {"services": ["service-9"]}
    assert settled.calls == {"fragments": 4}


def test_a_function_runs_once_for_all_that_changed():
    shop = Shop()
    shop.routes.put("route-07", ("host-3", "/seven", "service-3"))
    shop.routes.remove("route-03")
    shop.services.put("service-3", 9003)
    assert shop.graph.settle().calls == {
        "fragments": 4,  # 7, and 13, 23, 33; but not 3, which is gone
        "entries": 4,
        "hosts": 2,
        "configurations": 1,
        "attached": 2,
    }


def test_a_diamond_never_sees_half_of_a_change():
    graph = Graph(strict=True)
    source = graph.input("source")
    left = graph.derive("left", source, lambda key, row, _: [(key, row)])
    right = graph.derive("right", source, lambda key, row, _: [(key, -row)])
    seen = []

    def add(key, row, lookup):
        seen.append(row + lookup.get(right, key))
        return []

    graph.derive("sums", left, add)
    for row in range(5):
        source.put("a", row)
        graph.settle()
    assert seen == [0] * 5


def test_functions_run_in_the_order_of_keys():
    graph = Graph(strict=True)
    source = graph.input("source")
    ran = []
    graph.derive("derived", source, lambda key, *_: ran.append(key) or [])
    for key in (3, 1, None, "b", 2, "a"):
        source.put(key, 0)
    graph.settle()
    assert ran == [None, 1, 2, 3, "a", "b"]


def test_what_is_derived_late_starts_from_what_is_there():
    graph = Graph(strict=True)
    source = graph.input("source")
    index = source.by("row", lambda _, row: (row,))
    source.replace({"a": 1, "b": 2})
    graph.settle()
    derived = graph.derive("derived", source, lambda key, row, _: [(key, row)])
    groups = graph.group("groups", index, lambda *_: True)
    assert graph.settle().calls == {"derived": 2, "groups": 2}
    assert (len(derived), len(groups)) == (2, 2)


def test_tables_are_listed_and_count():
    shop = Shop()
    assert list(shop.graph.tables) == [
        *("routes", "services", "notes"),
        *("fragments", "fragments.verdicts", "entries", "hosts", "configurations", "attached"),
    ]
    shop.services.put("service-3", 9003)
    shop.graph.settle()
    sizes = {name: (len(table), table.calls) for name, table in shop.graph.tables.items()}
    assert sizes["routes"] == (ROUTES, 0)
    assert sizes["fragments"] == (ROUTES, ROUTES + 4)
    assert sizes["hosts"] == (4, 6)


def test_names_are_unique_and_graphs_do_not_mix():
    graph = Graph()
    table = graph.input("table")
    with pytest.raises(ValueError, match="there is a table 'table' already"):
        graph.derive("table", table, lambda *_: [])
    with pytest.raises(ValueError, match="'table' belongs to another graph"):
        Graph().derive("derived", table, lambda *_: [])
    with pytest.raises(ValueError, match="'table' belongs to another graph"):
        Graph().group("derived", table.by("all", lambda *_: (0,)), lambda *_: 0)
    graph.derive_judged("judged", table, lambda *_: Judged([], None))
    with pytest.raises(ValueError, match="already"):
        graph.input("judged.verdicts")


class TestSteps:
    def build(self):
        graph = Graph(strict=True)
        source = graph.input("source")
        derived = graph.derive("derived", source, lambda key, row, _: [(key, row)])
        total = graph.group("total", derived.by("all", lambda *_: (0,)), lambda _, rows, __: sum(rows))
        source.replace(dict.fromkeys(range(10), 1))
        return graph, source, total

    def test_steps_end_where_a_settle_ends(self):
        graph, _, total = self.build()
        steps = sum(1 for _ in graph.steps(3))
        assert steps == 7, "10 input rows, 10 rows and a group, three at a time"
        assert graph.last.calls == {"derived": 10, "total": 1}
        assert graph.last.changed == {name: list(graph.tables[name].keys()) for name in graph.tables}
        assert total.get(0) == 10

    def test_nothing_is_reported_before_the_end(self):
        graph, *_ = self.build()
        steps = graph.steps(5)
        next(steps)
        next(steps)
        assert graph.last == Settled()
        for _ in steps:
            pass
        assert graph.last.calls == {"derived": 10, "total": 1}

    @pytest.mark.parametrize("taken", range(1, 7))
    def test_inputs_that_change_meanwhile_wait_for_the_next_settle(self, taken):
        graph, source, total = self.build()
        steps = graph.steps(3)
        for _ in range(taken):
            next(steps)
        source.put(0, 100)
        source.remove(9)
        for _ in steps:
            pass
        assert total.get(0) == 10
        settled = graph.settle()
        assert settled.calls == {"derived": 1, "total": 1}
        assert total.get(0) == 108

    @pytest.mark.parametrize("taken", range(1, 7))
    def test_a_relist_meanwhile_is_a_relist_of_all(self, taken):
        graph, source, total = self.build()
        steps = graph.steps(3)
        for _ in range(taken):
            next(steps)
        source.replace({5: 1, 6: 2})
        for _ in steps:
            pass
        assert graph.settle().changed["source"] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        assert total.get(0) == 3

    def test_two_settles_at_once_are_refused(self):
        graph, *_ = self.build()
        steps = graph.steps(1)
        next(steps)
        with pytest.raises(RuntimeError, match="a settle is under way"):
            graph.settle()
        with pytest.raises(RuntimeError, match="a settle is under way"):
            graph.input("late")

    @pytest.mark.parametrize("taken", range(1, 7))
    def test_a_settle_that_is_given_up_is_completed_by_the_next_one(self, taken):
        graph, source, total = self.build()
        steps = graph.steps(3)
        for _ in range(taken):
            next(steps)
        steps.close()
        source.put(0, 100)
        settled = graph.settle()
        assert settled.changed == {"source": list(range(10)), "derived": list(range(10)), "total": [0]}
        assert total.get(0) == 109
        assert graph.settle() == Settled()

    def test_what_is_carried_over_is_not_lost_with_a_settle_that_is_given_up(self):
        graph = Graph(strict=True)
        totals = graph.input("totals", carry=lambda old, new: (old or 0) + new)
        totals.put("a", 1)
        totals.put("b", 1)
        steps = graph.steps(1)
        next(steps)
        totals.put("b", 10)
        steps.close()
        graph.settle()
        assert totals.items() == [("a", 1), ("b", 11)]
