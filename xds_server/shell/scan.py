"""Scan: which files some paths stand for, what they are called, and which folders show changes of them.

Files are called as the user would call them: a given path and what is below it. Below a folder, files that end in
.yaml, .yml or .json, in capitals or not, count, hidden names do not; links are followed, so that volumes of ConfigMaps
work.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "-"


def is_of_objects(name: str) -> bool:
    """Does a file of this name count, below a folder?"""
    return name.lower().endswith(SUFFIXES)


class Places(NamedTuple):
    """Folders to watch, each with its inode, so that a folder put in place of another is another place."""

    trees: frozenset[tuple[str, int]]
    """With everything below."""
    folders: frozenset[tuple[str, int]]
    """For what is directly in them."""


class Roots:
    """The paths that were asked for; relative ones are taken from the working directory at construction."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.names = tuple(dict.fromkeys(str(path) for path in paths))
        self._roots = tuple((Path(name).absolute(), name) for name in self.names if name != STDIN)
        self._targets: dict[str, str] = {}
        """The real paths of linked files, and what those are called."""
        self.unreadable: dict[str, str] = {}
        """Paths and folders that the last scan could not read, and why."""

    def scan(self) -> list[str]:
        """The names of all files, sorted, each file once; notes what is unreadable."""
        self._targets, self.unreadable = {}, {}
        found: dict[str, str] = {}
        for root, name in self._roots:
            if root.is_dir():
                for file in self.below(name):
                    found.setdefault(f"{root}{file.removeprefix(name)}", file)
            elif root.exists():
                if root.is_symlink():
                    self._note_link(name)
                found.setdefault(str(root), name)
            else:
                self.unreadable[name] = "there is no such file or folder"
        return [STDIN] * (STDIN in self.names) + sorted(found.values())

    def lost(self, name: str) -> bool:
        """Is the given folder gone that the file was found in? Then nobody says that its objects are to go."""
        return any(not root.exists() and name.startswith(given + os.sep) for root, given in self._roots)

    def below(self, folder: str) -> Iterator[str]:
        """The names of the files in a folder, at any depth; a loop of links ends."""
        visited: set[tuple[int, int]] = set()
        folders = [folder]
        while folders:
            folder = folders.pop()
            try:
                status = Path(folder).stat()
                if (status.st_dev, status.st_ino) in visited:
                    continue
                visited.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as entries:
                    visible = [entry for entry in entries if not entry.name.startswith(".")]
            except OSError as error:
                self.unreadable[folder] = error.strerror or str(error)
                continue
            for entry in visible:
                try:
                    if entry.is_dir():
                        folders.append(entry.path)
                    elif is_of_objects(entry.name) and entry.is_file():
                        if entry.is_symlink():
                            self._note_link(entry.path)
                        yield entry.path
                except OSError as error:
                    self.unreadable[entry.path] = error.strerror or str(error)

    def called(self, path: str) -> Iterator[str]:
        """The names under which a changed absolute path may be known; a given folder's, if any of it may differ."""
        if path in self._targets:
            yield self._targets[path]
        for root, name in self._roots:
            if not Path(path).is_relative_to(root):
                continue
            parts = Path(path).relative_to(root).parts
            if any(
                part.startswith("..") for part in parts
            ):  # how the files of a ConfigMap's volume change, all at once
                yield name
            elif not any(part.startswith(".") for part in parts):
                yield name + "".join(os.sep + part for part in parts)

    def places(self) -> Places:
        """Where changes of the files, and of the given paths themselves, show."""
        trees = {root for root, _ in self._roots if root.is_dir()}
        folders = {root.parent for root, _ in self._roots}
        for target in map(Path, self._targets):
            if not any(target.is_relative_to(tree.resolve()) for tree in trees):
                folders.add(target.parent)
        return Places(_with_inodes(trees), _with_inodes(folders))

    def _note_link(self, name: str) -> None:
        self._targets[str(Path(name).resolve())] = name


def _with_inodes(paths: set[Path]) -> frozenset[tuple[str, int]]:
    found = set()
    for path in paths:
        try:
            found.add((str(path), path.stat().st_ino))
        except OSError:
            continue
    return frozenset(found)
