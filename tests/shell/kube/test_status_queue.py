"""The queue of statuses: each waits once, those that people wait for first."""

import asyncio

from xds_server.model.meta import Key
from xds_server.shell.kube.status_queue import Id, StatusQueue

ROUTE: Id = ("HTTPRoute", Key("a", "r"))
OTHER: Id = ("HTTPRoute", Key("a", "s"))
GATEWAY: Id = ("Gateway", Key("a", "g"))


async def test_gateways_come_first_and_each_once() -> None:
    queue = StatusQueue()
    for id_ in (ROUTE, OTHER, ROUTE, GATEWAY):
        queue.put(id_)
    assert len(queue) == 3
    assert [(await queue.take())[0] for _ in range(3)] == [GATEWAY, ROUTE, OTHER]
    assert len(queue) == 0


async def test_it_is_waited_for() -> None:
    queue = StatusQueue()
    task = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    assert not task.done()
    queue.put(ROUTE, since=1.0)
    assert await task == (ROUTE, 1.0)


async def test_what_changes_while_it_is_written_comes_again_after_its_rest() -> None:
    queue = StatusQueue()
    queue.put(ROUTE)
    await queue.take()
    queue.put(ROUTE, since=5.0)
    queue.put(ROUTE, since=6.0)
    queue.put(OTHER)
    assert (await queue.take())[0] == OTHER
    queue.done(ROUTE, 0.5)
    queue.put(ROUTE, since=7.0)
    task = asyncio.create_task(queue.take())
    await asyncio.sleep(0.005)
    assert not task.done()
    assert len(queue) == 1
    assert await task == (ROUTE, 5.0)


async def test_what_did_not_change_does_not_come_again() -> None:
    queue = StatusQueue()
    queue.put(ROUTE)
    await queue.take()
    queue.done(ROUTE, 0.001)
    await asyncio.sleep(0.01)
    assert len(queue) == 0
    queue.put(ROUTE)
    _, since = await queue.take()
    queue.done(ROUTE, again=since)
    assert await queue.take() == (ROUTE, since)


async def test_nothing_is_left_after_clearing() -> None:
    queue = StatusQueue()
    queue.put(ROUTE)
    queue.put(OTHER)
    await queue.take()
    queue.done(ROUTE, 0.01, again=1.0)
    queue.clear()
    await asyncio.sleep(0.02)
    assert len(queue) == 0
