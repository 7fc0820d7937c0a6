"""Bytes to proto3 JSON, by one compiled decoder per message class: what is shown is what was sent.

Comes in: a message class or a type URL, and encoded bytes. Goes out: the JSON object that protobuf's own
printers give, names in lowerCamelCase, in the order of the wire. Fields that no class knows are left out; an
Any of a type that is not known keeps its value as base64. Not done here: validation, redaction, reading JSON.
Source: https://protobuf.dev/programming-guides/json/, and .../encoding/#last-one-wins for merging.
"""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import betterproto2

from xds_server.wire import reader
from xds_server.wire.reader import Malformed, Reader, delimited
from xds_server.wire.registry import PREFIX, UnknownTypeError, class_of, type_url_of
from xds_server.wire.schema import LENGTH, Field, fields_of
from xds_server.wire.wellknown import SPELLING, JsonValue

Span = tuple[int, int]
_Handler = Callable[[bytes, int, int, dict[str, Any]], int]


class Decoder(Protocol):
    """From a message in `data`, from `pos` up to `end`, to its JSON value; it goes on in `more`, in other places."""

    def __call__(self, data: bytes, pos: int, end: int, more: Sequence[Span] = ()) -> Any:
        """The value. Raises Malformed, DecodeError."""


_DECODERS: dict[type, Decoder] = {}


class DecodeError(ValueError):
    """The bytes are no encoding of the class; the text names class, field and offset."""


class _Pieces(list[Span]):
    """Where in the buffer a singular message lies: mostly in one place, in several if it has to be merged."""

    __slots__ = ()


def to_json(type_: type[betterproto2.Message] | str, data: bytes) -> dict[str, JsonValue]:
    """The proto3 JSON of `data`, an encoded `type_` (a class or a type URL).

    A type of google.protobuf whose JSON is no object is given as {"value": …}, as it is within an Any.
    Raises DecodeError for bytes that cannot be read, UnknownTypeError for a type URL without a class.
    """
    cls = class_of(type_) if isinstance(type_, str) else type_
    try:
        value = decoder_of(cls)(data, 0, len(data))
    except Malformed as fault:
        raise DecodeError(f"{_full_name(cls)} at byte {fault.offset}: {fault}") from None
    except RecursionError:
        raise DecodeError(f"{_full_name(cls)}: messages are nested too deeply") from None
    return value if isinstance(value, dict) else {"value": value}


def decoder_of(cls: type[betterproto2.Message]) -> Decoder:
    """The compiled decoder of `cls`."""
    found = _DECODERS.get(cls)
    if found is None:
        found = _DECODERS[cls] = _compile(cls)
    return found


def _full_name(cls: type[betterproto2.Message]) -> str:
    try:
        return type_url_of(cls).removeprefix(PREFIX)
    except UnknownTypeError:
        return cls.__name__


def _compile(cls: type[betterproto2.Message]) -> Decoder:
    name, fields = _full_name(cls), fields_of(cls)
    if name == "google.protobuf.Any":
        return _spelled(_any_fields(name, fields), _any_json)
    plain = _message_decoder(name, fields, {})
    return _spelled(plain, SPELLING[name]) if name in SPELLING else plain


def _spelled(plain: Decoder, spell: Callable[[dict[str, Any]], Any]) -> Decoder:
    def decode(data: bytes, pos: int, end: int, more: Sequence[Span] = ()) -> Any:
        fields = plain(data, pos, end, more)
        try:
            return spell(fields)
        except DecodeError:
            raise
        except ValueError as wrong:
            raise Malformed(str(wrong), pos) from None

    return decode


