"""What waits to be told, by rank: what few objects have is not told after what one cause may say of hundreds."""

import asyncio
from collections.abc import Hashable, Iterator
from time import monotonic
from typing import Generic, TypeVar

N = TypeVar("N", bound=Hashable)


class NoteQueue(Generic[N]):
    """In order of arrival, rank by rank. Of more than `most` the oldest of the last rank is let go."""

    def __init__(self, ranks: int, most: int) -> None:
        self._ranks: tuple[dict[N, float], ...] = tuple({} for _ in range(ranks))
        """Since when each waits."""
        self._most = most
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._ranks))

    def __iter__(self) -> Iterator[N]:
        """As they will be taken."""
        for rank in self._ranks:
            yield from rank

    def put(self, note: N, rank: int) -> None:
        """It is to be told; what waits already keeps its place, and is as fresh as this."""
        self._ranks[rank][note] = monotonic()
        if len(self) > self._most:
            last = next(one for one in reversed(self._ranks) if one)
            del last[next(iter(last))]
        self._some.set()

    def drop_until(self, time: float) -> None:
        """Forgets what was put before that time, in seconds of the monotonic clock."""
        for rank in self._ranks:
            for note in [note for note, since in rank.items() if since <= time]:
                del rank[note]

    async def take(self) -> N:
        """The next one."""
        while True:
            for rank in self._ranks:
                if rank:
                    note = next(iter(rank))
                    del rank[note]
                    return note
            self._some.clear()
            await self._some.wait()
