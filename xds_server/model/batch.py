"""Batch: what a source of objects (files, a cluster) has found out since it last spoke."""

from collections.abc import Iterator
from typing import NamedTuple

from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Key


class Batch(NamedTuple):
    """Changes that belong together, and everything that is wrong at their time.

    `upserts` holds each new or changed object once, `removals` each that is gone; no key is in both. `faults`,
    `ignored` and `remarks` (fields that no kind has) are complete lists, not changes.
    """

    upserts: tuple[tuple[str, Key, Object], ...] = ()
    removals: tuple[tuple[str, Key], ...] = ()
    faults: tuple[Fault, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    remarks: tuple[Fault, ...] = ()

    @property
    def objects(self) -> Iterator[Object]:
        """The new and changed objects alone."""
        return (value for _, _, value in self.upserts)


def upsert(value: Object) -> tuple[str, Key, Object]:
    """An entry of `upserts`."""
    return kind_of(value).kind, value.metadata.key, value
