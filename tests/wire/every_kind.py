"""A message with a field of every kind that protobuf knows, declared twice: for betterproto2 and for google's own.

Envoy's API uses about half of the kinds; an upgrade of envoy-data-plane may bring any other.
"""

import dataclasses
import datetime
from typing import Any

import betterproto2
from envoy_data_plane.google import protobuf
from google.protobuf import duration_pb2, message_factory, wrappers_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

SCALARS: dict[str, type] = {
    "bool": bool,
    "string": str,
    "bytes": bytes,
    "float": float,
    "double": float,
    **{f"{sign}int{bits}": int for bits in (32, 64) for sign in ("", "u", "s")},
    **{f"{sign}fixed{bits}": int for bits in (32, 64) for sign in ("", "s")},
}
KEYS = [kind for kind in SCALARS if kind not in ("float", "double", "bytes")]
WRAPPERS: dict[str, type] = {
    "BoolValue": bool,
    "StringValue": str,
    "BytesValue": bytes,
    "FloatValue": float,
    "DoubleValue": float,
    "Int32Value": int,
    "Int64Value": int,
    "UInt32Value": int,
    "UInt64Value": int,
    "Duration": datetime.timedelta,
}


class Colour(betterproto2.Enum):
    RED = 0
    GREEN = 1
    DARK = -2

    @classmethod
    def betterproto_value_to_renamed_proto_names(cls) -> dict[int, str]:
        return {0: "COLOUR_RED", 1: "COLOUR_GREEN", -2: "COLOUR_DARK"}


@dataclasses.dataclass(eq=False, repr=False)
class Inner(betterproto2.Message):
    text: str = betterproto2.field(1, betterproto2.TYPE_STRING)
    inner: "Inner | None" = betterproto2.field(2, betterproto2.TYPE_MESSAGE, optional=True)  # noqa: RUF009 - a dataclass field too


class _Twin:
    """Both declarations, grown field by field."""

    def __init__(self) -> None:
        self.ours: list[tuple[str, Any, Any]] = []
        self.theirs = DescriptorProto(name="EveryKind")
        self.theirs.oneof_decl.add(name="choice")

    def add(self, name: str, kind: str, type_: Any, *, shape: str, type_name: str = "", wrapper: str = "") -> None:
        number = len(self.ours) + 1
        unwrap = (lambda: getattr(protobuf, wrapper)) if wrapper else None
        options: dict[str, Any] = {"unwrap": unwrap}
        hint: Any = type_
        their = self.theirs.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        self._set_type(their, kind, type_name)
        if shape == "repeated":
            hint, options["repeated"] = list[type_], True
            their.label = FieldDescriptorProto.LABEL_REPEATED
        elif shape == "optional":
            hint, options["optional"] = type_ | None, True
            their.proto3_optional = kind != "message"
        elif shape == "oneof":
            hint, options["optional"], options["group"] = type_ | None, True, "choice"
            their.oneof_index = 0
        elif kind == "enum":
            options["default_factory"] = lambda: Colour(0)
        self.ours.append((name, hint, betterproto2.field(number, kind, **options)))

    def add_map(
        self, name: str, key: str, value: str, value_type: Any, *, type_name: str = "", wrapper: str = ""
    ) -> None:
        number = len(self.ours) + 1
        entry = self.theirs.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        self._set_type(entry.field.add(name="key", number=1, label=FieldDescriptorProto.LABEL_OPTIONAL), key, "")
        self._set_type(
            entry.field.add(name="value", number=2, label=FieldDescriptorProto.LABEL_OPTIONAL), value, type_name
        )
        their = self.theirs.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_REPEATED)
        self._set_type(their, "message", f".EveryKind.{entry.name}")
        unwrap = (lambda: getattr(protobuf, wrapper)) if wrapper else None
        meta = betterproto2.map_meta(key, value, unwrap_2=unwrap)
        hint = dict[SCALARS[key], value_type]
        self.ours.append((name, hint, betterproto2.field(number, "map", map_meta=meta)))

    @staticmethod
    def _set_type(their: FieldDescriptorProto, kind: str, type_name: str) -> None:
        their.type = getattr(FieldDescriptorProto, f"TYPE_{kind.upper()}")
        if type_name:
            their.type_name = type_name


def _declare() -> tuple[type[betterproto2.Message], DescriptorPool]:
    twin = _Twin()
    for shape in ("plain", "optional", "repeated", "oneof"):
        for kind, type_ in SCALARS.items():
            twin.add(f"{shape}_{kind}", kind, type_, shape=shape)
        twin.add(f"{shape}_enum", "enum", Colour, shape=shape, type_name=".Colour")
        message_shape = "optional" if shape == "plain" else shape
        twin.add(f"{shape}_message", "message", Inner, shape=message_shape, type_name=".Inner")
        for wrapper, type_ in WRAPPERS.items():
            full = f".google.protobuf.{wrapper}"
            twin.add(
                f"{shape}_{wrapper.lower()}", "message", type_, shape=message_shape, type_name=full, wrapper=wrapper
            )
    for key in KEYS:
        twin.add_map(f"by_{key}", key, "string", str)
    for value, type_ in SCALARS.items():
        twin.add_map(f"to_{value}", "string", value, type_)
    twin.add_map("to_enum", "string", "enum", Colour, type_name=".Colour")
    twin.add_map("to_message", "string", "message", Inner, type_name=".Inner")
    for wrapper, type_ in WRAPPERS.items():
        full = f".google.protobuf.{wrapper}"
        twin.add_map(f"to_{wrapper.lower()}", "string", "message", type_, type_name=full, wrapper=wrapper)
    ours = dataclasses.make_dataclass(
        "EveryKind", twin.ours, bases=(betterproto2.Message,), eq=False, repr=False, namespace={"__module__": __name__}
    )
    return ours, _pool(twin.theirs)


def _pool(every_kind: DescriptorProto) -> DescriptorPool:
    file = FileDescriptorProto(name="every_kind.proto", syntax="proto3", message_type=[every_kind])
    file.dependency.extend(["google/protobuf/wrappers.proto", "google/protobuf/duration.proto"])
    # An optional scalar of proto3 is the only member of a oneof of its own.
    for field in file.message_type[0].field:
        if field.proto3_optional:
            field.oneof_index = len(file.message_type[0].oneof_decl)
            file.message_type[0].oneof_decl.add(name=f"_{field.name}")
    inner = file.message_type.add(name="Inner")
    inner.field.add(name="text", number=1, type=FieldDescriptorProto.TYPE_STRING, label=1)
    inner.field.add(name="inner", number=2, type=FieldDescriptorProto.TYPE_MESSAGE, label=1, type_name=".Inner")
    colour = file.enum_type.add(name="Colour")
    for member in Colour:
        colour.value.add(name=member.proto_name, number=member.value)
    pool = DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(duration_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool


EveryKind, _POOL = _declare()
GoogleEveryKind = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("EveryKind"))
