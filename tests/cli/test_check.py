import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.command import GATEWAY, MODULE, TASK, invoke
from xds_server.semantics.checks.catalog import CHECKS

ROUTE = """\
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: %s, namespace: shop}
spec:
  parentRefs: [{name: %s}]
  rules:
%s"""
REDIRECT = "    filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]\n"
GOOD = ROUTE % ("good", "gw", "  - matches: [{path: {value: /good}}]\n" + REDIRECT)
BAD = (
    ROUTE % ("lost", "nowhere", "  - matches: [{path: {value: /lost}}]\n" + REDIRECT)
    + ROUTE
    % (
        "half",
        "gw",
        """\
  - matches: [{path: {type: RegularExpression, value: "/(("}}]
  - matches: [{path: {value: /half}}]
    backendRefs:
    - {name: here, port: 80}
    - {name: there, port: 80}
""",
    )
    + ROUTE % ("wrong", "gw", "  - matches:\n    - path: {value: no-slash}\n")
)
WARNED = ROUTE % ("warned", "gw", "  - matches: [{path: {value: /warned}}]\n")


def data(*arguments: str | Path, stdin: str = "") -> Any:
    return json.loads(invoke("check", *arguments, "-o", "json", stdin=stdin).out)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """GATEWAY and BAD in one file of a folder."""
    file = tmp_path / "all.yaml"
    file.write_text(GATEWAY + BAD)
    return file


def test_good_files_are_told_in_one_line() -> None:
    assert invoke("check", "-", stdin=GATEWAY + GOOD) == (0, "5 verdicts good\n", "")


def test_all_tells_the_good_verdicts_too() -> None:
    found = invoke("check", "-", "--all", stdin=GATEWAY + GOOD, columns=300)
    head, *lines, end = found.out.splitlines()
    assert head.split() == ["SEVERITY", "CODE", "PLACE", "OBJECT", "FIELD", "REASON", "MESSAGE"]
    column = head.index("REASON")
    assert [line[column:].split()[0] for line in lines] == [
        "Accepted",
        "Accepted",
        "ResolvedRefs",
        "Accepted",
        "ResolvedRefs",
    ]
    assert any("Gateway shop/gw      listener web (1 route)" in line for line in lines)
    assert any("HTTPRoute shop/good  parent shop/gw" in line for line in lines)
    assert end == "5 verdicts good"


def test_what_waits_for_an_envoy_is_no_verdict() -> None:
    assert "Programmed" not in invoke("check", TASK, "-v").out


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_bad_input_as_data(format_: str, bad: Path) -> None:
    found = invoke("check", bad.parent, "-o", format_)
    assert (found.status, found.err) == (1, "")
    rows = yaml.safe_load(found.out)
    assert [
        (row["line"], row["severity"], row["code"], row["object"], row["field"], row["reason"]) for row in rows
    ] == [
        (13, "error", "XDS0604", "HTTPRoute shop/lost", "spec.parentRefs[0]", "NoSuchParent"),
        (24, "error", "XDS0801", "HTTPRoute shop/half", "spec.rules[0].matches[0].path.value", "UnsupportedValue"),
        (27, "error", "XDS0701", "HTTPRoute shop/half", "spec.rules[1].backendRefs[0]", "BackendNotFound"),
        (28, "error", "XDS0701", "HTTPRoute shop/half", "spec.rules[1].backendRefs[1]", "BackendNotFound"),
        (37, "error", "XDS0203", "HTTPRoute shop/wrong", "spec.rules[0].matches[0].path.value", "Invalid"),
    ]
    assert {row["file"] for row in rows} == {str(bad)}
    assert all(row["hint"] == CHECKS[row["code"]].hint for row in rows)
    assert rows[2]["message"] == "Service shop/here does not exist"
    assert (rows[2]["part"], rows[2]["condition"]) == ("parent shop/gw", "ResolvedRefs")


