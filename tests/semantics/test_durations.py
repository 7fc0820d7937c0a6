"""GEP-2257 durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.semantics.durations import milliseconds

UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


@given(st.lists(st.tuples(st.integers(0, 99_999), st.sampled_from(sorted(UNITS))), min_size=1, max_size=4))
def test_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert milliseconds(text) == sum(number * UNITS[unit] for number, unit in parts)


@pytest.mark.parametrize(("text", "value"), [("0s", 0), ("1h30m", 5_400_000), ("1m1ms", 60_001), ("00010s", 10_000)])
def test_examples(text: str, value: int) -> None:
    assert milliseconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "1", "s", "1.5s", "-1s", "1d", "1us", "100000s", "1s ", "1s\n", "1h1m1s1ms1s", "١s", "1S"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        milliseconds(text)
