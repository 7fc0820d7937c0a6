"""Messages to bytes, by one compiled function per message class.

Comes in: an envoy-data-plane (betterproto2) message. Goes out: what `bytes(message)` gives, about a hundred
times faster, but for three things: maps are sorted by key, so that equal messages have equal bytes; a
negative duration has one sign in both its fields, and a float of -0.0 is written, as protobuf has it.
Not done here: caching of results, joining of encoded pieces (`splice`).

A class is compiled when it is first met: Python source is generated from its fields and run once. Measured
on a 3-route VirtualHost this takes 40 µs, closures over the same table take 65 µs, betterproto2 5 to 8 ms.
"""

import struct
from collections.abc import Callable
from typing import Any

import betterproto2

from xds_server.wire.scalar import SCALARS, SMALL, WELL_KNOWN, Payload, enum_payload, length, tag, varint
from xds_server.wire.schema import LENGTH, Field, fields_of

_ENCODERS: dict[type, Payload] = {}


def encode(message: betterproto2.Message) -> bytes:
    """The protobuf encoding of `message`.

    Raises TypeError for a value of the wrong type and ValueError for one that does not fit (a number out of
    range, a string with a lone surrogate, two members of one oneof); the text names class and field.
    """
    encoder = _ENCODERS.get(type(message))
    if encoder is None:
        if not isinstance(message, betterproto2.Message):
            raise TypeError(f"expected a message, got {type(message).__name__}")
        encoder = encoder_of(type(message))
    try:
        return encoder(message)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, struct.error) as cause:
        raise _named(message) or cause from None


def encoder_of(cls: type[betterproto2.Message]) -> Payload:
    """The compiled encoder of `cls`; it takes an instance of exactly that class."""
    found = _ENCODERS.get(cls)
    if found is None:
        found = _ENCODERS[cls] = _Compiler(cls).compile()
    return found


def payload_of(field: Field) -> Payload:
    """A function from one value of `field` (one element, if repeated) to its bytes without tag and length."""
    if field.enum is not None:
        return enum_payload(field.enum)
    if field.message is None:
        return SCALARS[field.kind]
    return _wrapped_payload(field.message) if field.wrapped else _message_payload(field.message)


def _message_payload(cls: type[betterproto2.Message]) -> Payload:
    def payload(value: Any) -> bytes:
        if type(value) is not cls:
            raise TypeError(f"expected {cls.__name__}, got {type(value).__name__}")
        return encoder_of(cls)(value)

    return payload


def _wrapped_payload(cls: type[betterproto2.Message]) -> Payload:
    """UInt32Value and its like: one field called `value`, left out when zero."""
    if cls.__name__ in WELL_KNOWN:
        return WELL_KNOWN[cls.__name__]
    (inner,) = fields_of(cls)
    plain, tagged, zero = payload_of(inner), _tagged(inner), _zero(inner)

    def payload(value: Any) -> bytes:
        return b"" if plain(value) == zero else tagged(value)

    return payload


def _tagged(field: Field) -> Payload:
    """Like `payload_of`, with tag and length before it."""
    head, plain = tag(field.number, field.wire_type), payload_of(field)
    if field.wire_type != LENGTH:
        return lambda value: head + plain(value)

    def delimited(value: Any) -> bytes:
        payload = plain(value)
        return head + length(payload) + payload

    return delimited


def _zero(field: Field) -> bytes:
    """The payload that a field without presence does not write."""
    return payload_of(field)(_default(field))


def _default(field: Field) -> Any:
    if field.enum is not None:
        return field.enum(0)
    kinds = {"bool": False, "string": "", "bytes": b"", "float": 0.0, "double": 0.0}
    return kinds.get(field.kind, 0)


