"""Attacks on the edge: what a gateway must bear from clients that nobody knows."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from tests.traffic.backend import Recorder, recording
from tests.traffic.client import connected, http2, raw
from tests.traffic.harness import World, service
from xds_server.envoy import http_manager, tls

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Secret
metadata: {name: any}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:example.com}", tls.key: "${key:example.com}"}
---
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: any}]}}
---
kind: HTTPRoute
metadata: {name: route}
spec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}
---
"""
HOST = b"Host: example.com\r\n"


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def served(world: World) -> None:
    """A catch-all route to backend a, on an HTTP and an HTTPS listener."""
    await world.serve(GATEWAY)


@pytest_asyncio.fixture(loop_scope="module")
async def recorder(world: World) -> AsyncIterator[Recorder]:
    """A backend that notes every byte of heads; it serves the host recorder.org."""
    async with recording() as backend:
        route = "kind: HTTPRoute\nmetadata: {name: recorder}\nspec: {hostnames: [recorder.org], rules: [RULE]}\n"
        rule = "{backendRefs: [{name: recorder, port: 8080}]}"
        await world.change(service("recorder", [backend.address]), route.replace("RULE", rule))
        yield backend


async def status(world: World, head: bytes, body: bytes = b"") -> int:
    """What a raw request is answered with; `head` is its lines."""
    return (await raw(world.port(), head + b"\r\n" + body)).status


# Sizes


async def test_headers_that_are_too_large(world: World) -> None:
    """60 KiB in all, as Envoy's own default; the answer says what is wrong, and the connection ends."""
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 57_000 + b"\r\n") == 200
    async with connected(world.port()) as connection:
        await connection.send(b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"x" * 62_000 + b"\r\n\r\n")
        assert (await connection.answer()).status == 431
        assert await connection.ended()
    many = b"".join(b"a%d: %b\r\n" % (number, b"x" * 1000) for number in range(62))
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + many) == 431


async def test_headers_that_never_end(world: World) -> None:
    """Envoy gives up at its limit and does not read on."""
    async with connected(world.port()) as connection:
        connection.writer.write(b"GET / HTTP/1.1\r\n" + (b"A: " + b"x" * 10_000 + b"\r\n") * 1_000)
        assert (await connection.answer()).status == 431


@pytest.mark.parametrize(("count", "answer"), [(100, 200), (101, 431)])
async def test_number_of_headers(world: World, count: int, answer: int) -> None:
    others = b"".join(b"h%d: 1\r\n" % number for number in range(count - 1))
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + others) == answer


async def test_a_long_path(world: World) -> None:
    assert await status(world, b"GET /" + b"x" * 50_000 + b" HTTP/1.1\r\n" + HOST) == 200
    assert await status(world, b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST) == 431


# Paths


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("/a/../b", "/b"), ("/a/./b", "/a/b"), ("/../x", "/x"), ("/a/%2e%2E/b", "/b"), ("/a/%2e/b", "/a/b"),
        ("/a/..", "/"), ("/a\\b", "/a/b"), ("/a\\..\\b", "/b"), ("/%61", "/a"), ("/a;x/../b", "/b"),
        ("//", "//"), ("/a//b", "/a//b"), ("//a/../b", "//b"), ("/a%2Fb", "/a%2Fb"), ("/a%2f..%2fb", "/a%2f..%2fb"),
        ("/a%5Cb", "/a%5Cb"), ("/a%20b", "/a%20b"), ("/a?x=/../y", "/a?x=/../y"),
    ],
)  # fmt: skip
async def test_paths_are_normalised_and_slashes_kept(world: World, sent: str, seen: str) -> None:
    """Dots, backslashes and letters in percent signs; slashes are neither merged nor unescaped."""
    assert (await world.get(sent)).told["path"] == seen
    async with http2(world.port()) as client:
        assert (await client.get(sent)).told["path"] == seen


async def test_dots_do_not_lead_around_a_rule(world: World) -> None:
    """What is matched is what the backend gets."""
    await world.change("""
kind: HTTPRoute
metadata: {name: private}
spec:
  hostnames: [private.org]
  rules:
  - matches: [{path: {value: /public}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /private}}]
""")
    for path in (
        "/private",
        "/public/../private",
        "/public/%2e%2e/private",
        "/public\\..\\private",
        "/public/./../private",
    ):
        assert await world.status(path, host="private.org") == 500, path
    assert await world.status("/public/x/../y", host="private.org") == 200


@pytest.mark.parametrize("path", [b"/a%00b", b"/a#fragment", b"/\xe9", b"nopath", b"*", b"/a\x01b", b""])
async def test_paths_that_are_none(world: World, path: bytes) -> None:
    assert await status(world, b"GET " + path + b" HTTP/1.1\r\n" + HOST) == 400


# Headers


async def test_names_with_underscores(world: World) -> None:
    """Backends that read `a_b` as `a-b` would take one for the other."""
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + b"x_forwarded_for: 1.2.3.4\r\n") == 400
    async with http2(world.port()) as client:
        with pytest.raises(ConnectionResetError):
            await client.get(headers=[("x_forwarded_for", "1.2.3.4")])


