"""How verbs fail that cannot ask a cluster: with a line, and exit status 2."""

import socket
import sys
from pathlib import Path

import pytest
import typer

from tests.cli.api_server import ApiServer, serving
from tests.cli.command import GATEWAY, call, invoke
from tests.pipeline import documents as doc
from xds_server.cli.cluster import NEEDED, Where, object_key
from xds_server.model.kinds import BY_KIND, KINDS
from xds_server.model.meta import Key
from xds_server.settings import CONTROLLER_NAME

VERBS = [
    ("status",),
    ("proxy-status",),
    ("proxy-config", "routes", "gw-1.shop"),
    ("config-dump", "gw-1.shop"),
    ("bug-report",),
    ("check",),
    ("explain", "http://shop.example.com/"),
]
KUBECONFIG = """\
current-context: here
contexts: [{{name: here, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of a server at a port where nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=port))
    return path


@pytest.mark.parametrize("verb", VERBS, ids=lambda words: words[0])
def test_without_a_kubeconfig(verb: tuple[str, ...], tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    found = invoke(*verb, "--kubeconfig", missing)
    assert found == (2, "", f"error: no cluster: {missing} is not there\n")


@pytest.mark.parametrize("verb", VERBS, ids=lambda words: words[0])
def test_a_server_that_does_not_answer(
    verb: tuple[str, ...], kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = invoke(*verb, "--kubeconfig", kubeconfig)
    assert (found.status, found.out, len(found.errors)) == (2, "", 1)
    assert found.err.endswith(": connection refused\n")
    assert not list(tmp_path.glob("*.tar.gz"))


@pytest.mark.parametrize("text", ["x: [", "a: b", "- a", ""])
def test_a_kubeconfig_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    found = call("status", "--kubeconfig", tmp_path / "kubeconfig")
    assert (found.status, found.out, len(found.errors)) == (2, "", 1)
    assert found.err.startswith(f"error: no cluster: {tmp_path}/kubeconfig: ")


def test_a_context_that_is_not_there(kubeconfig: Path) -> None:
    found = invoke("status", "--kubeconfig", kubeconfig, "--context", "elsewhere")
    assert (found.status, len(found.errors)) == (2, 1)
    assert "elsewhere" in found.err


def test_one_namespace_or_all() -> None:
    found = invoke("status", "-n", "shop", "-A")
    assert found == (2, "", "error: -n and -A exclude each other\n")
    client = type("Client", (), {"namespace": "mine"})()
    assert [one.chosen(client) for one in (Where(), Where(namespace="shop"), Where(all_namespaces=True))] == [
        "mine",
        "shop",
        "",
    ]


def test_objects_are_named_with_or_without_their_namespace() -> None:
    assert object_key("gw", "shop") == object_key("shop/gw", "other") == Key("shop", "gw")


@pytest.mark.parametrize("text", ["/gw", "shop/", "a/b/c"])
def test_what_names_no_object(text: str) -> None:
    with pytest.raises(typer.Exit):
        object_key(text, "shop")


def test_as_a_plugin_of_kubectl_it_is_called_so() -> None:
    code = "import sys; sys.argv[0] = '/usr/bin/kubectl-xds'; from xds_server.cli import main; main()"
    found = call("status", "-h", program=(sys.executable, "-c", code))
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("Usage: kubectl xds status [OPTIONS]")


ALL_PLURALS = [row.plural for row in KINDS]
CLASS = doc.document("GatewayClass", "any", {"controllerName": CONTROLLER_NAME}, "")
WORLD = [
    CLASS,
    doc.gateway("gw", doc.listener("web"), namespace="mine"),
    doc.document("Namespace", "mine", namespace=""),
]
NEEDED_PLURALS = "gatewayclasses, gateways, httproutes, grpcroutes, tlsroutes, tcproutes, udproutes"
ON_OBJECTS = [
    ("status",),
    ("status", "-A"),
    ("status", "mine/gw"),
    ("check",),
    ("check", "-A"),
    ("explain", "http://shop.example.com/"),
]


def refusal(plural: str) -> str:
    group = "gateway.networking.k8s.io"
    what = f'User "u" cannot list resource "{plural}" in API group "{group}"'
    return f"{plural}.{group} is forbidden: {what} at the cluster scope"


@pytest.mark.parametrize("verb", ON_OBJECTS, ids=" ".join)
def test_who_may_list_nothing_is_told_so_and_no_more(verb: tuple[str, ...], tmp_path: Path) -> None:
    with serving(ApiServer(WORLD, ALL_PLURALS), tmp_path) as kubeconfig:
        found = invoke(*verb, "--kubeconfig", kubeconfig)
    assert found == (2, "", f"error: may not list {NEEDED_PLURALS}: {refusal('gatewayclasses')}\n")


def test_what_would_change_is_not_told_by_who_may_list_nothing(tmp_path: Path) -> None:
    (tmp_path / "gw.yaml").write_text(GATEWAY)
    with serving(ApiServer(WORLD, ALL_PLURALS), tmp_path) as kubeconfig:
        found = invoke("diff", "-f", tmp_path / "gw.yaml", "--kubeconfig", kubeconfig)
    assert found == (2, "", f"error: may not list {NEEDED_PLURALS}: {refusal('gatewayclasses')}\n")


@pytest.mark.parametrize("kind", NEEDED)
@pytest.mark.parametrize("verb", ["status", "check"])
def test_each_kind_that_is_needed(verb: str, kind: str, tmp_path: Path) -> None:
    plural = BY_KIND[kind].plural
    with serving(ApiServer(WORLD, [plural]), tmp_path) as kubeconfig:
        found = invoke(verb, "-A", "--kubeconfig", kubeconfig)
    assert found == (2, "", f"error: may not list {plural}: {refusal(plural)}\n")


def test_other_kinds_that_may_not_be_listed_are_notes(tmp_path: Path) -> None:
    others = [row.plural for row in KINDS if row.kind not in NEEDED]
    with serving(ApiServer(WORLD, others), tmp_path) as kubeconfig:
        found = invoke("check", "-A", "--kubeconfig", kubeconfig)
    assert found.status in (0, 1)
    assert sum(line.startswith("note: ") and " is not known: " in line for line in found.errors) == len(others)


def test_rights_in_a_namespace_do_for_it_and_for_no_more(tmp_path: Path) -> None:
    """Classes are of no namespace: to list them takes a right of its own."""
    with serving(ApiServer(WORLD, set(ALL_PLURALS) - {"gatewayclasses"}, ["mine"]), tmp_path) as kubeconfig:
        own, named, everywhere, other = (
            invoke("status", *words, "--kubeconfig", kubeconfig)
            for words in ((), ("mine/gw", "-n", "other"), ("-A",), ("-n", "other"))
        )
    assert [line.split() for line in own.out.splitlines()][1][:2] == ["Gateway", "mine/gw"]
    assert named.out == own.out
    without_classes = NEEDED_PLURALS.partition(", ")[2]
    for found in (everywhere, other):
        assert found == (2, "", f"error: may not list {without_classes}: {refusal('gateways')}\n")
