"""Objects whose status may have to be written. Each waits once, however often it changes: what is written is what is
true by then. One that is being written, or rests after that, comes again.
"""

import asyncio
from time import monotonic
from typing import Final

from xds_server.model.meta import Key

Id = tuple[str, Key]
"""Kind and key."""

FIRST: Final = ("GatewayClass", "Gateway", "ListenerSet")
"""The kinds that people wait for, and that are few, come before routes and policies."""


class StatusQueue:
    """In order of arrival, by rank."""

    def __init__(self) -> None:
        self._ranks: tuple[dict[Id, float], ...] = ({}, {})
        """The time since when each waits."""
        self._out: dict[Id, float | None] = {}
        """Those that are being written or rest, and since when they wait to come again."""
        self._rests: dict[Id, asyncio.TimerHandle] = {}
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._ranks)) + sum(since is not None for since in self._out.values())

    def put(self, id_: Id, since: float | None = None) -> None:
        """Something of it may have changed."""
        since = monotonic() if since is None else since
        if id_ in self._out:
            waits = self._out[id_]
            self._out[id_] = since if waits is None else waits
            return
        self._ranks[id_[0] not in FIRST].setdefault(id_, since)
        self._some.set()

    async def take(self) -> tuple[Id, float]:
        """The next one, and since when it waits."""
        while True:
            for rank in self._ranks:
                if rank:
                    id_ = next(iter(rank))
                    since = rank.pop(id_)
                    self._out[id_] = None
                    return id_, since
            self._some.clear()
            await self._some.wait()

    def done(self, id_: Id, rest: float = 0.0, *, again: float | None = None) -> None:
        """It was taken care of, and may come again after `rest` seconds; `again`: it must, it waits since then."""
        if again is not None:
            self._out[id_] = again
        if rest > 0:
            self._rests[id_] = asyncio.get_running_loop().call_later(rest, self._rested, id_)
        else:
            self._rested(id_)

    def clear(self) -> None:
        """Forgets all of them."""
        for timer in self._rests.values():
            timer.cancel()
        for rank in self._ranks:
            rank.clear()
        self._rests.clear()
        self._out.clear()

    def _rested(self, id_: Id) -> None:
        self._rests.pop(id_, None)
        since = self._out.pop(id_, None)
        if since is not None:
            self.put(id_, since)
