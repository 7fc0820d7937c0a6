"""The time of day for the loop: told at once, and whenever a minute begins."""

import asyncio
import time

from xds_server.control import Control

_MINUTE_SECONDS = 60


def this_minute() -> int:
    """Minutes since 1970."""
    return int(time.time()) // _MINUTE_SECONDS


async def tell_time(control: Control) -> None:
    """Runs until cancelled. A machine that slept tells the minute in which it woke."""
    while True:
        control.tick(this_minute())
        await asyncio.sleep(_MINUTE_SECONDS - time.time() % _MINUTE_SECONDS)
