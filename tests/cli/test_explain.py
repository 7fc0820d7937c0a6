import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from tests.cli.command import GATEWAY, TASK, invoke
from tests.scenarios.certificates import filled_in, pem

URL = "http://httpbin.example.com/get"


def test_a_request_that_reaches_a_backend() -> None:
    found = invoke("explain", URL, TASK)
    assert (found.status, found.err) == (0, "")
    assert (
        found.out
        == """\
GET http://httpbin.example.com/get
Gateway istio-ingress/gateway
  listeners[default]: HTTP port 80, host *.example.com
    host httpbin.example.com
      HTTPRoute default/http rules[0].matches[0]: path begins with /get
        RequestHeaderModifier: adds my-added-header: added-value
        100% Service default/httpbin port 8000
          127.0.0.1:8000 (EndpointSlice default/httpbin)
  => a backend answers
"""
    )


def test_a_request_that_nothing_takes() -> None:
    found = invoke("explain", "http://httpbin.example.com/headers", TASK)
    assert found.status == 1
    assert found.out.splitlines()[-2:] == [
        "  => 404: no rule of host httpbin.example.com takes the request",
        "  nearest: HTTPRoute default/http rules[0].matches[0]: path begins with /get, request has /headers",
    ]


def test_a_port_that_nobody_serves() -> None:
    found = invoke("explain", "https://httpbin.example.com/get", TASK)
    assert found.status == 1
    assert found.out.splitlines()[-1] == (
        "  => no connection: Gateway istio-ingress/gateway has no listener of TCP port 443 (it has: 80)"
    )


@pytest.mark.parametrize("format_", ["json", "yaml"])
def test_data(format_: str) -> None:
    found = invoke("explain", URL, TASK, "-X", "POST", "-H", "X: 1", "-o", format_)
    data = json.loads(found.out) if format_ == "json" else yaml.safe_load(found.out)
    assert data["request"]["headers"] == [["x", "1"]]
    (one,) = data["gateways"]
    assert list(one) == ["gateway", "listener", "host", "rule", "backends", "answer"]
    assert one["rule"]["source"] == {"object": "HTTPRoute default/http", "field": "rules[0].matches[0]"}
    assert one["answer"] == {"kind": "backend"}


def test_a_redirect_is_wanted() -> None:
    redirect = """\
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: shop}
spec:
  parentRefs: [{name: gw}]
  rules: [{filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]}]
"""
    found = invoke("explain", "http://a.io/x?y", "-", stdin=GATEWAY + redirect)
    assert found.status == 0
    assert found.out.splitlines()[-1] == "  => 302 to https://a.io/x?y"


def test_several_gateways_are_all_told_unless_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "gw.yaml").write_text(GATEWAY)
    found = invoke("explain", URL, TASK, tmp_path)
    assert found.status == 0
    assert [line for line in found.out.splitlines() if line.startswith("Gateway")] == [
        "Gateway istio-ingress/gateway",
        "Gateway shop/gw",
    ]
    assert found.out.splitlines()[-1] == "2 Gateways have a listener for it; --gateway names one"
    only = invoke("explain", URL, TASK, tmp_path, "--gateway", "shop/gw")
    assert (only.status, only.out.splitlines()[1]) == (1, "Gateway shop/gw")
    assert "\nGateway istio-ingress/gateway" not in only.out


def test_where_no_gateway_has_a_listener_for_it_none_is_counted(tmp_path: Path) -> None:
    (tmp_path / "gw.yaml").write_text(GATEWAY)
    found = invoke("explain", "http://httpbin.example.com:81/get", TASK, tmp_path)
    assert found.status == 1
    assert found.out.count("has no listener of TCP port 81 (it has: 80)") == 2
    assert found.out.splitlines()[-1] == "no Gateway here has a listener for it; --gateway names one"


def test_faults_are_told_and_are_faults(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: [\n")
    found = invoke("explain", URL, TASK, tmp_path)
    assert found.status == 1
    assert "=> a backend answers" in found.out
    assert found.err.startswith(f"error: {tmp_path}/bad.yaml")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--kubeconfig", "missing"], "no cluster: missing"),
        ([TASK, "--gateway", "a/b"], "no Gateway a/b is served here"),
        ([TASK, "--gateway", "a"], "it is NAMESPACE/NAME"),
        ([TASK, "-H", "x"], "it is 'NAME: VALUE'"),
        ([TASK, "--address", "a:b"], "it is HOST or HOST:PORT"),
        (["missing"], "no such file"),
    ],
)
def test_wrong_usage(words: list[str], told: str) -> None:
    found = invoke("explain", URL, *words)
    assert (found.status, found.out) == (2, "")
    assert told in found.err


def test_what_cannot_be_sent() -> None:
    found = invoke("explain", "grpc://httpbin.example.com/get", TASK, "--send")
    assert (found.status, found.err) == (
        2,
        "error: --send: grpc requests cannot be sent from here, http and https ones can\n",
    )
    elsewhere = invoke("explain", "http://httpbin.example.com:81/get", TASK, "--send")
    assert elsewhere.status == 2
    assert "has no port 81 on this machine" in elsewhere.err


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one answer to each of two requests; its address, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65_536))
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(timeout=10)