def test_good_verdicts_as_data() -> None:
    rows = data("-", "--all", stdin=GATEWAY + GOOD)
    assert [row["severity"] for row in rows] == ["good"] * 5
    assert (rows[1]["part"], rows[1]["condition"]) == ("listener web (1 route)", "Accepted")


def test_bad_input_as_a_table(bad: Path) -> None:
    found = invoke("check", bad, columns=300)
    assert found.status == 1
    lines = found.out.splitlines()
    assert lines[-1] == "5 errors, 4 verdicts good"
    hints = [line.strip() for line in lines if line.strip().startswith("hint: ")]
    assert len(hints) == 4, "one for each code"
    assert len(lines) == 1 + 5 + 4 + 1
    (line,) = (line for line in lines if "Service shop/here" in line)
    assert re.split(r"\s{2,}", line) == [
        "error",
        "XDS0701",
        f"{bad}:27",
        "HTTPRoute shop/half",
        "spec.rules[1].backendRefs[0]",
        "BackendNotFound",
        "Service shop/here does not exist",
    ]


def test_a_pipe_gets_each_finding_in_one_whole_line(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 200)
    folder.mkdir()
    (folder / "all.yaml").write_text(GATEWAY + BAD)
    lines = invoke("check", folder).out.splitlines()
    assert any(f"{folder}/all.yaml:37 " in line and line.endswith('is "no-slash"') for line in lines)
    told = [line for line in lines[:-1] if not line.startswith("  hint: ")]
    assert len(told) == 5
    assert [line.split()[0] for line in told] == ["error"] * 5
    assert told[2] == (
        f"error XDS0701 {folder}/all.yaml:27 HTTPRoute shop/half spec.rules[1].backendRefs[0] BackendNotFound:"
        " Service shop/here does not exist"
    )


def test_a_line_in_a_pipe_depends_on_no_other_finding_and_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = ROUTE % ("lost", "nowhere", "  - {}\n")
    (alone,) = (line for line in invoke("check", "-", stdin=GATEWAY + lost).out.splitlines() if "NoSuchParent" in line)
    monkeypatch.setenv("COLUMNS", "40")
    longer = ROUTE % ("n" * 250, "gw", "  - {backendRefs: [{name: there, port: 80}]}\n")
    lines = invoke("check", "-", "--all", stdin=GATEWAY + lost + longer).out.splitlines()
    assert alone in lines
    assert any(f"HTTPRoute shop/{'n' * 250} " in line for line in lines), "the whole name"
    good = "good Gateway shop/gw listener web (1 route) ResolvedRefs: All references are resolved."
    assert good in lines


def test_what_a_file_gets_is_what_a_pipe_gets(bad: Path, tmp_path: Path) -> None:
    file = tmp_path / "told"
    with file.open("w") as out:
        subprocess.run([*MODULE, "check", str(bad)], stdout=out, check=False, timeout=90)
    assert file.read_text() == invoke("check", bad).out


def test_a_narrow_terminal_gets_every_word() -> None:
    plain = invoke("check", "-", stdin=GATEWAY + BAD, columns=80).out
    assert max(map(len, plain.splitlines())) <= 80
    assert "…" not in plain
    for word in ("XDS0701", "UnsupportedValue", "NoSuchParent"):
        assert word in plain
    told = "HTTPRoute shop/lost spec.parentRefs[0] NoSuchParent\n  there is no Gateway shop/nowhere among the files\n"
    assert told in plain
    wide = invoke("check", "-", stdin=GATEWAY + BAD, columns=400).out
    assert wide.splitlines()[0].startswith("SEVERITY  CODE")


@pytest.mark.parametrize(
    ("text", "fail_on", "status"),
    [
        (GOOD, "info", 0),
        (BAD, "error", 1),
        (BAD, "warning", 1),
        (BAD, "none", 0),
        (WARNED, "error", 0),
        (WARNED, "warning", 1),
        (WARNED, "info", 1),
        ("", "warning", 0),
        ("", "info", 1),
    ],
)
def test_fail_on(text: str, fail_on: str, status: int) -> None:
    """Without a route there is an info: a listener that has none."""
    assert invoke("check", "-", "--fail-on", fail_on, stdin=GATEWAY + text).status == status


