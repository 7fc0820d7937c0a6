"""Pace: what may go at once, and how long to wait."""

import asyncio
import time

import pytest

from xds_server.shell.kube import pace
from xds_server.shell.kube.pace import Bucket, Rests, Trouble


def test_a_burst_goes_at_once_and_what_follows_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(pace, "monotonic", lambda: now)
    bucket = Bucket(rate=100.0, burst=5.0)
    assert [bucket.free() for _ in range(5)] == [0.0] * 5
    assert [bucket.free() for _ in range(10)] == pytest.approx([number / 100 for number in range(1, 11)])
    now += 0.05
    assert bucket.free() == pytest.approx(0.06)
    now += 60.0
    assert [bucket.free() for _ in range(6)] == pytest.approx([0.0] * 5 + [0.01])


async def test_taking_waits() -> None:
    bucket = Bucket(rate=100.0, burst=1.0)
    began = time.monotonic()
    for _ in range(4):
        await bucket.take()
    assert time.monotonic() - began >= 0.02


async def test_trouble_is_news_once_and_over_with_a_success() -> None:
    trouble = Trouble()
    assert trouble.note("refused")
    assert not trouble.note("refused")
    began = time.monotonic()
    await trouble.wait()
    assert time.monotonic() - began >= 0.1
    assert trouble.over()
    assert not trouble.over()
    waiting = asyncio.create_task(trouble.wait())
    await asyncio.sleep(0)
    assert waiting.done()


async def test_what_the_server_asks_for_is_kept() -> None:
    trouble = Trouble()
    trouble.note("busy", least=0.5)
    began = time.monotonic()
    await trouble.wait()
    assert time.monotonic() - began >= 0.45


def test_each_rests_twice_as_long_after_each_further_failure() -> None:
    rests: Rests[str] = Rests(0.5, 30.0)
    for wanted in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 1100):
        assert 0.8 * wanted <= rests.failed("a") <= 1.2 * wanted
    assert rests.failed("b") <= 0.6
    rests.over("a")
    assert rests.failed("a") <= 0.6
