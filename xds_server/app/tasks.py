"""Tasks that live and end together."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until(stop: asyncio.Event, coroutines: dict[str, Coroutine[Any, Any, None]]) -> None:
    """Runs all of them until `stop` is set or one fails; its error is raised, unwrapped."""
    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    waiter = asyncio.create_task(stop.wait(), name="stop")
    everything: list[asyncio.Task[Any]] = [*tasks, waiter]
    try:
        await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and not stop.is_set():
                task.result()
                raise RuntimeError(f"task {task.get_name()} ended by itself")
    finally:
        for one in everything:
            one.cancel()
        await asyncio.gather(*everything, return_exceptions=True)
