"""The JSON of google.protobuf's own types."""

from typing import Any

import pytest
from envoy_data_plane.google.protobuf import Duration, ListValue, NullValue, Struct, Timestamp, Value

from xds_server.wire.decode import DecodeError, to_json
from xds_server.wire.encode import encode


def shown(message: Any) -> Any:
    return to_json(type(message), encode(message))


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, "0s"),
        (3, 0, "3s"),
        (1, 500_000_000, "1.500s"),
        (0, 1_000, "0.000001s"),
        (0, 1, "0.000000001s"),
        (-1, -500_000_000, "-1.500s"),
        (0, -20_000_000, "-0.020s"),
        (315_576_000_000, 0, "315576000000s"),
    ],
)
def test_durations(seconds: int, nanos: int, expected: str) -> None:
    assert shown(Duration(seconds=seconds, nanos=nanos)) == {"value": expected}


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (1_795_424_405, 120_000_000, "2026-11-23T09:00:05.120Z"),
        (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        (253_402_300_799, 0, "9999-12-31T23:59:59Z"),
    ],
)
def test_timestamps(seconds: int, nanos: int, expected: str) -> None:
    assert shown(Timestamp(seconds=seconds, nanos=nanos)) == {"value": expected}


@pytest.mark.parametrize(
    "message",
    [
        Duration(seconds=315_576_000_001),
        Duration(seconds=1, nanos=-1),
        Duration(nanos=10**9),
        Timestamp(seconds=253_402_300_800),
        Timestamp(nanos=-1),
    ],
)
def test_times_that_json_cannot_spell(message: Any) -> None:
    with pytest.raises(
        DecodeError, match=r"^google\.protobuf\.(Duration|Timestamp) at byte 0: no (duration|point in time)"
    ):
        shown(message)


def test_plain_json_stays_plain() -> None:
    numbers = ListValue(values=[Value(number_value=0.0), Value(null_value=NullValue(0)), Value(string_value="")])
    fields = {"list": Value(list_value=numbers), "map": Value(struct_value=Struct()), "flag": Value(bool_value=False)}
    assert shown(Struct(fields=fields)) == {"list": [0, None, ""], "map": {}, "flag": False}
    assert shown(numbers) == {"value": [0, None, ""]}
