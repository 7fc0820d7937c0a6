"""A total order over any keys, so that no result depends on the order of a dict, of a set or of arrival.

In: values that are usually tuples of strings and numbers, sometimes with None, an Enum or a frozenset among
them. Out: the order of `<` wherever `<` says yes; where it raises or leaves a question open, an order by
`rank`, which agrees with `<` where `<` says yes. A result of `<` is therefore trusted only if both neighbours
confirm it. Not done here: reading rows. A value whose own `<` raises for its own kind is ordered by its repr,
as a last resort.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import is_dataclass
from enum import Enum
from itertools import islice
from operator import lt
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


_SMALL = 8
"""Up to so many rows, a view is not worth keeping."""


def rank(value: Any) -> tuple[Any, ...]:
    """A tuple that sorts like `value` among its own kind, and compares with the rank of any other value."""
    if value is None:
        return (0,)
    if isinstance(value, (int, float)):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if isinstance(value, bytes):
        return (3, value)
    if isinstance(value, (tuple, list)):
        return (4, isinstance(value, list), tuple([rank(item) for item in value]))
    if isinstance(value, frozenset):
        # A subset is `<`; it is also shorter, so the length goes first.
        return (5, len(value), tuple(sorted([rank(item) for item in value])))
    kind = type(value)
    if any("__lt__" in vars(parent) for parent in kind.__mro__[:-1]):
        return (6, kind.__qualname__, value)
    if isinstance(value, Enum):
        return (7, kind.__qualname__, rank(value.value))
    if is_dataclass(value):
        return (8, kind.__qualname__, tuple([rank(getattr(value, name)) for name in kind.__dataclass_fields__]))
    return (9, kind.__qualname__, repr(value))


def arranged(values: Iterable[K]) -> list[K]:
    """The distinct `values`, in order."""
    items: list[Any] = list(values)
    if len(items) < 2:
        return items
    try:
        items.sort()
        if all(map(lt, items, islice(items, 1, None))):
            return items
    except TypeError:
        pass
    try:
        return sorted(items, key=rank)
    except TypeError:
        return sorted(items, key=repr)


def place(marks: list[Any], mark: Any) -> int:
    """Where `mark` stands in the ordered `marks`, or where it is to be inserted."""
    try:
        at = bisect_left(marks, mark)
        above = at == len(marks) or marks[at] == mark or mark < marks[at]
        if above and (at == 0 or marks[at - 1] < mark):
            return at
    except TypeError:
        pass
    try:
        return bisect_left(marks, rank(mark), key=rank)
    except TypeError:
        return bisect_left(marks, repr(mark), key=repr)


class Members(Generic[V]):
    """Rows in the order of their distinct marks. One change costs one bisection, whatever their number."""

    __slots__ = ("_view", "marks", "rows")

    def __init__(self, mark: Any, row: V) -> None:
        self.marks: list[Any] = [mark]
        self.rows: list[V] = [row]
        self._view: tuple[V, ...] | None = None

    def view(self) -> tuple[V, ...]:
        """The rows now; later changes do not touch what was returned."""
        if self._view is not None:
            return self._view
        view = tuple(self.rows)
        if len(view) > _SMALL:
            self._view = view
        return view

    def insert(self, mark: Any, row: V) -> None:
        """Adds a row under a mark that is not there yet."""
        self._insert_at(place(self.marks, mark), mark, row)

    def remove(self, mark: Any) -> None:
        """Takes out the row of `mark`; ValueError when there is none."""
        self._delete_at(self._find(mark))

    def replace(self, old: Any, new: Any, row: V) -> bool:
        """Puts `row` under `new` in the place of the one under `old`; True when it moved among the others."""
        at = self._find(old)
        if old == new:
            self.rows[at] = row
            self._view = None
            return False
        self._delete_at(at)
        to = place(self.marks, new)
        self._insert_at(to, new, row)
        return at != to

    def __contains__(self, mark: object) -> bool:
        at = place(self.marks, mark)
        return (at < len(self.marks) and bool(self.marks[at] == mark)) or mark in self.marks

    def _insert_at(self, at: int, mark: Any, row: V) -> None:
        self.marks.insert(at, mark)
        self.rows.insert(at, row)
        self._view = None

    def _delete_at(self, at: int) -> None:
        del self.marks[at]
        del self.rows[at]
        self._view = None

    def _find(self, mark: Any) -> int:
        at = place(self.marks, mark)
        if at < len(self.marks) and self.marks[at] == mark:
            return at
        return self.marks.index(mark)
