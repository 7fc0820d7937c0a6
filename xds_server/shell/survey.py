"""survey: all objects of some files, what is wrong with them, and where each of their fields is written.

For whoever looks at files once and tells people about them; a server reads them with `files`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from xds_server.model import validate
from xds_server.model.document import Document, Fault, Ignored, Object, expand, text_at
from xds_server.model.kinds import BY_GROUP_KIND, BY_KIND
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.parse import DEFAULT_NAMESPACE
from xds_server.model.unknown import unknown_fields
from xds_server.model.yaml import Lines, Malformed, first_line, load, split
from xds_server.shell.content import Check
from xds_server.shell.fileset import FileSet
from xds_server.shell.scan import Roots


class Place(NamedTuple):
    """A line of a file, from 1; 0 where it is unknown."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part)


class Written(NamedTuple):
    """A document as it is written, and where: in which of the documents of a chunk of text, and where in that."""

    document: Document
    file: str
    line: int
    lines: Lines
    offset: int
    nth: int
    path: str

    @property
    def ref(self) -> ObjectRef | None:
        """The object, by its kind's name of today; None for one of a kind that is not read."""
        return _ref(self.document)

    def place(self, at: str) -> Place:
        """Where a field is written, or the nearest thing around it."""
        if not at:
            return Place(self.file, self.line)
        return Place(self.file, self.offset + self.lines.of(self.nth, f"{self.path}.{at}".strip(".")))


@dataclass(frozen=True, slots=True)
class Survey:
    """What some files hold. `written` are the documents of kinds that are named like an object, in order."""

    objects: list[Object]
    faults: list[Fault]
    written: list[Written]
    ignored: frozenset[Ignored] = frozenset()
    """Of kinds that are not read."""
    _firsts: dict[ObjectRef, Written] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.written:
            if (ref := one.ref) is not None:
                self._firsts.setdefault(ref, one)

    def place(self, ref: ObjectRef, at: str = "") -> Place:
        """Where an object, or a field of it, is written."""
        found = self._firsts.get(ref)
        return found.place(at) if found is not None else Place()

    def several(self) -> Iterator[tuple[ObjectRef, list[Written]]]:
        """The objects that several documents give, with these."""
        given: dict[ObjectRef, list[Written]] = {}
        for one in self.written:
            if (ref := one.ref) is not None and ref.name:
                given.setdefault(ref, []).append(one)
        yield from ((ref, written) for ref, written in given.items() if len(written) > 1)

    def unknown(self) -> Iterator[Fault]:
        """A fault for each field that its document's kind does not have."""
        for one in self.written:
            for fault in unknown_fields(one.document):
                place = one.place(fault.field)
                yield msgspec.structs.replace(fault, file=place.file, line=place.line)


def survey(paths: Sequence[Path], check: Check = validate.faults) -> Survey:
    """Reads files and folders once."""
    texts: dict[str, str] = {}
    batch = FileSet(Roots(paths), check, texts).rescan()
    written = [one for file in sorted(texts) for one in _written(file, texts[file])]
    return Survey(list(batch.objects), list(batch.faults), written, frozenset(batch.ignored))


def _written(file: str, text: str) -> Iterator[Written]:
    for chunk in split(text):
        try:
            documents = load(chunk.text)
        except Malformed:
            continue
        lines, offset = Lines(chunk.text), chunk.line - 1
        first = offset + first_line(chunk.text)
        for index, document in enumerate(documents):
            for path, inner in expand(document):
                if isinstance(inner, dict) and text_at(inner, "kind"):
                    line = offset + lines.of(index, path) if path else first
                    yield Written(inner, file, line, lines, offset, index, path)


def _ref(document: Any) -> ObjectRef | None:
    group, _, _ = text_at(document, "apiVersion").rpartition("/")
    row = BY_GROUP_KIND.get((group, text_at(document, "kind")))
    if row is None:
        return None
    namespace = text_at(document, "metadata", "namespace") or DEFAULT_NAMESPACE
    key = Key(namespace if BY_KIND[row.kind].namespaced else "", text_at(document, "metadata", "name"))
    return ObjectRef(row.kind, *key)