def _message_decoder(name: str, fields: Sequence[Field], readers: dict[str, Reader]) -> Decoder:
    """The decoder of a message of these fields, to a dict; `readers` replaces the reader of some of them."""
    handlers = _all_handlers(name, fields, readers)
    singular = {one.json_name: (_key(one), one.message) for one in fields if one.message and not one.repeated}

    def decode(data: bytes, pos: int, end: int, more: Sequence[Span] = ()) -> Any:
        out: dict[str, Any] = {}
        key = 0
        try:
            for at, stop in ((pos, end), *more):
                while at < stop:
                    key = data[at]
                    at += 1
                    if key > 127:
                        key, at = 0, at - 1
                        key, at = reader.long_tag(data, at)
                    handler = handlers.get(key)
                    at = reader.skip(data, at, key) if handler is None else handler(data, at, stop, out)
                if at > stop:
                    raise Malformed("a value runs past the end of its message", stop)
            if singular:
                for member, value in out.items():
                    if type(value) is _Pieces:
                        key, cls = singular[member]
                        out[member] = _from_pieces(cls, data, value)
        except (Malformed, IndexError) as fault:
            raise _error(name, fields, key, data, fault) from None
        return out

    return decode


def _all_handlers(name: str, fields: Sequence[Field], readers: dict[str, Reader]) -> dict[int, _Handler]:
    handlers: dict[int, _Handler] = {}
    for field in fields:
        siblings = {one.json_name: one.message for one in fields if one.group and one.group == field.group}
        siblings.pop(field.json_name, None)
        handlers |= _handlers(field, siblings, readers.get(field.name) or _reader(name, field))
    return handlers


def _from_pieces(cls: type[betterproto2.Message], data: bytes, pieces: _Pieces) -> Any:
    """A message that comes several times is merged: what comes later goes on with it."""
    decode = _DECODERS.get(cls) or decoder_of(cls)
    return decode(data, *pieces[0], pieces[1:])


def _error(name: str, fields: Sequence[Field], key: int, data: bytes, fault: Malformed | IndexError) -> DecodeError:
    number = key >> 3
    known = {field.number: f".{field.name}" for field in fields}
    where = name + known.get(number, f".field {number}" if number else "")
    if isinstance(fault, IndexError):
        fault = Malformed("the bytes end within a value", len(data))
    return DecodeError(f"{where} at byte {fault.offset}: {fault}")


def _reader(name: str, field: Field) -> Reader:
    if field.key is not None and field.value is not None:
        return _entry_reader(f"{name}.{field.name}", field.key, field.value)
    return reader.scalar_reader(field) if field.message is None else _message_reader(field.message)


def _message_reader(cls: type[betterproto2.Message]) -> Reader:
    decode: Decoder | None = None

    def read(data: bytes, pos: int, end: int) -> tuple[Any, int]:
        nonlocal decode
        start, stop = delimited(data, pos, end)
        if decode is None:
            # Not before: classes may contain themselves.
            decode = decoder_of(cls)
        return decode(data, start, stop), stop

    return read


def _entry_reader(name: str, key: Field, value: Field) -> Reader:
    """A map's entry as a pair: the key, always a string in JSON, and the value."""
    decode = _message_decoder(name, (key, value), {})
    no_key = reader.zero_json(key)

    def read(data: bytes, pos: int, end: int) -> tuple[Any, int]:
        start, stop = delimited(data, pos, end)
        entry = decode(data, start, stop)
        spelled = entry.get("key", no_key)
        if "value" not in entry:
            no_value = decoder_of(value.message)(b"", 0, 0) if value.message else reader.zero_json(value)
            entry["value"] = no_value
        return (str(spelled).lower() if isinstance(spelled, bool) else str(spelled), entry["value"]), stop

    return read


_Siblings = Mapping[str, type[betterproto2.Message] | None]
"""The other members of a field's oneof, with the classes of those that are messages."""


def _handlers(field: Field, siblings: _Siblings, read: Reader) -> dict[int, _Handler]:
    """What to do with a field's value, by the tags under which it may come."""
    name, key = field.json_name, _key(field)
    if field.key is not None:
        return {key: _into_map(name, read)}
    if field.repeated:
        handlers = {key: _into_list(name, read)}
        if field.packed:
            handlers[field.number << 3 | LENGTH] = _into_list_packed(name, read)
        return handlers
    if field.message is not None:
        return {key: _into_pieces(name, siblings)}
    return {key: _present_into(name, siblings, read) if field.presence else _plain_into(field, read)}


