"""docs/faults.md: every bad input that the tests bring into a healthy world, and what comes of it."""

from collections.abc import Iterator
from itertools import groupby

from tests.faults.cases import Case, load

_TITLES = {
    "attachment": "Where a route attaches",
    "certificates": "Certificates and authorities of listeners",
    "connections": "Connections and datagrams",
    "grpc": "gRPC",
    "http_filters": "Filters and settings of a rule",
    "http_matches": "Matches",
    "listeners": "Listeners",
    "policies": "Policies",
    "references": "References to backends",
}
_ABOUT = """# What bad input does

Each row is a test (`tests/faults`): the bad object comes into a world of healthy ones on the same listeners, through a
real Envoy, while requests go on over persistent connections on every one of them. None may fail, none may be
answered by another backend, no connection may be drained; and the condition must be there, with its reason and words.
What requests for the bad one get is in the last column.

*schema*: the CRD's schema refuses it too; it comes in all the same, as it would where the schema is older. Beside these,
`tests/faults/test_wild.py` makes arbitrary manifests that schemas let pass: translation never raises, and a real Envoy
accepts all of it.

Written by `make docs`.
"""


def page() -> str:
    """The page as Markdown."""
    parts = [_ABOUT]
    number = 0
    for family, cases in groupby(load(), key=lambda case: case.family):
        rows = []
        for case in cases:
            number += 1
            rows.append(_row(number, case))
        parts.append(f"\n## {_TITLES[family]}\n\n| # | bad | field | told | requests get |\n|---|---|---|---|---|\n")
        parts += rows
    return "".join(parts)


def _row(number: int, case: Case) -> str:
    told = f"{case.says.of}: {case.says.condition}"
    bad = f"{case.bad} *(schema)*" if case.schema else case.bad
    cells = (str(number), bad, f"`{case.field}`", told, ", ".join(_answers(case)))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _answers(case: Case) -> Iterator[str]:
    for status in dict.fromkeys(case.answers.values()):
        yield str(status)


if __name__ == "__main__":
    print(page(), end="")