class _Compiler:
    """Writes the encoder of one class: source lines, and the objects that they name."""

    def __init__(self, cls: type[betterproto2.Message]) -> None:
        self._cls = cls
        self._lines = ["def encoder(message):", " d = message.__dict__", " out = []"]
        self._names: dict[str, Any] = {"SMALL": SMALL, "varint": varint}

    def compile(self) -> Payload:
        fields = fields_of(self._cls)
        groups = sorted({field.group for field in fields if field.group})
        flags = {group: f"set_{index}" for index, group in enumerate(groups)}
        self._lines += [f" {flag} = False" for flag in flags.values()]
        for field in fields:
            self._lines.append(f" v = d[{field.name!r}]")
            if field.repeated:
                self._repeated(field)
            elif field.key is not None and field.value is not None:
                self._map(field, field.key, field.value)
            elif field.presence:
                self._optional(field, flags.get(field.group or ""))
            else:
                self._plain(field)
        self._lines += [
            " u = d['_unknown_fields']",
            " if u: out.append(u)",
            " return b''.join(out)",
        ]
        source = "\n".join(self._lines)
        # The source holds field names and numbers of generated classes only, never a value of a message.
        exec(compile(source, f"<encoder of {self._cls.__name__}>", "exec"), self._names)  # noqa: S102
        encoder: Payload = self._names["encoder"]
        return encoder

    def _repeated(self, field: Field) -> None:
        self._lines += [" if type(v) is not list: raise TypeError", " if v:"]
        if field.packed:
            payload = self._name(payload_of(field))
            self._delimited(field, f"b''.join([{payload}(x) for x in v])", "  ")
            return
        self._lines.append("  for x in v:")
        self._value(field, "x", "   ")

    def _map(self, field: Field, key: Field, value: Field) -> None:
        write_key, write_value = self._name(_tagged(key)), self._name(_tagged(value))
        self._lines += [" if type(v) is not dict: raise TypeError", " if v:", "  for k in sorted(v):"]
        self._delimited(field, f"{write_key}(k) + {write_value}(v[k])", "   ")

    def _optional(self, field: Field, flag: str | None) -> None:
        self._lines.append(" if v is not None:")
        if flag is not None:
            self._lines += [f"  if {flag}: raise ValueError", f"  {flag} = True"]
        self._value(field, "v", "  ")

    def _plain(self, field: Field) -> None:
        """A field without presence. Mostly it is the very default; an equal takes the long way."""
        self._lines.append(f" if v is not {self._name(_default(field))}:")
        if field.kind == betterproto2.TYPE_STRING:
            self._lines += ["  b = v.encode()", "  n = len(b)", f"  if n: {self._append(field)}"]
        elif field.kind == betterproto2.TYPE_BOOL:
            self._value(field, "v", "  ")
        else:
            self._lines += [f"  b = {self._name(payload_of(field))}(v)", f"  if b != {_zero(field)!r}:"]
            if field.wire_type == LENGTH:
                self._lines += ["   n = len(b)", f"   {self._append(field)}"]
            else:
                self._lines.append(f"   out.append({tag(field.number, field.wire_type)!r} + b)")

    def _value(self, field: Field, name: str, indent: str) -> None:
        """Lines that write the value called `name`, present and not to be left out."""
        if field.message is not None and not field.wrapped:
            self._lines.append(f"{indent}if type({name}) is not {self._name(field.message)}: raise TypeError")
            self._delimited(field, f"{self._late(field.message)}({name})", indent)
        elif field.kind == betterproto2.TYPE_STRING:
            self._delimited(field, f"{name}.encode()", indent)
        elif field.wire_type == LENGTH:
            self._delimited(field, f"{self._name(payload_of(field))}({name})", indent)
        else:
            self._lines.append(f"{indent}out.append({self._name(_tagged(field))}({name}))")

    def _delimited(self, field: Field, payload: str, indent: str) -> None:
        self._lines += [f"{indent}b = {payload}", f"{indent}n = len(b)", f"{indent}{self._append(field)}"]

    def _append(self, field: Field) -> str:
        head = tag(field.number, LENGTH)
        return f"out += ({head!r}, SMALL[n] if n < {len(SMALL)} else varint(n), b)"

    def _name(self, thing: object) -> str:
        name = f"n{len(self._names)}"
        self._names[name] = thing
        return name

    def _late(self, cls: type[betterproto2.Message]) -> str:
        """A name for the encoder of `cls`, compiled when first called: classes may contain themselves."""
        name = f"n{len(self._names)}"

        def first_call(message: Any) -> bytes:
            encoder = self._names[name] = encoder_of(cls)
            return encoder(message)

        self._names[name] = first_call
        return name


def _named(message: betterproto2.Message) -> Exception | None:
    """The error of the first wrong value in `message`, with class and field; None if every value is right.

    Compiled encoders only notice that something is wrong; this walk, slow and rarely taken, says what.
    """
    groups: dict[str, str] = {}
    for field in fields_of(type(message)):
        where = f"{type(message).__name__}.{field.name}"
        value = vars(message).get(field.name)
        if field.group is not None and value is not None:
            if field.group in groups:
                return ValueError(f"{where}: {groups[field.group]} of the same oneof is set too")
            groups[field.group] = field.name
        if value is None and field.presence:
            continue
        try:
            checks = list(_values(field, value))
        except TypeError as wrong:
            return TypeError(f"{where}: {wrong}")
        for check, single in checks:
            fault = _fault(check, single, where)
            if fault is not None:
                return fault
    return None


def _values(field: Field, value: Any) -> list[tuple[Callable[[Any], Any], Any]]:
    """Every single value in a field, with what would write it."""
    check = payload_of(field) if field.key is None else None
    if field.key is not None and field.value is not None:
        if type(value) is not dict:
            raise TypeError(f"expected dict, got {type(value).__name__}")
        keys = [(payload_of(field.key), key) for key in value]
        return keys + [(payload_of(field.value), inner) for inner in value.values()]
    assert check is not None
    if not field.repeated:
        return [(check, value)]
    if type(value) is not list:
        raise TypeError(f"expected list, got {type(value).__name__}")
    return [(check, single) for single in value]


def _fault(check: Callable[[Any], Any], value: Any, where: str) -> Exception | None:
    try:
        check(value)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, struct.error) as wrong:
        if isinstance(value, betterproto2.Message):
            inner = _named(value)
            if inner is not None:
                return inner
        return (TypeError if isinstance(wrong, TypeError) else ValueError)(f"{where}: {wrong}")
    return None
