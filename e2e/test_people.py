"""The verbs for people, against an installed server: by port-forward to servers and Envoys."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.kubectl import eventually
from e2e.workloads import Site, gateway, route

XDS = (sys.executable, "-m", "xds_server")


def xds(*words: str, status: int = 0) -> str:
    """Runs a verb; what it printed."""
    done = subprocess.run([*XDS, *words], capture_output=True, text=True, timeout=90, check=False)
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
    eventually(lambda: site.told("lost", "ResolvedRefs").get("status") == "False")
    (class_,) = data("status", site.key, status=1)
    assert class_["good"] is False
    assert xds("status", "-n", site.namespace, status=1) == xds("status", site.key, status=1)


def test_status_of_a_gateway_that_is_not_there_is_wrong_usage(site: Site) -> None:
    xds("status", f"{site.namespace}/nowhere", status=2)


def in_sync(site: Site) -> str:
    """The name of its only Envoy, once that has what is served."""
    (envoy,) = site.ready_envoys()
    eventually(lambda: data("proxy-status", f"{envoy}.{site.namespace}")[0]["in_sync"])
    return envoy


def test_proxy_status_tells_who_is_connected_where(site: Site) -> None:
    envoy = in_sync(site)
    (told,) = data("proxy-status", f"{envoy}.{site.namespace}")
    assert (told["pod"], told["serves"], told["in_sync"]) == (f"{site.namespace}/{envoy}", [site.key], True)
    assert told["server"].startswith("xds-server-")
    (parts,) = [
        one["parts"] for one in data("proxy-config", "routes", f"{envoy}.{site.namespace}") if one["name"] == "http-80"
    ]
    assert [one["object"] for one in parts] == [f"HTTPRoute {site.namespace}/main rules[0].matches[0]"]
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
    envoy = in_sync(site)
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


def test_a_pod_that_cannot_be_asked_is_told_in_a_line(site: Site) -> None:
    (envoy,) = site.ready_envoys()
    for words, told in (
        (("config-dump", f"nowhere.{site.namespace}"), "there is no such pod"),
        (("config-dump", f"{envoy}.{site.namespace}", "--admin-port", "15999"), "nothing listens there"),
        (("config-dump", f"{envoy}.{site.namespace}", "--admin-port", "15021"), "no Envoy's admin endpoint"),
    ):
        done = subprocess.run([*XDS, *words], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert told in done.stderr


def test_all_verbs_tell_of_both_envoys(make_site) -> None:
    site: Site = make_site(envoys=2)
    first, second = site.ready_envoys()
    assert f"{site.address}, served by 2 of 2 Envoys" in xds("status", site.key)
    assert len(data("proxy-status", "-n", site.namespace)) == 2
    eventually(lambda: all(one["in_sync"] for one in data("proxy-status", "-n", site.namespace)))
    for envoy in (first, second):
        lines = data("proxy-config", "endpoints", f"{envoy}.{site.namespace}")
        assert all(one["good"] for one in lines)


def test_status_without_any_server_tells_what_the_cluster_knows(site: Site) -> None:
    command = [*XDS, "status", site.key, "--name", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert f"Gateway {site.key}  {site.address}, 1 ready pod  ok" in done.stdout
    assert "no pod with label app.kubernetes.io/name=xds-server runs a server called nobody" in done.stderr
    assert done.returncode == 0


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
    del same["metadata"]["namespace"]
    file.write_text(json.dumps(same))
    (changed_gateway,) = data("diff", "-n", site.namespace, "-f", str(file), "--delete", status=1)["gateways"]
    assert changed_gateway["gateway"] == site.key
    assert site.installed.kubectl.get("httproute", "main", site.namespace)["metadata"]["name"] == "main"


@pytest.fixture
def reader(site: Site, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of somebody who may list everything but Secrets."""
    name, kubectl = site.namespace, site.installed.kubectl
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": ["gateway.networking.k8s.io", "gateway.networking.x-k8s.io"], "resources": ["*"], "verbs": ["list"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
            {"apiGroups": ["certificates.k8s.io"], "resources": ["clustertrustbundles"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["services", "configmaps", "pods", "namespaces"], "verbs": ["list"]},
        ],
    }  # fmt: skip
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": name}],
    }
    site.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})
    kubectl.apply(role, binding)
    somebody = f"--as=system:serviceaccount:{name}:reader"
    eventually(lambda: kubectl("auth", "can-i", "list", "pods", "--all-namespaces", somebody))
    config = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    token = kubectl("create", "token", "reader", f"--namespace={name}").strip()
    config["users"] = [{"name": "reader", "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = "reader"
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    yield file
    kubectl.delete("clusterrole,clusterrolebinding", name)


def test_what_may_not_be_read_is_told_and_leads_to_no_finding(site: Site, reader: Path) -> None:
    tls = {"certificateRefs": [{"name": "missing"}]}
    listener = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls}
    site.apply(gateway(site.gateway, {"name": "http", "port": 80, "protocol": "HTTP"}, listener))
    found = data("check", "-n", site.namespace, status=1)
    assert any(one["message"] == f"Secret {site.namespace}/missing does not exist" for one in found)
    command = [*XDS, "check", "-n", site.namespace, "--kubeconfig", str(reader), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Secret" not in done.stdout
    assert "note: Secret is not known: secrets is forbidden" in done.stderr
    done = subprocess.run(
        [*XDS, "proxy-status", "--kubeconfig", str(reader)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "not allowed; get and create of pods/portforward are needed" in done.stderr
