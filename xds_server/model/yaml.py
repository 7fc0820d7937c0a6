"""YAML and JSON text to documents (plain Python values), and fields of documents to lines of text.

What comes in may be anything: wrong text is `Malformed` with line, column and reason, aliases may not
multiply, nesting is bounded. Plain scalars are read as YAML 1.2 does, decimal numbers only: `on`, `no`,
`12:30`, `0x10` and dates are strings. Keys are strings, and no key is given twice.
Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

import json
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import msgspec
import yaml

MOST_VALUES = 1_000_000
"""How many values one document may come to, each use of an alias counted in full."""
DEEPEST = 100
"""How many collections may be nested; Kubernetes' own objects stay far below."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_CONTENT = re.compile(r"^(?!(?:---|\.\.\.)(?:[ \t\r\n]|\Z))[ \t]*[^#%\s]|\A---[ \t]+[^#\s]", re.MULTILINE)
_SPACE = re.compile(r"\s*")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,999})")
_FRACTION = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMERIC = frozenset("0123456789+-.")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = ("", "~", "null", "Null", "NULL")
_TAG = "tag:yaml.org,2002:"
_TAGS: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
_MERGE = "\0<<"
"""The key of a merge while its mapping is read; no YAML text holds this character."""

Marks = dict[int, dict[str | int, int]]
"""By the id of each collection, the line of each of its items."""


class Malformed(Exception):  # noqa: N818 (what a user wrote, not an error of this program)
    """Text that is no YAML or JSON, or too much of it; line and column count from 1, 0 where unknown."""

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(reason, line, column)
        self.reason, self.line, self.column = reason, line, column


class Chunk(NamedTuple):
    """A part of a text that holds (nearly always) one document; `line` is its first line's number, from 1."""

    text: str
    line: int


def split(text: str) -> list[Chunk]:
    """Cuts a text at its document markers, so that each document can be read, and be wrong, on its own.

    Comments and directives before a marker stay with the document that follows it.
    """
    chunks: list[Chunk] = []
    start, line = 0, 1
    for marker in _MARKER.finditer(text):
        ends = marker[0] == "..."
        cut = (text.find("\n", marker.end()) + 1 or len(text)) if ends else marker.start()
        if has_content := bool(_CONTENT.search(text[start : marker.start()])):
            chunks.append(Chunk(text[start:cut], line))
        if has_content or ends:
            line += text.count("\n", start, cut)
            start = cut
    if _CONTENT.search(text[start:]):
        chunks.append(Chunk(text[start:], line))
    return chunks


def load(text: str) -> list[Any]:
    """The documents of a chunk, mostly one. Raises Malformed."""
    if text.lstrip().startswith("{") and (documents := _json(text.strip())) is not None:
        return documents
    return _Composer(text).documents()


def first_line(text: str) -> int:
    """The line, from 1, of the first thing in a chunk that is no comment or marker."""
    content = _CONTENT.search(text)
    return text.count("\n", 0, content.start()) + 1 if content else 1


