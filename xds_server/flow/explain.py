"""Why a row is what it is: what it was made from, what was asked for it, and how its last call failed.

In: a graph and the key of a row, at rest between settles. Out: values to be shown. Nothing is run or changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from xds_server.flow.derive import Derivation, Feed, Grouping
from xds_server.flow.failure import Failure
from xds_server.flow.graph import Graph
from xds_server.flow.store import Part, Question, Store
from xds_server.flow.union import Union

Row = tuple[str, Any]
"""(table name, key)"""


@dataclass(frozen=True, slots=True)
class Read:
    """One thing that was asked: a `row` by key, the `rows` or `keys` under an index value, or all `items`."""

    table: str
    part: Part
    index: str | None = None
    key: Any = None
    """The row's key, or the index value; None for all items."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One row, or one source key that has no row because it failed or yields none."""

    table: str
    key: Any
    kind: str
    """One of input, union, derived, group."""
    present: bool
    """Whether there is such a row."""
    sources: tuple[Row, ...] = ()
    """The source row, or the members of the group in their order."""
    reads: tuple[Read, ...] = ()
    """What the last call asked, in the order of asking."""
    failure: Failure | None = None
    """Why the last call failed; the row is then the last good one."""
    rivals: tuple[Any, ...] = ()
    """Where several source keys yield this key: all of them, the owner first."""


_KINDS = {Feed: "input", Union: "union", Derivation: "derived", Grouping: "group"}


def explain(graph: Graph, table_name: str, key: Any) -> Explanation:
    """What is known about a row; KeyError for an unknown table, `present=False` for an unknown key."""
    table = graph.tables[table_name]
    node = graph.node(table_name)
    cause = node.cause(table.store, key)
    return Explanation(
        table=table_name,
        key=key,
        kind=_KINDS[type(node)],
        present=key in table,
        sources=tuple(node.sources(cause)),
        reads=tuple(_read(question) for question in node.asked(cause)),
        failure=table.failures.get(cause),
        rivals=node.rivals(table.store, key),
    )


def origins(graph: Graph, table: str, key: Any) -> set[Row]:
    """All input rows, (table name, key), that a row depends on, through sources and through what was asked.

    Where a whole index value or table was asked, that is every row there now. Rows that were asked for and do
    not exist are not among them. KeyError for an unknown table; empty for a row that does not exist.
    """
    found: set[Row] = set()
    seen: set[Row] = {(table, key)}
    open_: list[Row] = [(table, key)] if key in graph.tables[table] else []
    while open_:
        name, at = open_.pop()
        node = graph.node(name)
        if isinstance(node, Feed):
            found.add((name, at))
            continue
        cause = node.cause(graph.tables[name].store, at)
        for row in node.sources(cause):
            if row not in seen:
                seen.add(row)
                open_.append(row)
        for question in node.asked(cause):
            for row in _answers(question):
                if row not in seen:
                    seen.add(row)
                    open_.append(row)
    return found


def _read(question: Question) -> Read:
    about = question.about
    if isinstance(about, Store):
        return Read(about.name, question.part, key=None if question.part == "items" else question.key)
    return Read(about.table.name, question.part, about.name, question.key)


def _answers(question: Question) -> Iterable[Row]:
    about = question.about
    if not isinstance(about, Store):
        return [(about.table.name, key) for key in about.keys(question.key)]
    if question.part == "items":
        return [(about.name, key) for key in about.order()]
    return [(about.name, question.key)] if question.key in about.rows else []
