import json
import re
from pathlib import Path

import pytest
import yaml

from tests.cli.command import GATEWAY, TASK, invoke

BAD = """\
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: lost, namespace: shop}
spec:
  parentRefs: [{name: nowhere}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: half, namespace: shop}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches: [{path: {type: RegularExpression, value: "/(("}}]
  - matches: [{path: {value: /good}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: wrong, namespace: shop}
spec:
  parentRefs: [{name: gw}]
  rules:
  - matches:
    - path: {value: no-slash}
"""


def rows(found: str) -> list[tuple[str, ...]]:
    return [
        tuple(row[field] for field in ("object", "part", "condition", "reason", "good"))
        for row in yaml.safe_load(found)
    ]


def test_good_files_are_all_good() -> None:
    found = invoke("check", TASK)
    lines = found.out.splitlines()
    assert (found.status, found.err) == (0, "")
    assert lines[0].split() == ["OBJECT", "PART", "CONDITION", "STATUS", "REASON", "MESSAGE"]
    assert any("Gateway istio-ingress/gateway  listener default (1 route) " in line for line in lines)
    assert any("HTTPRoute default/http         parent istio-ingress/gateway" in line for line in lines)
    assert lines[-1] == "all 5 verdicts are good"


def test_the_columns_of_the_table_are_aligned() -> None:
    head, *lines, _ = invoke("check", TASK).out.splitlines()
    column = head.index("STATUS")
    assert [line[column - 2 : column + 6] for line in lines] == ["  True  "] * len(lines)


def test_what_waits_for_an_envoy_is_no_verdict() -> None:
    assert "Programmed" not in invoke("check", TASK).out


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_bad_input_as_data(format_: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(GATEWAY + BAD)
    found = invoke("check", tmp_path, "-o", format_)
    assert (found.status, found.err) == (1, "")
    if format_ == "json":
        json.loads(found.out)
    bad = [row[:4] for row in rows(found.out) if not row[4]]
    assert bad == [
        ("HTTPRoute shop/wrong", f"{tmp_path}/all.yaml:31", "Read", "Invalid"),
        ("HTTPRoute shop/half", "parent shop/gw", "PartiallyInvalid", "UnsupportedValue"),
        ("HTTPRoute shop/lost", "parent shop/nowhere", "Attached", "NoSuchParent"),
    ]


def test_bad_input_as_a_table(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(GATEWAY + BAD)
    found = invoke("check", tmp_path)
    assert found.status == 1
    assert f"{tmp_path}/all.yaml:31" in found.out
    assert "there is no Gateway shop/nowhere among the files" in found.out
    assert found.out.splitlines()[-1] == "3 of 8 verdicts are bad"


def test_a_pipe_gets_each_verdict_in_one_whole_line(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 200)
    folder.mkdir()
    (folder / "all.yaml").write_text(GATEWAY + BAD)
    lines = invoke("check", folder).out.splitlines()
    assert len(lines) == 1 + 8 + 1
    assert any(f"{folder}/all.yaml:31 " in line and line.endswith('is "no-slash"') for line in lines)


def test_a_narrow_terminal_gets_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    found = invoke("check", "-", stdin=GATEWAY + BAD)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", found.out)
    assert max(map(len, plain.splitlines())) <= 80
    assert "…" not in plain
    for word in ("PartiallyInvalid", "UnsupportedValue", "NoSuchParent"):
        assert word in plain


def test_what_is_no_object_is_named_by_its_place() -> None:
    found = invoke("check", "-", "-o", "json", stdin="# nothing\n\njust a word\n")
    (row,) = json.loads(found.out)
    assert (found.status, row["object"], row["part"], row["good"]) == (1, "-:3", "", False)


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
    assert "its class istio belongs to the controller istio.io/gateway-controller" in found.out
    assert "this one is xds-server.dev/gateway-controller" in found.out


def test_parents_that_are_not_among_the_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: ListenerSet\nmetadata: {name: more, namespace: shop}\n"
        "spec: {parentRef: {name: nowhere}, listeners: [{name: http, port: 80, protocol: HTTP}]}\n---\n"
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: lost, namespace: shop}\n"
        "spec: {parentRefs: [{kind: ListenerSet, name: none}], useDefaultGateways: All}\n"
    )
    found = invoke("check", tmp_path, "-o", "json")
    assert found.status == 1
    assert [row[:4] for row in rows(found.out)] == [
        ("HTTPRoute shop/lost", "parent shop/none", "Attached", "NoSuchParent"),
        ("HTTPRoute shop/lost", "default Gateways", "Attached", "NoSuchParent"),
        ("ListenerSet shop/more", "parent shop/nowhere", "Attached", "NoSuchParent"),
    ]
