import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import GATEWAY, Output, invoke
from tests.cli.test_check import BAD, WARNED
from xds_server.semantics.checks.catalog import CHECKS

LEVELS = {"error": "error", "warning": "warning", "info": "note"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with faulty files in a folder whose name needs escaping."""
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "all.yaml").write_text(GATEWAY.replace("/v1", "/v1beta1") + BAD + WARNED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_of(found: Output) -> Any:
    log = json.loads(found.out)
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return run


def test_what_the_format_requires(here: Path) -> None:
    """Source: SARIF 2.1.0, the required properties of each object."""
    found = invoke("check", "a b", "-o", "sarif")
    assert found.status == 1
    run = run_of(found)
    driver = run["tool"]["driver"]
    assert driver["name"] == "xds-server"
    rules = driver["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        check = CHECKS[rule["id"]]
        assert rule["shortDescription"]["text"] == check.title
        assert rule["fullDescription"]["text"] == check.meaning
        assert check.hint in rule["help"]["text"]
        assert rule["help"]["markdown"].startswith(f"# {check.code}")
        assert rule["defaultConfiguration"]["level"] == LEVELS[check.severity]
        assert "helpUri" not in rule
    assert {one["level"] for one in run["results"]} == {"error", "warning", "note"}
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["message"]["text"]
        (location,) = one["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"] == {"uri": "a%20b/all.yaml"}
        assert physical["region"]["startLine"] >= 1
    assert {rule["id"] for rule in rules} == {one["ruleId"] for one in run["results"]}


def test_a_result(here: Path) -> None:
    run = run_of(invoke("check", "a b", "-o", "sarif"))
    one = next(one for one in run["results"] if "shop/here" in one["message"]["text"])
    assert one["ruleId"] == "XDS0701"
    subject = "HTTPRoute shop/half spec.rules[1].backendRefs[0]"
    assert one["message"]["text"] == f"{subject}: Service shop/here does not exist"
    (location,) = one["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 27}
    assert location["logicalLocations"] == [{"fullyQualifiedName": subject}]


def test_fingerprints_outlive_other_lines(here: Path) -> None:
    before = run_of(invoke("check", "a b", "-o", "sarif"))["results"]
    file = here / "a b" / "all.yaml"
    file.write_text(f"# moved\n\n{file.read_text()}")
    after = run_of(invoke("check", "a b", "-o", "sarif"))["results"]
    assert [one["partialFingerprints"] for one in after] == [one["partialFingerprints"] for one in before]
    assert len({json.dumps(one["partialFingerprints"]) for one in before}) == len(before)


def test_rules_link_to_pages_that_are_published(here: Path) -> None:
    found = invoke("check", "a b", "-o", "sarif", "--docs-url", "https://docs.example.com/checks/")
    for rule in run_of(found)["tool"]["driver"]["rules"]:
        assert rule["helpUri"] == f"https://docs.example.com/checks/{rule['id']}.md"


def test_files_elsewhere_are_named_in_full(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = here / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    (one, *_) = run_of(invoke("check", "../a b", "-o", "sarif"))["results"]
    uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == (here / "a b" / "all.yaml").as_uri()


def test_standard_input_has_a_place_too(here: Path) -> None:
    """Code scanning of GitHub takes no result without a physical location and a line, and no whole run with such a one."""
    (one,) = run_of(invoke("check", "-", "-o", "sarif", stdin="[]"))["results"]
    (location,) = one["locations"]
    assert location["physicalLocation"] == {"artifactLocation": {"uri": "stdin"}, "region": {"startLine": 1}}


def test_nothing_wrong() -> None:
    run = run_of(invoke("check", "-", "-o", "sarif", stdin=""))
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])
