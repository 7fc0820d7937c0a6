"""ExternalAuth on rules and backends: who is asked what, what comes of the answer, and that nothing passes without."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.traffic.authority import Authority
from tests.traffic.authorization import Authorization, Denial, grpc_authorization, http_authorization
from tests.traffic.backend import recording
from tests.traffic.client import connected, http2
from tests.traffic.harness import World, service
from tests.traffic.tls_backend import tls_backend

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""
SETTINGS = {"GRPC": "grpc", "HTTP": "http"}
BOTH = pytest.mark.parametrize("protocol", ["GRPC", "HTTP"])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def services(world: World) -> AsyncIterator[dict[str, Authorization]]:
    """One of each protocol, as Services `auth-grpc` and `auth-http`."""
    async with grpc_authorization() as over_grpc, http_authorization() as over_http:
        await world.change(service("auth-grpc", [over_grpc.address]), service("auth-http", [over_http.address]))
        yield {"GRPC": over_grpc, "HTTP": over_http}


@pytest.fixture
def asked(services: dict[str, Authorization], protocol: str) -> Authorization:
    """The service of the test's protocol; it says yes and has not been asked."""
    found = services[protocol]
    found.asked.clear()
    found.adds, found.removes, found.deny, found.before = {}, (), None, None
    return found


def auth(protocol: str, settings: str = "", *, body: int = 0, name: str = "") -> str:
    """The filter; `settings` are the insides of its protocol's own."""
    short = SETTINGS[protocol]
    backend = f"backendRef: {{name: {name or f'auth-{short}'}, port: 8080}}, forwardBody: {{maxSize: {body}}}"
    return f"{{type: ExternalAuth, externalAuth: {{protocol: {protocol}, {short}: {{{settings}}}, {backend}}}}}"


def route(filters: str, backends: str = "{name: a, port: 8080}", path: str = "/") -> str:
    """An HTTPRoute of one rule."""
    rule = f"{{matches: [{{path: {{value: {path}}}}}], filters: [{filters}], backendRefs: [{backends}]}}"
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{rule}]}}\n---\n"


@BOTH
async def test_asked_for_every_request(world: World, protocol: str, asked: Authorization) -> None:
    await world.serve(GATEWAY, route(auth(protocol)))
    assert await world.name("/some/path?q=1", host="shop.example.com:99") == "a"
    assert [(one.method, one.path, one.host) for one in asked.asked] == [
        ("GET", "/some/path?q=1", "shop.example.com:99")
    ]
    async with connected(world.port()) as connection:
        for _ in range(3):
            assert (await connection.get("/")).status == 200
    assert len(asked.asked) == 4


@BOTH
async def test_a_denial_is_the_services_own(world: World, protocol: str, asked: Authorization) -> None:
    await world.serve(GATEWAY, route(auth(protocol)))
    asked.deny = Denial(401, {"www-authenticate": "Basic", "x-why": "no"}, "who are you?")
    async with recording() as backend:
        await world.change(service("quiet", [backend.address]), route(auth(protocol), "{name: quiet, port: 8080}"))
        answer = await world.get("/")
        assert await backend.count() == 0
    assert (answer.status, answer.body) == (401, b"who are you?")
    assert (answer.headers["www-authenticate"], answer.headers["x-why"]) == ("Basic", "no")
    asked.deny = Denial(302, {"location": "https://login.example.com/"})
    answer = await world.get("/")
    assert (answer.status, answer.headers["location"]) == (302, "https://login.example.com/")


@BOTH
async def test_headers_it_adds_reach_the_backend(world: World, protocol: str, asked: Authorization) -> None:
    """In place of what a client made up."""
    await world.serve(GATEWAY, route(auth(protocol)))
    asked.adds = {"x-user": "ann"}
    told = (await world.get("/", headers={"X-User": "eve", "X-Other": "1"})).told["headers"]
    assert (told["X-User"], told["X-Other"]) == ("ann", "1")


