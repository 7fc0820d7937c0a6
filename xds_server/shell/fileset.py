"""FileSet: many files as one set of objects. Reads files when told to; answers each time with what changed.

Of an object that several files give, the first file in sorted order counts, and the others are faulty. An object
that a file stops giving is let go only when the file has been quiet for a while, since editors and tools write files
in steps, or put one in place of another; nothing else waits for that. Not here: when to look (`files`), what a
file's text says (`content`).
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from xds_server.model.batch import Batch
from xds_server.model.document import Fault, Ignored, Object
from xds_server.shell.content import Check, Content, Found, Ident, read_content, unreadable
from xds_server.shell.scan import STDIN, Roots, is_of_objects

MOST_BYTES = 64 * 1024 * 1024
"""How large a file may be."""
NEVER = float("-inf")
_NOTHING = Content()


class _File(NamedTuple):
    content: Content
    signature: tuple[int, ...] = ()
    """Modification time, size and inode when it was read; empty for a file that is gone."""


class FileSet:
    """The objects of all files of some paths. `check` says what, besides its shape, makes an object unusable."""

    def __init__(self, roots: Roots, check: Check, texts: dict[str, str] | None = None) -> None:
        """`texts`, where given, gets the text of every file that is read."""
        self.roots = roots
        self._texts = texts
        self._check = check
        self._files: dict[str, _File] = {}
        self._givers: dict[Ident, set[str]] = {}
        self._several: set[Ident] = set()
        self._given: dict[Ident, Object] = {}
        """What is in service, as the file has it."""
        self._generations: dict[Ident, int] = {}
        """Also of objects that are gone: one that returns is a new generation."""
        self._remarks: dict[str, Content] = {}
        """Files of which there is more to tell than objects."""
        self._unsettled: dict[str, float] = {}
        """Files that may be in the middle of being written, and since when their text is what it is."""

    @property
    def unsettled_since(self) -> float | None:
        """Since when the first file that is to be quiet has been so (`time.monotonic`); None if there is none."""
        return min(self._unsettled.values(), default=None)

    def rescan(self, until: float = NEVER) -> Batch:
        """Looks at every file's modification time, and reads those that are new or changed; then as `settle`."""
        names = self.roots.scan()
        return self._read([*self._outdated(names), *(self._files.keys() - set(names))], until)

    def changed(self, paths: Iterable[str], until: float = NEVER) -> Batch:
        """Reads the files at absolute paths where something happened, whatever that was; then as `settle`.

        Where it may be more than files that were written, put in place or taken away, that is a rescan.
        """
        names = {name for path in paths for name in self.roots.called(path)}
        if any(self._is_more_than_a_file(name) for name in names):
            return self.rescan(until)
        return self._read((name for name in names if self._may_be_read(name)), until)

    def settle(self, until: float) -> Batch:
        """Looks again at the files that are to be quiet; those that have been since a time of `time.monotonic` are."""
        return self._read((), until)

    def _outdated(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            if name not in self._files or self._files[name].signature != _signature(name):
                yield name

    def _may_be_read(self, name: str) -> bool:
        if name in self._files or name in self.roots.names or is_of_objects(name):
            path = Path(name)
            return path.is_file() or not path.exists()
        return False

    def _is_more_than_a_file(self, name: str) -> bool:
        path = Path(name)
        if path.is_dir() or path.is_symlink():
            return True
        if name in self.roots.names:
            return not path.exists() or name in self.roots.unreadable
        if name in self._files or is_of_objects(name) or path.exists():
            return False
        return any(known.startswith(name + os.sep) for known in self._files)

    def _read(self, names: Iterable[str], until: float) -> Batch:
        touched: dict[Ident, None] = {}
        quiet = {name for name, since in self._unsettled.items() if since <= until}
        for name in sorted(quiet.union(names)):
            before = self._files.get(name, _File(_NOTHING))
            after = self._look(name, before, quiet=name in quiet)
            if after is not before:
                self._replace(name, before.content, after, touched)
        return self._batch(touched)

    def _look(self, name: str, before: _File, *, quiet: bool) -> _File:
        """A file as it is now. One that is gone, or empty, says nothing."""
        try:
            data, signature = _bytes(name)
            if len(data) > MOST_BYTES:
                return _File(unreadable(f"has more than {MOST_BYTES} bytes", name, before.content), signature)
            text = data.decode("utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            if self.roots.lost(name):
                return before
            text, signature = "", ()
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            return _File(unreadable(reason, name, before.content), _signature(name))
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            return _File(unreadable(f"is not UTF-8 text, from line {line} on", name, before.content), signature)
        if self._texts is not None:
            self._texts[name] = text
        return _File(read_content(text, name, before.content, self._check, quiet=quiet), signature)

    def _replace(self, name: str, before: Content, after: _File, touched: dict[Ident, None]) -> None:
        content = after.content
        old, new = before.held | before.objects, content.held | content.objects
        if new or content.faults or content.ignored or after.signature or name in self.roots.names:
            self._files[name] = after
        else:
            self._files.pop(name, None)
        if content.faults or content.ignored or content.remarks:
            self._remarks[name] = content
        else:
            self._remarks.pop(name, None)
        if not content.waits:
            self._unsettled.pop(name, None)
        elif content is not before:
            self._unsettled[name] = monotonic()
        for ident in old.keys() - new.keys():
            self._givers[ident].discard(name)
            touched[ident] = None
        for ident, found in new.items():
            self._givers.setdefault(ident, set()).add(name)
            if ident not in old or old[ident].value is not found.value or ident in before.held or ident in content.held:
                touched[ident] = None

    def _batch(self, touched: Iterable[Ident]) -> Batch:
        upserts, removals = [], []
        for ident in touched:
            firm = [name for name in self._givers[ident] if ident in self._files[name].content.objects]
            (self._several.add if len(firm) > 1 else self._several.discard)(ident)
            found = self._found(ident, firm or self._givers[ident])
            if found is None:
                del self._givers[ident]
                if self._given.pop(ident, None) is not None:
                    removals.append(ident)
            elif found.value != self._given.get(ident):
                upserts.append((*ident, self._stamped(ident, found.value)))
                self._given[ident] = found.value
        return Batch(tuple(upserts), tuple(removals), self._faults(), self._ignored(), self._unknown())

    def _found(self, ident: Ident, givers: Iterable[str]) -> Found | None:
        for name in sorted(givers):
            content = self._files[name].content
            return content.objects.get(ident) or content.held[ident]
        return None

    def _stamped(self, ident: Ident, given: Object) -> Object:
        """The object with its generation: one more for each change of anything but its metadata."""
        before, generation = self._given.get(ident), self._generations.get(ident)
        value: Any = given
        if generation is None:
            generation = given.metadata.generation or 1
        elif before is None or msgspec.structs.replace(value, metadata=before.metadata) != before:
            generation += 1
        self._generations[ident] = generation
        stamped: Object = msgspec.structs.replace(
            value, metadata=msgspec.structs.replace(given.metadata, generation=generation)
        )
        return stamped

    def _faults(self) -> tuple[Fault, ...]:
        found = [fault for content in self._remarks.values() for fault in content.faults]
        said = {fault.file for fault in found}
        found += [Fault(reason=why, file=name) for name, why in self.roots.unreadable.items() if name not in said]
        for ident in self._several:
            found += self._conflicts(ident)
        return tuple(sorted(found, key=lambda fault: (fault.file, fault.line, fault.column, fault.field)))

    def _conflicts(self, ident: Ident) -> Iterator[Fault]:
        kind, key = ident
        first, *others = sorted(name for name in self._givers[ident] if ident in self._files[name].content.objects)
        place = f"{first}:{self._files[first].content.objects[ident].line}"
        for name in others:
            line = self._files[name].content.objects[ident].line
            reason = f"is given in {place} already, which is what counts"
            yield Fault(reason=reason, kind=kind, namespace=key.namespace, name=key.name, file=name, line=line)

    def _unknown(self) -> tuple[Fault, ...]:
        return tuple(one for name in sorted(self._remarks) for one in self._remarks[name].remarks)

    def _ignored(self) -> tuple[Ignored, ...]:
        return tuple(one for name in sorted(self._remarks) for one in self._remarks[name].ignored)


def _bytes(name: str) -> tuple[bytes, tuple[int, ...]]:
    if name == STDIN:
        return sys.stdin.buffer.read(MOST_BYTES + 1), ()
    with Path(name).open("rb") as file:
        status = os.fstat(file.fileno())
        return file.read(MOST_BYTES + 1), _signature_of(status)


def _signature(name: str) -> tuple[int, ...]:
    try:
        return _signature_of(Path(name).stat()) if name != STDIN else ()
    except OSError:
        return ()


def _signature_of(status: os.stat_result) -> tuple[int, ...]:
    """Pipes have none: what they said once is all they say."""
    regular = stat.S_ISREG(status.st_mode)
    return (status.st_mtime_ns, status.st_size, status.st_ino) if regular else ()
