"""What the incremental tables themselves cost, with functions that do next to nothing: times and memory of one run.

Run as `python -m tests.bench.bench_flow`; `rows()` is for `make bench`. Times are CPU times. The pipeline is
a row per source row, a group per row, and one group over all of them, which is the worst that one edit can
meet.
"""

import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Input

Row = tuple[str, int]
Source = Input[tuple[str, str], Row]
SIZES = (1_000, 5_000, 20_000)
EDITS = 300


def pipeline(size: int) -> tuple[Graph, Source]:
    """The three nodes, with `size` source rows put and not yet settled."""
    graph = Graph(strict=True)
    source: Source = graph.input("routes")
    entries = graph.derive("entries", source, lambda key, row, _: ((key, row),))
    hosts = graph.group("hosts", entries.by("host", lambda key, _: (key,)), lambda _, rows, __: rows[0])
    everything = hosts.by("all", lambda *_: ("all",), order=lambda _, row: row[1] % 100)
    graph.group("all", everything, lambda _, rows, __: (len(rows), rows[size // 2]))
    for number in range(size):
        source.put(key_of(number), ("row", number))
    return graph, source


def key_of(number: int) -> tuple[str, str]:
    return "shop", f"route-{number:06}"


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


def rows() -> list[dict[str, object]]:
    """One row per figure: what, how many source rows, value, unit."""
    found = [row for size in SIZES for row in _size(size)]
    return [*found, *_reads(5_000), *_wave(5_000)]


def _row(what: str, size: int, value: float, unit: str) -> dict[str, object]:
    return {"what": what, "rows": size, "value": round(value, 1), "unit": unit}


def _size(size: int) -> list[dict[str, object]]:
    graph, source = pipeline(size)
    cold = seconds(graph.settle)
    calls = graph.last.calls.total()
    taken = []
    for turn in range(EDITS):
        source.put(key_of(turn * 7 % size), ("edited", turn))
        taken.append(seconds_once(graph.settle))
        assert graph.last.calls == {"entries": 1, "hosts": 1, "all": 1}
    taken.sort()
    idle = statistics.median(seconds_once(graph.settle) for _ in range(EDITS))
    content = dict(source.items())
    relist = seconds(lambda: (source.replace(content), graph.settle()))
    assert graph.last.changed == {}
    return [
        _row("cold settle", size, cold * 1e3, "ms"),
        _row("cold settle, per call", size, cold / calls * 1e6, "µs"),
        _row("one edit, median", size, statistics.median(taken) * 1e6, "µs"),
        _row("one edit, 99th percentile", size, taken[len(taken) * 99 // 100] * 1e6, "µs"),
        _row("nothing changed", size, idle * 1e6, "µs"),
        _row("equal relist", size, relist * 1e3, "ms"),
        _row("memory, per source row (3 tables, 2 indexes)", size, _memory(size), "bytes"),
    ]


def seconds_once(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _memory(size: int) -> float:
    gc.collect()
    tracemalloc.start()
    graph, source = pipeline(size)
    before = tracemalloc.get_traced_memory()[0]
    graph.settle()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(source) == size
    return (after - before) / size


def _reads(size: int) -> list[dict[str, object]]:
    """Reads within one call: the first time each is recorded, the second time it is known already."""
    graph = Graph(strict=True)
    asked: Source = graph.input("asked")
    by_number = asked.by("number", lambda _, row: (row[1],))
    asking: Input[str, int] = graph.input("asking")
    keys = [key_of(number) for number in range(size)]
    figures: dict[str, float] = {}

    def function(_: str, turn: int, lookup: Lookup) -> list[tuple[str, int]]:
        when = "first" if turn == 0 else "again"
        figures[f"get, {when}"] = seconds(lambda: [lookup.get(asked, key) for key in keys])
        figures[f"rows of an index value, {when}"] = seconds(
            lambda: [lookup.rows(by_number, number) for number in range(size)]
        )
        return []

    graph.derive("answers", asking, function)
    for number, key in enumerate(keys):
        asked.put(key, ("row", number))
    for turn in range(2):
        asking.put("a", turn)
        graph.settle()
    return [_row(f"one read: {what}", size, taken / size * 1e9, "ns") for what, taken in figures.items()]


def _wave(size: int) -> list[dict[str, object]]:
    """A row that all others asked for changes, and nothing follows from it."""
    graph = Graph(strict=True)
    popular: Input[str, int] = graph.input("popular")
    source: Source = graph.input("source")

    def function(key: tuple[str, str], row: Row, lookup: Lookup) -> list[tuple[tuple[str, str], Row]]:
        lookup.get(popular, "a")
        return [(key, row)]

    graph.derive("answers", source, function)
    source.replace({key_of(number): ("row", number) for number in range(size)})
    graph.settle()
    popular.put("a", 1)
    taken = seconds(graph.settle)
    assert graph.last.calls == {"answers": size}
    return [_row("a row that all asked for changes, per asker", size, taken / size * 1e6, "µs")]


def table(found: list[dict[str, object]]) -> str:
    """The rows as text."""
    return "\n".join(f"{row['what']:52}{row['rows']:>8,}{row['value']:>10,} {row['unit']}" for row in found)


if __name__ == "__main__":
    sys.stdout.write(table(rows()) + "\n")
