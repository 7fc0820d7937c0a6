"""Files and folders of YAML or JSON as a source of objects: read once, or watched.

Comes in: paths; `-` is standard input. Goes out: batches of objects, and everything that is wrong with the files.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from xds_server.model import validate
from xds_server.model.batch import Batch
from xds_server.model.document import Fault, Object
from xds_server.shell.content import Check
from xds_server.shell.fileset import FileSet
from xds_server.shell.scan import Roots
from xds_server.shell.watch import Watch

RETRY_SECONDS = 1.0
"""How long until paths that could not be read or watched are tried again."""
QUIET_SECONDS = 0.5
"""How long a file that lost objects must stay as it is before they are let go."""


def read(paths: Sequence[Path], check: Check = validate.faults) -> tuple[list[Object], list[Fault]]:
    """Every object of the files and folders (recursively), in order of path, and everything that is wrong."""
    batch = FileSet(Roots(paths), check).rescan()
    return list(batch.objects), list(batch.faults)


class FileSource:
    """Watched files and folders.

    `check` says what, besides its shape, makes an object unusable. Every `rescan_seconds` all modification times
    are looked at, for changes that the system did not report.
    """

    def __init__(self, paths: Sequence[Path], check: Check = validate.faults, *, rescan_seconds: float = 30.0) -> None:
        self._files = FileSet(Roots(paths), check)
        self._rescan_seconds = rescan_seconds

    async def batches(self) -> AsyncIterator[Batch]:
        """Everything at first, then each change; never ends. The first batch is empty where there is nothing yet."""
        told: tuple[frozenset[Fault], frozenset[Fault]] | None = None
        while True:
            places = self._files.roots.places()
            async with Watch(places) as watch:
                look: Callable[[float], Batch] = self._files.rescan
                while True:
                    batch = await asyncio.to_thread(look, monotonic() - QUIET_SECONDS)
                    faults, remarks = frozenset(batch.faults), frozenset(batch.remarks)
                    if batch.upserts or batch.removals or told is None or faults != told[0] or not remarks <= told[1]:
                        told = faults, remarks
                        yield batch
                    if watch.broken:
                        await asyncio.sleep(RETRY_SECONDS)
                    if watch.broken or self._files.roots.places() != places:
                        break
                    look = await self._next(watch)

    async def _next(self, watch: Watch) -> Callable[[float], Batch]:
        """Waits until there is reason to look at files again; says at which."""
        files = self._files
        seconds = RETRY_SECONDS if files.roots.unreadable else self._rescan_seconds
        if files.unsettled_since is not None:
            seconds = max(files.unsettled_since + QUIET_SECONDS - monotonic(), 0.0)
        changed = await watch.changes(seconds)
        if changed:
            return partial(files.changed, changed)
        if changed is None or files.unsettled_since is None:
            return files.rescan
        return files.settle
