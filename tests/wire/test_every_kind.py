"""Every kind of field, singular, optional, repeated, in a oneof and in a map, against google's protobuf."""

from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError as GoogleDecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.every_kind import EveryKind, GoogleEveryKind
from tests.wire.messages import arguments
from xds_server.wire.construct import fast
from xds_server.wire.decode import DecodeError, to_json
from xds_server.wire.encode import encode
from xds_server.wire.schema import Field, fields_of

EXAMPLES = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@EXAMPLES
@given(arguments(EveryKind))
def test_bytes_and_json_of_every_kind(given_arguments: dict[str, Any]) -> None:
    message = fast(EveryKind)(**given_arguments)
    encoded = encode(message)
    assert encoded == bytes(EveryKind(**given_arguments))
    truth = GoogleEveryKind.FromString(encoded)
    assert to_json(EveryKind, encoded) == json_format.MessageToDict(truth)
    # Google's own encoding, in its own order, means the same.
    assert to_json(EveryKind, truth.SerializeToString()) == json_format.MessageToDict(truth)
    assert encode(EveryKind.parse(truth.SerializeToString())) == encoded


@EXAMPLES
@given(st.lists(arguments(EveryKind), min_size=2, max_size=3), st.data())
def test_joined_and_damaged_bytes(parts: list[dict[str, Any]], data: st.DataObject) -> None:
    joined = b"".join(encode(fast(EveryKind)(**part)) for part in parts)
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(joined)))
        joined = joined[:at] + data.draw(st.binary(max_size=2)) + joined[at + 1 :]
    try:
        truth = GoogleEveryKind.FromString(joined)
    except GoogleDecodeError:
        with pytest.raises(DecodeError):
            to_json(EveryKind, joined)
        return
    try:
        read: object = to_json(EveryKind, joined)
    except DecodeError as refusal:
        read = refusal
    if isinstance(read, DecodeError):
        # Google's Python lets a field number of zero pass; and a broken duration has no JSON.
        assert "field number 0" in str(read) or "no duration" in str(read)
        return
    assert isinstance(read, dict)
    aside = entries_aside(truth)
    assert without(read, aside) == without(json_format.MessageToDict(truth), aside)


def entries_aside(truth: Any) -> set[str]:
    """Maps with an entry that has an unknown field. Google's Python takes such an entry as a whole for unknown, while
    Envoy's C++ leaves out the unknown field, as is done here.
    """
    maps = {field.number: field.json_name for field in fields_of(EveryKind) if field.kind == "map"}
    unknown: Any = UnknownFieldSet(truth)
    return {maps[one.field_number] for one in unknown if one.field_number in maps}


def without(shown: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in names}


def test_an_unknown_field_in_an_entry_of_a_map_is_left_out() -> None:
    (field,) = (one for one in fields_of(EveryKind) if one.name == "by_fixed64")
    tag = encode(fast(EveryKind)(by_fixed64={1: "x"}))[:2]
    data = tag + b"\x04\x12\x00\x08\x01"
    assert entries_aside(GoogleEveryKind.FromString(data)) == {field.json_name}
    assert to_json(EveryKind, data) == {field.json_name: {"0": ""}}


@pytest.mark.parametrize("field", [one for one in fields_of(EveryKind) if one.kind != "map"], ids=lambda one: one.name)
def test_a_value_of_the_wrong_type_names_class_and_field(field: Field) -> None:
    wrong: Any = object()
    message = fast(EveryKind)(**{field.name: [wrong] if field.repeated else wrong})
    with pytest.raises(TypeError, match=rf"^EveryKind\.{field.name}: expected \w+, got object"):
        encode(message)


@pytest.mark.parametrize("field", fields_of(EveryKind), ids=lambda one: one.name)
def test_no_value_at_all_is_only_right_where_presence_is_known(field: Field) -> None:
    message = fast(EveryKind)(**{field.name: None})
    if field.presence:
        assert encode(message) == b""
    else:
        with pytest.raises(TypeError, match=rf"^EveryKind\.{field.name}: expected \w+, got NoneType"):
            encode(message)


@pytest.mark.parametrize("shape", ["plain", "optional", "repeated", "oneof"])
@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (f"{prefix}{size}", 0 if unsigned else -(2 ** (size - 1)), 2**size - 1 if unsigned else 2 ** (size - 1) - 1)
        for size in (32, 64)
        for prefix, unsigned in (("int", False), ("uint", True), ("sint", False), ("fixed", True), ("sfixed", False))
    ],
)
def test_integers_fit_exactly_up_to_their_bounds(shape: str, kind: str, low: int, high: int) -> None:
    def holding(number: int) -> Any:
        name = f"{shape}_{kind}"
        return fast(EveryKind)(**{name: [number] if shape == "repeated" else number})

    for number in (low, high):
        truth = GoogleEveryKind.FromString(encode(holding(number)))
        held = getattr(truth, f"{shape}_{kind}")
        assert (list(held) if shape == "repeated" else held) == ([number] if shape == "repeated" else number)
    for number in (low - 1, high + 1):
        with pytest.raises(ValueError, match=rf"^EveryKind\.{shape}_{kind}: -?\d+ does not fit {kind}$"):
            encode(holding(number))


@pytest.mark.parametrize("number", [True, 1.0, "1", b"1"])
def test_only_an_int_is_an_integer(number: object) -> None:
    with pytest.raises(TypeError, match=r"^EveryKind\.plain_uint32: expected int, got"):
        encode(fast(EveryKind)(plain_uint32=number))


@pytest.mark.parametrize("kind", ["float", "double"])
def test_floats_keep_sign_and_special_values(kind: str) -> None:
    field = f"plain_{kind}"
    for number, spelled in ((-0.0, -0.0), (float("nan"), "NaN"), (float("-inf"), "-Infinity"), (0.1, 0.1), (2, 2)):
        encoded = encode(fast(EveryKind)(**{field: number}))
        truth = json_format.MessageToDict(GoogleEveryKind.FromString(encoded))
        assert str(to_json(EveryKind, encoded)) == str({f"plain{kind.title()}": spelled})
        assert to_json(EveryKind, encoded) == truth
    with pytest.raises(ValueError, match=rf"EveryKind\.{field}: .* does not fit {kind}"):
        encode(fast(EveryKind)(**{field: 10**400}))
