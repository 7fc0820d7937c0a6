"""Claims: which source key owns which derived row, and what happens when two want the same key.

In: the rows that each source key yields now. Out: writes to the derived table. Where several source keys
yield one derived key, the first of them in key order owns it and the others fail for that key, whoever came
first in time, so that the outcome does not depend on history. What the others yield is kept, and takes over
when the owner gives up. Not done here: calling functions, and their failures (derive.py).
"""

from collections.abc import Mapping
from typing import Any

from xds_server.flow.failure import DuplicateKeyError, Failure
from xds_server.flow.order import Members, arranged
from xds_server.flow.store import MISSING, Missing, Placement, Store


class Claims:
    """The owners of a derived table's rows.

    A source key that yields exactly one row under its own key, the most common case, costs no memory here.
    """

    __slots__ = ("_held", "_lost", "_owners", "_released", "_rivals", "_store")

    def __init__(self, store: Store[Any, Any]) -> None:
        self._store = store
        self._held: dict[Any, tuple[Any, ...]] = {}
        self._owners: dict[Any, Any] = {}
        self._rivals: dict[Any, Members[Any]] = {}
        self._lost = store.work.lost
        self._released: dict[Any, None] = {}

    def owner(self, key: Any) -> Any | Missing:
        """The source key behind a derived key."""
        if key not in self._store.rows or key in self._released:
            return MISSING
        return self._owners.get(key, key)

    def outputs(self, source: Any) -> tuple[Any, ...]:
        """The derived keys that a source key yields, whether or not it owns them."""
        held = self._held.get(source)
        if held is not None:
            return held
        return (source,) if source not in self._owners and self.owner(source) is not MISSING else ()

    def rivals(self, key: Any) -> tuple[Any, ...]:
        """The source keys that yield a derived key that is not only theirs; the owner first."""
        members = self._rivals.get(key)
        return tuple(members.marks) if members is not None else ()

    def update(self, source: Any, rows: Mapping[Any, Any], placements: Mapping[Any, list[Placement]]) -> None:
        """Makes `rows` all that `source` yields.

        `placements` has those of the rows that differ from the stored ones.
        """
        for key in self.outputs(source):
            if key not in rows:
                self._release(source, key)
        for key, row in rows.items():
            self._claim(source, key, row, placements.get(key))
        if not rows or (len(rows) == 1 and source in rows and source not in self._rivals):
            self._held.pop(source, None)
        else:
            self._held[source] = tuple(rows)

    def finish(self) -> None:
        """Erases rows that were given up and that nobody has taken over in the same settle."""
        if not self._released:
            return
        released, self._released = self._released, {}
        for key in released:
            self._owners.pop(key, None)
            self._store.erase(key)

    def failures(self) -> dict[Any, Failure]:
        """The source keys that yield a key which another one owns."""
        return {
            source: Failure(f"DuplicateKeyError: {self._duplicate(source, keys)}")
            for source, keys in self._lost.items()
        }

    def refuse_duplicates(self) -> None:
        """DuplicateKeyError when there is any."""
        for source in arranged(self._lost):
            raise self._duplicate(source, self._lost[source])

    def _duplicate(self, source: Any, keys: Mapping[Any, None]) -> DuplicateKeyError:
        owned = ", ".join(f"{key!r}, which {self.owner(key)!r} yields too" for key in arranged(keys))
        return DuplicateKeyError(f"table {self._store.name!r}: {source!r} yields {owned}")

    def _claim(self, source: Any, key: Any, row: Any, placements: list[Placement] | None) -> None:
        owner = self.owner(key)
        rivals = self._rivals.get(key)
        if rivals is None and owner in (MISSING, source):
            self._released.pop(key, None)
            self._own(source, key)
            if placements is not None:
                self._store.write(key, row, placements)
            return
        if rivals is None:
            rivals = self._rivals[key] = Members(owner, self._store.rows[key])
            self._held.setdefault(owner, (owner,))
        if source in rivals:
            rivals.replace(source, source, row)
        else:
            rivals.insert(source, row)
        winner = rivals.marks[0]
        self._lost.setdefault(owner if winner == source else source, {})[key] = None
        self._award(key, rivals)

    def _release(self, source: Any, key: Any) -> None:
        rivals = self._rivals.get(key)
        if rivals is None:
            self._released[key] = None
            return
        rivals.remove(source)
        self._regain(source, key)
        self._award(key, rivals)

    def _award(self, key: Any, rivals: Members[Any]) -> None:
        winner, row = rivals.marks[0], rivals.rows[0]
        self._own(winner, key)
        self._regain(winner, key)
        if len(rivals.marks) == 1:
            del self._rivals[key]
        if row != self._store.rows[key]:
            self._store.write(key, row, self._store.placements(key, row))

    def _own(self, source: Any, key: Any) -> None:
        if source == key:
            self._owners.pop(key, None)
        else:
            self._owners[key] = source

    def _regain(self, source: Any, key: Any) -> None:
        keys = self._lost.get(source)
        if keys is not None:
            keys.pop(key, None)
            if not keys:
                del self._lost[source]

    def size(self) -> int:
        """How many records are kept; 0 for an empty table."""
        return sum(map(len, (self._held, self._owners, self._rivals, self._lost, self._released)))
