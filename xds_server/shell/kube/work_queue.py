"""Keys that wait for somebody to look after them. Each waits once, and is in one pair of hands at a time: one that is
asked for meanwhile comes again.
"""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """In order of arrival."""

    def __init__(self) -> None:
        self._waiting: dict[K, None] = {}
        self._taken: dict[K, bool] = {}
        """Those that are looked after, and whether they were asked for since."""
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    def put(self, key: K) -> None:
        """Soon."""
        if (timer := self._later.pop(key, None)) is not None:
            timer.cancel()
        if key in self._taken:
            self._taken[key] = True
        else:
            self._waiting[key] = None
            self._some.set()

    def put_later(self, key: K, seconds: float) -> None:
        """After a while, unless it is asked for sooner."""
        loop, timer = asyncio.get_running_loop(), self._later.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._later[key] = loop.call_later(seconds, self.put, key)

    async def take(self) -> K:
        """The next one; `done` has to follow."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._taken[key] = False
        return key

    def done(self, key: K) -> None:
        """It was looked after."""
        if self._taken.pop(key):
            self.put(key)

    def clear(self) -> None:
        """Forgets all of them."""
        for timer in self._later.values():
            timer.cancel()
        self._waiting.clear()
        self._taken.clear()
        self._later.clear()
