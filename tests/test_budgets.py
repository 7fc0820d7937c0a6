"""Budgets of the source: sizes, names, docstrings, mirrors. What linters do not say."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xds_server"
GENERATED = PACKAGE / "pb"

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
MOST_PARAMETERS = 5
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "types", "misc", "manager", "handler", "context"}
OTHER_NAMES = {
    "cli/test_main.py": "the function xds_server.cli.main, and the command as a process",
    "envoy/test_golden_bytes.py": "the bytes that several modules of envoy make together",
    "filters/test_filters.py": "the table of filters in the package itself",
    "flow/test_incremental.py": "a property of all of flow",
    "model/test_crd_enums.py": "the enumerations of all models beside those of the CRDs",
    "model/test_crd_fields.py": "the fields of all models beside those of the CRDs",
    "pb/test_generated.py": "the generated modules, all of them",
    "pipeline/test_incremental.py": "a property of all of pipeline",
    "pipeline/test_mixed_traces.py": "what a change calls in a world of all kinds, in all of pipeline",
    "pipeline/test_quarantine_schedules.py": "a property of quarantine and holds, in a world of several resources",
    "pipeline/test_requests.py": "what requests meet, through all of pipeline",
    "pipeline/test_traces.py": "which functions a change calls, in all of pipeline",
    "shell/serve/test_real_envoy.py": "the server with a real Envoy",
    "wire/test_damaged_bytes.py": "a property of reader and decode",
    "wire/test_every_class.py": "a property of encode and decode for every class that is used",
    "wire/test_every_kind.py": "a property of encode and decode for every kind of field",
    "xds/test_convergence.py": "a property of all of xds",
}
"""Tests in a mirrored package that are about more than one module, and what they are about."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if GENERATED not in path.parents)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    """Every file that is part of the repository; without git, those of a source archive."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("no git checkout")
    return [path for line in listing.stdout.split("\0") if line and (path := ROOT / line).is_file()]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_are_modules() -> None:
    assert len(MODULES) > 100


def test_files_are_short() -> None:
    sizes = {name(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in sizes.items() if lines > MOST_LINES} == {}


def test_functions_are_short() -> None:
    long = {
        f"{name(path)}:{node.lineno} {node.name}": lines
        for path in MODULES
        for node in functions(path)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
    }
    assert long == {}


def test_few_parameters_are_told_by_position() -> None:
    """More than five in a row are mixed up. The parameters of a command are its options, which have names."""
    many = {
        f"{name(path)}:{node.lineno} {node.name}": len(given)
        for path in MODULES
        for node in functions(path)
        if (given := [one for one in (*node.args.posonlyargs, *node.args.args) if one.arg not in ("self", "cls")])
        and len(given) > MOST_PARAMETERS
        and not (path.parent.name == "cli" and node.name == "command")
    }
    assert many == {}


def test_modules_are_named_for_what_they_are() -> None:
    assert [name(path) for path in MODULES if path.stem in VAGUE or path.parent.name in VAGUE] == []


def test_every_module_says_what_it_is() -> None:
    """An __init__ without any code says nothing; it is only a place."""
    silent = [path for path in MODULES if not ast.get_docstring(ast.parse(path.read_text() or "''"))]
    assert [name(path) for path in silent if path.name != "__init__.py" or path.read_text().strip()] == []


def test_every_filter_has_a_scenario() -> None:
    scenarios = [path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests/scenarios").rglob("*.md")]
    filters = [path.stem for path in (PACKAGE / "filters").glob("*.py") if path.stem != "__init__"]
    assert filters
    assert [filter_ for filter_ in filters if not any(filter_ in scenario for scenario in scenarios)] == []


def test_tests_mirror_the_package() -> None:
    folders = [path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    mirrored = [ROOT / "tests" / folder.relative_to(PACKAGE) for folder in folders]
    stray = {
        test.relative_to(ROOT / "tests").as_posix()
        for folder in mirrored
        for test in folder.glob("test_*.py")
        if not (PACKAGE / folder.relative_to(ROOT / "tests") / test.name.removeprefix("test_")).exists()
    }
    assert sorted(stray) == sorted(OTHER_NAMES)


def test_nothing_is_left_for_later() -> None:
    mark = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|HA" r"CK)\b|NotImpl" r"ementedError")
    left = [
        f"{name(path)}:{number}"
        for path in tracked()
        if path.suffix in (".py", ".toml", ".md", ".yaml", "") and GENERATED not in path.parents
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if mark.search(line)
    ]
    assert left == []


def test_no_file_names_a_machine() -> None:
    """Homes and checkouts of whoever wrote it, and where their packages came from, are nobody else's."""
    places = rb"(?<![\w.~/-])/(?:wo" rb"rk|ro" rb"ot|home/\w+|Users/\w+)/[\w.]"
    hosts = rb"\b(?:py" rb"pi\.org|pythonhos" rb"ted\.org|proxy\.gol" rb"ang\.org|artifact" rb"ory|index-" rb"url)\b"
    forbidden = re.compile(places + b"|" + hosts)
    found = [
        f"{name(path)}: {match[0].decode()}" for path in tracked() for match in forbidden.finditer(path.read_bytes())
    ]
    assert found == []
