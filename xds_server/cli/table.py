"""Tables on standard output: aligned, for people; and lines, for whatever reads a pipe."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_UNBOUNDED = 100_000
"""Columns where there is no terminal: each row is one line, for grep."""
_INDENT = 2


class TableFormat(StrEnum):
    """Formats of verbs that print a table unless asked for data."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def on_terminal() -> bool:
    """Is standard output a terminal?"""
    return Console().is_terminal


def print_rows(head: Sequence[str], rows: Sequence[Sequence[str]], *, styles: Sequence[str]) -> None:
    """Prints a table on a terminal. Elsewhere each row is one line that depends on no other row: its cells in a row,
    and after a colon the last one, which is prose. Prose alone is indented: it belongs to the line above.
    """
    if on_terminal():
        print_table(head, rows, styles=styles)
        return
    for *cells, prose in rows:
        told = " ".join(filter(None, cells)) or " " * _INDENT
        told += f": {prose}" if prose and not told.isspace() else prose
        print(" ".join(told.splitlines()))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, styles: Sequence[str]) -> None:
    """Prints the rows, each in its style ("": plain). On a terminal that is too narrow for them each row is told in
    lines of its own instead: its cells in a row, and below them the last one, which is prose.
    """
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=_UNBOUNDED)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in head:
        table.add_column(column, no_wrap=True)
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*row, style=style or None)
    width = console.measure(table, options=console.options.update(max_width=_UNBOUNDED)).maximum
    with console.capture() as printed:
        for one in [table] if width <= console.width else _in_lines(rows, styles):
            console.print(one)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def _in_lines(rows: Sequence[Sequence[str]], styles: Sequence[str]) -> Iterator[Text | Padding]:
    for (*cells, prose), style in zip(rows, styles, strict=True):
        if told := " ".join(filter(None, cells)):
            yield Text(told, style=style, overflow="fold")
        if prose:
            yield Padding(Text(prose, style=style, overflow="fold"), (0, 0, 0, _INDENT))
