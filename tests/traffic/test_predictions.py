"""What is predicted is what a real Envoy answers: which rule, which status, which Location, for hundreds of requests."""

import random
import ssl
from contextlib import AsyncExitStack
from typing import Any

import pytest
import yaml

from tests.traffic.client import Answer, Connection, connected
from tests.traffic.harness import GATEWAY, World, service
from tests.traffic.streams import greeting, name_of
from tests.traffic.test_tls import secret
from tests.traffic.tls import trusting
from xds_server.pipeline.predict import predict
from xds_server.pipeline.prediction import Prediction
from xds_server.routing.request import Request

pytestmark = pytest.mark.asyncio(loop_scope="module")

CERTIFIED = "secure.org,*.secure.org,a.secure.org,any.net"
LISTENERS: list[dict[str, Any]] = [
    {"name": "any", "port": 80, "protocol": "HTTP"},
    {"name": "wide", "port": 80, "protocol": "HTTP", "hostname": "*.example.com"},
    {"name": "narrow", "port": 80, "protocol": "HTTP", "hostname": "a.example.com"},
    {"name": "grpc", "port": 80, "protocol": "HTTP", "hostname": "b.io", "allowedRoutes": {"kinds": [{"kind": "GRPCRoute"}]}},
    {"name": "own", "port": 81, "protocol": "HTTP", "hostname": "*.own.org"},
    *(
        {"name": f"s{index}", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert"}]}, **more}
        for index, more in enumerate(({}, {"hostname": "*.secure.org"}, {"hostname": "a.secure.org"}))
    ),
]  # fmt: skip
SECTIONS = ["any", "wide", "narrow", "own", "s0", "s1", "s2", None, None, None]
HOSTNAMES = ["a.example.com", "b.example.com", "*.b.example.com", "*.example.com", "x.own.org", "a.secure.org",
             "*.secure.org", "*.org", "other.net"]  # fmt: skip
HOSTS = ["a.example.com", "A.Example.COM", "b.example.com", "x.b.example.com", "example.com", "c.example.com",
         "a.example.com:80", "b.example.com:8080", "a.example.com.", "x.own.org", "y.own.org", "other.net",
         "nowhere.dev", "b.io", "127.0.0.1", "[::1]:80", "x_y.example.com"]  # fmt: skip
SECURE_HOSTS = ["a.secure.org", "b.secure.org", "x.b.secure.org", "secure.org", "any.net", "a.secure.org:443"]
PATHS = ["/", "/p", "/p/", "/p/q", "/p/q/r", "/pq", "/P", "/p//q", "//p", "/x/../p", "/p/%71", "/%70/q", "/p/./q/..",
         "/p%2Fq", "/p/%2e%2e/x", "/p\\q", '/p/"', "/p/[1]", "/v1/users/7", "/v1/users/x", "/%zz", "/p/%00", "/p#f",
         "/p/%7e~", "/p;v=1/q", "/caf%c3%a9/q", "/caf%C3%A9", "/c%61f%C3%a9/", "/p/...", "/p/^{}|`<>"]  # fmt: skip
QUERIES = ["", "", "", "?", "?a=1", "?a=2&a=1", "?a=1&a=2", "?b=x&a=1", "?a", "?a=%31", "?A=1", "?a=1=", "?c=x+y",
           "?c=x%2by", "?c=x%20y", "?d=two+words", "?d=two%20words", "?d=two%2Bwords&a=1"]  # fmt: skip
METHODS = ["GET", "GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "OPTIONS", "PATCH", "get", "BREW", "PROPFIND"]
HEADERS = [[], [], [], [("a", "1")], [("A", " 1 ")], [("a", "2"), ("a", "1")], [("b", "v7")], [("a", "1"), ("b", "v")],
           [("a", "")], [("c_d", "1")], [("x-forwarded-proto", "https")], [("content-type", "application/grpc")],
           [("a", "1"), ("b", "v1")], [("te", "gzip"), ("connection", "keep-alive")], [("x-envoy-retry-on", "5xx")],
           [("origin", "https://o.org"), ("access-control-request-method", "POST")], [("origin", "https://o.org")],
           [("access-control-request-method", "POST")],
           [("origin", "https://p.org"), ("access-control-request-method", "GET"), ("a", "1")]]  # fmt: skip
MATCHED_PATHS: list[dict[str, str] | None] = [
    None, {"value": "/"}, {"value": "/p"}, {"value": "/p/"}, {"value": "/p/q"}, {"type": "Exact", "value": "/p"},
    {"type": "Exact", "value": "/p/"}, {"type": "Exact", "value": "/p/q"}, {"value": "/p/%22"}, {"value": "/p/~~"},
    {"value": "/caf%c3%a9"}, {"type": "Exact", "value": "/caf%C3%A9"}, {"value": "/p/%7E~"},
    {"type": "RegularExpression", "value": "/v[0-9]+/users/[0-9]+"}, {"type": "RegularExpression", "value": "/p/.*"},
]  # fmt: skip
MATCHED_HEADERS: list[list[dict[str, str]]] = [
    [], [], [], [{"name": "A", "value": "1"}], [{"name": "b", "type": "RegularExpression", "value": "v[0-9]*"}],
    [{"name": "a", "value": "1"}, {"name": "b", "type": "RegularExpression", "value": "v.*"}],
    [{"name": "a", "type": "RegularExpression", "value": ".*"}], [{"name": "Host", "value": "a.example.com"}],
    [{"name": "x-forwarded-proto", "value": "https"}], [{"name": "te", "value": "gzip"}],
    [{"name": "x-envoy-retry-on", "value": "5xx"}], [{"name": "connection", "value": "keep-alive"}],
]  # fmt: skip
MATCHED_QUERIES: list[list[dict[str, str]]] = [
    [], [], [], [{"name": "a", "value": "1"}], [{"name": "a", "type": "RegularExpression", "value": "[0-9]"}],
    [{"name": "c", "value": "x+y"}], [{"name": "d", "value": "two words"}],
]  # fmt: skip
REDIRECTS: list[dict[str, Any]] = [
    {"scheme": "https"}, {"hostname": "to.org", "statusCode": 301}, {"port": 8443}, {"scheme": "http", "port": 80},
    {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}},
    {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/new?brand=x"}},
    {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}, "statusCode": 307},
    {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}, "hostname": "to.org"}, {},
]  # fmt: skip


