"""What the API server has of the objects that have a status: versions and the status itself, as bytes.

Kept beside the tables, which hold nothing that a write of a status changes, so that such a write leads to no work.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from xds_server.model.kinds import KINDS
from xds_server.model.meta import Key
from xds_server.shell.kube.decode import Head

WITH_STATUS: Final = frozenset(row.kind for row in KINDS if row.channel != "core" and row.kind != "ReferenceGrant")
"""The kinds whose status is ours to write."""


@dataclass(frozen=True, slots=True)
class Live:
    """An object as the API server has it. `status` is JSON."""

    uid: str
    resource_version: str
    generation: int
    status: bytes

    @classmethod
    def of(cls, found: Head) -> "Live":
        """From an object's head."""
        meta = found.metadata
        return cls(meta.uid, meta.resource_version, meta.generation, bytes(found.status))

    def is_newer(self, other: "Live") -> bool:
        """Is it a later version of the same object?
        Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions (they can be compared).
        """
        versions = (self.resource_version, other.resource_version)
        return self.uid == other.uid and all(map(str.isdecimal, versions)) and int(versions[0]) > int(versions[1])


@dataclass(slots=True)
class LiveObjects:
    """By kind and key."""

    changed: Callable[[str, Key], None] = lambda _, __: None
    """Told of an object that is new or gone, or whose status is not what it was."""
    _objects: dict[tuple[str, Key], Live] = field(default_factory=dict)
    _served: dict[str, str] = field(default_factory=dict)

    def get(self, kind: str, key: Key) -> Live | None:
        """The object as it was last heard of."""
        return self._objects.get((kind, key))

    def items(self) -> Iterable[tuple[tuple[str, Key], Live]]:
        """All of them, by kind and key."""
        return self._objects.items()

    def served(self, kind: str) -> str | None:
        """The apiVersion under which the cluster serves a kind, the newest that is read; None while it does not."""
        return self._served.get(kind)

    def serve(self, kind: str, api_version: str) -> None:
        """The kind is read, and written, under this apiVersion."""
        self._served[kind] = api_version

    def note(self, kind: str, found: Head) -> Key:
        """An object was listed, or changed; its key."""
        meta = found.metadata
        if kind in WITH_STATUS:
            live, before = Live.of(found), self._objects.get((kind, meta.key))
            self._objects[kind, meta.key] = live
            if before is None or (before.uid, before.status) != (live.uid, live.status):
                self.changed(kind, meta.key)
        return meta.key

    def forget(self, kind: str, key: Key) -> None:
        """The object is gone."""
        if self._objects.pop((kind, key), None) is not None:
            self.changed(kind, key)
