"""Tasks that live and end together."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from xds_server.app.tasks import until


class Parts:
    """Coroutines that are run together, and which of them were ended."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.ended: list[str] = []

    async def forever(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("forever")

    async def fails(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def returns(self) -> None:
        await asyncio.sleep(0)

    async def run(self, **coroutines: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(10):
            await until(self.stop, coroutines)


async def test_parts_end_when_told_to_stop() -> None:
    parts = Parts()
    asyncio.get_running_loop().call_later(0.01, parts.stop.set)
    await parts.run(one=parts.forever(), other=parts.forever())
    assert parts.ended == ["forever", "forever"]


async def test_the_error_of_one_part_ends_all_and_is_raised_as_it_is() -> None:
    parts = Parts()
    with pytest.raises(ValueError, match=r"^no$"):
        await parts.run(one=parts.forever(), other=parts.fails())
    assert parts.ended == ["forever"]


async def test_a_part_that_ends_by_itself_is_an_error_that_names_it() -> None:
    parts = Parts()
    with pytest.raises(RuntimeError, match=r"^task other ended by itself$"):
        await parts.run(one=parts.forever(), other=parts.returns())
    assert parts.ended == ["forever"]