class Lines:
    """Where the fields of a chunk's documents stand; the text is read again when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._marks: Marks | None = None
        self._documents: list[Any] = []
        self._starts: list[int] = []

    def of(self, index: int, path: str) -> int:
        """The line, from 1, of a field of the `index`-th document, or of the nearest thing around it.

        `path` is written like `spec.rules[0].matches`. 1 for a chunk that cannot be read as YAML.
        """
        marks = self._compose()
        if index >= len(self._documents):
            return 1
        value, line = self._documents[index], self._starts[index]
        while found := _item(value, path):
            item, path = found
            line = marks[id(value)].get(item, line)
            value = value[item]
        return line

    def _compose(self) -> Marks:
        if self._marks is None:
            self._marks = {}
            composer = _Composer(self._text, self._marks)
            try:
                self._documents, self._starts = composer.documents(), composer.starts
            except Malformed:
                self._documents = []
        return self._marks


def _item(value: Any, path: str) -> tuple[str | int, str] | None:
    """The first step of a path into a collection and the rest of the path; None where there is no item."""
    if isinstance(value, dict):
        for key in sorted((key for key in value if path.startswith(key)), key=len, reverse=True):
            rest = path[len(key) :]
            if key and rest[:1] in ("", ".", "["):
                return key, rest.removeprefix(".")
    elif isinstance(value, list) and (index := re.match(r"\[(\d+)\]\.?", path)) and int(index[1]) < len(value):
        return int(index[1]), path[index.end() :]
    return None


def _json(text: str) -> list[Any] | None:
    """JSON documents, one after the other; None for what YAML has to read, if only to say what is wrong."""
    documents, position = [], 0
    try:
        while position < len(text):
            document, position = _JSON.raw_decode(text, position)
            documents.append(document)
            if space := _SPACE.match(text, position):
                position = space.end()
        if "\\u" in text:
            msgspec.json.encode(documents)  # refuses half of a surrogate pair
    except (ValueError, RecursionError):
        return None
    return documents


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError
    return mapping


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


_JSON = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)


@lru_cache(maxsize=4096)
def plain(text: str) -> Any:
    """What a plain scalar means; numbers that JSON could not hold stay text, leading zeros too."""
    if text in _NULLS:
        return None
    if text[0] in _NUMERIC:
        if _INTEGER.fullmatch(text):
            return int(text)
        if ("." in text or "e" in text or "E" in text) and _FRACTION.fullmatch(text):
            number = float(text)
            return number if math.isfinite(number) else text
        return text
    return _WORDS.get(text, text)


_OF_OBJECTS = ("apiVersion", "kind", "metadata", "spec")
"""Keys of Kubernetes objects. A second one at the beginning of a line is hardly the first one's object's."""


class _Frame:
    """A collection that is being read."""

    __slots__ = ("anchor", "before", "key", "line", "merges", "value")

    def __init__(self, value: Any, anchor: str | None, before: int, line: int) -> None:
        self.value, self.anchor, self.before, self.line = value, anchor, before, line
        self.key: str | None = None
        self.merges: list[dict[str, Any]] = []


class _Composer:
    """Builds values from libyaml's events; without recursion, so that no text can exhaust a stack."""

    def __init__(self, text: str, marks: Marks | None = None) -> None:
        self._text = text
        self._marks = marks
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._values = 0
        self._documents: list[Any] = []
        self.starts: list[int] = []

    def documents(self) -> list[Any]:
        try:
            parser: Any = _LOADER(self._text)
            while (event := parser.get_event()) is not None:
                if handler := _HANDLERS.get(type(event)):
                    handler(self, event)
        except yaml.MarkedYAMLError as error:
            raise self._marked(error) from None
        except UnicodeEncodeError:
            raise Malformed("has half of a surrogate pair, which is no character") from None
        except yaml.reader.ReaderError as error:
            before = self._text.encode(errors="replace")[: error.position].decode(errors="replace")
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            raise Malformed("has a character that YAML does not allow", line, column) from None
        return self._documents

    def _marked(self, error: yaml.MarkedYAMLError) -> Malformed:
        """libyaml's complaint; where it is about the end of the text, at the last line that says anything."""
        reason = ", ".join(part for part in (error.problem, error.context) if part)
        mark, last = error.problem_mark or error.context_mark, self._text.rstrip().count("\n")
        if mark is None or mark.line > last:
            return Malformed(reason, last + 1)
        return Malformed(reason, mark.line + 1, mark.column + 1)

    def start(self, event: Any) -> None:
        self._anchors, self._values = {}, 0
        self.starts.append(event.start_mark.line + 1)

    def scalar(self, event: Any) -> None:
        self._values += 1
        if self._frames and self._frames[-1].key is None and type(self._frames[-1].value) is dict:
            self._key(event)
            return
        value = event.value
        if event.implicit[0]:
            value = plain(value)
        elif event.tag not in (None, "!", f"{_TAG}str"):
            value = plain(value)
            if not isinstance(value, _TAGS.get(event.tag, ())):
                self._wrong(event, f"tag {event.tag.replace(_TAG, '!!')} is not read here, or not with this value")
        if event.anchor is not None:
            self._anchors[event.anchor] = value, 1
        self._add(event, value, event.start_mark.line + 1)

    def alias(self, event: Any) -> None:
        known = self._anchors.get(event.anchor)
        if known is None or self._expects_key():
            self._wrong(event, f"alias {event.anchor} stands for a key, or for nothing that ends before it")
        self._count(event, known[1])
        self._add(event, known[0], event.start_mark.line + 1)

    def open(self, event: Any) -> None:
        self._count(event, 1)
        if self._expects_key():
            self._wrong(event, "a key must be plain text")
        if len(self._frames) >= DEEPEST:
            self._wrong(event, f"is nested more than {DEEPEST} deep")
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_TAG}{'map' if mapping else 'seq'}"):
            self._wrong(event, f"tag {event.tag.replace(_TAG, '!!')} is not read here")
        line = event.start_mark.line + 1
        frame = _Frame({} if mapping else [], event.anchor, self._values - 1, line)
        if not self._frames:
            self.starts[-1] = line
        if self._marks is not None:
            self._marks[id(frame.value)] = {}
        self._frames.append(frame)

    def close(self, event: Any) -> None:
        frame = self._frames.pop()
        for merged in frame.merges:
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = frame.value, self._values - frame.before
        self._add(event, frame.value, frame.line)

    def _expects_key(self) -> bool:
        return bool(self._frames) and self._frames[-1].key is None and type(self._frames[-1].value) is dict

    def _key(self, event: Any) -> None:
        frame, key = self._frames[-1], event.value
        if key == "<<" and event.implicit[0]:
            frame.key = _MERGE
            return
        if key in frame.value:
            begins = len(self._frames) == 1 and key in _OF_OBJECTS and event.start_mark.column == 0
            self._wrong(event, f'key "{key}" is given twice' + ("; is a --- missing before it?" if begins else ""))
        frame.key = key
        if self._marks is not None:
            self._marks[id(frame.value)][key] = event.start_mark.line + 1

    def _add(self, event: Any, value: Any, line: int) -> None:
        if not self._frames:
            self._documents.append(value)
            return
        frame = self._frames[-1]
        if frame.key is None:
            if self._marks is not None:
                self._marks[id(frame.value)][len(frame.value)] = line
            frame.value.append(value)
            return
        if frame.key == _MERGE:
            merges = value if isinstance(value, list) else [value]
            if not all(isinstance(merged, dict) for merged in merges):
                self._wrong(event, "<< merges mappings only")
            frame.merges += merges
        else:
            frame.value[frame.key] = value
        frame.key = None

    def _count(self, event: Any, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            self._wrong(event, f"comes to more than {MOST_VALUES} values")

    def _wrong(self, event: Any, reason: str) -> NoReturn:
        raise Malformed(reason, event.start_mark.line + 1, event.start_mark.column + 1)


_HANDLERS: dict[type, Callable[[_Composer, Any], None]] = {
    yaml.DocumentStartEvent: _Composer.start,
    yaml.ScalarEvent: _Composer.scalar,
    yaml.AliasEvent: _Composer.alias,
    yaml.SequenceStartEvent: _Composer.open,
    yaml.MappingStartEvent: _Composer.open,
    yaml.SequenceEndEvent: _Composer.close,
    yaml.MappingEndEvent: _Composer.close,
}
