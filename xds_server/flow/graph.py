"""Graph: tables, the functions between them, and the order in which they run.

In: rows put into inputs. Out: derived tables, brought up to date by `settle`, and what that changed.

The algorithm: nodes run in the order of their creation, each once per settle, and for each key in its queue
once. A key is queued when its source row changed, or a row, an index value or a table that its last call
asked about. Since a function can ask only what was created before it, nothing that has run is ever queued
again. A row that equals the stored one is no change, and so the wave stops there.

Functions must be pure: the same arguments and the same answers give the same result. Not done here: deciding
when to settle, and publishing (control.py).
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from xds_server.flow.derive import Derivation, Feed, Grouping, Node
from xds_server.flow.failure import Failure
from xds_server.flow.lookup import Lookup
from xds_server.flow.order import arranged
from xds_server.flow.store import Guard, Store, Work
from xds_server.flow.table import Index, Input, Table
from xds_server.flow.union import Union

I = TypeVar("I")  # noqa: E741 - the index value
K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Judged(Generic[K2, V2, W]):
    """What a judging function returns: rows, and what is to be said about the source row, rows or none."""

    rows: Iterable[tuple[K2, V2]]
    verdict: W


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settle did. Tables without changes are not in `changed`; without calls, `calls` counts 0."""

    changed: dict[str, list[Any]] = field(default_factory=dict)
    """By table, inputs too: the keys, in order, whose row is new, different or gone."""
    calls: Counter[str] = field(default_factory=Counter)
    """By table: how often its function was called."""
    failures: dict[tuple[str, Any], Failure] = field(default_factory=dict)
    """All that fails now, also since before: by table and source key."""

    def keys(self, table: Table[K, Any]) -> Sequence[K]:
        """The changed keys of one table."""
        return self.changed.get(table.name, [])


class Graph:
    """Tables that follow from each other. With `strict`, for tests, failures of keys are raised, not kept."""

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._guard = Guard()
        self._tables: dict[str, Table[Any, Any]] = {}
        self._nodes: list[Node] = []
        self._node_of: dict[str, Node] = {}
        self._calls: Counter[str] = Counter()
        self._settling = False
        self.last = Settled()
        """What the last complete settle did."""

    @property
    def tables(self) -> Mapping[str, Table[Any, Any]]:
        """All tables by name, in the order of creation."""
        return MappingProxyType(self._tables)

    def node(self, name: str) -> Node:
        """The node that writes table `name`; for explain.py."""
        return self._node_of[name]

    def input(self, name: str, *, carry: Callable[[V | None, V], V] | None = None) -> Input[K, V]:
        """A table that is filled from outside; with `carry`, a row put is stored as `carry(old, new)`."""
        table: Input[K, V] = Input(self._store(name, Work()), carry)
        self._add(Feed(table, strict=self._strict), table)
        return table

    def union(self, name: str, sources: Mapping[str, Table[K, Any]]) -> Table[tuple[str, K], Any]:
        """The rows of several tables in one: the row of `key` in the source of a tag is under (tag, key)."""
        for source in sources.values():
            self._check_own(source)
        table: Table[tuple[str, K], Any] = Table(self._store(name, Work()))
        stores = {tag: source.store for tag, source in sources.items()}
        self._add(Union(table.store, stores, strict=self._strict), table)
        return table

    def derive(
        self,
        name: str,
        source: Table[K, V],
        f: Callable[[K, V, Lookup], Iterable[tuple[K2, V2]]],
    ) -> Table[K2, V2]:
        """Rows from each row of `source`; where two source keys yield one key, the first in order has it."""
        self._check_own(source)
        table: Table[K2, V2] = Table(self._store(name, Work()))

        def unjudged(key: K, row: V, lookup: Lookup) -> tuple[Iterable[tuple[K2, V2]], None]:
            return f(key, row, lookup), None

        self._add(Derivation(table.store, source.store, unjudged, None, strict=self._strict), table)
        return table

    def derive_judged(
        self,
        name: str,
        source: Table[K, V],
        f: Callable[[K, V, Lookup], Judged[K2, V2, W]],
    ) -> tuple[Table[K2, V2], Table[K, W]]:
        """Like `derive`, with a second table `{name}.verdicts`: one row for each row of `source`."""
        self._check_own(source)
        work = Work()
        table: Table[K2, V2] = Table(self._store(name, work))
        verdicts: Table[K, W] = Table(self._store(f"{name}.verdicts", work))

        def judged(key: K, row: V, lookup: Lookup) -> tuple[Iterable[tuple[K2, V2]], W]:
            result = f(key, row, lookup)
            return result.rows, result.verdict

        node = Derivation(table.store, source.store, judged, verdicts.store, strict=self._strict)
        self._add(node, table, verdicts)
        return table, verdicts

    def group(
        self,
        name: str,
        index: Index[I, K, V],
        f: Callable[[I, Sequence[V], Lookup], V2 | None],
    ) -> Table[I, V2]:
        """One row, or none for None, from all rows under each value of `index`, in its order.

        The function is called when a member row changed, came or went, or something it asked about; not
        without any member.
        """
        self._check_own(index)
        table: Table[I, V2] = Table(self._store(name, Work()))
        self._add(Grouping(table.store, index.store, f, strict=self._strict), table)
        return table

    def settle(self) -> Settled:
        """Brings everything up to date."""
        for _ in self.steps(sys.maxsize):
            pass
        return self.last

    def steps(self, calls: int) -> Iterator[None]:
        """The same in steps: done when exhausted, the result is in `last`.

        Yields after every `calls` calls of functions; rows of inputs and keys that are gone count like calls.
        Until it is done, tables are partly new and partly old, inputs that change wait for the next settle,
        and another settle is a RuntimeError. One that is given up (the iterator closed) is completed by the
        next.
        """
        if self._settling:
            raise RuntimeError("a settle is under way")
        self._settling = True
        done = 0
        try:
            for node in self._nodes:
                if isinstance(node, Feed):
                    node.take()
            for node in self._nodes:
                for key in arranged(node.queue):
                    if node.run(key):
                        self._calls[node.name] += 1
                    node.queue.discard(key)
                    done += 1
                    if done % calls == 0:
                        yield
                node.queue.clear()  # a set that was large once is slow to iterate until it is cleared
                node.finish()
            self.last = self._report()
        finally:
            self._settling = False

    def _report(self) -> Settled:
        changed = {}
        for table in self._tables.values():
            if table.store.changed:
                changed[table.name] = arranged(table.store.changed)
                table.store.changed.clear()
        calls, self._calls = self._calls, Counter()
        failures = {
            (node.name, key): failure for node in self._nodes for key, failure in node.store.work.failures().items()
        }
        return Settled(changed, calls, failures)

    def _store(self, name: str, work: Work) -> Store[Any, Any]:
        if name in self._tables:
            raise ValueError(f"there is a table {name!r} already")
        return Store(name, len(self._nodes), self._guard, work)

    def _add(self, node: Node, *tables: Table[Any, Any]) -> None:
        if self._settling:
            raise RuntimeError("a settle is under way")
        self._nodes.append(node)
        for table in tables:
            self._tables[table.name] = table
            self._node_of[table.name] = node

    def _check_own(self, source: Table[Any, Any] | Index[Any, Any, Any]) -> None:
        table = source.store if isinstance(source, Table) else source.store.table
        if table.guard is not self._guard:
            raise ValueError(f"table {table.name!r} belongs to another graph")
