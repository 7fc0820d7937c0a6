"""The report of the conformance suite that is part of the repository, and how reports and output are judged."""

import re
from copy import deepcopy
from typing import Any

import pytest

from e2e.conformance.report import REPORT, features, read, shortcomings, table
from e2e.conformance.suite import Verdict, verdict
from e2e.installation import ROOT
from xds_server.filters import BY_TYPE
from xds_server.semantics.features import supported

CORE = {"Gateway", "GRPCRoute", "HTTPRoute", "ReferenceGrant", "TLSRoute"}
UNLISTED = {"GRPCRouteNamedRouteRule", "GRPCRouteRequestHeaderModifier"}
"""No profile counts them, though the suite tests them."""


def damaged(profile: int, part: str, **values: Any) -> dict[str, Any]:
    """The report, but for something in a profile."""
    report: dict[str, Any] = deepcopy(dict(read()))
    report["profiles"][profile][part] |= values
    return report


def test_everything_is_supported_and_passed() -> None:
    report = read()
    assert shortcomings(report) == []
    assert (report["gatewayAPIVersion"], report["gatewayAPIChannel"]) == ("v1.7.0", "experimental")
    advertised = (name for feature in BY_TYPE.values() for name in feature.advertises)
    published = set(supported(advertised, "experimental"))
    assert features(report) <= published
    assert published - features(report) == CORE | UNLISTED


def test_it_says_what_it_was_made_from() -> None:
    """A release, and a commit of this repository."""
    told = read()["implementation"]
    assert (told["organization"], told["project"]) == ("xds-server", "xds-server")
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\+[0-9a-f]{7,40}", told["version"])


def test_the_readme_shows_it() -> None:
    assert table(read()) in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("part", "values", "told"),
    [
        ("core", {"result": "failure", "failedTests": ["A"]}, ["core: failure", "core: failedTests A"]),
        ("extended", {"result": "partial", "skippedTests": ["B"]}, ["extended: partial", "extended: skippedTests B"]),
        ("extended", {"unsupportedFeatures": ["C"]}, ["extended: unsupportedFeatures C"]),
        ("core", {"statistics": {"Failed": 0, "Passed": 1, "Skipped": 2}}, ["core: 2 skipped"]),
    ],
)
def test_what_falls_short_is_told(part: str, values: dict[str, Any], told: list[str]) -> None:
    report = damaged(0, part, **values)
    name = report["profiles"][0]["name"]
    assert shortcomings(report) == [f"{name} {one}" for one in told]


def test_a_missing_profile_and_a_provisional_failure_are_told() -> None:
    report = damaged(0, "core") | {"failedProvisionalTests": ["D"]}
    gone = report["profiles"].pop()["name"]
    assert shortcomings(report) == [f"profile {gone} is missing", "provisional test D failed"]


def test_the_end_of_a_test_is_read_from_the_output() -> None:
    assert verdict("\x16--- SKIP: TestConformance/MeshBasic (0.00s)\n") == Verdict("MeshBasic", "SKIP", 0.0)
    assert verdict("    --- FAIL: TestConformance/HTTPRouteCORS (1.50s)\n") == Verdict("HTTPRouteCORS", "FAIL", 1.5)
    assert verdict("        --- PASS: TestConformance/HTTPRouteCORS/part (0.10s)\n") is None
    assert verdict("=== RUN   TestConformance/HTTPRouteCORS\n") is None
    skipped = verdict("\x16        --- SKIP: TestConformance/HTTPRouteCORS/part/of_it (0.00s)\n")
    assert skipped == Verdict("HTTPRouteCORS/part/of_it", "SKIP", 0.0)


def test_the_report_is_where_it_is_looked_for() -> None:
    assert REPORT.relative_to(ROOT).as_posix() == "e2e/conformance/report.yaml"
