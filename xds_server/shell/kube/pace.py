"""Pace of requests: a bucket of tokens, pauses that all wait for while the server has trouble, and each one's own."""

import asyncio
import random
from collections import Counter
from collections.abc import Hashable
from time import monotonic
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 10.0
_DOUBLINGS: Final = 10
"""More than it takes from the first rest to the longest."""


class Bucket:
    """Lets `burst` through at once and `rate` per second after that."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = monotonic()

    def free(self) -> float:
        """Takes a token; how many seconds to wait before going on."""
        now = monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._tokens / self._rate)

    async def take(self) -> None:
        """Waits for a token."""
        if wait := self.free():
            await asyncio.sleep(wait)


class Trouble:
    """While a server is away or overloaded, everybody waits, ever longer; the first success ends it."""

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE
        self._until = 0.0
        self.reason = ""
        """What went wrong last; empty when nothing does."""

    def note(self, reason: str, least: float | None = None) -> bool:
        """A request failed. True when that is news."""
        new, self.reason = not self.reason, reason
        if monotonic() >= self._until:
            self._until = monotonic() + max(self._pause * random.uniform(0.5, 1.5), least or 0.0)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return new

    def over(self) -> bool:
        """A request succeeded. True when that is news."""
        was, self.reason = bool(self.reason), ""
        self._pause, self._until = _FIRST_PAUSE, 0.0
        return was

    async def wait(self) -> None:
        """Until it is worth trying."""
        if (left := self._until - monotonic()) > 0:
            await asyncio.sleep(left)


class Rests(Generic[K]):
    """How long each waits that fails by itself, whatever others do: twice as long after each further failure, none
    exactly as long as another. `first` and `longest` are in seconds.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._failures: Counter[K] = Counter()

    def __len__(self) -> int:
        """How many failed last."""
        return len(self._failures)

    def failed(self, key: K) -> float:
        """It failed once more; how long it is to rest."""
        failures = self._failures[key]
        self._failures[key] = min(failures + 1, _DOUBLINGS)
        pause: float = min(self._first * 2**failures, self._longest)
        return pause * random.uniform(0.8, 1.2)

    def over(self, key: K) -> None:
        """It succeeded, or is gone."""
        self._failures.pop(key, None)

    def clear(self) -> None:
        """Forgets all of them."""
        self._failures.clear()
