"""Lookup: how a pure function asks for other rows, and how the graph learns what it asked.

In: tables and indexes that are older than the asking node. Out: their rows. Whatever is asked becomes a
dependency, also when the answer is that there is no such row. `rows` depends on the rows under a value and on
their order, `keys` on the sequence of keys alone (a row that changes in place does not matter), `items` on a
whole table.
"""

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol, TypeVar

from xds_server.flow.failure import OrderError
from xds_server.flow.store import WHOLE, Question, Store
from xds_server.flow.table import Index, Table

I = TypeVar("I")  # noqa: E741 - the index value
K = TypeVar("K")
V = TypeVar("V")


class Lookup(Protocol):
    """What a function of the graph is handed to ask for rows; valid until that function returns."""

    def get(self, table: Table[K, V], key: K) -> V | None:
        """The row of `key`, or None."""
        ...

    def rows(self, index: Index[I, K, V], value: I) -> Sequence[V]:
        """The rows under `value`, in the order of the index."""
        ...

    def keys(self, index: Index[I, K, V], value: I) -> Sequence[K]:
        """The keys under `value`, in the order of the index."""
        ...

    def items(self, table: Table[K, V]) -> Sequence[tuple[K, V]]:
        """All keys and rows, in the order of the keys; depends on every row of the table."""
        ...


class _Closed(dict[Question, None]):
    """The questions of a Lookup whose function has returned: a read now would be lost."""

    def __setitem__(self, question: Question, value: None) -> NoReturn:
        raise OrderError(f"a Lookup was used after its function returned, to read {question.about.name!r}")


_CLOSED = _Closed()


class Recorder:
    """The Lookup of one node: answers, and keeps what was asked between `begin` and `end`."""

    __slots__ = ("_asked", "_name", "_position")

    def __init__(self, name: str, position: int) -> None:
        self._name = name
        self._position = position
        self._asked: dict[Question, None] = _CLOSED

    def begin(self) -> None:
        """Starts a new record."""
        self._asked = {}

    def end(self) -> dict[Question, None]:
        """What was asked since `begin`, in the order of asking; from now on asking raises OrderError."""
        asked, self._asked = self._asked, _CLOSED
        return asked

    def get(self, table: Table[K, V], key: K) -> V | None:
        """As in Lookup."""
        store = table.store
        if store.position >= self._position:
            self._refuse(store)
        question = store.questions.get(key)
        if question is None:
            question = Question(store, "row", key, store.questions)
        self._asked[question] = None
        return store.rows.get(key)

    def rows(self, index: Index[I, K, V], value: I) -> Sequence[V]:
        """As in Lookup."""
        store = index.store
        if store.table.position >= self._position:
            self._refuse(store.table)
        question = store.row_questions.get(value)
        if question is None:
            question = Question(store, "rows", value, store.row_questions)
        self._asked[question] = None
        members = store.groups.get(value)
        return members.view() if members is not None else ()

    def keys(self, index: Index[I, K, V], value: I) -> Sequence[K]:
        """As in Lookup."""
        store = index.store
        if store.table.position >= self._position:
            self._refuse(store.table)
        question = store.key_questions.get(value)
        if question is None:
            question = Question(store, "keys", value, store.key_questions)
        self._asked[question] = None
        return store.keys(value)

    def items(self, table: Table[K, V]) -> Sequence[tuple[K, V]]:
        """As in Lookup."""
        store = table.store
        if store.position >= self._position:
            self._refuse(store)
        question = store.questions.get(WHOLE)
        if question is None:
            question = Question(store, "items", WHOLE, store.questions)
        self._asked[question] = None
        rows = store.rows
        return [(key, rows[key]) for key in store.order()]

    def _refuse(self, store: Store[Any, Any]) -> NoReturn:
        raise OrderError(f"{self._name!r} reads {store.name!r}, which is not created before it")
