"""The nodes of a graph: what is done for one key of a source when it is that key's turn.

In: keys in the node's queue. Out: rows written to the node's table, or a failure kept for that key. A node
calls its function once for a key, replaces the record of what the key asked, and writes rows that differ. The
one `except Exception` of flow is here: a function that raises costs its own key alone, which keeps its last
good rows. Not done here: deciding when to run (graph.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, TypeVarTuple

from xds_server.flow.claims import Claims
from xds_server.flow.failure import DuplicateKeyError, OrderError, failure_of
from xds_server.flow.lookup import Lookup, Recorder
from xds_server.flow.order import Members
from xds_server.flow.store import (
    MISSING,
    Asker,
    IndexStore,
    Missing,
    Placement,
    Question,
    Store,
)
from xds_server.flow.table import Input

R = TypeVar("R")
Args = TypeVarTuple("Args")
Placed = tuple[Any, list[Placement] | None]
"""A row, and its placements unless it equals the one that is stored."""


class Node(ABC):
    """What all nodes share: a queue of keys, the record of what each key asked, and the guarding of calls."""

    def __init__(self, store: Store[Any, Any], *, strict: bool) -> None:
        self.store = store
        self.queue: set[Any] = set()
        self.askers: dict[Any, Asker] = {}
        self._recorder = Recorder(store.name, store.position)
        self._strict = strict

    @property
    def name(self) -> str:
        """The name of the table."""
        return self.store.name

    @abstractmethod
    def run(self, key: Any) -> bool:
        """Brings what follows from `key` up to date; True when this called the node's function."""

    def finish(self) -> None:  # noqa: B027 - most nodes have nothing to end
        """Ends the node's part of a settle: its queue is empty."""

    def cause(self, store: Store[Any, Any], key: Any) -> Any:  # noqa: ARG002 - one node may write two tables
        """The key for which the function was called to make the row of `key` in `store`."""
        return key

    @abstractmethod
    def sources(self, cause: Any) -> list[tuple[str, Any]]:
        """The rows, (table, key), that the function was called with for `cause`."""

    def rivals(self, store: Store[Any, Any], key: Any) -> tuple[Any, ...]:  # noqa: ARG002
        """Where several causes yield the row of `key` in `store`: all of them, the owner first."""
        return ()

    def asked(self, key: Any) -> tuple[Question, ...]:
        """What the last call for `key` asked, in the order of asking."""
        asker = self.askers.get(key)
        return asker.questions if asker is not None else ()

    def attempt(self, key: Any, call: Callable[[*Args], R], *args: *Args) -> R | Missing:
        """The result of a user's function; MISSING when it raised, which is then the failure of `key`."""
        self._recorder.begin()
        self.store.guard.calling = self.store.name
        try:
            result = call(*args)
        except OrderError:
            raise
        except Exception as error:
            if self._strict:
                raise
            self.store.work.errors[key] = failure_of(error)
            return MISSING
        else:
            if self.store.work.errors:
                self.store.work.errors.pop(key, None)
            return result
        finally:
            self.store.guard.calling = ""
            asked = self._recorder.end()
            if asked or key in self.askers:
                self._record(key, asked)

    def forget(self, key: Any) -> None:
        """Drops the failure and the record of a key that is gone."""
        self.store.work.errors.pop(key, None)
        if key in self.askers:
            self._record(key, {})

    def _record(self, key: Any, asked: dict[Question, None]) -> None:
        asker = self.askers.get(key)
        if asker is None:
            asker = self.askers[key] = Asker(self.queue, key)
        asker.ask(asked)
        if not asked:
            del self.askers[key]


def placed(store: Store[Any, Any], key: Any, row: Any) -> list[Placement] | None:
    """The placements of a row that differs from the stored one; None when it is equal."""
    held = store.rows.get(key, MISSING)
    return None if held is row or held == row else store.placements(key, row)


class Feed(Node):
    """Brings into an input table what was put and removed since the last settle."""

    def __init__(self, table: Input[Any, Any], *, strict: bool) -> None:
        super().__init__(table.store, strict=strict)
        self._table = table

    def take(self) -> None:
        """Takes over what is pending; what comes later waits for the next settle."""
        self.queue.update(self._table.take())

    def run(self, key: Any) -> bool:
        """Never counts as a call."""
        row = self.store.rows.get(key, MISSING)
        placements: list[Placement] | None = None
        for change in self._table.taken[key]:
            if change is MISSING:
                row, placements = MISSING, None
                self.forget(key)
            elif (result := self.attempt(key, self._carry, key, row, change)) is not MISSING:
                row, placements = result
        if row is MISSING:
            self.store.erase(key)
        elif placements is not None:
            self.store.write(key, row, placements)
        del self._table.taken[key]
        return False

    def finish(self) -> None:
        """Nothing is left of what was taken; a dict that was large once is slow to iterate until it is cleared."""
        self._table.taken.clear()

    def sources(self, cause: Any) -> list[tuple[str, Any]]:  # noqa: ARG002 - an input has none
        """None: an input row comes from outside."""
        return []

    def _carry(self, key: Any, old: Any, new: Any) -> Placed:
        carry = self._table.carry
        row = new if carry is None else carry(None if old is MISSING else old, new)
        return row, placed(self.store, key, row)