@pytest.mark.parametrize("line", [b"A: a\0b", b"A : b", b" A: b", b"A\x01: b", b"A", b": b"])
async def test_lines_that_are_no_headers(world: World, line: bytes) -> None:
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n") == 400


async def test_forwarded_for_is_added_to_and_never_believed(world: World) -> None:
    """The last entry is ours; what stands before it is the client's word. Nobody is trusted until told."""
    for sent in ({}, {"X-Forwarded-For": "1.2.3.4"}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "::1, x"}):
        headers = (await world.get("/", headers=sent)).told["headers"]
        *before, own = headers["X-Forwarded-For"].replace(" ", "").split(",")
        assert ", ".join(before) == sent.get("X-Forwarded-For", "")
        assert own not in ("1.2.3.4", "::1", "x")
        assert headers["X-Envoy-External-Address"] == "127.0.0.1"
        assert "X-Envoy-Internal" not in headers


async def test_what_only_proxies_may_say(world: World) -> None:
    spoofed = {
        "X-Forwarded-Proto": "https", "X-Request-Id": "mine", "X-Forwarded-Client-Cert": "By=me",
        "X-Envoy-Internal": "true", "X-Envoy-External-Address": "9.9.9.9", "X-Envoy-Ip-Tags": "me",
        "X-Envoy-Original-Path": "/spoofed", "X-Envoy-Decorator-Operation": "x", "X-Envoy-Force-Trace": "true",
    }  # fmt: skip
    headers = (await world.get("/", headers=spoofed)).told["headers"]
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["X-Request-Id"] != "mine"
    assert {name: value for name, value in headers.items() if name.startswith("X-Envoy")} == {
        "X-Envoy-External-Address": "127.0.0.1"
    }
    assert "X-Forwarded-Client-Cert" not in headers


async def test_clients_set_no_timeouts_and_no_retries(world: World, recorder: Recorder) -> None:
    """Envoy obeys such headers of internal clients; behind source NAT every client would be one."""
    assert await world.status("/?delay=60ms", headers={"X-Envoy-Upstream-Rq-Timeout-Ms": "5"}) == 200
    retries = {"X-Envoy-Retry-On": "5xx", "X-Envoy-Max-Retries": "20"}
    recorder.status = 503
    assert await world.status("/", host="recorder.org", headers=retries) == 503
    assert await recorder.count() == 1


async def test_headers_named_by_connection_do_not_pass(world: World) -> None:
    sent = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close, x-secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\n\r\n"
    assert not {"X-Secret", "Connection", "Keep-Alive"} & (await raw(world.port(), sent)).told["headers"].keys()


async def test_host_headers(world: World) -> None:
    for line in (b"", b"Host: a b\r\n", b"Host: example.com/x\r\n", b"Host: a\0\r\n"):
        assert await status(world, b"GET / HTTP/1.1\r\n" + line) == 400, line
    await world.change(
        "kind: HTTPRoute\nmetadata: {name: victim}\n"
        "spec: {hostnames: [victim.org], rules: [{backendRefs: [{name: b, port: 8080}]}]}\n"
    )
    for line in (b"Host: victim.org\r\nHost: example.com\r\n", b"Host: example.com\r\nHost: victim.org\r\n"):
        answer = await raw(world.port(), b"GET / HTTP/1.1\r\n" + line + b"\r\n")
        assert answer.told["name"] == "a", "one of two Hosts was taken"
        assert answer.told["host"] not in ("victim.org", "example.com")


async def test_absolute_form(world: World) -> None:
    """The target's host counts, not the Host header's; a scheme that is not the listener's is refused."""
    told = (await raw(world.port(), b"GET http://other.org:81/p?q HTTP/1.1\r\n" + HOST + b"\r\n")).told
    assert (told["host"], told["path"]) == ("other.org:81", "/p?q")
    assert await status(world, b"GET https://example.com/ HTTP/1.1\r\n" + HOST) == 403


async def test_methods_that_open_tunnels(world: World) -> None:
    assert await status(world, b"CONNECT example.com:80 HTTP/1.1\r\n" + HOST) == 404
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: other\r\n") == 403
    h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    assert await status(world, b"GET / HTTP/1.1\r\n" + HOST + h2c) == 200
    assert await status(world, b"MADEUP / HTTP/1.1\r\n" + HOST) == 400


async def test_http_1_0(world: World) -> None:
    """Without Host and without framing there is nothing to route by."""
    assert await status(world, b"GET / HTTP/1.0\r\n" + HOST) == 426
    assert await status(world, b"GET /\r\n") in (400, 426)


# Smuggling


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: recorder.org\r\n\r\n"


