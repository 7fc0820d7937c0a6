"""The field tables against the descriptors that the Envoy binary itself carries."""

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from tests.wire import envoy_descriptors
from tests.wire.messages import reachable
from xds_server.wire.registry import PREFIX, type_url_of
from xds_server.wire.schema import Field, enum_name, fields_of, json_name


def _kind(number: int) -> str:
    return FieldDescriptorProto.Type.Name(number).removeprefix("TYPE_").lower()


def _assert_same(ours: Field, theirs: FieldDescriptor) -> None:
    entry = theirs.message_type if theirs.message_type and theirs.message_type.GetOptions().map_entry else None
    assert ours.name.rstrip("_") == theirs.name
    assert ours.json_name == theirs.json_name
    assert ours.kind == ("map" if entry else _kind(theirs.type))
    assert ours.repeated == (theirs.is_repeated and not entry)
    assert ours.packed == (theirs.is_packed and not entry)
    assert ours.presence == theirs.has_presence
    assert ours.group == (theirs.containing_oneof.name if theirs.containing_oneof else None)
    if entry and ours.key and ours.value:
        assert [ours.key.kind, ours.value.kind] == [_kind(one.type) for one in entry.fields]
    elif ours.message is not None:
        assert type_url_of(ours.message) == PREFIX + theirs.message_type.full_name
    if ours.enum is not None:
        real = {one.number: one.name for one in theirs.enum_type.values}
        assert {one.value: enum_name(one) for one in ours.enum} == {one: real[one] for one in ours.enum}


@pytest.mark.parametrize("cls", reachable(), ids=lambda cls: cls.__name__)
def test_fields_are_those_of_envoy(cls: type) -> None:
    envoy = envoy_descriptors.pool().FindMessageTypeByName(type_url_of(cls).removeprefix(PREFIX))
    for ours in fields_of(cls):
        _assert_same(ours, envoy.fields_by_number[ours.number])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("from_", "from"),
        ("require_tls", "requireTls"),
        ("consecutive_5xx", "consecutive5xx"),
        ("trace_id_128bit", "traceId128bit"),
        ("http2_protocol_options", "http2ProtocolOptions"),
    ],
)
def test_json_names(name: str, expected: str) -> None:
    assert json_name(name) == expected
