import asyncio
from time import monotonic

from xds_server.shell.kube.note_queue import NoteQueue


async def test_ranks_one_after_the_other_and_the_last_gives_way() -> None:
    queue: NoteQueue[str] = NoteQueue(2, 3)
    for number in range(5):
        queue.put(f"route {number}", 1)
    queue.put("gateway", 0)
    queue.put("route 4", 1)
    assert list(queue) == ["gateway", "route 3", "route 4"]
    for number in range(3):
        queue.put(f"class {number}", 0)
    assert list(queue) == ["class 0", "class 1", "class 2"]
    assert [await queue.take() for _ in range(3)] == ["class 0", "class 1", "class 2"]
    taken = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.put("late", 1)
    assert await taken == "late"


def test_what_is_old_is_dropped() -> None:
    queue: NoteQueue[str] = NoteQueue(2, 3)
    queue.put("a", 0)
    queue.put("b", 1)
    queue.drop_until(monotonic() - 60)
    assert len(queue) == 2
    queue.drop_until(monotonic())
    assert list(queue) == []
