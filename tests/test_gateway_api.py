"""docs/gateway-api.md is what `make docs` would write, and what it says holds: every field is told of and read, every
feature is known, every condition is shown, every test that it names is there.
"""

import re
from pathlib import Path

import pytest

from docs import gateway_api
from tests.field_reads import read_by_scenarios
from tests.scenarios.show_statuses import REASONS

ROOT = Path(__file__).parents[1]
KINDS = list(gateway_api.listed())
NOTES = gateway_api.notes()
ROWS = gateway_api.conformance()
READ = ("served", "part")
FEATURES = 64
GATEWAY_FEATURES = 54
TESTS_OF_THE_SUITE = Path(__file__).with_name("conformance_tests.txt")


def test_the_page_is_what_make_docs_writes() -> None:
    assert (ROOT / gateway_api.PAGE).read_text() == gateway_api.page()


def test_links_lead_somewhere() -> None:
    page = ROOT / gateway_api.PAGE
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert len(links) > 100
    assert [link for link in links if not (page.parent / link).resolve().exists()] == []


# Fields


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_is_in_one_line(kind: str) -> None:
    assert sum(count for _, count, _ in gateway_api.rows(kind)) == len(gateway_api.values(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_notes_are_about_fields_that_there_are(kind: str) -> None:
    noted = gateway_api.of_fields(kind)
    assert {path for path in noted if path not in gateway_api.paths(kind)} == set()
    assert {one.state for one in noted.values()} <= gateway_api.STATES.keys()


def test_what_is_called_served_is_read() -> None:
    """By the code that decides, from a document of a scenario. What is read by nothing cannot have an effect."""
    read = read_by_scenarios()
    unread = [
        f"{kind} {path}"
        for kind in KINDS
        for path in gateway_api.paths(kind)
        if gateway_api.state(path, gateway_api.of_fields(kind)).state in READ and (kind, path) not in read
    ]
    assert unread == []


# Features


def test_every_feature_is_told() -> None:
    names = [name for group in NOTES["features"] for name in group["names"]]
    meshes = [name for name in names if name.startswith("Mesh")]
    assert (len(set(names)), len(names) - len(meshes)) == (FEATURES, GATEWAY_FEATURES)
    assert gateway_api.advertised() <= set(names)
    assert gateway_api.advertised().isdisjoint(meshes)


def test_what_is_not_advertised_says_why() -> None:
    told = {name: more or {} for group in NOTES["features"] for name, more in group["names"].items()}
    silent = [name for name in told if name not in gateway_api.advertised() and "instead" not in told[name]]
    assert silent == []
    assert [name for name in gateway_api.advertised() if "instead" in told[name]] == []


# Conditions


def test_every_condition_is_shown_or_explained() -> None:
    known = {(*one, reason) for one, reasons in REASONS.items() for reason in reasons}
    shown = {tuple(one) for one in gateway_api.conditions()}
    assert shown <= known
    explained = set(NOTES["reasons"])
    missing = {f"{of} {type_} {reason}" for of, type_, status, reason in known - shown}
    assert missing == explained


# Choices, and the conformance suite


def named_tests() -> list[str]:
    chosen = [test for group in NOTES["freedom"] for one in group["choices"] for test in one["shown"]]
    return [*chosen, *(test for row in ROWS.values() for test in row.tests)]


@pytest.mark.parametrize("name", sorted(set(named_tests())))
def test_what_is_named_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    text = (ROOT / path).read_text()
    assert not function or re.search(rf"^(async )?def {function}\(", text, re.MULTILINE)


def test_every_choice_is_shown() -> None:
    assert [one["what"] for group in NOTES["freedom"] for one in group["choices"] if not one["shown"]] == []


def test_every_test_of_the_suite_is_a_row() -> None:
    names = TESTS_OF_THE_SUITE.read_text().split()
    assert len(names) == 147
    assert list(ROWS) == names


def test_every_row_is_shown() -> None:
    assert [name for name, row in ROWS.items() if not row.tests] == []
    listed = [name for name, row in ROWS.items() if len(set(row.tests)) != len(row.tests)]
    assert listed == []
