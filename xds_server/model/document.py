"""Documents (decoded JSON or YAML) and what may be wrong with them, before any is an object of the model.

`Fault` and `Ignored` are what `parse` answers where a document is no object that is read here; `validate` and
the readers of files make faults too.
"""

from collections.abc import Iterator, Mapping
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

    `field` is a path such as `spec.rules[0].backendRefs[0].port`, empty for the document as a whole. `file`,
    `line` and `column` (from 1; 0 where unknown) are filled in by whoever read the document from a file.
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
        problem = f"{self.field} {self.reason}".strip()
        return ": ".join(part for part in (place, whose, problem) if part)


class Ignored(Struct, frozen=True):
    """A document of a kind that is not read here; nothing is wrong with it."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        key = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.api_version} {self.kind} {key}".strip()


def expand(document: object) -> Iterator[tuple[str, Any]]:
    """The documents in a document, each with its path in it ("" for itself).

    A `List`, or a typed list as the API server answers (`HTTPRouteList`, items without kind), is its items.
    """
    if not isinstance(document, Mapping) or not isinstance(items := document.get("items"), list):
        yield "", document
        return
    kind = text_at(document, "kind")
    if not kind.endswith("List"):
        yield "", document
        return
    defaults = {}
    if kind != "List":
        defaults = {"apiVersion": document.get("apiVersion"), "kind": kind.removesuffix("List")}
    for index, item in enumerate(items):
        own = {**defaults, **item} if isinstance(item, Mapping) else item
        for path, inner in expand(own):
            yield f"items[{index}].{path}".rstrip("."), inner


def text_at(document: Document, *path: str) -> str:
    """The string under `path`, or "" where there is none; never raises, whatever the document holds."""
    value: Any = document
    for part in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(part)
    return value if isinstance(value, str) else ""


def without_nulls(value: Any) -> Any:
    """The value without null fields at any depth, as the API server prunes them; null list items stay.

    The same object where there was nothing to drop. RecursionError for a value nested beyond Python's stack.
    """
    if isinstance(value, dict):
        return _pruned(value)
    if isinstance(value, list) and any(isinstance(child, dict | list) for child in value):
        items = [without_nulls(child) for child in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    return value


def _pruned(value: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    nulls = False
    for key, child in value.items():
        if child is None:
            nulls = True
        elif isinstance(child, dict | list) and (kept := without_nulls(child)) is not child:
            changed[key] = kept
    if not nulls and not changed:
        return value
    return {key: changed.get(key, child) for key, child in value.items() if child is not None}
