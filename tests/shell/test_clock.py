"""The time of day, told to the loop."""

import asyncio
import time
from typing import Any

import pytest

from xds_server.shell import clock


class Told:
    """A loop that keeps what it is told."""

    def __init__(self) -> None:
        self.minutes: list[int] = []

    def tick(self, minute: int) -> None:
        self.minutes.append(minute)


async def test_each_minute_is_told_as_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    told, slept, now = Told(), [], [600.0 * 60 + 42]

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds
        if len(slept) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(asyncio, "sleep", sleep)
    loop: Any = told
    with pytest.raises(asyncio.CancelledError):
        await clock.tell_time(loop)
    assert (told.minutes, slept) == ([600, 601, 602], [18, 60, 60])