async def test_what_an_answer_over_http_is_does_not_become_the_requests(
    world: World, services: dict[str, Authorization]
) -> None:
    """Its host, length and type are its own, and Envoy's headers Envoy's; only those that are named, if some are."""
    over_http = services["HTTP"]
    over_http.deny = over_http.before = None
    over_http.adds = {"x-one": "1", "x-two": "2", "Host": "evil.example.com", "x-envoy-upstream-rq-timeout-ms": "1"}
    await world.serve(GATEWAY, route(auth("HTTP")))
    answer = await world.request("POST", "/", json={"a": 1})
    told = answer.told["headers"]
    assert (answer.told["body"], answer.told["host"], told["Content-Type"]) == (
        '{"a": 1}',
        "example.com",
        "application/json",
    )
    assert (told["X-One"], told["X-Two"]) == ("1", "2")
    assert "X-Envoy-Upstream-Rq-Timeout-Ms" not in told
    await world.serve(GATEWAY, route(auth("HTTP", "allowedResponseHeaders: [X-Two]")))
    told = (await world.get("/")).told["headers"]
    assert "X-One" not in told
    assert told["X-Two"] == "2"


async def test_headers_it_is_sent(world: World, services: dict[str, Authorization]) -> None:
    """All over gRPC, over HTTP the usual ones; where some are named, those alone, or beside the usual ones."""
    sent = {"Authorization": "Bearer x", "X-One": "1", "X-Two": "2"}
    for one in services.values():
        one.deny, one.before, one.adds = None, None, {}

    async def seen(protocol: str, names: str) -> set[str]:
        await world.serve(GATEWAY, route(auth(protocol, f"allowedHeaders: [{names}]")))
        assert await world.status("/", headers=sent) == 200
        headers = services[protocol].asked[-1].headers
        return {name for name in ("authorization", "x-one", "x-two") if name in headers}

    assert await seen("GRPC", "") == {"authorization", "x-one", "x-two"}
    assert await seen("GRPC", "X-Two") == {"x-two"}
    assert await seen("HTTP", "") == {"authorization"}
    assert services["HTTP"].asked[-1].headers["content-length"] == "0"
    assert await seen("HTTP", "X-Two") == {"authorization", "x-two"}


@pytest.mark.parametrize("protocol", ["HTTP"])
async def test_a_prefix_of_the_path(world: World, asked: Authorization) -> None:
    await world.serve(GATEWAY, route(auth("HTTP", "path: /check/")))
    answer = await world.get("/some/path?q=1")
    assert (asked.asked[-1].path, answer.told["path"]) == ("/check/some/path?q=1", "/some/path?q=1")


@BOTH
async def test_bodies(world: World, protocol: str, asked: Authorization) -> None:
    """None unless asked for; up to the limit in whole, beyond it the request is refused."""
    await world.serve(GATEWAY, route(auth(protocol)))
    assert (await world.request("POST", "/", data="0123456789")).told["body"] == "0123456789"
    assert asked.asked[-1].body == b""
    await world.serve(GATEWAY, route(auth(protocol, body=10)))
    assert (await world.request("POST", "/", data="0123456789")).told["body"] == "0123456789"
    assert asked.asked[-1].body == b"0123456789"
    number = len(asked.asked)
    assert (await world.request("POST", "/", data="0123456789A")).status == 413
    assert len(asked.asked) == number
    assert await world.status("/") == 200


@BOTH
async def test_bodies_that_are_no_text(world: World, protocol: str, asked: Authorization) -> None:
    """Over HTTP as they are. The field of Envoy's protocol holds text, so each byte that is none is told as `!`."""
    await world.serve(GATEWAY, route(auth(protocol, body=10)))
    assert (await world.request("POST", "/", data=b"\xff\xfe\x00a")).status == 200
    assert asked.asked[-1].body == (b"!!\x00a" if protocol == "GRPC" else b"\xff\xfe\x00a")


