"""Bytes that no encoder made: we read what google's protobuf reads, merge as it merges, and refuse what it refuses."""

from collections.abc import Mapping, Sequence

import pytest
from google.protobuf.message import DecodeError as GoogleDecodeError
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire import envoy_descriptors
from tests.wire.messages import arguments, reachable
from xds_server.wire.construct import fast
from xds_server.wire.decode import DecodeError, to_json
from xds_server.wire.encode import encode
from xds_server.wire.reader import Malformed, delimited, long_tag, skip
from xds_server.wire.registry import PREFIX, class_of, type_url_of
from xds_server.wire.schema import LENGTH, fields_of

ANY_EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@st.composite
def damaged(draw: st.DrawFn):
    """A class and bytes: encodings of it joined, then cut, overwritten or stretched."""
    cls = draw(st.sampled_from(reachable()))
    data = b"".join(encode(fast(cls)(**draw(arguments(cls)))) for _ in range(draw(st.integers(1, 3))))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(start + 3, len(data))))
        data = data[:start] + draw(st.binary(max_size=3)) + data[stop:]
    return cls, data


def cannot_be_compared(truth: Message) -> bool:
    """Two things in which the other side differs, somewhere in the message.

    Google's Python drops a map's entry that holds a third field; here, as in the C++ that Envoy runs, it stays. And
    the Envoy binary may be newer than envoy-data-plane and know more fields.
    """
    if truth.DESCRIPTOR.full_name == "google.protobuf.Any" and truth.type_url:
        return cannot_be_compared(envoy_descriptors.parse(truth.type_url.rpartition("/")[2], truth.value))
    known = {field.number for field in truth.DESCRIPTOR.fields}
    if any(unknown.field_number in known for unknown in UnknownFieldSet(truth)):
        return True
    here = {field.number for field in fields_of(class_of(truth.DESCRIPTOR.full_name))}
    return any(
        field.number not in here or any(map(cannot_be_compared, messages_in(value)))
        for field, value in truth.ListFields()
    )


def messages_in(value: object) -> list[Message]:
    """The messages that one field holds."""
    if isinstance(value, Message):
        return [value]
    if isinstance(value, Mapping):
        return messages_in(list(value.values()))
    return [one for one in value if isinstance(one, Message)] if isinstance(value, Sequence) else []


def is_read_in_part(cls: type, data: bytes) -> bool:
    """Whether a singular message comes several times, or several members of a oneof come.

    Pieces are read joined and not each by itself, and what a later member makes void is not read at all.
    """
    fields, seen, pos = {field.number: field for field in fields_of(cls)}, set(), 0
    try:
        while pos < len(data):
            key, pos = long_tag(data, pos)
            field, stop = fields.get(key >> 3), skip(data, pos, key)
            if field is not None and (field.group or field.message is not None):
                slot = field.group or field.number
                inner = data[slice(*delimited(data, pos, len(data)))] if key & 7 == LENGTH else b""
                if slot in seen or (field.message is not None and is_read_in_part(field.message, inner)):
                    return True
                if not field.repeated:
                    seen.add(slot)
            pos = stop
    except (Malformed, IndexError):
        pass
    return False


def ours(cls: type, data: bytes) -> object:
    """Our JSON, or our refusal."""
    try:
        return to_json(cls, data)
    except DecodeError as refusal:
        return refusal


@ANY_EXAMPLES
@given(damaged())
def test_reads_what_google_protobuf_reads(case) -> None:
    cls, data = case
    read = ours(cls, data)
    try:
        truth = envoy_descriptors.parse(type_url_of(cls).removeprefix(PREFIX), data)
    except GoogleDecodeError:
        assert isinstance(read, DecodeError) or is_read_in_part(cls, data)
        return
    try:
        expected = envoy_descriptors.as_json(truth)
    except Exception:  # noqa: BLE001 - what has no JSON there may be refused here or shown
        assert isinstance(read, DecodeError | dict)
        return
    if isinstance(read, DecodeError):
        # Google's Python lets a field number of zero pass; the C++ that Envoy runs does not.
        assert "field number 0" in str(read)
    elif not cannot_be_compared(truth):
        assert read == (expected if isinstance(expected, dict) else {"value": expected})
