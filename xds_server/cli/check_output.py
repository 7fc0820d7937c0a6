"""How `check` prints: a table or lines, data, workflow commands of GitHub."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from xds_server.cli.findings import Finding
from xds_server.cli.table import on_terminal, print_rows
from xds_server.cli.verdicts import Row
from xds_server.semantics.checks.check import Severity

GOOD = "good"
_PLACE = "PLACE"
_HEAD = ("SEVERITY", "CODE", _PLACE, "OBJECT", "FIELD", "REASON", "MESSAGE")
_WIDEST = 90
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: ""}
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def table(findings: Sequence[Finding], good: Sequence[Row], *, places: bool = True) -> None:
    """One row for each finding, the first of each code with its hint; then what is good. Without `places` there is no
    column for them: objects of a cluster have none. Only on a terminal long names are shortened.
    """
    name = _short if on_terminal() else str
    lines: list[tuple[str, ...]] = []
    styles: list[str] = []
    hinted: set[str] = set()
    for one in findings:
        check = one.check
        line = (
            check.severity,
            check.code,
            str(one.place),
            name(one.object),
            name(one.field or one.part),
            one.reason,
            one.message,
        )
        lines.append(line)
        styles.append(_STYLES[check.severity])
        if check.code not in hinted:
            hinted.add(check.code)
            lines.append(("", "", "", "", "", "", f"hint: {check.hint}"))
            styles.append("dim")
    for row in good:
        lines.append((GOOD, "", "", name(str(row.ref)), name(row.part), row.reason, row.message))
        styles.append("")
    if lines:
        shown = [index for index, name in enumerate(_HEAD) if places or name != _PLACE]
        rows = [[line[index] for index in shown] for line in lines]
        print_rows([_HEAD[index] for index in shown], rows, styles=styles)


def _short(text: str) -> str:
    """A cell that does not push all others aside: a long name loses its middle."""
    if len(text) <= _WIDEST:
        return text
    half = _WIDEST // 2
    return f"{text[:half]}…{text[half + 1 - _WIDEST :]}"


def summary(findings: Sequence[Finding], good: Sequence[Row]) -> str:
    """How many of each severity, and of good verdicts."""
    if not findings and not good:
        return "nothing to check: no object of a kind that has a status, and no fault"
    counts = Counter(one.check.severity for one in findings)
    told = [f"{counts[one]} {one if counts[one] == 1 else f'{one}s'}" for one in Severity if counts[one]]
    return ", ".join([*told, f"{len(good)} verdicts good" if len(good) != 1 else "1 verdict good"])


def data(findings: Iterable[Finding], good: Iterable[Row]) -> list[dict[str, Any]]:
    """One mapping for each finding and each good verdict; what is unknown is empty, or 0."""
    wrong = [
        {
            "severity": str(one.check.severity),
            "code": one.check.code,
            "object": one.object,
            "part": one.part,
            "field": one.field,
            "condition": one.condition,
            "reason": one.reason,
            "message": one.message,
            "hint": one.check.hint,
            "file": one.place.file,
            "line": one.place.line,
        }
        for one in findings
    ]
    rest = [
        {
            "severity": GOOD,
            "object": str(row.ref),
            "part": row.part,
            "condition": row.condition,
            "reason": row.reason,
            "message": row.message,
        }
        for row in good
    ]
    return [*wrong, *rest]


def commands(findings: Iterable[Finding]) -> Iterable[str]:
    """Workflow commands: GitHub shows them beside the lines. Source: GitHub Actions, workflow commands."""
    for one in findings:
        properties = {
            "file": one.place.file,
            "line": str(one.place.line or ""),
            "title": f"{one.check.code} {one.subject}",
        }
        shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
        text = f"{one.field}: {one.message}" if one.field else one.message
        told = _escaped(f"{text}\n{one.check.hint}")
        yield f"::{_COMMANDS[one.check.severity]} {shown}::{told}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
