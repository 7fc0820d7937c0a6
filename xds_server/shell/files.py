"""Files and directories of YAML or JSON to objects."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xds_server.model.document import Fault, Object
from xds_server.model.kinds import kind_of
from xds_server.model.parse import parse
from xds_server.shell.yaml import load

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = Path("-")


def read(paths: Sequence[Path]) -> tuple[list[Object], list[Fault]]:
    """Every object of the files and directories (recursively), in order of path, and everything that is wrong."""
    objects: dict[tuple[str, Any], Object] = {}
    faults: list[Fault] = []
    for path in paths:
        for file in _files(path):
            text = sys.stdin.read() if file == STDIN else file.read_text()
            for document in load(text, str(file)):
                if document is None:
                    continue
                parsed = document if isinstance(document, Fault) else parse(document)
                if isinstance(parsed, Fault):
                    faults.append(parsed)
                elif hasattr(parsed, "metadata"):
                    objects.setdefault((kind_of(parsed).kind, parsed.metadata.key), parsed)
    return list(objects.values()), faults


def _files(path: Path) -> Iterator[Path]:
    if path == STDIN or path.is_file():
        yield path
    else:
        yield from sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
