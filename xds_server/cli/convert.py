"""`xds-server convert`: older spellings of the Gateway API (v1alpha2, v1beta1) as v1 YAML."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from xds_server.cli.input import FAULTY, Filenames, Paths, given, report
from xds_server.cli.output import Format, dump_all
from xds_server.model.convert import to_v1
from xds_server.model.document import Fault, Ignored, expand, text_at
from xds_server.model.parse import parse
from xds_server.model.yaml import Malformed, first_line, load, split
from xds_server.shell.scan import STDIN, Roots

_HELP = """Print documents in v1alpha2 or v1beta1 as v1 spells them.

Comments are dropped. Documents of kinds that are not known are printed as they are, and named on standard error.
"""


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="convert", help=_HELP, short_help="Print documents in v1alpha2 or v1beta1 as v1 spells them.")
    def command(
        paths: Paths = None,
        filenames: Filenames = None,
        output: Annotated[Format, typer.Option("-o", "--output", help="Output format.")] = Format.YAML,
    ) -> None:
        converted, faults = conversion(given(paths, filenames))
        sys.stdout.write(dump_all(converted, output))
        for text in _left(converted):
            print(f"note: {text}", file=sys.stderr)
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


def _left(documents: Iterable[Any]) -> Iterator[str]:
    """What of the documents has no kind or version that is known, and so stayed as it was."""
    others: Counter[str] = Counter()
    for document in (inner for outer in documents for _, inner in expand(outer)):
        found = parse(document)
        if isinstance(found, Ignored):
            others[f"{found.api_version} {found.kind}"] += 1
        elif isinstance(found, Fault) and found.field in ("apiVersion", "kind"):
            name = f"{text_at(document, 'kind')} {text_at(document, 'metadata', 'name')}".strip() or "a document"
            yield f"{name} is printed as it is: {found.field} {found.reason}"
    for kind, count in others.items():
        what = "1 document is printed as it is" if count == 1 else f"{count} documents are printed as they are"
        yield f"{what}: {kind} is not known here"


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
