"""Keys and rows of tables as people read them: keys as one line of text, rows as JSON, neither with a secret in it.

In: any value that a table may hold. Out: text, or values that are JSON already. Bytes are never shown, only how many
they are; of a Secret everything but names is left out, annotations too (kubectl keeps a copy of the data there). Parts
are shown as what they encode where the caller knows which message that is.
"""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

import msgspec

from xds_server.flow.order import arranged
from xds_server.model.core import Secret
from xds_server.model.meta import Key
from xds_server.shell.admin_json import REDACTED, admin_json
from xds_server.wire.decode import DecodeError
from xds_server.wire.part import Owner, Part

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_EMPTY: Final = "-"


def key_text(key: Any) -> str:
    """A key as one line: its values joined by spaces, `namespace/name` for the key of an object, "-" for nothing.

    Names and hostnames have no spaces, so two keys of one table read alike only if they are alike.
    """
    if isinstance(key, str):
        return key or _EMPTY
    if isinstance(key, Key):
        return str(key) or _EMPTY
    if isinstance(key, Enum):
        return key_text(key.value)
    if isinstance(key, tuple):
        return " ".join(map(key_text, key)) or _EMPTY
    if isinstance(key, Set):
        return ",".join(map(key_text, arranged(key))) or _EMPTY
    if is_dataclass(key):
        return " ".join(key_text(getattr(key, field.name)) for field in fields(key))
    return _EMPTY if key is None else str(key)


def plain_text(text: str) -> str:
    """Text that others wrote (Envoy's words, messages of errors) without private keys that it may quote."""
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(REDACTED, text)
    return text if text.isascii() else text.encode(errors="replace").decode()


def readable(value: Any, message: str | None = None) -> Any:
    """A row as JSON values. `message` is the type URL of what its parts encode, None where that is not known."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, Part):
        return _part(value, message)
    if isinstance(value, Secret):
        return _secret(value)
    if isinstance(value, Key | Owner):
        return str(value)
    return _compound(value, message)


def _compound(value: Any, message: str | None) -> Any:
    if isinstance(value, Enum):
        return readable(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return _fields(((shown, getattr(value, name)) for shown, name in names), message)
    if is_dataclass(value):
        return _fields(((field.name, getattr(value, field.name)) for field in fields(value)), message)
    if isinstance(value, Mapping):
        return {key_text(name): readable(inner, message) for name, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _fields(zip(value._fields, value, strict=True), message)
    if isinstance(value, Set):
        return [readable(inner, message) for inner in arranged(value)]
    if isinstance(value, list | tuple):
        return [readable(inner, message) for inner in value]
    return f"<{type(value).__name__}>"


def _fields(pairs: Iterable[tuple[str, Any]], message: str | None) -> dict[str, Any]:
    """What is set: None, empty text and empty collections say nothing."""
    return {name: readable(value, message) for name, value in pairs if value not in (None, "", (), [], {}, frozenset())}


def _secret(secret: Secret) -> dict[str, Any]:
    metadata = secret.metadata
    return {
        "metadata": {
            **readable(msgspec.structs.replace(metadata, annotations={})),
            "annotations": dict.fromkeys(metadata.annotations, REDACTED),
        },
        "type": secret.type,
        "data": {name: f"{REDACTED} {len(data)} bytes" for name, data in secret.data.items()},
    }


def _part(part: Part, message: str | None) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": part.id, "hash": part.hash, "bytes": len(part.data)}
    if part.owners:
        shown["owners"] = [str(owner) for owner in part.owners]
    if message is not None:
        try:
            shown["message"] = admin_json(message, part.data)
        except DecodeError as error:
            shown["undecodable"] = str(error)
    if part.parts:
        shown["parts"] = [_part(child, None) for child in part.parts]
    return shown
