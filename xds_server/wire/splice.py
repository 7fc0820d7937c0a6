"""Encoded children into their parent, without encoding anything again.

Comes in: a message class, the name of one of its fields, encoded messages. Goes out: bytes to be appended to
the parent's own. Protobuf joins what is repeated and merges a singular message that comes twice
(https://protobuf.dev/programming-guides/encoding/#last-one-wins), so concatenation is all that it takes. The
children are not looked at.
"""

from collections.abc import Iterable
from functools import cache

import betterproto2

from xds_server.wire.scalar import length, tag
from xds_server.wire.schema import fields_of


def splice(cls: type[betterproto2.Message], field_name: str, payloads: Iterable[bytes]) -> bytes:
    """The repeated message field `field_name` of `cls`, holding `payloads` in their order.

    Raises ValueError where the class has no repeated message field of that name.
    """
    head = _head(cls, field_name, repeated=True)
    chunks: list[bytes] = []
    for payload in payloads:
        chunks += (head, length(payload), payload)
    return b"".join(chunks)


def field(cls: type[betterproto2.Message], field_name: str, payload: bytes) -> bytes:
    """The message field `field_name` of `cls`, singular or repeated, holding the one `payload`.

    Raises ValueError where the class has no message field of that name.
    """
    return _head(cls, field_name) + length(payload) + payload


@cache
def _head(cls: type[betterproto2.Message], field_name: str, *, repeated: bool = False) -> bytes:
    for known in fields_of(cls):
        if known.name == field_name and known.message is not None and (known.repeated or not repeated):
            return tag(known.number, known.wire_type)
    kind = "repeated message" if repeated else "message"
    raise ValueError(f"{cls.__name__} has no {kind} field called {field_name}")