async def test_denied_when_nobody_can_be_asked(world: World) -> None:
    """Missing, without endpoints, refusing connections, speaking something else, another namespace's."""
    closed = "127.0.0.1:1"
    rules = [("missing", "none"), ("empty", "none"), ("closed", "none"), ("a", "GRPC")]
    services = service("empty", []) + service("closed", [closed])
    for name, only in rules:
        for protocol in ("GRPC",) if only != "none" else ("GRPC", "HTTP"):
            await world.serve(GATEWAY, services, route(auth(protocol, name=name)))
            answer = await world.get("/")
            assert (answer.status, answer.body) == (403, b""), (name, protocol)
    await world.serve(GATEWAY, services, route(auth("HTTP", name="b")))
    assert await world.name("/") == "a", "any server over HTTP that says 200 says yes"


@BOTH
async def test_a_service_that_breaks_off_or_errs(world: World, protocol: str, asked: Authorization) -> None:
    await world.serve(GATEWAY, route(auth(protocol)))

    async def fail() -> None:
        raise RuntimeError

    asked.before = fail
    assert await world.status("/") == 403
    asked.before = None
    assert await world.status("/") == 200


@BOTH
async def test_a_client_that_leaves_while_it_is_asked(world: World, protocol: str, asked: Authorization) -> None:
    """Nothing is left behind that would harm who comes next."""
    await world.serve(GATEWAY, route(auth(protocol)))
    waiting = asyncio.Event()
    asked.before = waiting.wait
    async with connected(world.port()) as connection:
        await connection.send(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        async with asyncio.timeout(60):
            while not asked.asked:
                await asyncio.sleep(0.01)
    waiting.set()
    asked.before = None
    assert await world.status("/") == 200


@BOTH
async def test_before_redirects_and_faults(world: World, protocol: str, asked: Authorization) -> None:
    redirect = "{type: RequestRedirect, requestRedirect: {hostname: there.example.com}}"
    for filters, backends, status in (
        (f"{redirect}, {auth(protocol)}", "", 302),
        (auth(protocol), "", 500),
        (auth(protocol), "{name: missing, port: 8080}", 500),
    ):
        await world.serve(GATEWAY, route(filters, backends))
        asked.deny = None
        assert await world.status("/") == status
        asked.deny = Denial(401)
        answer = await world.get("/")
        assert answer.status == 401
        assert "location" not in answer.headers


@BOTH
async def test_one_backend_of_two(world: World, protocol: str, asked: Authorization) -> None:
    """Of the requests that it gets, about half, and of no others; header filters apply beside."""
    header = "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Of, value: of-a}]}}"
    checked = f"{{name: a, port: 8080, filters: [{auth(protocol)}, {header}]}}"
    await world.serve(GATEWAY, route("", f"{checked}, {{name: b, port: 8080}}"))
    asked.adds = {"x-user": "ann"}
    answers = await world.many(200, "/")
    assert {answer.status for answer in answers} == {200}
    of_a = [answer.told["headers"] for answer in answers if answer.told["name"] == "a"]
    assert 60 < len(of_a) < 140
    assert len(asked.asked) == len(of_a)
    assert {(headers["X-User"], headers["X-Of"]) for headers in of_a} == {("ann", "of-a")}
    assert not any("X-User" in answer.told["headers"] for answer in answers if answer.told["name"] == "b")
    asked.deny = Denial(401)
    answers = await world.many(100, "/")
    assert {answer.told["name"] if answer.status == 200 else answer.status for answer in answers} == {401, "b"}


async def test_a_rule_and_its_backend(world: World, services: dict[str, Authorization]) -> None:
    """Two checks: the rule's first, the backend's of what passed."""
    of_rule, of_backend = services["GRPC"], services["HTTP"]
    for one in (of_rule, of_backend):
        one.deny, one.before, one.adds = None, None, {}
        one.asked.clear()
    backend = f"{{name: a, port: 8080, filters: [{auth('HTTP', 'allowedHeaders: [x-user]')}]}}"
    await world.serve(GATEWAY, route(auth("GRPC"), f"{backend}, {{name: b, port: 8080, weight: 0}}"))
    of_rule.adds = {"x-user": "ann"}
    assert await world.name("/") == "a"
    assert of_backend.asked[-1].headers["x-user"] == "ann"
    of_backend.deny = Denial(402)
    assert await world.status("/") == 402
    of_rule.deny = Denial(401)
    assert await world.status("/") == 401
    assert (len(of_rule.asked), len(of_backend.asked)) == (3, 2)


@BOTH
async def test_http2_and_websocket(world: World, protocol: str, asked: Authorization) -> None:
    await world.serve(GATEWAY, route(auth(protocol, body=100)))
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with http2(world.port()) as client, connected(world.port()) as connection:
        assert (await client.get("/")).status == 200
        await connection.send(upgrade)
        assert (await connection.answer()).status == 101
    asked.deny = Denial(401)
    async with http2(world.port()) as client, connected(world.port()) as connection:
        assert (await client.get("/")).status == 401
        await connection.send(upgrade)
        assert (await connection.answer()).status == 401
    assert len(asked.asked) == 4


async def test_what_is_no_header_is_not_let_through(world: World, services: dict[str, Authorization]) -> None:
    """A service that puts a line break into a header smuggles nothing to the backend."""
    over_grpc = services["GRPC"]
    over_grpc.deny, over_grpc.before = None, None
    over_grpc.adds = {"x-user": "ann\r\nx-admin: yes"}
    await world.serve(GATEWAY, route(auth("GRPC")))
    assert await world.status("/") >= 400


@BOTH
async def test_preflights_are_not_asked_about(world: World, protocol: str, asked: Authorization) -> None:
    """Browsers send no credentials with them; and a page of an allowed origin may read why it was denied."""
    cors = "{type: CORS, cors: {allowOrigins: ['https://page.example.com'], allowMethods: [PUT]}}"
    await world.serve(GATEWAY, route(f"{auth(protocol)}, {cors}"))
    asked.deny = Denial(401)
    origin = {"Origin": "https://page.example.com"}
    preflight = await world.request("OPTIONS", "/", headers={**origin, "Access-Control-Request-Method": "PUT"})
    assert (preflight.status, preflight.headers["access-control-allow-methods"]) == (200, "PUT")
    assert asked.asked == []
    answer = await world.request("PUT", "/", headers=origin)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (401, "https://page.example.com")
    assert await world.status("/", headers={"Access-Control-Request-Method": "PUT"}) == 401


async def test_a_service_that_speaks_tls(world: World) -> None:
    """Connected to as its BackendTLSPolicy says, for rules and listeners alike; nobody else is believed."""
    ours, foreign = Authority("ours"), Authority("foreign")
    trusted = {name: one.pem.replace("\n", "\\n") for name, one in (("ours", ours), ("foreign", foreign))}
    maps = "".join(
        f'kind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{ca.crt: "{pem}"}}\n---\n'
        for name, pem in trusted.items()
    )

    def policy(target: str, ca: str) -> str:
        refs = f'caCertificateRefs: [{{group: "", kind: ConfigMap, name: {ca}}}]'
        return (
            f"kind: BackendTLSPolicy\nmetadata: {{name: {target}}}\n"
            f'spec: {{targetRefs: [{{group: "", kind: Service, name: {target}}}], '
            f"validation: {{hostname: auth.example.com, {refs}}}}}\n---\n"
        )

    pair = ours.issue("auth.example.com")
    async with grpc_authorization(pair) as over_grpc, tls_backend("over-http", pair) as over_http:
        both = service("tls-grpc", [over_grpc.address]) + service("tls-http", [over_http]) + maps
        for protocol, name in (("GRPC", "tls-grpc"), ("HTTP", "tls-http")):
            checked = GATEWAY.replace("HTTP}]", f"HTTP, filters: {{requests: [{auth(protocol, name=name)}]}}}}]")
            for gateway, filters in ((GATEWAY, auth(protocol, name=name)), (checked, "")):
                for ca, status in (("foreign", 403), ("missing", 403), ("ours", 200)):
                    await world.serve(gateway, both, policy(name, ca), route(filters))
                    assert await world.status("/") == status, (protocol, filters, ca)
                await world.serve(gateway, both, route(filters))
                assert await world.status("/") == 403, "in plain text to TLS"
