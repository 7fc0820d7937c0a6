"""The page of a check, as Markdown: what `check --explain` prints, and what docs/checks is made from."""

from xds_server.semantics.checks.check import Check


def page(check: Check, example: str = "") -> str:
    """The whole page; `example` is Markdown that shows the fault."""
    shown = example or (f"{check.unshown}\n" if check.unshown else "")
    parts = [
        f"# {check.code}: {check.title}\n",
        f"Severity: {check.severity}\n",
        f"{check.meaning}\n",
        f"**Hint:** {check.hint}\n",
        *([f"## Example\n\n{shown}"] if shown else []),
    ]
    return "\n".join(parts)


def path(check: Check) -> str:
    """Where the page is, below docs/checks."""
    return f"{check.code}.md"