def test_ignored_codes_are_not_told(bad: Path) -> None:
    found = invoke("check", bad, "--ignore", "xds0604", "--ignore", "XDS0701")
    assert found.status == 1
    assert "XDS0604" not in found.out
    assert found.out.splitlines()[-1] == "2 errors, 4 verdicts good"


@pytest.mark.parametrize("option", ["--ignore", "--explain"])
def test_a_code_that_is_none_is_wrong_usage(option: str, bad: Path) -> None:
    found = invoke("check", bad, option, "XDS9999")
    assert (found.status, found.out) == (2, "")
    assert found.err == "error: XDS9999: there is no such code; docs/checks lists them\n"


@pytest.mark.parametrize("code", ["XDS0701", "xds0701", "xds701", "701"])
def test_explain_needs_no_input(code: str) -> None:
    found = invoke("check", "--explain", code)
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("# XDS0701: A backend does not exist\n\nSeverity: error\n")
    assert CHECKS["XDS0701"].hint in found.out


def test_explain_loads_no_message_of_envoy() -> None:
    program = """
import sys
from xds_server.cli import build
try:
    build(["check"])(["check", "--explain", "XDS0701"])
finally:
    print([name for name in sys.modules if name.startswith(("envoy.", "envoy_", "xds_server.app"))])
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=90)
    assert shown.stdout.splitlines()[-1] == "[]"


def test_a_value_that_is_none_of_an_option_is_told_plainly() -> None:
    found = invoke("check", "-", "--fail-on", "bogus")
    assert found.status == 2
    assert "Invalid value for '--fail-on': 'bogus' is not one of 'error', 'warning', 'info', 'none'." in found.err


def test_a_very_long_name_does_not_push_the_table_apart() -> None:
    name = "n" * 250
    told = invoke("check", "-", stdin=GATEWAY + ROUTE % (name, "no", "  - {}\n"), columns=400).out
    head, *lines = told.splitlines()
    assert head.index("FIELD") - head.index("OBJECT") < 100
    assert any(f"{'n' * 30}…{'n' * 44}" in line for line in lines)


def test_github_gets_a_command_for_each_finding(bad: Path) -> None:
    found = invoke("check", bad, "-o", "github")
    assert found.status == 1
    assert len(found.out.splitlines()) == 5
    assert (
        f"::error file={bad},line=27,title=XDS0701 HTTPRoute shop/half::spec.rules[1].backendRefs[0]:"
        f" Service shop/here does not exist%0A{CHECKS['XDS0701'].hint}\n"
    ) in found.out


def test_what_is_no_object_is_named_by_its_place() -> None:
    (row,) = data("-", stdin="# nothing\n\njust a word\n")
    assert (row["code"], row["object"], row["file"], row["line"]) == ("XDS0105", "", "-", 3)


def test_nothing_to_check_is_said(tmp_path: Path) -> None:
    assert invoke("check", tmp_path) == (
        0,
        "nothing to check: no object of a kind that has a status, and no fault\n",
        "",
    )
    assert invoke("check", tmp_path, "-o", "json") == (0, "[]\n", "")


def test_the_words_of_users_are_not_markup() -> None:
    found = invoke("check", "-", stdin=GATEWAY.replace("port: 80,", "port: '[red]80[/red]',"))
    assert found.status == 1
    assert "Gateway shop/gw" in found.out


def test_a_gateway_of_another_controller_is_told(tmp_path: Path) -> None:
    file = tmp_path / "class.yaml"
    file.write_text(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: istio}\n"
        "spec: {controllerName: istio.io/gateway-controller}\n"
    )
    found = invoke("check", str(TASK), str(file))
    assert found.status == 1
    assert "XDS0303" in found.out
    assert "its class istio belongs to the controller istio.io/gateway-controller" in found.out
    assert "this one is xds-server.dev/gateway-controller" in found.out
