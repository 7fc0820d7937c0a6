"""What a graph keeps for a table and for an index: the rows, who asked for them, and whom a change wakes.

In: rows, written by one node of the graph. Out: keys added to the queues of those that have to run again. Not
done here: calling derivations (derive.py), the order of running (graph.py), and the side that everybody else
reads (table.py).
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeVar

from xds_server.flow.failure import Failure, OrderError
from xds_server.flow.order import Members, arranged

I = TypeVar("I")  # noqa: E741 - the index value
K = TypeVar("K")
V = TypeVar("V")


class Missing(Enum):
    """No row; None is a row like any other."""

    MISSING = 0


class Whole(Enum):
    """The key under which a question about a whole table is kept."""

    WHOLE = 0


MISSING: Final = Missing.MISSING
WHOLE: Final = Whole.WHOLE
Part = Literal["row", "rows", "keys", "items"]
Placement = tuple[dict[Any, None], Any]
"""Where a row stands in an index: the distinct index values, and its mark within each."""


class Guard:
    """Shared by a graph's tables: the name of the node whose function is running, or nothing."""

    __slots__ = ("calling",)

    def __init__(self) -> None:
        self.calling = ""

    def check(self, name: str) -> None:
        """OrderError when a running function reads table `name` without its Lookup: nobody would know."""
        if self.calling:
            raise OrderError(f"{self.calling!r} reads {name!r} directly; read it through the Lookup")


class Work:
    """What a node has done so far: how many calls, and which source keys failed last."""

    __slots__ = ("calls", "errors", "lost", "lost_failures")

    def __init__(self) -> None:
        self.calls = 0
        self.errors: dict[Any, Failure] = {}
        """Source keys whose last call raised."""
        self.lost: dict[Any, dict[Any, None]] = {}
        """Source keys that yield derived keys which belong to another one (claims.py)."""
        self.lost_failures: Callable[[], Mapping[Any, Failure]] = dict

    def failures(self) -> dict[Any, Failure]:
        """All currently failed source keys, in order."""
        if not self.errors and not self.lost:
            return {}
        merged = {**self.lost_failures(), **self.errors}
        return {key: merged[key] for key in arranged(merged)}


class Question:
    """One thing that was asked, shared by all who asked it: a row, what is under an index value, a table."""

    __slots__ = ("_askers", "_home", "about", "key", "part")

    def __init__(
        self,
        about: "Store[Any, Any] | IndexStore[Any, Any, Any]",
        part: Part,
        key: Any,
        home: dict[Any, "Question"],
    ) -> None:
        self.about = about
        self.part = part
        self.key = key
        self._home = home
        # Most questions have one asker: no set for those.
        self._askers: Asker | set[Asker] | None = None
        home[key] = self

    def wake(self) -> None:
        """Puts everyone who asked into the queue of those that run again."""
        askers = self._askers
        if isinstance(askers, Asker):
            askers.queue.add(askers.key)
        elif askers:
            for asker in askers:
                asker.queue.add(asker.key)

    def add(self, asker: "Asker") -> None:
        """Keeps one more who asked."""
        askers = self._askers
        if askers is None:
            self._askers = asker
        elif isinstance(askers, set):
            askers.add(asker)
        else:
            self._askers = {askers, asker}

    def drop(self, asker: "Asker") -> None:
        """Forgets one who asked, and the question with the last of them."""
        askers = self._askers
        if isinstance(askers, set):
            askers.discard(asker)
            if askers:
                return
        del self._home[self.key]


class Asker:
    """One key of one node with everything that its last call asked."""

    __slots__ = ("key", "questions", "queue")

    def __init__(self, queue: set[Any], key: Any) -> None:
        self.queue = queue
        self.key = key
        self.questions: tuple[Question, ...] = ()

    def ask(self, questions: Mapping[Question, None]) -> None:
        """Replaces what was asked; questions that stay are not touched."""
        before = self.questions
        if len(before) == len(questions) and all(question in questions for question in before):
            return
        for question in before:
            if question not in questions:
                question.drop(self)
        for question in questions:
            question.add(self)
        self.questions = tuple(questions)


