"""Watch: at which paths something happened, by the operating system's own notifications."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from watchfiles import awatch

from xds_server.shell.scan import Places

STEP_MS = 3
"""How long nothing further must happen before changes are handed on."""
MOST_MS = 100
"""How long changes are collected when they do not end."""
MOST_PATHS = 1000
"""More changed paths than these are no longer told apart; the system's queue may have overflowed too."""


class Watch:
    """A running watch of some places; an async context manager, which has begun to collect once entered."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.broken = False
        """The system refuses to watch, or gave up; nothing more will be reported."""

    async def __aenter__(self) -> Self:
        for places, recursive in ((self._places.trees, True), (self._places.folders, False)):
            if places:
                paths = sorted(path for path, _ in places)
                self._tasks.append(asyncio.create_task(self._collect(paths, recursive=recursive)))
        await asyncio.sleep(0)  # a watch is set up in its task's first step
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def changes(self, seconds: float) -> frozenset[str] | None:
        """The paths where something happened, as soon as something has; empty if nothing does for so many seconds.

        None where paths cannot be told, so that everything has to be looked at.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return frozenset()
        self._wake.clear()
        changed, self._changed = frozenset(self._changed), set()
        return None if self.broken or len(changed) > MOST_PATHS else changed

    async def _collect(self, paths: Iterable[str], *, recursive: bool) -> None:
        try:
            try:
                await self._follow(paths, recursive=recursive, ignore_permission_denied=False)
            except PermissionError:  # ignoring it from the start would hide other refusals too
                await self._follow(paths, recursive=recursive, ignore_permission_denied=True)
        except (OSError, RuntimeError):
            # No more watches are allowed, a folder has gone since, a name is not text: `broken` says so.
            self.broken = True
            self._wake.set()

    async def _follow(self, paths: Iterable[str], *, recursive: bool, ignore_permission_denied: bool) -> None:
        async for changes in awatch(
            *paths,
            recursive=recursive,
            ignore_permission_denied=ignore_permission_denied,
            watch_filter=None,
            step=STEP_MS,
            debounce=MOST_MS,
            rust_timeout=0,
        ):
            self._changed.update(path for _, path in changes)
            self._wake.set()
