"""The JSON spelling of google.protobuf's own types, from the plain JSON of their fields.

Comes in: a message decoded field by field as any other is. Goes out: what proto3 JSON has instead: "1.500s"
for a Duration, an RFC 3339 time for a Timestamp, the bare value of a wrapper, plain JSON for Struct, Value
and ListValue. Not done here: Any, which needs the classes of other modules (`decode`).
Source: https://protobuf.dev/programming-guides/json/.
"""

import datetime
from collections.abc import Callable
from typing import Any, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MAX_DURATION = 315_576_000_000
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799


def _fraction(nanos: int) -> str:
    """No, three, six or nine digits, as many as are needed."""
    digits = f"{nanos:09d}"
    if not nanos:
        return ""
    if digits.endswith("000000"):
        return "." + digits[:3]
    return "." + (digits[:6] if digits.endswith("000") else digits)


def _duration(fields: dict[str, Any]) -> str:
    seconds, nanos = int(fields.get("seconds", 0)), fields.get("nanos", 0)
    if abs(seconds) > _MAX_DURATION or abs(nanos) > 999_999_999 or seconds * nanos < 0:
        raise ValueError(f"no duration: {seconds} seconds and {nanos} nanoseconds")
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def _timestamp(fields: dict[str, Any]) -> str:
    seconds, nanos = int(fields.get("seconds", 0)), fields.get("nanos", 0)
    if not _FIRST_SECOND <= seconds <= _LAST_SECOND or not 0 <= nanos <= 999_999_999:
        raise ValueError(f"no point in time: {seconds} seconds and {nanos} nanoseconds")
    whole = _EPOCH + datetime.timedelta(seconds=seconds)
    return f"{whole.replace(tzinfo=None).isoformat()}{_fraction(nanos)}Z"


def _value(fields: dict[str, Any]) -> JsonValue:
    """The one member that is set; none set is no JSON at all, shown as null."""
    for name, value in fields.items():
        return None if name == "nullValue" else value
    return None


def _wrapper(default: JsonValue) -> Callable[[dict[str, Any]], JsonValue]:
    return lambda fields: fields.get("value", default)


SPELLING: dict[str, Callable[[dict[str, Any]], JsonValue]] = {
    "google.protobuf.Duration": _duration,
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.Struct": lambda fields: fields.get("fields", {}),
    "google.protobuf.ListValue": lambda fields: fields.get("values", []),
    "google.protobuf.Value": _value,
    "google.protobuf.BoolValue": _wrapper(default=False),
    "google.protobuf.Int32Value": _wrapper(0),
    "google.protobuf.Int64Value": _wrapper("0"),
    "google.protobuf.UInt32Value": _wrapper(0),
    "google.protobuf.UInt64Value": _wrapper("0"),
    "google.protobuf.FloatValue": _wrapper(0.0),
    "google.protobuf.DoubleValue": _wrapper(0.0),
    "google.protobuf.StringValue": _wrapper(""),
    "google.protobuf.BytesValue": _wrapper(""),
}
"""By full name: the JSON of a message, given the JSON of its fields. Raises ValueError for what has none."""
