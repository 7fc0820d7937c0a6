"""The node that puts several tables under one roof: rows of all of them, each under (tag of its table, its key).

In: the sources' changed keys, tagged. Out: the same rows in one table, so that what follows is written once for all
of them. Calls no function.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from xds_server.flow.derive import Node, placed
from xds_server.flow.store import MISSING, Store


class _TaggedQueue(set[Any]):
    """What a source adds its changed keys to: they go into the union's queue with the source's tag."""

    def __init__(self, queue: set[Any], tag: str) -> None:
        super().__init__()
        self._queue = queue
        self._tag = tag

    def add(self, key: Any) -> None:
        """One key that changed."""
        self._queue.add((self._tag, key))

    def update(self, *keys: Iterable[Any]) -> None:
        """Several keys that changed."""
        for some in keys:
            self._queue.update((self._tag, key) for key in some)


class Union(Node):
    """Rows of several tables in one."""

    def __init__(self, store: Store[Any, Any], sources: Mapping[str, Store[Any, Any]], *, strict: bool) -> None:
        super().__init__(store, strict=strict)
        self._sources = dict(sources)
        for tag, source in self._sources.items():
            queue = _TaggedQueue(self.queue, tag)
            queue.update(source.rows)
            source.queues.append(queue)

    def run(self, key: Any) -> bool:
        """Never counts as a call."""
        tag, inner = key
        row = self._sources[tag].rows.get(inner, MISSING)
        if row is MISSING:
            self.forget(key)
            self.store.erase(key)
            return False
        # Only an index can fail.
        indexed = bool(self.store.indexes)
        arguments = (self.store, key, row)
        placements = self.attempt(key, placed, *arguments) if indexed else placed(*arguments)
        if placements is not MISSING and placements is not None:
            self.store.write(key, row, placements)
        return False

    def sources(self, cause: Any) -> list[tuple[str, Any]]:
        """The one row that it is."""
        tag, inner = cause
        source = self._sources[tag]
        return [(source.name, inner)] if inner in source.rows else []
