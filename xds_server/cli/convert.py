"""`xds-server convert`: older spellings of the Gateway API (v1alpha2, v1beta1) as v1 YAML."""

import sys
from collections.abc import Mapping
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

    @app.command(name="convert", help="Print the documents with the Gateway API's older spellings turned into v1.")
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
    """Every document in v1 spelling, and the faults of those that cannot be read."""
    converted: list[Any] = []
    faults: list[Fault] = []
    for name in Roots(paths).scan():
        text = sys.stdin.read() if name == STDIN else Path(name).read_text(errors="replace")
        for chunk in split(text):
            try:
                documents = load(chunk.text)
            except Malformed as wrong:
                line = chunk.line + (wrong.line or first_line(chunk.text)) - 1
                faults.append(Fault(reason=wrong.reason, file=name, line=line, column=wrong.column))
                continue
            converted += [to_v1(document) for document in documents if isinstance(document, Mapping)]
    return converted, faults
