"""Content: what one file says, given what it said before. Text in, objects and faults out; no file is touched.

A document that was there before is not parsed again. One that is wrong leaves in service what it last said well.
What a text takes away may only not be written yet: it waits until the text is known to be quiet. Objects that left
the file are `held` until then; of a text that seems cut, so does what its last chunk says.
"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple, Self

import msgspec

from xds_server.model.document import Fault, Ignored, Object, expand
from xds_server.model.kinds import BY_KIND, kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.model.unknown import unknown_fields
from xds_server.model.yaml import Lines, Malformed, first_line, load, split

Ident = tuple[str, Key]
"""Kind and key of an object."""
Check = Callable[[Object], tuple[Fault, ...]]
"""What is wrong with an object: `model.validate.faults`, or less of it in a test."""
_TAIL = 64
"""How many characters of a text's end tell it: more than a line, so that the end of a like line does not do."""


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
    remarks: tuple[Fault, ...] = ()
    """Fields that its kind does not have."""


class Ending(NamedTuple):
    """Enough of a text to tell whether another one may be the beginning of its like."""

    length: int = 0
    newlines: int = 0
    tail: str = ""

    @classmethod
    def of(cls, text: str) -> Self:
        """Of a text."""
        return cls(len(text), text.count("\n"), text[-_TAIL:])


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
    remarks: tuple[Fault, ...] = ()
    """What is no fault and meant otherwise all the same: fields that no kind has."""
    whole: Ending = Ending()
    """Of the last text that was taken for a whole one."""
    waits: bool = False
    """Is something not done yet, since the text may go on?"""


def read_content(text: str, file: str, before: Content, check: Check, *, quiet: bool = False) -> Content:
    """Reads a file's text. Never raises for what it may hold.

    `quiet` says that the file has been as it is for a while, if its text is the one of `before`.
    """
    digest = digest_of(text)
    quiet = quiet and digest == before.digest
    if digest == before.digest and not (quiet and before.waits):
        return before
    cut = not quiet and _may_be_cut(text, before.whole)
    was = before.held | before.objects
    chunks: dict[bytes, tuple[Document, ...]] = {}
    objects: dict[Ident, Found] = {}
    faults: list[Fault] = []
    ignored: list[Ignored] = []
    remarks: list[Fault] = []
    texts = list(split(text))
    for chunk in texts:
        key = digest_of(chunk.text)
        chunks[key] = before.chunks.get(key) or tuple(_documents(chunk.text, check))
        for document in chunks[key]:
            faults += _placed(document.faults, file, chunk.line - 1)
            remarks += _placed(document.remarks, file, chunk.line - 1)
            if document.ignored is not None:
                ignored.append(document.ignored)
            if document.value is None:
                continue
            found = Found(document.value, document.line + chunk.line - 1)
            if cut and chunk is texts[-1]:
                if (ident := _ident(found.value)) not in was:
                    continue
                found = found._replace(value=was[ident].value)
            faults += _add(objects, found, file)
    lost = {ident: found for ident, found in was.items() if ident not in objects}
    kept = _still_meant(lost, faults)
    held = {} if quiet else {ident: found for ident, found in lost.items() if ident not in kept}
    return Content(
        digest,
        chunks,
        objects | kept,
        held,
        tuple(faults),
        tuple(ignored),
        tuple(remarks),
        before.whole if cut or held or (faults and not quiet) else Ending.of(text),
        waits=cut or bool(held),
    )


def _may_be_cut(text: str, whole: Ending) -> bool:
    """May its rest only not be there yet? It has fewer lines than it had, or part of one, and ends otherwise."""
    fewer = text.count("\n") < whole.newlines or (len(text) < whole.length and not text.endswith("\n"))
    return fewer and not text.endswith(whole.tail)


def unreadable(reason: str, file: str, before: Content) -> Content:
    """A file that is there and cannot be read: what it said last stays in service."""
    before = before._replace(objects=before.held | before.objects, held={}, waits=False)
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
            faults = _on_lines(wrong_parts, lines, index, path)
            remarks = _on_lines(unknown_fields(inner), lines, index, path) if isinstance(inner, dict) else ()
            value = None if faults or isinstance(parsed, Fault) else parsed
            yield Document(line, value, faults=faults, remarks=remarks)


def _on_lines(faults: Iterable[Fault], lines: Lines, index: int, path: str) -> tuple[Fault, ...]:
    return tuple(
        msgspec.structs.replace(fault, line=lines.of(index, f"{path}.{fault.field}".strip("."))) for fault in faults
    )


def _placed(faults: Iterable[Fault], file: str, offset: int) -> Iterator[Fault]:
    for fault in faults:
        yield msgspec.structs.replace(fault, file=file, line=fault.line + offset)


def _ident(value: Object) -> Ident:
    return kind_of(value).kind, value.metadata.key


def _add(objects: dict[Ident, Found], found: Found, file: str) -> Iterator[Fault]:
    kind, key = ident = _ident(found.value)
    first = objects.setdefault(ident, found)
    if first is not found:
        reason = f"is given at line {first.line} already, which is what counts"
        yield Fault(reason=reason, kind=kind, namespace=key.namespace, name=key.name, file=file, line=found.line)


def _still_meant(lost: dict[Ident, Found], faults: list[Fault]) -> dict[Ident, Found]:
    """Those of the lost objects that a wrong document may stand for: its own, or any if it does not say whose it is."""
    if any(not fault.name or fault.kind not in BY_KIND for fault in faults):
        return lost
    wrong = {(fault.kind, Key(fault.namespace, fault.name)) for fault in faults}
    return {ident: found for ident, found in lost.items() if ident in wrong}