def test_sent_and_as_predicted() -> None:
    answer = b"HTTP/1.1 200 OK\r\nx-envoy-upstream-service-time: 1\r\ncontent-length: 0\r\n\r\n"
    with answering(answer) as (address, asked):
        found = invoke("explain", f"{URL}?a=%31", TASK, "-H", "X: 1", "--address", address)
    assert found.status == 0
    assert found.out.splitlines()[-1] == f"sent to {address}: 200 from a backend, as predicted"
    assert asked == [b"GET /get?a=%31 HTTP/1.1\r\nHost: httpbin.example.com\r\nx: 1\r\n\r\n"]


def test_sent_and_not_as_predicted() -> None:
    with answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n") as (address, _):
        found = invoke("explain", URL, TASK, "--send", "--address", address, "-o", "json")
    assert found.status == 1
    sent = json.loads(found.out)["sent"]
    assert sent["differences"] == ["a backend was to answer"]
    assert (sent["received"]["status"], sent["received"]["target"]) == (404, address)


def test_sent_where_the_last_good_state_of_a_route_is_served(tmp_path: Path) -> None:
    """What is written now is what is predicted; that it is not what is served is said."""
    for file in TASK.glob("*.yaml"):
        text = file.read_text()
        (tmp_path / file.name).write_text(text.replace("value: /get", "value: get") if "HTTPRoute" in text else text)
    answer = b"HTTP/1.1 200 OK\r\nx-envoy-upstream-service-time: 1\r\ncontent-length: 0\r\n\r\n"
    with answering(answer) as (address, _):
        found = invoke("explain", URL, tmp_path, "--send", "--address", address)
    assert found.status == 1
    sent, standing = found.out.splitlines()[-2:]
    assert "200 from a backend, NOT as predicted" in sent
    assert standing.endswith("a last good state may be served instead: HTTPRoute default/http")
    with answering(answer) as (address, _):
        found = invoke("explain", URL, tmp_path, "--send", "--address", address, "-o", "json")
    assert json.loads(found.out)["sent"]["standing"] == ["HTTPRoute default/http"]


def test_sent_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    found = invoke("explain", URL, TASK, "--address", address)
    assert found.status == 1
    assert "NOT as predicted: an answer of a backend was expected" in found.out.splitlines()[-1]


def test_a_listener_that_asks_first(tmp_path: Path) -> None:
    """What its filters do is told before a rule is, and what the rule's do with it."""
    auth = "{type: ExternalAuth, externalAuth: {protocol: GRPC, grpc: {}, backendRef: {name: auth, port: 9000}}}"
    missing = auth.replace("name: auth", "name: missing")
    (tmp_path / "all.yaml").write_text(
        f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gateway}}
spec:
  gatewayClassName: any
  listeners: [{{name: web, port: 80, protocol: HTTP, filters: {{requests: [{auth}]}}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: shop}}
spec:
  parentRefs: [{{name: gateway}}]
  rules: [{{filters: [{missing}], backendRefs: [{{name: auth, port: 9000}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: auth}}
spec: {{ports: [{{port: 9000}}]}}
"""
    )
    found = invoke("explain", "http://example.com/", str(tmp_path))
    told = [line.strip() for line in found.out.splitlines()]
    assert "ExternalAuth: Service default/auth port 9000 is asked over gRPC whether the request may pass" in told
    assert any(line.startswith("ExternalAuth: ") and "Service default/missing does not exist" in line for line in told)
    assert told[-1].startswith("=> 403")


MUTUAL = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: any
  tls: {frontend: {default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}}}
  listeners: [{name: web, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gateway}]
  rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: b.io}}]}]
---
apiVersion: v1
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:a.io}", tls.key: "${key:a.io}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ca}
data: {ca.crt: "${cert:client}"}
"""


@contextmanager
def verifying(folder: Path, answer: bytes) -> Iterator[str]:
    """A TLS server that takes one client, and it only with the certificate; its address."""
    for name in ("a.io", "client"):
        (folder / f"{name}.pem").write_text(pem("cert", name) + pem("key", name))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "client.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "a.io.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(65_536)
                secured.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(timeout=10)


def test_clients_that_have_to_show_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text("---\n".join(yaml.safe_dump(filled_in(one)) for one in yaml.safe_load_all(MUTUAL)))
    answer = b"HTTP/1.1 302 Found\r\nlocation: https://b.io/\r\ncontent-length: 0\r\n\r\n"
    words = ("explain", "https://a.io/", file, "--address")
    with verifying(tmp_path, answer) as address:
        refused = invoke(*words, address)
    last = refused.out.splitlines()[-1]
    assert "no answer (the connection was refused by TLS: " in last
    assert last.endswith("as predicted (clients have to show a certificate: --cert and --key name one)")
    with verifying(tmp_path, answer) as address:
        taken = invoke(*words, address, "--cert", tmp_path / "client.pem")
    assert taken.out.splitlines()[-1] == f"sent to {address}: 302 to https://b.io/ from Envoy itself, as predicted"
    wrong = invoke(*words, "127.0.0.1:1", "--cert", file)
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err.startswith(f"error: --cert {file}: ")
