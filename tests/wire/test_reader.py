"""Single values out of bytes; `test_every_kind` holds every scalar kind against google's protobuf."""

import struct

import pytest

from xds_server.wire.reader import Malformed, double_json, float_json, skip, varint


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (50.0, "50"),
        (0.5, "0.5"),
        (-0.0, "-0.0"),
        (1e15, "1000000000000000.0"),
        (1e300, "1e+300"),
        (float("nan"), "'NaN'"),
        (float("inf"), "'Infinity'"),
        (float("-inf"), "'-Infinity'"),
    ],
)
def test_doubles(number: float, expected: str) -> None:
    assert repr(double_json(number)) == expected


@pytest.mark.parametrize("text", ["0.1", "100.356735", "3.4028235e+38", "1.4013e-45", "16777217", "7"])
def test_floats_have_the_fewest_digits_that_mean_them(text: str) -> None:
    (held,) = struct.unpack("<f", struct.pack("<f", float(text)))
    spelled = float_json(held)
    assert struct.pack("<f", spelled) == struct.pack("<f", held)
    assert len(repr(spelled)) <= len(text)


def test_a_varint_keeps_its_low_64_bits() -> None:
    assert varint(b"\xff" * 9 + b"\x7f", 0) == (2**64 - 1, 10)
    with pytest.raises(Malformed, match="more than ten bytes"):
        varint(b"\xff" * 10 + b"\x01", 0)


def test_groups_are_skipped_with_all_that_they_hold() -> None:
    nested = bytes.fromhex("0b 13 1803 14 2202ffff 0c") + b"rest"
    assert skip(nested, 1, nested[0]) == len(nested) - len(b"rest")
    with pytest.raises(Malformed, match="not begun"):
        skip(bytes.fromhex("0b 14"), 1, 0x0B)
