"""docs/checks is what docs/generate.py would write, and each example there shows what it is an example of."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from xds_server.model.kinds import KINDS
from xds_server.semantics.checks.catalog import CHECKS

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "checks"


def _generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generate()


def test_the_pages_are_what_make_docs_writes() -> None:
    there = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    assert there == generate.written()


def test_nothing_is_wrong_with_what_the_examples_stand_in() -> None:
    assert generate.told(generate.WORLD) == []


@pytest.mark.parametrize("code", [code for code, check in CHECKS.items() if not check.unshown])
def test_an_example_shows_its_code_and_nothing_else(code: str) -> None:
    found = {one.check.code for one in generate.told(generate.WORLD, generate.EXAMPLES / f"{code}.yaml")}
    assert found == {code} | generate.ALSO.get(code, set())


def test_there_are_no_other_examples() -> None:
    shown = {f"{code}.yaml" for code, check in CHECKS.items() if not check.unshown}
    assert {path.name for path in (FOLDER / "examples").iterdir()} == shown | {"world.yaml"}


def test_links_lead_somewhere() -> None:
    for page in FOLDER.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (FOLDER / link).exists(), f"{page.name}: {link}"


def test_the_readme_names_every_kind_and_leads_somewhere() -> None:
    readme = (ROOT / "README.md").read_text()
    served = readme.partition("## What is served\n")[2].partition("\n## ")[0]
    assert [one.kind for one in KINDS if not re.search(rf"\b{one.kind}\b", served)] == []
    for link in re.findall(r"\]\(([^)#:]+)\)", readme + (ROOT / "ARCHITECTURE.md").read_text()):
        assert (ROOT / link).exists(), link