class Store(Generic[K, V]):
    """The rows of one table. `position` is the place of its node in the running order."""

    __slots__ = (
        "_order",
        "changed",
        "guard",
        "indexes",
        "name",
        "position",
        "questions",
        "queues",
        "rows",
        "work",
    )

    def __init__(self, name: str, position: int, guard: Guard, work: Work) -> None:
        self.name = name
        self.position = position
        self.guard = guard
        self.work = work
        self.rows: dict[K, V] = {}
        self.indexes: list[IndexStore[Any, K, V]] = []
        self.queues: list[set[Any]] = []
        self.questions: dict[Any, Question] = {}
        self.changed: set[K] = set()
        self._order: tuple[K, ...] | None = None

    def order(self) -> tuple[K, ...]:
        """All keys in order; costs nothing while only rows change."""
        if self._order is None:
            self._order = tuple(arranged(self.rows))
        return self._order

    def placements(self, key: K, row: V) -> list[Placement]:
        """Where `row` belongs in each index; raises what an index function raises, and changes nothing."""
        return [index.placement(key, row) for index in self.indexes]

    def write(self, key: K, row: V, placements: list[Placement]) -> None:
        """Stores a row that differs from the present one; `placements` are those of the new row."""
        rows, indexes = self.rows, self.indexes
        if key in rows:
            before: list[Placement] | None = self.placements(key, rows[key]) if indexes else None
        else:
            before = None
            self._order = None
        rows[key] = row
        for number, index in enumerate(indexes):
            if before:
                index.move(before[number], placements[number], row)
            elif placements[number][0]:
                index.enter(placements[number], row)
        self._wake(key)

    def erase(self, key: K) -> None:
        """Takes a row out, if it is there."""
        if key not in self.rows:
            return
        row = self.rows[key]
        for index, placement in zip(self.indexes, self.placements(key, row), strict=True):
            index.leave(placement)
        del self.rows[key]
        self._order = None
        self._wake(key)

    def _wake(self, key: K) -> None:
        self.changed.add(key)
        for queue in self.queues:
            queue.add(key)
        if questions := self.questions:
            if (question := questions.get(key)) is not None:
                question.wake()
            if (question := questions.get(WHOLE)) is not None:
                question.wake()


class IndexStore(Generic[I, K, V]):
    """The rows of a table under the values that `f` gives them, each value's rows in order."""

    __slots__ = ("f", "groups", "key_questions", "name", "order", "queues", "row_questions", "table")

    def __init__(
        self,
        name: str,
        table: Store[K, V],
        f: Callable[[K, V], Iterable[I]],
        order: Callable[[K, V], Any] | None,
    ) -> None:
        self.name = name
        self.table = table
        self.f = f
        self.order = order
        self.groups: dict[I, Members[V]] = {}
        self.queues: list[set[Any]] = []
        self.row_questions: dict[Any, Question] = {}
        self.key_questions: dict[Any, Question] = {}
        for key in table.order():
            row = table.rows[key]
            self.enter(self.placement(key, row), row)

    def keys(self, value: I) -> tuple[K, ...]:
        """The keys under `value` in order."""
        members = self.groups.get(value)
        if members is None:
            return ()
        return tuple(members.marks) if self.order is None else tuple([mark[1] for mark in members.marks])

    def placement(self, key: K, row: V) -> Placement:
        """The index values of a row and its mark: what `order` says of it, ties by key."""
        return dict.fromkeys(self.f(key, row)), key if self.order is None else (self.order(key, row), key)

    def enter(self, placement: Placement, row: V) -> None:
        """Puts a new row in its place; wakes all who asked for what is there."""
        values, mark = placement
        for value in values:
            self._add(value, mark, row)

    def move(self, old: Placement, new: Placement, row: V) -> None:
        """Puts a row that is different in its place; wakes all who asked for what this changes."""
        values, mark = new
        before, old_mark = old
        for value in before:
            if value not in values:
                self._remove(value, old_mark)
        for value in values:
            if value in before:
                self._wake(value, moved=self.groups[value].replace(old_mark, mark, row))
            else:
                self._add(value, mark, row)

    def leave(self, placement: Placement) -> None:
        """Takes a row out."""
        for value in placement[0]:
            self._remove(value, placement[1])

    def _add(self, value: I, mark: Any, row: V) -> None:
        if (members := self.groups.get(value)) is None:
            self.groups[value] = Members(mark, row)
        else:
            members.insert(mark, row)
        self._wake(value, moved=True)

    def _remove(self, value: I, mark: Any) -> None:
        members = self.groups[value]
        members.remove(mark)
        if not members.marks:
            del self.groups[value]
        self._wake(value, moved=True)

    def _wake(self, value: I, *, moved: bool) -> None:
        for queue in self.queues:
            queue.add(value)
        if (question := self.row_questions.get(value)) is not None:
            question.wake()
        if moved and (question := self.key_questions.get(value)) is not None:
            question.wake()
