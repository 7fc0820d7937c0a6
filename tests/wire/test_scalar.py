"""Single values to bytes; `test_every_kind` holds every scalar kind against google's protobuf."""

import datetime

import pytest
from google.protobuf.duration_pb2 import Duration as GoogleDuration
from google.protobuf.timestamp_pb2 import Timestamp as GoogleTimestamp

from xds_server.wire.scalar import SMALL, duration, length, tag, timestamp, varint


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**64 - 1, "ffffffffffffffffff01")],
)
def test_varints(number: int, expected: str) -> None:
    assert varint(number) == bytes.fromhex(expected)


def test_lengths_within_the_ready_made_ones_and_beyond() -> None:
    for size in (0, 127, 128, len(SMALL) - 1, len(SMALL), 2**21):
        assert length(bytes(size)) == varint(size)


def test_tags() -> None:
    assert tag(1, 2) == b"\x0a"
    assert tag(16, 0) == b"\x80\x01"


@pytest.mark.parametrize("micros", [0, 1, -1, 1_500_000, -1_500_000, -999_999, 315_576_000_000 * 10**6, 2**57 + 1])
def test_durations_have_one_sign_and_every_digit(micros: int) -> None:
    truth = GoogleDuration()
    truth.FromMicroseconds(micros)
    assert duration(datetime.timedelta(microseconds=micros)) == truth.SerializeToString()


@pytest.mark.parametrize(
    "moment",
    [
        datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(2026, 11, 23, 9, 0, 0, 123_456, tzinfo=datetime.timezone(datetime.timedelta(hours=5.5))),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=datetime.UTC),
        datetime.datetime(1, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC),
    ],
)
def test_timestamps(moment: datetime.datetime) -> None:
    truth = GoogleTimestamp()
    truth.FromDatetime(moment)
    assert timestamp(moment) == truth.SerializeToString()


def test_neither_a_number_nor_a_date_is_a_time() -> None:
    with pytest.raises(TypeError, match="expected timedelta, got int 5"):
        duration(5)
    with pytest.raises(TypeError, match="expected datetime, got date"):
        timestamp(datetime.date(2026, 1, 1))


def test_a_time_without_zone() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        timestamp(datetime.datetime(2026, 1, 1))  # noqa: DTZ001 - the fault under test
