"""What verbs that read objects share: where they read from, and how they tell what is wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from xds_server.model.document import Fault, Object
from xds_server.model.meta import Key
from xds_server.shell.files import read

GOOD, FAULTY, USAGE = 0, 1, 2

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files, or directories with *.yaml, *.yml and *.json at any depth, hidden ones passed over; - is standard"
        " input.",
        metavar="PATH",
    ),
]
Filenames = Annotated[
    list[Path] | None,
    typer.Option("-f", "--filename", help="A further file, directory or -; may be repeated.", metavar="PATH"),
]
ExternalNames = Annotated[
    bool,
    typer.Option(
        "--allow-external-name-services", help="Serve Services of type ExternalName: they reach past network policy."
    ),
]


def given(paths: Sequence[Path] | None, filenames: Sequence[Path] | None) -> list[Path]:
    """The paths of a command line, all of which must exist and of which there must be one. Exits with 2."""
    found = [*(paths or ()), *(filenames or ())]
    if not found:
        fail("no input: name a file, a directory, or - for standard input")
    for path in found:
        if str(path) == "-":
            if sys.stdin is None:
                fail("-: standard input is closed")
        elif wrong := _missing(path):
            fail(f"{path}: {wrong}")
    return found


def _missing(path: Path) -> str:
    """Why there is nothing at a path; empty when there is."""
    try:
        path.stat()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return ""


def gateway_key(text: str) -> Key:
    """NAMESPACE/NAME as a key. Exits with 2 when it is none."""
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        fail(f"--gateway {text}: it is NAMESPACE/NAME")
    return Key(namespace, name)


def objects(paths: Sequence[Path] | None, filenames: Sequence[Path] | None) -> tuple[list[Object], list[Fault]]:
    """Everything that the paths hold."""
    return read(given(paths, filenames))


def report(faults: Sequence[Fault]) -> int:
    """Prints faults to standard error, one line each; the exit status that they mean."""
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return FAULTY if faults else GOOD


def fail(message: str) -> NoReturn:
    """Wrong usage: one line on standard error, exit status 2."""
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(USAGE)
