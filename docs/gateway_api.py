"""The page docs/gateway-api.md: what of the Gateway API is served, from the code, the scenarios, and what
docs/gateway_api.yaml and tests/conformance_rows.yaml say beside.

What is made here of the code: which fields there are models for (a test sees that each one is read), which features are
advertised, which conditions the scenarios show. `make docs` writes the page; a test compares.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.model.test_crd_fields import listed
from tests.scenarios.scenario import load_all
from tests.scenarios.show_statuses import REASONS
from xds_server.filters import FILTERS
from xds_server.model.kinds import BY_KIND
from xds_server.semantics.features import supported

ROOT = Path(__file__).parents[1]
PAGE = Path("docs/gateway-api.md")
NOTES = Path("docs/gateway_api.yaml")
ROWS = Path("tests/conformance_rows.yaml")
STATES = {
    "served": "served",
    "part": "in part",
    "refused": "refused",
    "cluster": "cluster only",
    "none": "no effect",
}
SERVED = "served"


def _load(text: str) -> Any:
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)


@cache
def notes() -> Any:
    """What the code cannot say."""
    return _load((ROOT / NOTES).read_text())


class Field(NamedTuple):
    """What is said of a field and all below it that is not told apart."""

    state: str = SERVED
    note: str = ""


def of_fields(kind: str) -> dict[str, Field]:
    """What is noted of the fields of a kind, by path."""
    found: dict[str, Field] = {}
    for group in notes()["fields"]:
        if kind in group["kinds"]:
            for path, said in group["of"].items():
                state_, _, note = said.partition(" | ")
                found[path] = Field(state_, note)
    return found


def paths(kind: str) -> list[str]:
    """Every field of the kind's CRD, without the marks of lists."""
    return [plain(path) for path in listed()[kind]]


def plain(path: str) -> str:
    """The path as notes have it."""
    return path.replace("[]", "")


def state(path: str, noted: Mapping[str, Field]) -> Field:
    """What holds for a field: what is noted of it or of the nearest one above it."""
    while path:
        if path in noted:
            return noted[path]
        path = path.rpartition(".")[0]
    return Field()


def values(kind: str) -> list[str]:
    """The fields that hold a value, not others."""
    known = paths(kind)
    return [path for path in known if not any(one.startswith(f"{path}.") for one in known)]


def rows(kind: str) -> Iterator[tuple[str, int, Field]]:
    """Path, number of values it stands for, what is said: the widest trees of which one thing is said."""
    noted, known, leaves = of_fields(kind), paths(kind), values(kind)

    def size(path: str) -> int:
        return sum(one == path or one.startswith(f"{path}.") for one in leaves)

    def walk(path: str) -> Iterator[tuple[str, int, Field]]:
        children = [one for one in known if one.rpartition(".")[0] == path]
        told = [one for one in children if _told(one, noted)]
        alike = [one for one in children if one not in told]
        if not told:
            yield path, size(path), _said(path, noted)
            return
        if path in noted:
            yield path, sum(map(size, alike)), _said(path, noted)
        elif alike:
            yield _joined(path, alike), sum(map(size, alike)), state(path, noted)._replace(note="")
        for child in told:
            yield from walk(child)

    yield from walk("spec")


def _said(path: str, noted: Mapping[str, Field]) -> Field:
    """A note stands once, where the path is that it is about."""
    found = state(path, noted)
    return found if path in noted else found._replace(note="")


def _told(path: str, noted: Mapping[str, Field]) -> bool:
    return any(one == path or one.startswith(f"{path}.") for one in noted)


def _joined(parent: str, children: Iterable[str]) -> str:
    names = [child.rpartition(".")[2] for child in children]
    return f"{parent}.{names[0]}" if len(names) == 1 else f"{parent}.{{{', '.join(names)}}}"


def _fields() -> Iterator[str]:
    for kind in listed():
        row, total = BY_KIND[kind], len(values(kind))
        yield f"### {kind}\n"
        former = "".join(f"; `{one.group}` {one.kind} {', '.join(one.versions)}" for one in row.former)
        yield f"`{row.group}`, read as {', '.join(row.versions)}{former}. {total} values.\n"
        yield "| field | | |"
        yield "|---|---|---|"
        for path, count, said in rows(kind):
            shown = path.removeprefix("spec.")
            more = f" ({count})" if count > 1 else ""
            yield f"| `{shown}`{more} | {STATES[said.state]} | {' '.join(said.note.split())} |"
        yield ""


# Features


def advertised() -> frozenset[str]:
    """What GatewayClasses say that they support, beside the CRDs of the experimental channel."""
    return frozenset(supported([name for one in FILTERS for name in one.advertises], "experimental"))


