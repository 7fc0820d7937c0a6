"""From a row down to the objects that it was made from: what `flow.explain` knows of each row on the way, as JSON.

In: a graph, a row, how many rows to visit at most. Out: the rows breadth first, each with what it was made from and
what its function asked, and the input rows among them. The graph is read in the event loop, which alone may change it,
in slices with pauses between them; a settle that falls into a pause is told.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from xds_server.flow.explain import Explanation, Read, Row, explain
from xds_server.flow.failure import Failure
from xds_server.flow.graph import Graph
from xds_server.shell.readable import key_text, plain_text

SLICE_SECONDS: Final = 0.005
"""For how long at a stretch nothing else runs."""
_LISTED: Final = 100
"""How many rows an entry names before it only counts them."""


@dataclass(slots=True)
class _Walk:
    rows: list[dict[str, Any]] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)


async def trace(graph: Graph, start: Row, limit: int) -> dict[str, Any]:
    """Everything behind `start`; KeyError for an unknown table."""
    walk, last = _Walk(), graph.last
    seen: set[Row] = {start}
    open_: deque[tuple[Row, int]] = deque([(start, 0)])
    pause = perf_counter() + SLICE_SECONDS
    while open_ and len(walk.rows) < limit:
        (table, key), depth = open_.popleft()
        found = explain(graph, table, key)
        answers = [_answers(graph, read) for read in found.reads]
        walk.rows.append(_shown(found, depth, [len(rows) for rows in answers]))
        if found.kind == "input":
            walk.inputs.append(row_text((table, key)))
        for row in (*found.sources, *(row for rows in answers for row in rows)):
            if row not in seen:
                seen.add(row)
                open_.append((row, depth + 1))
        if perf_counter() > pause:
            await asyncio.sleep(0)
            pause = perf_counter() + SLICE_SECONDS
    shown: dict[str, Any] = {"inputs": sorted(walk.inputs), "rows": walk.rows}
    if open_:
        shown["truncated"] = f"{len(open_)} rows more were found and not followed; limit= sets how many are"
    if graph.last is not last:
        shown["changed"] = "tables changed while they were read; ask again for a picture of one moment"
    return shown


def row_text(row: Row) -> str:
    """A row by table and key."""
    return f"{row[0]}: {key_text(row[1])}"


def failure_json(failure: Failure) -> dict[str, Any]:
    """A failure with its traceback as lines."""
    return {"error": plain_text(failure.error), "traceback": plain_text(failure.traceback).splitlines()}


def _answers(graph: Graph, read: Read) -> Sequence[Row]:
    """The rows that the question is answered by now."""
    table = graph.tables[read.table]
    if read.index is not None:
        return [(read.table, key) for key in table.indexes[read.index].keys(read.key)]
    if read.part == "items":
        return [(read.table, key) for key, _ in table.items()]
    return [(read.table, read.key)] if read.key in table else []


def _shown(found: Explanation, depth: int, counts: Sequence[int]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "table": found.table,
        "key": key_text(found.key),
        "depth": depth,
        "kind": found.kind,
        "present": found.present,
    }
    if found.sources:
        shown["made_from"] = list(_listed(found.sources))
    if found.reads:
        shown["asked"] = [_asked(read, count) for read, count in zip(found.reads, counts, strict=True)]
    if found.rivals:
        shown["rivals"] = [key_text(rival) for rival in found.rivals]
    if found.failure is not None:
        shown["failure"] = failure_json(found.failure)
    return shown


def _listed(rows: Sequence[Row]) -> Iterator[str]:
    yield from map(row_text, rows[:_LISTED])
    if len(rows) > _LISTED:
        yield f"and {len(rows) - _LISTED} more"


def _asked(read: Read, count: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"table": read.table}
    if read.index is not None:
        shown["index"] = read.index
    shown["part"] = read.part
    if read.part != "items":
        shown["key"] = key_text(read.key)
    return {**shown, "found": count}
