"""Tables on standard output: aligned, for people and for grep."""

from collections.abc import Sequence
from enum import StrEnum

from rich.console import Console
from rich.table import Table

_UNBOUNDED = 100_000
"""Columns where there is no terminal: each row is one line, for grep."""


class TableFormat(StrEnum):
    """Formats of verbs that print a table unless asked for data."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def print_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, styles: Sequence[str], whole: Sequence[str]
) -> None:
    """Prints the rows, each in its style ("": plain). A terminal's width folds all columns but those of `whole`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in head:
        table.add_column(column, no_wrap=column in whole, overflow="fold")
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*row, style=style or None)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=_UNBOUNDED)
    with console.capture() as printed:
        console.print(table)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))
