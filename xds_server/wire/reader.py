"""Single values out of protobuf bytes, in their proto3 JSON spelling.

Comes in: the whole buffer, the position after a tag, the end of the message. Goes out: the JSON value and the
position after it. A position beyond `end` is the caller's to notice; one beyond the buffer raises IndexError.
Not done here: messages and what a field does with its value (`decode`).
Source: https://protobuf.dev/programming-guides/encoding/ and https://protobuf.dev/programming-guides/json/.
"""

import base64
import math
import struct
from collections.abc import Callable
from typing import Any

import betterproto2

from xds_server.wire.schema import FIXED32, FIXED64, LENGTH, VARINT, Field, enum_name

Reader = Callable[[bytes, int, int], tuple[Any, int]]

_START_GROUP, _END_GROUP = 3, 4
_SIGN_32, _SIGN_64 = 1 << 31, 1 << 63
_EXACT_INTEGERS = 1e15


class Malformed(Exception):  # noqa: N818 - it is always turned into a DecodeError, which names class and field
    """What is wrong with the bytes, and at which offset of the buffer."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


def varint(data: bytes, pos: int) -> tuple[int, int]:
    """The varint at `pos`, below 2**64, and the position after it."""
    start, value, shift = pos, 0, 0
    while shift < 70:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, pos
        shift += 7
    raise Malformed("a varint of more than ten bytes", start)


def long_tag(data: bytes, pos: int) -> tuple[int, int]:
    """The tag at `pos`, which is at most five bytes and 32 bits, and the position after it."""
    tag, after = varint(data, pos)
    if after - pos > 5 or tag >= 1 << 32:
        raise Malformed("a tag beyond 32 bits", pos)
    return tag, after


def delimited(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Where the length-delimited value at `pos` begins and where it stops."""
    size = data[pos]
    if size < 128:
        start = pos + 1
    else:
        size, start = varint(data, pos)
    if start + size > end:
        raise Malformed(f"a length of {size} where {max(end - start, 0)} bytes are left", pos)
    return start, start + size


def skip(data: bytes, pos: int, tag: int) -> int:
    """The position after the value at `pos` whose tag was `tag`, whatever it holds."""
    open_groups: list[int] = []
    while True:
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("field number 0", pos)
        if wire_type == _START_GROUP:
            open_groups.append(number)
        elif wire_type == _END_GROUP:
            if not open_groups or open_groups.pop() != number:
                raise Malformed("the end of a group that was not begun", pos)
        else:
            pos = _skip_value(data, pos, wire_type)
        if not open_groups:
            return pos
        tag, pos = long_tag(data, pos)


def _skip_value(data: bytes, pos: int, wire_type: int) -> int:
    if wire_type == VARINT:
        return varint(data, pos)[1]
    if wire_type == LENGTH:
        return delimited(data, pos, len(data))[1]
    if wire_type in (FIXED32, FIXED64):
        return pos + (4 if wire_type == FIXED32 else 8)
    raise Malformed(f"wire type {wire_type}", pos)


def _varint_reader(spell: Callable[[int], Any]) -> Reader:
    def read(data: bytes, pos: int, end: int) -> tuple[Any, int]:  # noqa: ARG001
        value = data[pos]
        if value < 128:
            return spell(value), pos + 1
        value, pos = varint(data, pos)
        return spell(value), pos

    return read


def _fixed_reader(fmt: str, spell: Callable[[Any], Any]) -> Reader:
    unpack, size = struct.Struct(fmt).unpack_from, struct.calcsize(fmt)

    def read(data: bytes, pos: int, end: int) -> tuple[Any, int]:
        if pos + size > end:
            raise Malformed(f"{size} bytes where {end - pos} are left", pos)
        return spell(unpack(data, pos)[0]), pos + size

    return read


def _string(data: bytes, pos: int, end: int) -> tuple[Any, int]:
    start, stop = delimited(data, pos, end)
    try:
        return data[start:stop].decode(), stop
    except UnicodeDecodeError as cause:
        raise Malformed("a string that is not UTF-8", start + cause.start) from None


def _bytes(data: bytes, pos: int, end: int) -> tuple[Any, int]:
    start, stop = delimited(data, pos, end)
    return base64.b64encode(data[start:stop]).decode(), stop


def _signed_32(value: int) -> int:
    return ((value & (1 << 32) - 1) ^ _SIGN_32) - _SIGN_32


def _signed_64(value: int) -> int:
    return (value ^ _SIGN_64) - _SIGN_64


def _unzigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def double_json(value: float) -> float | int | str:
    """A number without needless digits (50, not 50.0); NaN and the infinities by name."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if (
        value.is_integer()
        and abs(value) < _EXACT_INTEGERS
        and math.copysign(1.0, value) == math.copysign(1.0, int(value))
    ):
        return int(value)
    return value


def float_json(value: float) -> float | int | str:
    """A 32-bit float by the fewest digits that mean it: 0.1, not 0.10000000149011612; nine always do."""
    if not math.isfinite(value):
        return double_json(value)
    short = value
    for digits in (6, 7, 8, 9):
        short = float(f"{value:.{digits}g}")
        if struct.pack("<f", short) == struct.pack("<f", value):
            break
    return double_json(short)


_READERS: dict[str, Reader] = {
    betterproto2.TYPE_BOOL: _varint_reader(bool),
    betterproto2.TYPE_INT32: _varint_reader(_signed_32),
    betterproto2.TYPE_INT64: _varint_reader(lambda value: str(_signed_64(value))),
    betterproto2.TYPE_UINT32: _varint_reader(lambda value: value & (1 << 32) - 1),
    betterproto2.TYPE_UINT64: _varint_reader(str),
    betterproto2.TYPE_SINT32: _varint_reader(lambda value: _unzigzag(value & (1 << 32) - 1)),
    betterproto2.TYPE_SINT64: _varint_reader(lambda value: str(_unzigzag(value))),
    betterproto2.TYPE_FIXED32: _fixed_reader("<I", int),
    betterproto2.TYPE_FIXED64: _fixed_reader("<Q", str),
    betterproto2.TYPE_SFIXED32: _fixed_reader("<i", int),
    betterproto2.TYPE_SFIXED64: _fixed_reader("<q", str),
    betterproto2.TYPE_FLOAT: _fixed_reader("<f", float_json),
    betterproto2.TYPE_DOUBLE: _fixed_reader("<d", double_json),
    betterproto2.TYPE_STRING: _string,
    betterproto2.TYPE_BYTES: _bytes,
}


def scalar_reader(field: Field) -> Reader:
    """The reader of one value of a field that is no message."""
    if field.enum is None:
        return _READERS[field.kind]
    if field.enum.__name__ == "NullValue":
        return _varint_reader(lambda _: None)
    names = {member.value: enum_name(member) for member in field.enum}

    def spell(value: int) -> str | int:
        number = _signed_32(value)
        return names.get(number, number)

    return _varint_reader(spell)


def zero_json(field: Field) -> Any:
    """What a scalar field that is not on the wire means, in JSON."""
    if field.enum is not None:
        return scalar_reader(field)(b"\x00", 0, 1)[0]
    kinds: dict[str, Any] = {"bool": False, "string": "", "bytes": ""}
    if field.kind.endswith("64"):
        return "0"
    return kinds.get(field.kind, 0)
