import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from tests.cli.command import GATEWAY, TASK, Output, invoke
from tests.pipeline.documents import (
    Document,
    backend,
    document,
    gateway,
    listener,
    route,
    rule,
    secret,
    service,
    slice_,
)
from tests.scenarios.certificates import filled_in, pem
from xds_server.cli.diff import Difference, _side, difference
from xds_server.model.parse import parse
from xds_server.settings import CONTROLLER_NAME

DOCUMENT = Path(__file__).parents[2] / "docs" / "diff.md"


def text(*documents: Document) -> str:
    return "---\n".join(yaml.safe_dump(filled_in(one)) for one in documents)


def https(*certificates: str) -> Document:
    tls = {"certificateRefs": [{"name": one} for one in certificates]}
    return listener("https", 443, protocol="HTTPS", hostname="shop.e.com", tls=tls)


S1 = rule("/", backend("s1"))
BEFORE = text(
    gateway("gw", listener("http"), https("c")),
    secret("c", "shop.e.com"),
    secret("d", "d.e.com"),
    service("s1"),
    slice_("s1", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"),
    route("a", hosts=["*.e.com"], rules=[S1]),
)
AFTER = text(
    gateway("gw", listener("http"), https("c", "d")),
    secret("c", "shop.e.com,new.e.com"),
    secret("d", "d.e.com"),
    service("s1"),
    slice_("s1", "10.0.0.9"),
    route("a", hosts=["*.e.com"], rules=[rule("/new", backend("s1")), S1]),
    route("b", hosts=["b.e.com"], rules=[rule("/", backend("s2"))]),
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """BEFORE and AFTER as files."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(BEFORE)
    new.write_text(AFTER)
    return old, new


def data(found: Output) -> Any:
    return json.loads(found.out)


def test_nothing_would_change() -> None:
    """Two directories of which one spells it as JSON."""
    documents = [one for file in sorted(TASK.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]
    whole = {"apiVersion": "v1", "kind": "List", "items": documents}
    assert invoke("diff", TASK, "-", stdin=json.dumps(whole)) == (0, "nothing would change\n", "")
    assert invoke("diff", "-", TASK, stdin=json.dumps(whole)) == (0, "nothing would change\n", "")


def test_the_table(files: tuple[Path, Path]) -> None:
    found = invoke("diff", *files, columns=300)
    assert (found.status, found.err) == (1, "")
    changes, statuses, end = [part.splitlines() for part in found.out.split("\n\n")]
    cells = [[cell.strip() for cell in re.split(r"\s{2,}", line)] for line in changes]
    gw = "default/gw"
    assert cells == [
        ["GATEWAY", "CHANGE", "RESOURCE", "PART", "NOTE"],
        [gw, "changed", "endpoints default/s1:80", "-10.0.0.1:3000, -10.0.0.2:3000, -10.0.0.3:3000 and 3 more"],
        [gw, "changed", "listener tcp-443", "filter chain shop.e.com", "drains"],
        [gw, "changed", "secret secret/default/c"],
        [gw, "added", "secret secret/default/d"],
        [gw, "added", "routes http-80", "virtual host b.e.com", "its requests were those of *.e.com"],
        [gw, "added", "routes http-80", "HTTPRoute default/a rules[0] match 0", "on *.e.com, b.e.com"],
        [gw, "renamed", "routes http-80", "HTTPRoute default/a rules[1] match 0", "on *.e.com, b.e.com; was rules[0] match 0"],
        [gw, "added", "routes http-80", "HTTPRoute default/b rules[0] match 0", "on b.e.com"],
        [gw, "added", "routes https-443/shop.e.com", "HTTPRoute default/a rules[0] match 0", "on shop.e.com"],
        [gw, "renamed", "routes https-443/shop.e.com", "HTTPRoute default/a rules[1] match 0", "on shop.e.com; was rules[0] match 0"],
    ]  # fmt: skip
    assert [line.split()[:6] for line in statuses[1:]] == [
        ["HTTPRoute", "default/b", "parent", "default/gw", "ResolvedRefs", "bad"]
    ]
    counts = "3 routes, 2 renamed routes, 6 endpoints, 1 listener, 2 secrets, 1 virtual host"
    assert end == [
        "default/gw: listener tcp-443 chain shop.e.com drains: certificate list changed",
        f"1 Gateway changes: {counts}; 1 filter chain drains; 1 condition turns bad",
    ]


def test_the_columns_of_the_table_are_aligned(files: tuple[Path, Path]) -> None:
    head, *lines = invoke("diff", *files, columns=300).out.split("\n\n")[0].splitlines()
    assert {line[head.index("RESOURCE") - 1] for line in lines} == {" "}
    assert {line[head.index("RESOURCE")] for line in lines} == {"e", "l", "s", "r"}


def test_back_again_turns_it_round(files: tuple[Path, Path]) -> None:
    old, new = files
    found = invoke("diff", new, old)
    assert found.status == 1
    assert "its requests become those of *.e.com" in found.out
    assert "1 filter chain drains" in found.out
    assert found.out.count(" good ") == 0, "the route that was bad is gone"


def test_a_condition_that_turns_good(files: tuple[Path, Path]) -> None:
    _, new = files
    found = invoke("diff", new, "-", "-o", "json", stdin=f"{AFTER}---\n{text(service('s2'))}")
    (status,) = data(found)["statuses"]
    assert (status["object"], status["turned"], status["was"]) == ("HTTPRoute default/b", "good", "BackendNotFound")


def test_a_condition_alone_is_a_difference(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(text(gateway("gw", listener("http"))))
    found = invoke("diff", old, "-", stdin=f"{old.read_text()}---\n{text(route('r', gateway='nowhere'))}")
    assert (found.status, found.err) == (1, "")
    assert "NoSuchParent" in found.out
    assert found.out.splitlines()[-1] == "no Gateway changes; 1 condition turns bad"


def test_the_data(files: tuple[Path, Path]) -> None:
    found = invoke("diff", *files, "-o", "json")
    assert (found.status, found.err) == (1, "")
    result = data(found)
    assert result == yaml.safe_load(invoke("diff", *files, "-o", "yaml").out)
    assert list(result) == ["gateways", "statuses", "faults"]
    (changed,) = result["gateways"]
    assert (changed["gateway"], changed["change"]) == ("default/gw", "changed")
    assert changed["drains"] == [{"listener": "tcp-443", "chain": "shop.e.com", "reason": "certificate list changed"}]
    by_name = {one["name"]: one for one in changed["resources"]}
    assert by_name["secret/default/c"] == {"type": "secrets", "name": "secret/default/c", "change": "changed"}
    assert by_name["http-80"]["hosts"][1] == {
        "host": "b.e.com",
        "change": "added",
        "instead": "*.e.com",
        "routes": [
            {"change": "added", "leaf": "HTTPRoute/default/b/0/0@80", "object": "HTTPRoute default/b", "rule": 0, "match": 0},
            {"change": "added", "leaf": "HTTPRoute/default/a/0/0@80", "object": "HTTPRoute default/a", "rule": 0, "match": 0},
            {"change": "renamed", "leaf": "HTTPRoute/default/a/1/0@80", "object": "HTTPRoute default/a", "rule": 1, "match": 0,
             "was": "HTTPRoute/default/a/0/0@80"},
        ],
    }  # fmt: skip


def test_the_data_of_nothing_has_its_lists() -> None:
    found = invoke("diff", TASK, TASK, "-o", "json")
    assert data(found) == {"gateways": [], "statuses": [], "faults": {"old": [], "new": []}}


def test_every_name_in_the_data_is_documented(files: tuple[Path, Path]) -> None:
    found = data(invoke("diff", *files, "-o", "json", "--details"))

    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return {*value, *(name for inner in value.values() for name in names(inner))}
        return {name for inner in value for name in names(inner)} if isinstance(value, list) else set()

    documented = set(re.findall(r"[a-z]+", " ".join(re.findall(r"`([^`]*)`", DOCUMENT.read_text()))))
    assert names(found) - documented == set()
    assert len(names(found)) > 20


def test_details_show_what_differs_and_no_key(files: tuple[Path, Path]) -> None:
    found = invoke("diff", *files, "--details")
    assert found.status == 1
    assert "\n--- OLD default/gw routes http-80\n+++ NEW default/gw routes http-80\n" in found.out
    assert "\n--- nothing\n+++ NEW default/gw secrets secret/default/d\n" in found.out
    assert '\n+            "path_separated_prefix": "/new"\n' in found.out
    assert found.out.splitlines()[-1].startswith("1 Gateway changes: ")
    resources = data(invoke("diff", *files, "--details", "-o", "json"))["gateways"][0]["resources"]
    for one in resources:
        assert one["details"] in found.out
        assert one["details"].startswith("--- ")


def test_a_key_is_never_printed(files: tuple[Path, Path]) -> None:
    keys = [pem("key", names).splitlines()[1] for names in ("shop.e.com", "shop.e.com,new.e.com", "d.e.com")]
    for more in ([], ["--details"], ["-o", "json"], ["-o", "json", "--details"], ["-o", "yaml", "--details"]):
        out = invoke("diff", *files, *more).out
        assert out
        assert "PRIVATE" not in out
        assert not any(key in out or key.encode().hex() in out for key in keys)


def test_one_gateway(files: tuple[Path, Path], tmp_path: Path) -> None:
    two = tmp_path / "two"
    two.mkdir()
    (two / "a.yaml").write_text(AFTER)
    (two / "b.yaml").write_text(text(gateway("two", listener("http")), route("z", gateway="two", rules=[S1, S1])))
    (two / "c.yaml").write_text(text(route("bad", gateway="two", rules=[rule("/", backend("nothing"))])))
    all_ = data(invoke("diff", files[0], two, "-o", "json"))
    assert [one["gateway"] for one in all_["gateways"]] == ["default/gw", "default/two"]
    assert {one["object"] for one in all_["statuses"]} == {"HTTPRoute default/b", "HTTPRoute default/bad"}
    one = data(invoke("diff", files[0], two, "-o", "json", "--gateway", "default/gw"))
    assert one["gateways"] == all_["gateways"][:1]
    assert {one["object"] for one in one["statuses"]} == {"HTTPRoute default/b"}
    found = invoke("diff", files[0], two, "--gateway", "default/two")
    assert found.status == 1
    assert "default/gw" not in found.out


def test_conditions_of_listener_sets_are_those_of_their_gateway(tmp_path: Path) -> None:
    open_ = {"allowedListeners": {"namespaces": {"from": "Same"}}}

    def world(port: int) -> str:
        documents = []
        for name in ("gw", "two"):
            one = gateway(name, listener("http"))
            one["spec"] |= open_
            spec = {"parentRef": {"name": name}, "listeners": [listener("more", port)]}
            documents += [one, document("ListenerSet", f"set-{name}", spec)]
            parent = {"kind": "ListenerSet", "name": f"set-{name}", "port": 81}
            documents.append(document("HTTPRoute", f"r-{name}", {"parentRefs": [parent], "rules": [{}]}))
        return text(*documents)

    def turned(*more: str) -> set[str]:
        old = tmp_path / "old.yaml"
        old.write_text(world(81))
        found = data(invoke("diff", old, "-", "-o", "json", *more, stdin=world(82)))
        return {one["object"] for one in found["statuses"]}

    assert turned() == {"HTTPRoute default/r-gw", "HTTPRoute default/r-two"}
    assert turned("--gateway", "default/gw") == {"HTTPRoute default/r-gw"}


def test_a_gateway_on_one_side_alone() -> None:
    found = invoke("diff", TASK, "-", stdin=GATEWAY, columns=300)
    rows = found.out.splitlines()
    assert found.status == 1
    assert re.split(r"\s{2,}", rows[1]) == [
        "istio-ingress/gateway",
        "removed",
        "is not served any more: 1 route, 1 cluster, 1 endpoint, 1 listener, 2 virtual hosts",
    ]
    assert re.split(r"\s{2,}", rows[2]) == [
        "shop/gw",
        "added",
        "is served from now on: 1 listener, 1 route configuration",
    ]
    assert "istio-ingress/gateway: listener tcp-80 drains: listener removed" in rows
    for one in ("shop/gw", "istio-ingress/gateway"):
        assert invoke("diff", TASK, "-", "--gateway", one, stdin=GATEWAY).status == 1


def test_a_gateway_on_neither_side_is_wrong_usage() -> None:
    assert invoke("diff", TASK, TASK / "gateway.yaml", "--gateway", "no/such") == (
        2,
        "",
        "error: no Gateway no/such is served here\n",
    )


def test_what_is_not_one_input_each_is_wrong_usage(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert invoke("diff", TASK, missing) == (2, "", f"error: {missing}: no such file or directory\n")
    assert invoke("diff", missing, TASK) == (2, "", f"error: {missing}: no such file or directory\n")
    assert invoke("diff", "-", "-") == (2, "", "error: OLD and NEW are both standard input, which can be read once\n")
    assert invoke("diff", TASK).status == 2
    assert invoke("diff", TASK, TASK, TASK).status == 2


def test_the_same_path_is_noted(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(TASK)
    assert invoke("diff", TASK, TASK) == (0, "nothing would change\n", f"note: OLD and NEW are the same: {TASK}\n")
    assert invoke("diff", TASK, link) == (0, "nothing would change\n", f"note: OLD and NEW are the same: {link}\n")


def test_faults_are_told_and_their_objects_are_absent(files: tuple[Path, Path]) -> None:
    old, new = files
    new.write_text(AFTER.replace("port: 443", "port: many"))
    found = invoke("diff", old, new)
    assert found.status == 3
    assert "is not served any more" in found.out
    fault, what = found.errors
    assert "Gateway default/gw: spec.listeners[1].port " in fault
    assert what == f"error: NEW {new} has 1 fault, its object is taken as absent"
    assert data(invoke("diff", old, new, "-o", "json"))["faults"] == {"old": [], "new": [fault.removeprefix("error: ")]}


def test_faults_on_both_sides_are_3_though_nothing_else_differs(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    for file in (one, two):
        file.write_text("kind: [\n")
    found = invoke("diff", one, two)
    assert (found.status, found.out) == (3, "nothing would change\n")
    assert found.errors[1::2] == [
        f"error: {label} {file} has 1 fault, its object is taken as absent"
        for label, file in (("OLD", one), ("NEW", two))
    ]
    found = invoke("diff", one, TASK, "--gateway", "no/such")
    assert (found.status, found.errors[-1]) == (3, "error: no Gateway no/such is served here")


def test_pipes_as_the_shell_makes_them(files: tuple[Path, Path]) -> None:
    old, new = files
    script = f'"$0" -m xds_server diff <(cat "{old}") <(cat "{new}")'
    found = subprocess.run(["bash", "-c", script, sys.executable], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (1, "")
    assert found.stdout == invoke("diff", old, new).out


def narrowed(*hostnames: str) -> list[list[str]]:
    """The table where a listener gets another hostname; its route has twelve rules."""
    sides = []
    for hostname in hostnames:
        rules = [rule(f"/{'p' * (index + 1)}", backend("s1")) for index in range(12)]
        sides.append(text(gateway("gw", listener("http", hostname=hostname)), service("s1"), route("a", rules=rules)))
    with TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("old.yaml", "new.yaml")]
        for file, side in zip(files, sides, strict=True):
            file.write_text(side)
        lines = invoke("diff", *files, columns=300).out.split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in re.split(r"\s{2,}", line)] for line in lines]


def test_routes_that_go_with_their_virtual_host_are_one_row() -> None:
    assert narrowed("*.e.com", "www.e.com") == [
        ["default/gw", "removed", "routes http-80", "virtual host *.e.com"],
        ["default/gw", "added", "routes http-80", "virtual host www.e.com", "its requests were those of *.e.com"],
        ["default/gw", "removed", "routes http-80", "HTTPRoute default/a 12 matches", "on *.e.com"],
    ]


def test_routes_are_told_in_the_order_of_their_rules(tmp_path: Path) -> None:
    few, many = ([rule(f"/{'p' * (index + 1)}", backend("s1")) for index in range(count)] for count in (1, 12))
    for name, rules in (("old", few), ("new", many)):
        (tmp_path / f"{name}.yaml").write_text(
            text(gateway("gw", listener("http")), service("s1"), route("a", rules=rules))
        )
    found = invoke("diff", tmp_path / "old.yaml", tmp_path / "new.yaml").out
    assert [int(index) for index in re.findall(r"HTTPRoute default/a rules\[(\d+)\]", found)] == list(range(1, 12))


def test_with_files_to_apply_there_is_nothing_to_compare_besides(tmp_path: Path) -> None:
    found = invoke("diff", tmp_path, "-f", tmp_path)
    assert (found.status, found.err) == (
        2,
        "error: -f compares with the cluster: OLD and NEW have no place beside it\n",
    )
    assert invoke("diff", tmp_path).status == 2


def of_cluster(old: list[Document], new: list[Document]) -> Difference:
    """What differs between a cluster with a class of ours and the same with other objects."""
    class_ = document("GatewayClass", "any", {"controllerName": CONTROLLER_NAME}, "")
    sides = [
        _side(
            "", [parse(one) for one in (class_, *documents)], [], external_names=False, controller_name=CONTROLLER_NAME
        )  # type: ignore[misc]
        for documents in (old, new)
    ]
    return difference(*sides)


def test_in_a_cluster_envoys_bind_what_their_service_leads_to() -> None:
    on_ingress = gateway("gw", listener("http"))
    on_ingress["spec"]["addresses"] = [{"type": "Hostname", "value": "ingress"}]
    ingress = [
        document("Service", "ingress", {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": target}]})
        for target in (8080, 8081)
    ]
    (found,) = of_cluster([on_ingress, ingress[0]], [on_ingress, ingress[1]]).gateways
    assert [(one.change.value, one.name) for one in found.resources] == [("removed", "tcp-8080"), ("added", "tcp-8081")]
    assert [one.listener for one in found.drains] == ["tcp-8080"]


def test_a_new_gateway_that_waits_for_its_address_turns_nothing_bad() -> None:
    found = of_cluster([], [gateway("gw", listener("http"))])
    assert [one.gateway for one in found.gateways] == ["default/gw"]
    assert found.statuses == ()
    taken = of_cluster([service("gw")], [service("gw"), gateway("gw", listener("http"))])
    assert {one.message for one in taken.statuses} == {"Service default/gw was not made for the Gateway"}