def _match(dice: random.Random) -> dict[str, Any]:
    parts = {
        "path": dice.choice(MATCHED_PATHS),
        "method": dice.choice([None, None, None, "GET", "POST", "OPTIONS"]),
        "headers": dice.choice(MATCHED_HEADERS),
        "queryParams": dice.choice(MATCHED_QUERIES),
    }
    return {name: value for name, value in parts.items() if value}


def _rule(dice: random.Random, name: str) -> dict[str, Any]:
    """A rule that tells its name in each answer."""
    matches = [_match(dice) for _ in range(dice.choice([1, 1, 2]))]
    told = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "rule", "value": name}]}}
    filters: list[dict[str, Any]] = [told]
    if dice.random() < 0.25:
        filters.append({"type": "CORS", "cors": {"allowOrigins": ["https://o.org"], "allowMethods": ["POST"]}})
    kind = dice.choice(
        ["backend", "backend", "backend", "redirect", "redirect", "missing", "none", "without endpoints"]
    )
    if kind == "redirect":
        redirect = dict(dice.choice(REDIRECTS))
        if redirect.get("path", {}).get("type") == "ReplacePrefixMatch":
            matches = [{**matches[0], "path": {"value": dice.choice(["/", "/p", "/p/q", "/caf%c3%a9"])}}]
        return {"matches": matches, "filters": [*filters, {"type": "RequestRedirect", "requestRedirect": redirect}]}
    names = {"backend": ["a"], "missing": ["missing"], "none": [], "without endpoints": ["empty"]}[kind]
    return {"matches": matches, "filters": filters, "backendRefs": [{"name": one, "port": 8080} for one in names]}