AMBIGUOUS = [
    (b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding: identity, chunked, identity\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    (b"Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n"),
    (b"Content-Length: 0\r\nContent-Length: 50\r\n", b""),
    (b"Content-Length: 0, 50\r\n", b""),
    (b"Content-Length: -1\r\n", b""),
    (b"Content-Length: +5\r\n", b""),
    (b"Content-Length: 0x5\r\n", b""),
    (b"Transfer-Encoding: chunked\r\n", b"zz\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"-1\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"fffffffffffffffff\r\n"),
]
"""Framing headers, and what stands between the head and a request that is to be smuggled."""


async def test_ambiguous_bodies(world: World, recorder: Recorder) -> None:
    """Refused, the connection ended, and nothing behind them read as a request."""

    async def attack(framing: bytes, body: bytes) -> int:
        async with connected(world.port()) as connection:
            head = b"POST / HTTP/1.1\r\nHost: recorder.org\r\n" + framing
            await connection.send(head + b"\r\n" + body + SMUGGLED)
            answer = await connection.answer()
            assert await connection.ended(), framing
            return answer.status

    statuses = await asyncio.gather(*(attack(*one) for one in AMBIGUOUS))
    assert set(statuses) <= {400, 501}, dict(zip(AMBIGUOUS, statuses, strict=True))
    assert not [head for head in recorder.heads if "/smuggled" in head[0]]


async def test_what_is_odd_and_allowed_reaches_the_backend_plain(world: World, recorder: Recorder) -> None:
    """Folded lines, bare line feeds, chunk extensions: Envoy writes its own framing."""
    folded = b"GET /1 HTTP/1.1\r\nHost: recorder.org\r\nA: 1\r\n 2\r\n\r\n"
    bare = b"GET /2 HTTP/1.1\nHost: recorder.org\n\n"
    extended = b"POST /3 HTTP/1.1\r\nHost: recorder.org\r\nContent-Length:  1 \r\n\r\na"
    for request in (folded, bare, extended):
        assert (await raw(world.port(), request)).status == 200
    assert [head[0] for head in recorder.heads] == ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "POST /3 HTTP/1.1"]
    assert "a: 1 2" in recorder.heads[0]
    assert "content-length: 1" in recorder.heads[2]


# Time


async def test_time_outs_as_envoy_has_them(world: World) -> None:
    listeners = await world.envoy.resources("dynamic_listeners")
    chains = [chain for one in listeners for chain in one["active_state"]["listener"]["filter_chains"]]
    managers = [chain["filters"][0]["typed_config"] for chain in chains]
    assert {one["request_headers_timeout"] for one in managers} == {"15s"}
    assert {one["stream_idle_timeout"] for one in managers} == {"300s"}
    assert {one["common_http_protocol_options"]["idle_timeout"] for one in managers} == {"3600s"}
    assert sorted(chain.get("transport_socket_connect_timeout", "") for chain in chains) == ["", "15s"]


async def test_slow_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """With three seconds in place of 15: headers that trickle in, and a TLS handshake that does not go on."""
    monkeypatch.setattr(http_manager, "REQUEST_HEADERS", timedelta(seconds=3))
    monkeypatch.setattr(tls, "HANDSHAKE", timedelta(seconds=3))
    async with World() as hasty:
        await hasty.serve(GATEWAY)
        begun = time.monotonic()
        await asyncio.gather(_trickle(hasty.port()), _stall(hasty.port(443)))
        assert 2.9 < time.monotonic() - begun < 12


async def _trickle(port: int) -> None:
    async with connected(port) as connection:
        await connection.send(b"GET / HTTP/1.1\r\n")
        answer = asyncio.create_task(connection.answer())
        number = 0
        while not answer.done():
            await connection.send(b"h%d: 1\r\n" % number)
            number += 1
            await asyncio.wait([answer], timeout=0.05)
        assert answer.result().status == 408


async def _stall(port: int) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="example.com")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    async with connected(port) as connection:
        await connection.send(outgoing.read())
        assert len(await connection.reader.read(10)) == 10, "the server's part of the handshake"
        async with asyncio.timeout(12):
            await connection.reader.read()


# Addresses and logs


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python knows no IPv6")
async def test_both_address_families() -> None:
    """Bound to "::", as in a cluster, a listener answers IPv4 and IPv6 clients."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    async with World(address="::") as both:
        await both.serve(GATEWAY)
        for address, external in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
            async with connected(both.port(), host=address) as connection:
                answer = await connection.get()
            assert answer.told["headers"]["X-Envoy-External-Address"] == external


async def test_the_access_log_cannot_be_written_by_clients(world: World) -> None:
    """Each request is one line of JSON, with who served it."""
    nasty = b'User-Agent: a"b\\n{"x": 1}\r\nX-Envoy-Original-Path: /spoofed\r\n'
    assert await status(world, b"GET /log?unique HTTP/1.1\r\n" + HOST + nasty) == 200

    def lines() -> list[dict[str, object]]:
        text = (world.envoy.directory / "log").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if "/log?unique" in line and line.endswith("}")]

    await world.envoy.until(lines, "has not logged")
    (entry,) = lines()
    wanted = {
        "path": "/log?unique", "user_agent": 'a"b\\n{"x": 1}', "gateway": "default/gateway", "listener": "http-80",
        "route": "HTTPRoute/default/route/0/0", "backend": "default/a:8080/auto", "response_code": 200,
        "method": "GET", "authority": "example.com", "response_flags": "-",
    }  # fmt: skip
    assert {name: entry[name] for name in wanted} == wanted
