"""Tables and indexes as everybody sees them: for reading; inputs are also where rows come from.

Rows are values: compared with `==`, never changed once they are in a table. Keys are hashable values.
Everything that lists keys or rows lists them in the order of the keys (flow/order.py), whatever the order of
arrival. Not done here: running anything (graph.py). A function of the graph reads through its Lookup instead
(lookup.py); reading a table directly from within one raises OrderError, for nobody would know to run it
again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from xds_server.flow.failure import Failure
from xds_server.flow.order import arranged
from xds_server.flow.store import MISSING, IndexStore, Missing, Store

I = TypeVar("I")  # noqa: E741 - the index value
K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """Rows by key, as of the last settle."""

    __slots__ = ("_by", "store")

    def __init__(self, store: Store[K, V]) -> None:
        self.store = store
        """The graph's side of the table; not for reading rows from."""
        self._by: dict[str, Index[Any, K, V]] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self.store.rows)} rows>"

    @property
    def name(self) -> str:
        """Unique within its graph."""
        return self.store.name

    @property
    def calls(self) -> int:
        """How often the function behind this table was called so far; 0 for inputs."""
        return self.store.work.calls

    @property
    def failures(self) -> Mapping[Any, Failure]:
        """The failures of now, by source key (an input's own key, a group's index value)."""
        return self.store.work.failures()

    @property
    def indexes(self) -> Mapping[str, "Index[Any, K, V]"]:
        """The indexes made so far, by name."""
        return self._by

    def get(self, key: K) -> V | None:
        """The row of `key`, or None."""
        return self._rows().get(key)

    def keys(self) -> Sequence[K]:
        """All keys, in order."""
        self._rows()
        return self.store.order()

    def values(self) -> Sequence[V]:
        """All rows, in the order of their keys."""
        rows = self._rows()
        return [rows[key] for key in self.store.order()]

    def items(self) -> Sequence[tuple[K, V]]:
        """All keys and rows, in the order of the keys."""
        rows = self._rows()
        return [(key, rows[key]) for key in self.store.order()]

    def by(
        self,
        name: str,
        f: Callable[[K, V], Iterable[I]],
        *,
        order: Callable[[K, V], Any] | None = None,
    ) -> "Index[I, K, V]":
        """An index of this table: a row is found under every value of `f(key, row)`.

        Rows of one value are ordered by `order(key, row)`, ties by key. Both functions must be pure. Asking
        for the same index again returns it; another one under the same name is a ValueError. When a function
        raises for a new row, the key that brought that row fails.
        """
        self.store.guard.check(self.name)
        if (known := self._by.get(name)) is not None:
            if (known.store.f, known.store.order) != (f, order):
                raise ValueError(f"table {self.name!r} has another index {name!r}")
            return known
        index = Index(IndexStore(name, self.store, f, order))
        self.store.indexes.append(index.store)
        self._by[name] = index
        return index

    def _rows(self) -> dict[K, V]:
        self.store.guard.check(self.name)
        return self.store.rows

    def __contains__(self, key: object) -> bool:
        return key in self._rows()

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._rows())


class Index(Generic[I, K, V]):
    """Rows of a table by index value, as of the last settle; values without rows are not in it."""

    __slots__ = ("store",)

    def __init__(self, store: IndexStore[I, K, V]) -> None:
        self.store = store
        """The graph's side of the index; not for reading rows from."""

    def __repr__(self) -> str:
        return f"<Index {self.store.table.name}.{self.name}: {len(self.store.groups)} values>"

    @property
    def name(self) -> str:
        """Unique within its table."""
        return self.store.name

    def rows(self, value: I) -> Sequence[V]:
        """The rows under `value`, in order; what was returned does not change later."""
        members = self._groups().get(value)
        return members.view() if members is not None else ()

    def keys(self, value: I) -> Sequence[K]:
        """The keys of `rows(value)`, in the same order."""
        self._groups()
        return self.store.keys(value)

    def _groups(self) -> dict[I, Any]:
        self.store.table.guard.check(self.store.table.name)
        return self.store.groups

    def __iter__(self) -> Iterator[I]:
        return iter(arranged(self._groups()))

    def __contains__(self, value: object) -> bool:
        return value in self._groups()

    def __len__(self) -> int:
        return len(self._groups())


class Input(Table[K, V]):
    """A table that is filled from outside. What is written is read from the next settle on, never earlier.

    With `carry`, the row that is stored is `carry(old, new)`, called once for every row put, in the order of
    putting, whether or not a settle lies between: what is carried over does not depend on how changes were
    batched.
    """

    __slots__ = ("_pending", "carry", "taken")

    def __init__(self, store: Store[K, V], carry: Callable[[V | None, V], V] | None = None) -> None:
        super().__init__(store)
        self.carry = carry
        self._pending: dict[K, list[V | Missing]] = {}
        self.taken: dict[K, list[V | Missing]] = {}
        """For the graph: per key what the settle under way has still to bring in, in order."""

    def put(self, key: K, row: V) -> None:
        """Adds or replaces a row."""
        if self.carry is None:
            self._pending[key] = [row]
        else:
            self._pending.setdefault(key, []).append(row)

    def remove(self, key: K) -> None:
        """Takes a row out; one that is not there is no error."""
        self._pending[key] = [MISSING]

    def replace(self, rows: Mapping[K, V]) -> None:
        """Makes `rows` the whole content; only what differs counts as a change."""
        for key in {*self.store.rows, *self.taken, *self._pending, *self.store.work.errors}:
            if key not in rows:
                self.remove(key)
        for key, row in rows.items():
            self.put(key, row)

    def take(self) -> Iterable[K]:
        """For the graph: moves what is pending to `taken`, and says for which keys there is something."""
        for key, changes in self._pending.items():
            self.taken.setdefault(key, []).extend(changes)
        self._pending = {}
        return self.taken
