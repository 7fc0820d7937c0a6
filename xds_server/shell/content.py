"""Content: what one file says, given what it said before. Text in, objects and faults out; no file is touched.

A document that was there before is not parsed again. One that is wrong leaves in service what it last said well.
Objects that left the file are `held` until the same text is read a second time.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from xds_server.model.document import Fault, Ignored, Object, expand
from xds_server.model.kinds import BY_KIND, kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.shell.yaml import Lines, Malformed, first_line, load, split

Ident = tuple[str, Key]
"""Kind and key of an object."""
Check = Callable[[Object], tuple[Fault, ...]]
"""What is wrong with an object: `model.validate.faults`, or less of it in a test."""


class Found(NamedTuple):
    """An object and the line where its document begins."""

    value: Object
    line: int


class Document(NamedTuple):
    """What came of one document; lines count from its chunk's first."""

    line: int
    value: Object | None = None
    ignored: Ignored | None = None
    faults: tuple[Fault, ...] = ()


class Content(NamedTuple):
    """What a file says."""

    digest: bytes = b""
    """Of the whole text."""
    chunks: dict[bytes, tuple[Document, ...]] = {}  # noqa: RUF012 (never changed)
    """By the digest of the chunk of text."""
    objects: dict[Ident, Found] = {}  # noqa: RUF012
    """What is in service from this file: what it says, and what its wrong documents last said."""
    held: dict[Ident, Found] = {}  # noqa: RUF012
    """What the file no longer says."""
    faults: tuple[Fault, ...] = ()
    ignored: tuple[Ignored, ...] = ()


def read_content(text: str, file: str, before: Content, check: Check) -> Content:
    """Reads a file's text. Never raises for what it may hold."""
    digest = digest_of(text)
    if digest == before.digest:
        return before._replace(held={})
    chunks: dict[bytes, tuple[Document, ...]] = {}
    objects: dict[Ident, Found] = {}
    faults: list[Fault] = []
    ignored: list[Ignored] = []
    for chunk in split(text):
        key = digest_of(chunk.text)
        chunks[key] = before.chunks.get(key) or tuple(_documents(chunk.text, check))
        for document in chunks[key]:
            faults += _placed(document.faults, file, chunk.line - 1)
            if document.ignored is not None:
                ignored.append(document.ignored)
            if document.value is not None:
                faults += _add(objects, Found(document.value, document.line + chunk.line - 1), file)
    lost = {ident: found for ident, found in (before.held | before.objects).items() if ident not in objects}
    kept = _still_meant(lost, faults)
    held = {ident: found for ident, found in lost.items() if ident not in kept}
    return Content(digest, chunks, objects | kept, held, tuple(faults), tuple(ignored))


def unreadable(reason: str, file: str, before: Content) -> Content:
    """A file that is there and cannot be read: what it said last stays in service."""
    before = before._replace(objects=before.held | before.objects, held={})
    return before._replace(digest=b"", faults=(Fault(reason=reason, file=file),))


def digest_of(text: str) -> bytes:
    """A content hash."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _documents(text: str, check: Check) -> Iterator[Document]:
    try:
        documents = load(text)
    except Malformed as wrong:
        fault = Fault(reason=wrong.reason, line=wrong.line or first_line(text), column=wrong.column)
        yield Document(fault.line, faults=(fault,))
        return
    line, lines = first_line(text), Lines(text)
    for index, document in enumerate(documents):
        if document is None:
            continue
        for path, inner in expand(document):
            parsed = parse(inner)
            if isinstance(parsed, Ignored):
                yield Document(line, ignored=parsed)
                continue
            wrong_parts = (parsed,) if isinstance(parsed, Fault) else check(parsed)
            faults = tuple(
                msgspec.structs.replace(fault, line=lines.of(index, f"{path}.{fault.field}".strip(".")))
                for fault in wrong_parts
            )
            yield Document(line, None if faults or isinstance(parsed, Fault) else parsed, faults=faults)


def _placed(faults: Iterable[Fault], file: str, offset: int) -> Iterator[Fault]:
    for fault in faults:
        yield msgspec.structs.replace(fault, file=file, line=fault.line + offset)


def _add(objects: dict[Ident, Found], found: Found, file: str) -> Iterator[Fault]:
    row, key = kind_of(found.value), found.value.metadata.key
    first = objects.setdefault((row.kind, key), found)
    if first is not found:
        reason = f"is given at line {first.line} already, which is what counts"
        yield Fault(reason=reason, kind=row.kind, namespace=key.namespace, name=key.name, file=file, line=found.line)


def _still_meant(lost: dict[Ident, Found], faults: list[Fault]) -> dict[Ident, Found]:
    """Those of the lost objects that a wrong document may stand for: its own, or any if it does not say whose it is."""
    if any(not fault.name or fault.kind not in BY_KIND for fault in faults):
        return lost
    wrong = {(fault.kind, Key(fault.namespace, fault.name)) for fault in faults}
    return {ident: found for ident, found in lost.items() if ident in wrong}
