"""The verbs for people, against an installed server: by port-forward to servers and Envoys."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e.workloads import Site, route


def xds(*words: str, status: int = 0) -> str:
    """Runs a verb; what it printed."""
    command = [sys.executable, "-m", "xds_server", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == status, f"{words}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def data(*words: str, status: int = 0) -> Any:
    return json.loads(xds(*words, "-o", "json", status=status))


def test_status_goes_from_class_to_backend(site: Site) -> None:
    lines = [line.strip() for line in xds("status", site.key).splitlines()]
    assert lines[1] == f"Gateway {site.key}  {site.address}, served by 1 of 1 Envoys  ok"
    assert lines[3] == f"HTTPRoute {site.namespace}/main  site.example.com  ok"
    assert lines[4] == f"Service {site.namespace}/echo:8000  2/2 endpoints ready  ok"
    site.apply(route("lost", site.gateway, backendRefs=[{"name": "nowhere", "port": 80}], path="/lost"))
    (class_,) = data("status", site.key, status=1)
    assert class_["good"] is False
    assert xds("status", "-n", site.namespace, status=1) == xds("status", site.key, status=1)


def test_status_of_a_gateway_that_is_not_there_is_wrong_usage(site: Site) -> None:
    xds("status", f"{site.namespace}/nowhere", status=2)


def test_proxy_status_tells_who_is_connected_where(site: Site) -> None:
    (envoy,) = site.ready_envoys()
    (told,) = data("proxy-status", f"{envoy}.{site.namespace}")
    assert (told["pod"], told["serves"], told["in_sync"]) == (f"{site.namespace}/{envoy}", [site.key], True)
    assert told["server"].startswith("xds-server-")
    table = xds("proxy-status", "-n", site.namespace)
    assert table.splitlines()[0].split()[:4] == ["PROXY", "GATEWAYS", "SERVER", "ENVOY"]
    assert f"{site.namespace}/{envoy}" in table


@pytest.mark.parametrize(
    ("type_", "name", "object_"),
    [
        ("listeners", "tcp-80", "Gateway {namespace}/gateway listeners[http]"),
        ("routes", "http-80", "HTTPRoute {namespace}/main"),
        ("clusters", "{namespace}/echo:8000/auto", "Service {namespace}/echo"),
        ("endpoints", "{namespace}/echo:8000", "Service {namespace}/echo"),
    ],
)
def test_proxy_config_tells_what_an_envoy_has_and_whose_it_is(site: Site, type_: str, name: str, object_: str) -> None:
    (envoy,) = site.ready_envoys()
    lines = {one["name"]: one for one in data("proxy-config", type_, f"{envoy}.{site.namespace}")}
    line = lines[name.format(namespace=site.namespace)]
    assert line["difference"] == ""
    assert any(one.startswith(object_.format(namespace=site.namespace)) for one in line["objects"]), line


def test_config_dump_is_envoys_own(site: Site) -> None:
    (envoy,) = site.ready_envoys()
    sections = {one["@type"].rpartition(".")[2] for one in data("config-dump", f"{envoy}.{site.namespace}")["configs"]}
    assert {"BootstrapConfigDump", "ListenersConfigDump", "ClustersConfigDump", "RoutesConfigDump"} <= sections
    xds("config-dump", f"nowhere.{site.namespace}", status=2)


def test_a_report_has_everything_but_secrets(site: Site, tmp_path: Path) -> None:
    site.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}})
    (envoy,) = site.ready_envoys()
    file = tmp_path / "report.tar.gz"
    xds("bug-report", "-f", str(file))
    with tarfile.open(file) as archive:
        found = {one.name.removeprefix("xds-bug-report/"): archive.extractfile(one) for one in archive.getmembers()}
        texts = {name: (content.read().decode(errors="replace") if content else "") for name, content in found.items()}
    assert f"proxies/{site.namespace}/{envoy}/config_dump.json" in texts
    assert f"logs/{site.namespace}/{envoy}.log" in texts
    assert any(name.endswith("/clients.json") for name in texts)
    assert site.gateway in texts["objects/Gateway.json"]
    secrets = json.loads(texts["objects/Secret.json"])
    assert [one["keys"] for one in secrets if one["metadata"]["name"] == "s"] == [["password"]]
    for name, text in texts.items():
        for word in (
            "PRIVATE KEY",
            "hunter2",
            "aHVudGVyMg",
            "eyJhbGciOi",
            "LS0tLS1CRUdJTiBQUklWQV",
            "LS0tLS1CRUdJTiBFQyBQ",
        ):
            assert word not in text, f"{name} holds {word}"


def test_check_reads_the_cluster(site: Site) -> None:
    site.apply(route("lost", site.gateway, backendRefs=[{"name": "nowhere", "port": 80}], path="/lost"))
    found = data("check", "-n", site.namespace, status=1)
    assert any("nowhere" in json.dumps(one) for one in found)


def test_explain_reads_the_cluster_and_sends_to_the_gateway(site: Site) -> None:
    told = data("explain", "http://site.example.com/", "--gateway", site.key, "--send")
    text = json.dumps(told)
    assert f"{site.namespace}/echo" in text
    xds("explain", "http://other.example.com/", "--gateway", site.key, status=1)


def test_diff_tells_what_applying_a_file_would_change(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "route.json"
    changed = route("main", site.gateway, path="/new")
    changed["metadata"]["namespace"] = site.namespace
    file.write_text(json.dumps(changed))
    told = data("diff", "-f", str(file), status=1)
    assert [one["gateway"] for one in told["gateways"]] == [site.key]
    same = route("main", site.gateway)
    same["metadata"]["namespace"] = site.namespace
    file.write_text(json.dumps(same))
    assert data("diff", "-f", str(file))["gateways"] == []
