"""The official conformance suite of the Gateway API, unmodified: every test of gateways passes, none is skipped."""

import os
import subprocess
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

from e2e.conformance import suite
from e2e.conformance.report import REPORT, read, shortcomings, table
from e2e.conftest import ARTIFACTS
from e2e.held_address import Held
from e2e.installation import ROOT
from e2e.kubectl import Kubectl

TEST = os.environ.get("XDS_CONFORMANCE_TEST", "")
"""The name of the only test to run; nothing for all."""
CLASS = "XDS_GATEWAY_CLASS"
"""Names a GatewayClass that is served already; else the product is installed, and its class taken."""
UNUSABLE = "192.0.2.1"
"""Of a block for documentation: no load balancer gives it."""
WEBSITE = "https://xds-server.dev"


@pytest.fixture
def gateway_class(request: pytest.FixtureRequest) -> str:
    """The class that the suite's Gateways name."""
    if given := os.environ.get(CLASS):
        return given
    request.getfixturevalue("installed")
    return "xds-server"


@pytest.fixture
def usable(kubectl: Kubectl, namespace: str) -> str:
    """An address that the load balancer gives to who asks for it."""
    held = Held(kubectl, namespace)
    held.let_go()
    return held.value


@pytest.fixture
def artifacts() -> Path:
    """A folder for what the suite prints."""
    folder = ARTIFACTS / "conformance"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def made_from() -> str:
    """The version that is tested: a release, and the commit where the files are a checkout."""
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    commit = told.stdout.strip()
    return f"{version('xds-server')}+{commit}" if commit else version("xds-server")


def test_everything_passes(
    gateway_class: str, usable: str, tmp_path: Path, artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = suite.build(tmp_path)
    gateways = {name for name, is_gateways in suite.tests(binary, tmp_path).items() if is_gateways}
    wanted = {TEST} if TEST else gateways
    assert wanted <= gateways, f"the suite has no test {TEST} of gateways"
    log, written = artifacts / "suite.log", tmp_path / "report.yaml"
    flags = {
        "gateway-class": gateway_class,
        "usable-address": usable,
        "unusable-address": UNUSABLE,
        "run-test": TEST,
        "report-output": str(written),
        "organization": "xds-server",
        "project": "xds-server",
        "url": WEBSITE,
        "contact": WEBSITE,
        "version": made_from(),
    }
    with capsys.disabled():
        print(f"\n{len(wanted)} tests; all output is in {log}")
        ended = suite.run(binary, log, flags, lambda one: _tell(one, wanted))
        print(dict(Counter(one.result for one in ended.verdicts if one.name in wanted)))
    assert wanted - ended.named("PASS") == set(), f"{log} tells more"
    assert {name for name in ended.named("SKIP") if name.partition("/")[0] in wanted} == set(), f"{log} tells more"
    assert ended.code == 0, f"{log} tells more"
    if not TEST:
        report = read(written)
        assert shortcomings(report) == []
        REPORT.write_text(written.read_text())
        with capsys.disabled():
            print(table(report))


def _tell(one: suite.Verdict, wanted: set[str]) -> None:
    if one.name in wanted:
        print(f"{one.result} {one.name} ({one.seconds:.1f} s)", flush=True)