def _features() -> Iterator[str]:
    told = advertised()
    for group in notes()["features"]:
        yield f"**{group['title']}**\n"
        yield "| feature | channel | level | | |"
        yield "|---|---|---|---|---|"
        for name, more in group["names"].items():
            said = more or {}
            yes = "advertised" if name in told else said.get("instead", "not advertised")
            channel = said.get("channel", "standard")
            yield f"| {name} | {channel} | {group['level']} | {yes} | {' '.join(said.get('note', '').split())} |"
        yield ""


# Conditions


class Shown(NamedTuple):
    """A condition as a status has it: of what, its type, status and reason."""

    of: str
    type: str
    status: str
    reason: str


@cache
def conditions() -> dict[Shown, str]:
    """The first scenario that shows each condition."""
    found: dict[Shown, str] = {}
    for scenario in load_all():
        for block in scenario.blocks:
            if block.words == ["statuses"]:
                for name, value in (_load(block.text) or {}).items():
                    for one in _of_object(name.partition(" ")[0], value):
                        found.setdefault(one, scenario.name)
    return found


def _of_object(kind: str, value: Any) -> Iterator[Shown]:
    if not isinstance(value, dict):
        return
    if kind in ("GatewayClass", "Gateway", "ListenerSet"):
        yield from _of_part(kind, value)
        for listener in value.get("listeners", {}).values():
            yield from _of_part("Listener", listener)
        return
    for entry in value.values():
        yield from _of_part("Route" if kind.endswith("Route") else kind, entry)


def _of_part(of: str, part: Any) -> Iterator[Shown]:
    for type_, value in part.items() if isinstance(part, dict) else ():
        if not any(known[:2] == (of, type_) for known in REASONS):
            continue
        head = "True" if value is True else str(value).partition(": ")[0]
        status, _, reason = head.partition("/")
        yield Shown(of, type_, status, reason or type_)


def _conditions() -> Iterator[str]:
    found, unused = conditions(), notes()["reasons"]
    for of in dict.fromkeys(known[0] for known in REASONS):
        yield f"**{of}**\n"
        yield "| condition | status | reason | |"
        yield "|---|---|---|---|"
        for one in (Shown(*known, reason) for known in REASONS if known[0] == of for reason in sorted(REASONS[known])):
            told = _scenario(found[one]) if one in found else unused.get(f"{of} {one.type} {one.reason}", "")
            yield f"| {one.type} | {one.status} | {one.reason} | {told} |"
        yield ""


# Freedom


def linked(test: str) -> str:
    """A test, scenario or page of ours by its name, as a link from the page."""
    path, _, name = test.partition("::")
    shown = f"{Path(path).stem}: {name.removeprefix('test_').replace('_', ' ')}" if name else ""
    if path.startswith("tests/scenarios/"):
        shown = path.removeprefix("tests/scenarios/").removesuffix(".md")
    target = path.removeprefix("docs/") if path.startswith("docs/") else f"../{path}"
    return f"[{shown or Path(path).stem}]({target})"


def _scenario(name: str) -> str:
    return linked(f"tests/scenarios/{name}.md")


def _freedom() -> Iterator[str]:
    for group in notes()["freedom"]:
        yield f"### {group['title']}\n"
        for one in group["choices"]:
            links = ", ".join(linked(test) for test in one["shown"])
            yield f"- **{one['what']}** {' '.join(one['choice'].split())} ({links})"
        yield ""


# The conformance suite


class Row(NamedTuple):
    """Where something like a test of the suite is shown here, by paths, and what is shown in a cluster only."""

    tests: tuple[str, ...]
    note: str = ""


@cache
def conformance() -> dict[str, Row]:
    """By the ShortName of each test of the suite."""
    found = {}
    for name, entries in _load((ROOT / ROWS).read_text()).items():
        tests = tuple(_whole(one) for one in entries if isinstance(one, str))
        found[name] = Row(tests, next((one["note"] for one in entries if isinstance(one, dict)), ""))
    return found


def _whole(name: str) -> str:
    """The path of a scenario or test that is named in short."""
    if name.startswith("tests/"):
        return name
    file, _, test = name.partition("::")
    return f"tests/traffic/{file}.py::{test}" if test else f"tests/scenarios/{name}.md"


def _rows() -> Iterator[str]:
    yield "| test of the suite | shown by |"
    yield "|---|---|"
    for name, row in conformance().items():
        shown = ", ".join(map(linked, row.tests))
        yield f"| {name} | {shown}{f'. {row.note}' if row.note else ''} |"
    yield ""


def page() -> str:
    """The whole page."""
    said = notes()["text"]
    sections = (
        ("Fields", _fields()),
        ("Features", _features()),
        ("Conditions", _conditions()),
        ("Where the API leaves freedom", _freedom()),
        ("The tests of the conformance suite", _rows()),
    )
    lines = ["# The Gateway API, as it is served\n", said["top"]]
    for title, body in sections:
        lines += [f"## {title}\n", said[title], *body]
    return "\n".join(lines).rstrip() + "\n"
