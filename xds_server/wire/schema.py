"""What betterproto2 knows about a message class, read once: its fields in declaration order, as plain values.

Comes in: a message class. Goes out: a tuple of `Field`. Nothing is encoded or decoded here.
Source: the `FieldMetadata` that betterproto2 attaches to every dataclass field, and the class's annotations;
JSON names follow the protobuf rule (https://protobuf.dev/programming-guides/json/), since betterproto2's own
camel case differs from it after a digit (`consecutive_5xx`).
"""

import dataclasses
import re
import sys
import typing
from functools import cache

import betterproto2

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types (https://protobuf.dev/programming-guides/encoding/#structure)."""

WIRE_TYPE = {
    betterproto2.TYPE_DOUBLE: FIXED64,
    betterproto2.TYPE_FIXED64: FIXED64,
    betterproto2.TYPE_SFIXED64: FIXED64,
    betterproto2.TYPE_FLOAT: FIXED32,
    betterproto2.TYPE_FIXED32: FIXED32,
    betterproto2.TYPE_SFIXED32: FIXED32,
    betterproto2.TYPE_STRING: LENGTH,
    betterproto2.TYPE_BYTES: LENGTH,
    betterproto2.TYPE_MESSAGE: LENGTH,
    betterproto2.TYPE_MAP: LENGTH,
}
"""Wire type of each kind that is not a varint."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a message class.

    `kind` is betterproto2's proto_type ("string", "uint32", "enum", "message", "map" …).
    `presence` says that an unset field is None, so that a set one is written even if it is zero or empty.
    `message` is the class on the wire; with `wrapped` the Python value is not one of its instances but what
    it wraps (bool, int, timedelta …). A map has `key` and `value`, numbered 1 and 2.
    """

    name: str
    number: int
    kind: str
    json_name: str
    repeated: bool = False
    presence: bool = False
    group: str | None = None
    message: type[betterproto2.Message] | None = None
    wrapped: bool = False
    enum: type[betterproto2.Enum] | None = None
    key: "Field | None" = None
    value: "Field | None" = None

    @property
    def packed(self) -> bool:
        """Whether a repeated field is written as one length-delimited run."""
        return self.repeated and self.wire_type != LENGTH

    @property
    def wire_type(self) -> int:
        """Wire type of a single value."""
        return WIRE_TYPE.get(self.kind, VARINT)


@cache
def fields_of(cls: type[betterproto2.Message]) -> tuple[Field, ...]:
    """The fields of `cls` in declaration order (also betterproto2's order on the wire)."""
    # The same evaluation as betterproto2's own, but once per class and not once per field.
    hints = typing.get_type_hints(cls, vars(sys.modules[cls.__module__]), {})
    plain = dataclasses.fields(typing.cast("type[DataclassInstance]", cls))
    return tuple(_field(one.name, betterproto2.FieldMetadata.get(one), hints[one.name]) for one in plain)


def _field(name: str, meta: betterproto2.FieldMetadata, hint: typing.Any) -> Field:
    key = value = None
    if meta.map_meta is not None:
        key_hint, value_hint = typing.get_args(hint)
        key = _field("key", meta.map_meta[0], key_hint)
        value = _field("value", meta.map_meta[1], value_hint)
    target = _class_in(hint)
    is_message = meta.proto_type == betterproto2.TYPE_MESSAGE
    return Field(
        name=name,
        number=meta.number,
        kind=meta.proto_type,
        json_name=json_name(name),
        repeated=bool(meta.repeated),
        presence=not meta.repeated and (bool(meta.optional) or meta.group is not None or is_message),
        group=meta.group,
        message=(meta.unwrap() if meta.unwrap else target) if is_message else None,
        wrapped=meta.unwrap is not None,
        enum=target if meta.proto_type == betterproto2.TYPE_ENUM else None,
        key=key,
        value=value,
    )


def _class_in(hint: typing.Any) -> typing.Any:
    """The class inside `X | None` or `list[X]`."""
    while typing.get_origin(hint) is not None:
        hint = next(inner for inner in typing.get_args(hint) if inner is not type(None))
    return hint


def json_name(name: str) -> str:
    """The JSON spelling of a field name: underscores go, the letter after one is capital.

    betterproto2 appends an underscore to Python's reserved words (`from_`); it is no part of the name.
    """
    return re.sub(r"_+(.?)", lambda found: found[1].upper(), name.rstrip("_"))


def enum_name(member: betterproto2.Enum) -> str:
    """The name that the .proto file gives an enum value; betterproto2 may have stripped a prefix."""
    return member.proto_name or member.name
