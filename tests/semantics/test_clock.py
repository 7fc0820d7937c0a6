"""When a moment has come, and what has to be asked to know it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from xds_server.flow.graph import Graph
from xds_server.semantics import clock

MOMENT = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
MINUTE = int(MOMENT.timestamp()) // 60


class Asking:
    """A Lookup of a table that is a mapping; `asked` are the keys."""

    def __init__(self, minute: int | None) -> None:
        self.rows = {} if minute is None else clock.rows(minute)
        self.asked: list[int] = []

    def get(self, _: object, key: int) -> int | None:
        self.asked.append(key)
        return self.rows.get(key)


def ask(minute: int | None) -> tuple[bool | None, list[int]]:
    look: Any = Asking(minute)
    return clock.reached(MOMENT, look, Graph().input("clock")), look.asked


@given(st.integers(-100_000, 100_000))
def test_a_moment_has_come_when_its_minute_has(difference: int) -> None:
    assert ask(MINUTE + difference)[0] is (difference >= 0)


def test_who_does_not_know_the_time_says_nothing() -> None:
    assert ask(None)[0] is None


def test_minutes_are_asked_for_on_the_day_itself_alone() -> None:
    month, day, minute = clock.UNITS
    year = int(timedelta(days=365).total_seconds()) // 60
    assert ask(MINUTE + year)[1] == ask(MINUTE - year)[1] == [month]
    assert ask(MINUTE + 2 * day)[1] == ask(MINUTE - day)[1] == [month, day]
    assert ask(MINUTE)[1] == ask(MINUTE - 5)[1] == [month, day, minute]
