"""Waiting for what other tasks bring about."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool]) -> None:
    """Until it is true, for half a minute at most."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.002)
