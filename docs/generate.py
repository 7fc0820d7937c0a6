"""Writes docs/checks from the catalogue and from docs/checks/examples, each of which is checked and shows its code, and
docs/gateway-api.md.

`make docs`. A test compares what is there with what this would write.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from docs import gateway_api
from xds_server.app.offline import offline
from xds_server.cli.findings import Finding, findings
from xds_server.semantics.checks import pages
from xds_server.semantics.checks.catalog import CHECKS, FAMILIES
from xds_server.semantics.checks.check import Check
from xds_server.shell.survey import survey

ROOT = Path(__file__).parents[1]
FOLDER = Path("docs/checks")
EXAMPLES = FOLDER / "examples"
WORLD = EXAMPLES / "world.yaml"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
"""When the examples are looked at: certificates expire."""
ALSO = {"XDS0304": {"XDS0301"}, "XDS0311": {"XDS0305"}, "XDS0605": {"XDS0204"}}
"""What is told beside it where one fault is told by way of another."""


def told(*files: Path) -> list[Finding]:
    """What `check` tells of files below the repository, by paths that are relative to it."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        found = survey(files)
        return findings(offline(found.objects), found, NOW)
    finally:
        os.chdir(before)


def example(check: Check) -> str:
    """The example of a check as Markdown; empty where there is none."""
    file = EXAMPLES / f"{check.code}.yaml"
    if not (ROOT / file).exists():
        return ""
    lines = [_line(one) for one in told(WORLD, file)]
    return "\n".join(
        (
            f"[{file.name}](examples/{file.name}):\n",
            f"```yaml\n{(ROOT / file).read_text()}```\n",
            f"`xds-server check {WORLD} {file}` tells:\n",
            "```\n" + "\n".join(lines) + "\n```\n",
        )
    )


def _line(one: Finding) -> str:
    parts = (str(one.place), str(one.check.severity), one.check.code, one.object, one.field, one.reason, one.message)
    return "  ".join(part for part in parts if part)


_ABOUT = f"""\
Each kind of fault has a code, which never gets another meaning, and a page, which `xds-server check --explain CODE`
prints too. An error is something that was asked for and is not served; a warning, what is served and is hardly what was
meant; an info is worth knowing. `--fail-on` says from which severity on the exit status is 1, `--ignore CODE` what is
not told. In a pipe or a file each finding is one line, `SEVERITY CODE PLACE OBJECT FIELD REASON: MESSAGE`, without what
it lacks; hints are lines of their own, indented. `-o sarif` and `-o github` are for code review, `-o json` and
`-o yaml` for programs.

The examples are checked beside [world.yaml](examples/{WORLD.name}), on {NOW:%d %B %Y}.
"""


def index() -> str:
    """The list of all codes."""
    lines = ["# What `check` tells\n", f"{_ABOUT}\n"]
    for number, (title, checks) in enumerate(FAMILIES.items(), 1):
        lines += [f"## XDS{number:02}xx: {title}\n", "| code | severity | |", "|---|---|---|"]
        lines += [f"| [{one.code}]({pages.path(one)}) | {one.severity} | {one.title} |" for one in sorted(checks)]
        lines.append("")
    return "\n".join(lines)


def written() -> dict[str, str]:
    """Every file of docs/checks beside the examples, by its name."""
    files = {pages.path(check): pages.page(check, example(check)) for check in CHECKS.values()}
    return files | {"README.md": index()}


def main() -> int:
    """Writes what is new or differs, and removes pages of nothing."""
    folder = ROOT / FOLDER
    files = written()
    for path in folder.glob("*.md"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)
    (ROOT / gateway_api.PAGE).write_text(gateway_api.page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
