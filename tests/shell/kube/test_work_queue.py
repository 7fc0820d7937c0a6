"""Keys wait once, are in one pair of hands at a time, and come again when they are asked for meanwhile."""

import asyncio

from xds_server.shell.kube.work_queue import WorkQueue


async def test_each_waits_once_in_order_of_arrival() -> None:
    queue = WorkQueue[str]()
    for key in "abab":
        queue.put(key)
    assert [await queue.take(), await queue.take()] == ["a", "b"]
    assert len(queue) == 2
    queue.done("a")
    queue.done("b")
    assert len(queue) == 0


async def test_one_that_is_taken_comes_again_only_when_it_is_done() -> None:
    queue = WorkQueue[str]()
    queue.put("a")
    assert await queue.take() == "a"
    queue.put("a")
    other = asyncio.create_task(queue.take())
    await asyncio.sleep(0.01)
    assert not other.done()
    queue.done("a")
    assert await other == "a"


async def test_later_is_no_sooner_and_once() -> None:
    queue = WorkQueue[str]()
    queue.put_later("a", 0.05)
    queue.put_later("b", 60)
    assert len(queue) == 0
    queue.put("b")
    assert [await queue.take(), await queue.take()] == ["b", "a"]
    queue.done("b")
    queue.done("a")
    assert len(queue) == 0


async def test_of_two_later_ones_the_sooner_counts() -> None:
    queue = WorkQueue[str]()
    for seconds in (0.02, 60, 40):
        queue.put_later("a", seconds)
    for seconds in (60, 0.02):
        queue.put_later("b", seconds)
    async with asyncio.timeout(30):
        assert {await queue.take(), await queue.take()} == {"a", "b"}


async def test_nothing_is_left_when_it_is_cleared() -> None:
    queue = WorkQueue[str]()
    queue.put("a")
    queue.put("b")
    await queue.take()
    queue.put_later("c", 0.01)
    queue.clear()
    await asyncio.sleep(0.03)
    assert len(queue) == 0