class Derivation(Node):
    """Rows of one table from each row of another."""

    def __init__(
        self,
        store: Store[Any, Any],
        source: Store[Any, Any],
        f: Callable[[Any, Any, Lookup], tuple[Iterable[tuple[Any, Any]], Any]],
        verdicts: Store[Any, Any] | None,
        *,
        strict: bool,
    ) -> None:
        super().__init__(store, strict=strict)
        self.claims = Claims(store)
        store.work.lost_failures = self.claims.failures
        self._source = source
        self._f = f
        self._verdicts = verdicts
        self.queue.update(source.rows)
        source.queues.append(self.queue)

    def run(self, key: Any) -> bool:
        """Calls the function unless the source row is gone; then everything made from it goes."""
        row = self._source.rows.get(key, MISSING)
        if row is MISSING:
            self.forget(key)
            self.claims.update(key, {}, {})
            if self._verdicts is not None:
                self._verdicts.erase(key)
            return False
        self.store.work.calls += 1
        result = self.attempt(key, self._derive, key, row)
        if result is not MISSING:
            rows, placements, (verdict, verdict_placements) = result
            self.claims.update(key, rows, placements)
            if self._verdicts is not None and verdict_placements is not None:
                self._verdicts.write(key, verdict, verdict_placements)
        return True

    def finish(self) -> None:
        """Erases what nobody yields any longer; strict: DuplicateKeyError when two keys yield the same."""
        self.claims.finish()
        if self._strict:
            self.claims.refuse_duplicates()

    def cause(self, store: Store[Any, Any], key: Any) -> Any:
        """The source key that owns `key`; without a row `key` itself, a source key that may have failed."""
        owner = self.claims.owner(key) if store is self.store else MISSING
        return key if owner is MISSING else owner

    def sources(self, cause: Any) -> list[tuple[str, Any]]:
        """The one source row."""
        return [(self._source.name, cause)] if cause in self._source.rows else []

    def rivals(self, store: Store[Any, Any], key: Any) -> tuple[Any, ...]:
        """From the claims."""
        return self.claims.rivals(key) if store is self.store else ()

    def _derive(self, key: Any, row: Any) -> tuple[dict[Any, Any], dict[Any, list[Placement]], Placed]:
        pairs, verdict = self._f(key, row, self._recorder)
        rows: dict[Any, Any] = {}
        placements: dict[Any, list[Placement]] = {}
        for derived, value in pairs:
            if derived in rows and rows[derived] != value:
                raise DuplicateKeyError(f"table {self.name!r}: {key!r} yields two rows for {derived!r}")
            rows[derived] = value
            if (at := placed(self.store, derived, value)) is not None:
                placements[derived] = at
        at = None if self._verdicts is None else placed(self._verdicts, key, verdict)
        return rows, placements, (verdict, at)


class Grouping(Node):
    """One row from all rows under an index value."""

    def __init__(
        self,
        store: Store[Any, Any],
        index: IndexStore[Any, Any, Any],
        f: Callable[[Any, Any, Lookup], Any],
        *,
        strict: bool,
    ) -> None:
        super().__init__(store, strict=strict)
        self._index = index
        self._f = f
        self.queue.update(index.groups)
        index.queues.append(self.queue)

    def run(self, key: Any) -> bool:
        """Calls the function unless no member is left; then the row goes."""
        members = self._index.groups.get(key)
        if members is None:
            self.forget(key)
            self.store.erase(key)
            return False
        self.store.work.calls += 1
        result = self.attempt(key, self._join, key, members)
        if result is not MISSING:
            row, placements = result
            if row is None:
                self.store.erase(key)
            elif placements is not None:
                self.store.write(key, row, placements)
        return True

    def sources(self, cause: Any) -> list[tuple[str, Any]]:
        """The members."""
        return [(self._index.table.name, member) for member in self._index.keys(cause)]

    def _join(self, key: Any, members: Members[Any]) -> Placed:
        row = self._f(key, members.view(), self._recorder)
        return row, None if row is None else placed(self.store, key, row)
