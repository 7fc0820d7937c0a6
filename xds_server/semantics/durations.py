"""GEP-2257 durations."""

import re

_PATTERN = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def milliseconds(text: str) -> int:
    """The duration in milliseconds; ValueError when it is not one."""
    if not _PATTERN.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 1h30m, 10s or 500ms")
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text))
