"""What can be said of a document before, or instead of, its being an object: whose it is, and what is wrong with it.

A document is decoded JSON or YAML: a mapping of plain values. `Fault` and `Ignored` are what `parse` answers where a
document is no object of ours; `validate` and the readers of files make faults too.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from xds_server.model.meta import Metadata, Struct

Document = Mapping[str, Any]
"""A decoded JSON or YAML mapping."""


class Object(Protocol):
    """Any value of `model`: a class named after its kind, with metadata."""

    @property
    def metadata(self) -> Metadata:
        """Identity, labels, annotations."""


class Fault(Struct, frozen=True):
    """One thing that is wrong with a document, in words for the person who wrote it.

    `field` is a path such as `spec.rules[0].backendRefs[0].port`, empty for the document as a whole. `file` and `line`
    (from 1; 0 where unknown) are filled in by whoever read the document from a file.
    """

    reason: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    field: str = ""
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        key = f"{self.namespace}/{self.name}" if self.namespace else self.name
        whose = f"{self.kind} {key}".strip()
        return ": ".join(part for part in (place, whose, self.field, self.reason) if part)


class Ignored(Struct, frozen=True):
    """A document of a kind that is not read here; nothing is wrong with it."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        key = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.api_version} {self.kind} {key}".strip()


def text_at(document: Document, *path: str) -> str:
    """The string under `path`, or "" where there is none; never raises, whatever the document holds."""
    value: Any = document
    for part in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(part)
    return value if isinstance(value, str) else ""


def without_nulls(value: Any) -> Any:
    """The value without fields that are null, at any depth, as the API server prunes them; null list items stay.

    Returns the same object where there was nothing to drop.
    """
    if isinstance(value, dict):
        kept = {key: without_nulls(child) for key, child in value.items() if child is not None}
        same = len(kept) == len(value) and all(kept[key] is child for key, child in value.items())
        return value if same else kept
    if isinstance(value, list):
        items = [without_nulls(child) for child in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value
