"""The system's notifications, on real folders."""

import asyncio

import pytest

from xds_server.shell import watch as module
from xds_server.shell.scan import Places, Roots
from xds_server.shell.watch import Watch

SECONDS = 30.0


async def seen(watch, *paths):
    """Waits until something was reported at each of the paths."""
    missing = set(map(str, paths))
    async with asyncio.timeout(SECONDS):
        while missing:
            changes = await watch.changes(SECONDS)
            assert changes
            missing -= changes


@pytest.fixture
def places(tmp_path):
    (tmp_path / "in").mkdir()
    return Roots([tmp_path / "in"]).places()


async def test_changes_in_a_folder_and_below(tmp_path, places):
    async with Watch(places) as watch:
        (tmp_path / "in" / "a.yaml").touch()
        await seen(watch, tmp_path / "in" / "a.yaml")
        (tmp_path / "in" / "sub").mkdir()
        await seen(watch, tmp_path / "in" / "sub")
        (tmp_path / "in" / "sub" / "b.yaml").touch()
        await seen(watch, tmp_path / "in" / "sub" / "b.yaml")
        (tmp_path / "in" / "sub" / "b.yaml").replace(tmp_path / "in" / "a.yaml")
        await seen(watch, tmp_path / "in" / "a.yaml")


async def test_what_happens_right_after_entering_is_seen(tmp_path, places):
    for number in range(5):
        async with Watch(places) as watch:
            (tmp_path / "in" / f"{number}.yaml").touch()
            await seen(watch, tmp_path / "in" / f"{number}.yaml")


async def test_the_folder_itself(tmp_path, places):
    async with Watch(places) as watch:
        (tmp_path / "in").rename(tmp_path / "out")
        await seen(watch, tmp_path / "in")


async def test_nothing_is_an_empty_answer(places):
    async with Watch(places) as watch:
        assert await watch.changes(0.01) == frozenset()
        assert await watch.changes(0) == frozenset()


async def test_changes_are_collected_while_nobody_waits(tmp_path, places):
    async with Watch(places) as watch:
        for name in ("a", "b"):
            (tmp_path / "in" / name).touch()
            await asyncio.sleep(0.05)
        await seen(watch, tmp_path / "in" / "a", tmp_path / "in" / "b")


async def test_too_many_changes_are_not_told_apart(tmp_path, places, monkeypatch):
    monkeypatch.setattr(module, "MOST_PATHS", 10)
    async with Watch(places) as watch:
        for burst in range(20):
            for number in range(20):
                (tmp_path / "in" / f"{burst}-{number}").touch()
            changes = await watch.changes(SECONDS)
            if changes is None:
                break
            assert 0 < len(changes) <= 10  # the system told them bit by bit
        assert changes is None
        assert not watch.broken


async def test_a_watch_that_cannot_begin_is_broken(tmp_path):
    async with Watch(Places(frozenset({(str(tmp_path / "none"), 1)}), frozenset())) as watch:
        assert await watch.changes(SECONDS) is None
        assert watch.broken


async def test_no_places_at_all():
    async with Watch(Places(frozenset(), frozenset())) as watch:
        assert await watch.changes(0.01) == frozenset()
        assert not watch.broken


async def test_leaving_ends_all_tasks(places):
    before = asyncio.all_tasks()
    async with Watch(places):
        assert len(asyncio.all_tasks()) == len(before) + 2
    assert asyncio.all_tasks() == before