def _routes(dice: random.Random) -> list[dict[str, Any]]:
    routes = []
    for index in range(12):
        name = f"r{index}"
        parents: dict[str, Any] = {"name": "gateway"}
        if (section := dice.choice(SECTIONS)) is not None:
            parents["sectionName"] = section
        spec = {
            "parentRefs": [parents],
            "hostnames": dice.sample(HOSTNAMES, dice.choice([0, 0, 1, 2])),
            "rules": [_rule(dice, f"{name}/rules[{rule}]") for rule in range(dice.choice([1, 2, 4]))],
        }
        routes.append({"kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec})
    methods = [{"service": "s.S", "method": "M"}, {"service": "s.S"}, {"method": "N"}]
    calls = {"kind": "GRPCRoute", "metadata": {"name": "calls"}, "spec": {
        "parentRefs": [{"name": "gateway"}],
        "rules": [{"matches": [{"method": one}], "backendRefs": [{"name": "missing", "port": 8080}]} for one in methods],
    }}  # fmt: skip
    return [*routes, calls]


def documents(dice: random.Random) -> str:
    empty = {"kind": "Service", "metadata": {"name": "empty"}, "spec": {"ports": [{"port": 8080}]}}
    gateway = {
        "kind": "Gateway",
        "metadata": {"name": "gateway"},
        "spec": {"gatewayClassName": "x", "listeners": LISTENERS},
    }
    return yaml.safe_dump_all([gateway, empty, *_routes(dice)])


def _request(dice: random.Random, port: int, hosts: list[str], sni: str = "") -> Request:
    calls = ["/s.S/M", "/s.S/Other", "/t.T/N"]
    return Request(
        scheme="https" if port == 443 else "http",
        authority=dice.choice(hosts),
        port=port,
        path=dice.choice([*PATHS, *PATHS, *calls]) + dice.choice(QUERIES),
        method=dice.choice(METHODS),
        headers=tuple((name.lower(), value) for name, value in dice.choice(HEADERS)),
        sni=sni,
    )


async def _answer(connection: Connection, request: Request) -> Answer:
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
    await connection.send(
        f"{request.method} {request.path} HTTP/1.1\r\nHost: {request.authority}\r\n{lines}\r\n".encode("latin1")
    )
    return await connection.answer()


def _differences(found: Prediction, got: Answer) -> list[str]:
    predicted = found.answer
    rule = (
        f"{found.rule.source.object.rpartition('/')[2]}/{found.rule.source.field.partition('.')[0]}"
        if found.rule
        else ""
    )
    wrong = []
    if predicted.kind == "backend" and ("x-envoy-upstream-service-time" not in got.headers or got.status != 200):
        wrong.append("no backend answered")
    if predicted.kind in ("redirect", "response"):
        status = 200 if predicted.grpc_status is not None else predicted.status
        if got.status != status or "x-envoy-upstream-service-time" in got.headers:
            wrong.append(f"{predicted.status} was expected")
    if predicted.grpc_status is not None and got.headers.get("grpc-status") != str(predicted.grpc_status):
        wrong.append(f"grpc-status {predicted.grpc_status} was expected")
    if got.headers.get("location", "") != predicted.location:
        wrong.append(f"location {predicted.location} was expected")
    if predicted.status != 400 and got.headers.get("rule", rule) != rule:
        wrong.append(f"{rule} was expected")
    return wrong


async def test_predictions_of_plain_requests(world: World) -> None:
    """Twenty worlds, and 80 requests to each."""
    kinds = set()
    for seed in range(20):
        dice = random.Random(seed)
        await world.serve(secret("cert", CERTIFIED), documents(dice))
        wrong = []
        for _ in range(80):
            request = _request(dice, dice.choice([80, 80, 80, 81]), HOSTS)
            found = predict(world.control.pipeline, GATEWAY, request)
            async with connected(world.port(request.port)) as connection:
                got = await _answer(connection, request)
            kinds.add((found.answer.kind, found.answer.status))
            if differences := _differences(found, got):
                wrong.append((request, differences, got.status, found.rule, found.answer))
        assert wrong == [], f"seed {seed}"
    answered = {("redirect", 302), ("backend", None)}
    assert {*answered, *(("response", status) for status in (200, 400, 404, 500, 503))} <= kinds


async def test_predictions_of_every_server_name_with_every_host(world: World) -> None:
    dice = random.Random(0)
    await world.serve(secret("cert", CERTIFIED), documents(dice))
    wrong = []
    for sni in ("a.secure.org", "b.secure.org", "any.net", "secure.org"):
        for _ in range(40):
            request = _request(dice, 443, SECURE_HOSTS, sni)
            found = predict(world.control.pipeline, GATEWAY, request)
            async with connected(world.port(443), tls=trusting(CERTIFIED), server_name=sni) as connection:
                got = await _answer(connection, request)
            if differences := _differences(found, got):
                wrong.append((request, differences, got.status, found.rule, found.answer))
    assert wrong == []


SERVER_NAMES = ["a.secure.org", "b.secure.org", "x.b.secure.org", "secure.org", "any.net"]
GREETERS = ("one", "two", "three")


def _streams(dice: random.Random) -> str:
    """Listeners that end TLS and hand on the bytes, one of them without a certificate; and a port of TCP."""
    certificate = {"certificateRefs": [{"name": dice.choice(["cert", "cert", "cert", "lost"])}]}
    hostnames = dice.sample(["", "*.secure.org", "a.secure.org", "any.net"], 3)
    listeners: list[dict[str, Any]] = [
        {"name": f"l{index}", "port": 443, "protocol": "TLS", "tls": {"mode": "Terminate", **certificate}}
        | ({"hostname": hostname} if hostname else {})
        for index, hostname in enumerate(hostnames)
    ]
    listeners.append({"name": "tcp", "port": 9000, "protocol": "TCP"})
    made: list[dict[str, Any]] = [
        {"kind": "Gateway", "metadata": {"name": "gateway"}, "spec": {"gatewayClassName": "x", "listeners": listeners}}
    ]
    for index in range(5):
        kind = dice.choice(["TLSRoute", "TLSRoute", "TLSRoute", "TCPRoute"])
        parents: dict[str, Any] = {"name": "gateway"}
        if kind == "TLSRoute" and dice.random() < 0.3:
            parents["sectionName"] = f"l{dice.randrange(3)}"
        name = dice.choice([*GREETERS, *GREETERS, "missing", "empty"])
        spec = {"parentRefs": [parents], "rules": [{"backendRefs": [{"name": name, "port": 8080}]}]}
        if kind == "TLSRoute":
            spec["hostnames"] = dice.sample([*SERVER_NAMES[:3], "any.net", "*.secure.org", "*.org"], 2)
        created = f"202{dice.randrange(3)}-01-01T00:00:00Z"
        made.append({"kind": kind, "metadata": {"name": f"r{index}", "creationTimestamp": created}, "spec": spec})
    made.append({"kind": "Service", "metadata": {"name": "empty"}, "spec": {"ports": [{"port": 8080}]}})
    return yaml.safe_dump_all(made)


async def test_predictions_of_connections(world: World) -> None:
    """Backends speak first, so that a connection tells who has it, or that nobody does."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    async with AsyncExitStack() as stack:
        for name in GREETERS:
            await world.change(service(name, [await stack.enter_async_context(greeting(name))]))
        kinds = set()
        for seed in range(12):
            await world.serve(secret("cert", CERTIFIED), _streams(random.Random(seed)))
            for request in (
                *(Request("tls", name, 443, sni=name) for name in SERVER_NAMES),
                Request("tcp", "any", 9000),
            ):
                found = predict(world.control.pipeline, GATEWAY, request)
                (step,) = found.backends or (None,)
                expected = (
                    "" if step is None or found.answer.kind == "closed" else step.object.split()[1].partition("/")[2]
                )
                try:
                    got = await name_of(
                        world.port(request.port), anyone if request.secure else None, request.sni or None
                    )
                except (ssl.SSLError, ConnectionError):
                    got = ""
                assert got == expected, (seed, request, found)
                kinds.add(found.answer.kind)
    assert kinds == {"backend", "closed"}
