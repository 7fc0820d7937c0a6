"""`xds-server convert`: older spellings of the Gateway API (v1alpha2, v1beta1) as v1 YAML."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from xds_server.cli.input import FAULTY, Filenames, Paths, given, report
from xds_server.cli.output import Format, dump_all
from xds_server.model.convert import to_v1
from xds_server.model.document import Fault
from xds_server.shell.scan import STDIN, Roots
from xds_server.shell.yaml import Malformed, first_line, load, split


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="convert", help="Print documents in v1alpha2 or v1beta1 as v1 spells them.")
    def command(
        paths: Paths = None,
        filenames: Filenames = None,
        output: Annotated[Format, typer.Option("-o", "--output", help="Output format.")] = Format.YAML,
    ) -> None:
        converted, faults = conversion(given(paths, filenames))
        sys.stdout.write(dump_all(converted, output))
        if report(faults):
            raise typer.Exit(FAULTY)


def conversion(paths: list[Path]) -> tuple[list[Any], list[Fault]]:
    """Every document in v1 spelling, and the faults of files and documents that cannot be read."""
    converted: list[Any] = []
    faults: list[Fault] = []
    roots = Roots(paths)
    for name in roots.scan():
        try:
            text = _text(name)
        except Malformed as wrong:
            faults.append(Fault(reason=wrong.reason, file=name, line=wrong.line))
            continue
        for found in _documents(text, name):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                converted.append(to_v1(found))
    faults += [Fault(reason=why, file=name) for name, why in roots.unreadable.items()]
    return converted, faults


def _text(name: str) -> str:
    """What a file holds. Raises Malformed."""
    try:
        data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Malformed(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise Malformed("is not UTF-8 text", data[: error.start].count(b"\n") + 1) from None


def _documents(text: str, file: str) -> Iterator[Mapping[str, Any] | Fault]:
    for chunk in split(text):
        line = chunk.line + first_line(chunk.text) - 1
        try:
            documents = load(chunk.text)
        except Malformed as wrong:
            line = chunk.line + wrong.line - 1 if wrong.line else line
            yield Fault(reason=wrong.reason, file=file, line=line, column=wrong.column)
            continue
        for document in documents:
            if isinstance(document, Mapping):
                yield document
            elif document is not None:
                yield Fault(reason="is not an object with apiVersion and kind", file=file, line=line)