def _key(field: Field) -> int:
    return field.number << 3 | field.wire_type


def _plain_into(field: Field, read: Reader) -> _Handler:
    name, zero = field.json_name, reader.zero_json(field)

    def handle(data: bytes, pos: int, end: int, out: dict[str, Any]) -> int:
        value, pos = read(data, pos, end)
        if value != zero or (isinstance(value, float) and math.copysign(1.0, value) < 0):
            out[name] = value
        else:
            out.pop(name, None)
        return pos

    return handle


def _present_into(name: str, siblings: _Siblings, read: Reader) -> _Handler:
    def handle(data: bytes, pos: int, end: int, out: dict[str, Any]) -> int:
        value, pos = read(data, pos, end)
        _void(siblings, data, out)
        out[name] = value
        return pos

    return handle


def _void(siblings: _Siblings, data: bytes, out: dict[str, Any]) -> None:
    """What another member of the oneof takes the place of must be readable all the same."""
    for sibling, cls in siblings.items():
        gone = out.pop(sibling, None)
        if type(gone) is _Pieces and cls is not None:
            _from_pieces(cls, data, gone)


def _into_pieces(name: str, siblings: _Siblings) -> _Handler:
    """A singular message waits until all of its pieces are known; another member of its oneof makes them void.

    So every byte is read once, however messages are nested.
    """

    def handle(data: bytes, pos: int, end: int, out: dict[str, Any]) -> int:
        piece = delimited(data, pos, end)
        _void(siblings, data, out)
        if name in out:
            out[name].append(piece)
        else:
            out[name] = _Pieces((piece,))
        return piece[1]

    return handle


def _into_list(name: str, read: Reader) -> _Handler:
    def handle(data: bytes, pos: int, end: int, out: dict[str, Any]) -> int:
        value, pos = read(data, pos, end)
        if name in out:
            out[name].append(value)
        else:
            out[name] = [value]
        return pos

    return handle


def _into_list_packed(name: str, read: Reader) -> _Handler:
    def handle(data: bytes, pos: int, end: int, out: dict[str, Any]) -> int:
        pos, stop = delimited(data, pos, end)
        while pos < stop:
            value, pos = read(data, pos, stop)
            out.setdefault(name, []).append(value)
        if pos > stop:
            raise Malformed("a packed value runs past the end of its field", stop)
        return pos

    return handle


def _into_map(name: str, read: Reader) -> _Handler:
    def handle(data: bytes, pos: int, end: int, out: dict[str, Any]) -> int:
        (key, value), pos = read(data, pos, end)
        out.setdefault(name, {})[key] = value
        return pos

    return handle


def _any_fields(name: str, fields: Sequence[Field]) -> Decoder:
    """An Any's two fields, its value left where it is in the buffer, so that offsets stay true."""

    def span(data: bytes, pos: int, end: int) -> tuple[Any, int]:
        start, stop = delimited(data, pos, end)
        return (data, start, stop), stop

    return _message_decoder(name, fields, {"value": span})


def _any_json(fields: dict[str, Any]) -> dict[str, Any]:
    type_url = fields.get("typeUrl", "")
    data, start, stop = fields.get("value", (b"", 0, 0))
    out: dict[str, Any] = {"@type": type_url} if type_url else {}
    try:
        cls = class_of(type_url)
    except UnknownTypeError:
        if type_url or stop > start:
            out["value"] = base64.b64encode(data[start:stop]).decode()
        return out
    value = decoder_of(cls)(data, start, stop)
    name = _full_name(cls)
    if name in SPELLING or name == "google.protobuf.Any":
        value = {"value": value}
    return {**out, **value}
