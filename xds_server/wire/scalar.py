"""Python values to protobuf payloads: numbers, strings, enums, and what the google wrapper types wrap.

Comes in: one value. Goes out: its bytes, without tag and without length. A value of the wrong Python type
raises TypeError, one that the field cannot hold raises ValueError; the text says what was expected, the
caller says where. Not done here: messages. Source: https://protobuf.dev/programming-guides/encoding/ and the
ranges in google/protobuf/duration.proto and timestamp.proto.
"""

import datetime
import struct
from collections.abc import Callable
from typing import Any

import betterproto2

Payload = Callable[[Any], bytes]

_UNSIGNED_64 = (1 << 64) - 1
_NANOS = 1_000_000_000
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MAX_DURATION = 315_576_000_000
"""Seconds: 10,000 years, the limit of google.protobuf.Duration either way."""


def varint(number: int) -> bytes:
    """`number` (0 ≤ number < 2**64) as a varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


SMALL = tuple(varint(number) for number in range(2048))
"""The varints of most lengths, ports and weights, ready made."""


def tag(number: int, wire_type: int) -> bytes:
    """What precedes a field's value on the wire."""
    return varint(number << 3 | wire_type)


def length(payload: bytes) -> bytes:
    """The length prefix of `payload`."""
    size = len(payload)
    return SMALL[size] if size < len(SMALL) else varint(size)


def _wrong_type(expected: str, value: object) -> TypeError:
    return TypeError(f"expected {expected}, got {type(value).__name__} {value!r:.80}")


def _integer(kind: str, low: int, high: int) -> Payload:
    def payload(value: Any) -> bytes:
        # Not isinstance: a bool, or a member of some enum, is a mistake in a plain number.
        if type(value) is not int:
            raise _wrong_type("int", value)
        if not low <= value <= high:
            raise ValueError(f"{value} does not fit {kind}")
        return SMALL[value] if 0 <= value < 2048 else varint(value & _UNSIGNED_64)

    return payload


def _zigzag(kind: str, bits: int) -> Payload:
    check = _integer(kind, -(1 << bits - 1), (1 << bits - 1) - 1)

    def payload(value: Any) -> bytes:
        check(value)
        return varint(value << 1 ^ value >> bits)

    return payload


def _fixed(kind: str, fmt: str, types: tuple[type, ...]) -> Payload:
    pack = struct.Struct(fmt).pack

    def payload(value: Any) -> bytes:
        if type(value) not in types:
            raise _wrong_type(types[0].__name__, value)
        try:
            return pack(value)
        except (struct.error, OverflowError) as cause:
            raise ValueError(f"{value!r:.80} does not fit {kind}") from cause

    return payload


def _bool(value: Any) -> bytes:
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    raise _wrong_type("bool", value)


def _string(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _wrong_type("str", value)
    try:
        return value.encode()
    except UnicodeEncodeError as cause:
        raise ValueError(f"{value!r:.80} has a lone surrogate, which UTF-8 cannot hold") from cause


def _bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        raise _wrong_type("bytes", value)
    return value


INT32 = _integer("int32", -(1 << 31), (1 << 31) - 1)

SCALARS: dict[str, Payload] = {
    betterproto2.TYPE_BOOL: _bool,
    betterproto2.TYPE_INT32: INT32,
    betterproto2.TYPE_INT64: _integer("int64", -(1 << 63), (1 << 63) - 1),
    betterproto2.TYPE_UINT32: _integer("uint32", 0, (1 << 32) - 1),
    betterproto2.TYPE_UINT64: _integer("uint64", 0, _UNSIGNED_64),
    betterproto2.TYPE_SINT32: _zigzag("sint32", 32),
    betterproto2.TYPE_SINT64: _zigzag("sint64", 64),
    betterproto2.TYPE_FIXED32: _fixed("fixed32", "<I", (int,)),
    betterproto2.TYPE_FIXED64: _fixed("fixed64", "<Q", (int,)),
    betterproto2.TYPE_SFIXED32: _fixed("sfixed32", "<i", (int,)),
    betterproto2.TYPE_SFIXED64: _fixed("sfixed64", "<q", (int,)),
    betterproto2.TYPE_FLOAT: _fixed("float", "<f", (float, int)),
    betterproto2.TYPE_DOUBLE: _fixed("double", "<d", (float, int)),
    betterproto2.TYPE_STRING: _string,
    betterproto2.TYPE_BYTES: _bytes,
}
"""Payload of each scalar kind."""


def enum_payload(enum: type[betterproto2.Enum]) -> Payload:
    """The payload of a member of `enum`, unknown numbers included (an open enum, as in proto3)."""

    def payload(value: Any) -> bytes:
        if type(value) is not enum:
            raise _wrong_type(enum.__name__, value)
        return INT32(value.value)

    return payload


def duration(value: Any) -> bytes:
    """google.protobuf.Duration of a timedelta: seconds and nanoseconds of one sign."""
    if not isinstance(value, datetime.timedelta):
        raise _wrong_type("timedelta", value)
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    sign = -1 if micros < 0 else 1
    seconds, micros = divmod(abs(micros), 1_000_000)
    if seconds > _MAX_DURATION:
        raise ValueError(f"{value} is longer than the 10,000 years of google.protobuf.Duration")
    return _seconds_and_nanos(sign * seconds, sign * micros * 1000)


def timestamp(value: Any) -> bytes:
    """google.protobuf.Timestamp of a datetime, which must name its time zone."""
    if not isinstance(value, datetime.datetime):
        raise _wrong_type("datetime", value)
    if value.utcoffset() is None:
        raise ValueError(f"{value} has no time zone")
    since = value - _EPOCH
    return _seconds_and_nanos(since.days * 86_400 + since.seconds, since.microseconds * 1000)


def _seconds_and_nanos(seconds: int, nanos: int) -> bytes:
    out = b""
    if seconds:
        out = b"\x08" + varint(seconds & _UNSIGNED_64)
    if nanos:
        out += b"\x10" + varint(nanos & _UNSIGNED_64)
    return out


WELL_KNOWN: dict[str, Payload] = {"Duration": duration, "Timestamp": timestamp}
"""Payload of the wrapped types of google.protobuf that hold more than one field called `value`."""
