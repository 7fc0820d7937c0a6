"""`make bench`: every figure of the product, each beside its floor, in one run. Nothing is asserted here."""

import importlib
import sys

from rich.console import Console
from rich.table import Table

BENCHES = (
    "bench_translate",
    "bench_mixed",
    "bench_served",
    "bench_streams",
    "bench_wire",
    "bench_flow",
    "bench_files",
)


def main(wanted: list[str]) -> None:
    """Runs the named benches, or all."""
    console = Console(width=150)
    for name in wanted or BENCHES:
        module = importlib.import_module(f"tests.bench.{name}")
        found = module.rows()
        title = (module.rows.__doc__ or name).strip().splitlines()[0]
        columns = list(dict.fromkeys(column for row in found for column in row))
        table = Table(title=f"{name}: {title}", title_justify="left", title_style="bold")
        for column in columns:
            table.add_column(column)
        for row in found:
            table.add_row(*(str(row.get(column, "")) for column in columns))
        console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
