"""RequestHeaderModifier and ResponseHeaderModifier, on rules and on backends."""

import json

import pytest

from tests.traffic.client import connected
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""


def route(rules: str) -> str:
    """An HTTPRoute; `rules` is a YAML list."""
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec:\n  rules:\n{rules}"


async def test_request_headers_set_add_remove(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: X-Set, value: set-value}, {name: X-New, value: new-value}]
        add: [{name: X-Add, value: added}, {name: X-Fresh, value: fresh}]
        remove: [X-Remove, x-absent]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    sent = {"x-set": "one,two", "X-Add": "first", "x-REMOVE": "gone", "X-Other": "kept"}
    headers = (await world.get("/", headers=sent)).told["headers"]
    assert {name: headers.get(name) for name in ("X-Set", "X-New", "X-Fresh", "X-Remove", "X-Other")} == {
        "X-Set": "set-value", "X-New": "new-value", "X-Fresh": "fresh", "X-Remove": None, "X-Other": "kept",
    }  # fmt: skip
    assert headers["X-Add"].replace(" ", "") == "first,added"


async def test_values_are_literal(world: World) -> None:
    """`%` begins a command in Envoy; for users it is a character like any other. Likewise quotes, commas and UTF-8."""
    values = ["100%", "%REQ(:path)%", "%%", "%", "a%20b", '"q", w', "{a}", "$(b)", "grüße", "\\1"]
    entries = "".join(f"        - {{name: x-{i}, value: {json.dumps(value)}}}\n" for i, value in enumerate(values))
    await world.serve(
        GATEWAY,
        route(f"""
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set:
{entries}
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set:
{entries}
    backendRefs: [{{name: a, port: 8080}}]
"""),
    )
    answer = await world.get("/")
    for index, value in enumerate(values):
        told = answer.told["headers"][f"X-{index}"].encode("latin1").decode()
        assert told == value
        assert answer.headers[f"x-{index}"] == value


async def test_a_set_host_reaches_the_backend(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: Host, value: "inner.example.org:99"}]}
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    assert (await world.get("/")).told["host"] == "inner.example.org:99"


async def test_response_headers_set_add_remove(world: World) -> None:
    """On headers that the backend itself sends."""
    await world.serve(
        GATEWAY,
        route("""
  - filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{name: X-Set, value: set-value}, {name: X-New, value: new-value}]
        add: [{name: X-Add, value: added}]
        remove: [X-Remove]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    wish = {"X-Echo-Set-Header": "x-set:one, x-set:two, x-add:first, x-remove:gone, x-other:kept"}
    headers = (await world.get("/", headers=wish)).headers
    assert headers["x-set"] == "set-value"
    assert headers["x-new"] == "new-value"
    assert headers["x-add"].replace(" ", "") == "first,added"
    assert headers["x-other"] == "kept"
    assert "x-remove" not in headers


async def test_backend_filters_touch_the_requests_of_that_backend_alone(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: Rule, value: rule}], add: [{name: Both, value: rule}]}
    backendRefs:
    - name: a
      port: 8080
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {add: [{name: Backend, value: a}, {name: Both, value: backend}], remove: [Unwanted]}
    - name: b
      port: 8080
      weight: 2
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {set: [{name: Backend, value: b}, {name: Rule, value: backend}]}
      - type: ResponseHeaderModifier
        responseHeaderModifier: {set: [{name: X-From, value: b}]}
"""),
    )
    answers = await world.many(100, "/", headers="unwanted: 1\r\n")
    names = {answer.told["name"] for answer in answers}
    assert names == {"a", "b"}
    for answer in answers:
        name, headers = answer.told["name"], answer.told["headers"]
        assert headers["Backend"] == name
        assert headers["Rule"] == {"a": "rule", "b": "backend"}[name]
        assert headers["Both"].replace(" ", "") == {"a": "rule,backend", "b": "rule"}[name]
        assert ("Unwanted" in headers) is (name == "b")
        assert answer.headers.get("x-from", "a") == name


async def test_filters_of_the_only_backend_and_of_the_rule_both_apply(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: One, value: rule}, {name: Two, value: rule}], add: [{name: Gone, value: x}]}
    backendRefs:
    - name: a
      port: 8080
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {set: [{name: Two, value: backend}], remove: [Gone]}
"""),
    )
    headers = (await world.get("/")).told["headers"]
    assert (headers["One"], headers["Two"], headers.get("Gone")) == ("rule", "backend", None)


async def test_extension_ref_costs_its_rule_alone(world: World) -> None:
    """A filter that is not known must not be skipped: its rule answers 500, the others serve on."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /unknown}}]
    filters: [{type: ExtensionRef, extensionRef: {group: example.org, kind: Foo, name: foo}}]
    backendRefs: [{name: a, port: 8080}]
  - backendRefs: [{name: b, port: 8080}]
"""),
    )
    assert await world.status("/unknown") == 500
    assert await world.name("/") == "b"


async def test_values_with_commas_and_cookies_stay_whole(world: World) -> None:
    """envoyproxy/gateway#5733: a value that is split loses a part. kuma#10156, contour#5855: each cookie has a line."""
    await world.serve(
        GATEWAY,
        route("""
  - filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier:
        set: [{name: Cache-Control, value: "private, no-store"}]
        add: [{name: Set-Cookie, value: "id=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    async with connected(world.port()) as connection:
        wish = "X-Echo-Set-Header: set-cookie:a=1, set-cookie:b=2, cache-control:public\r\n"
        await connection.send(f"GET / HTTP/1.1\r\nHost: example.com\r\n{wish}\r\n".encode())
        lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    assert [line for line in lines if line.startswith("cache-control")] == ["cache-control: private, no-store"]
    assert [line for line in lines if line.startswith("set-cookie")] == [
        "set-cookie: a=1", "set-cookie: b=2", "set-cookie: id=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"
    ]  # fmt: skip


async def test_redirects_and_failures_of_endpoints_carry_them(world: World) -> None:
    """istio#25206: Strict-Transport-Security is wanted above all where one is sent to HTTPS."""
    await world.serve(
        GATEWAY,
        service("idle", []),
        route("""
  - matches: [{path: {value: /moved}}]
    filters:
    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Strict-Transport-Security, value: max-age=9}]}}
    - {type: RequestRedirect, requestRedirect: {scheme: https}}
  - matches: [{path: {value: /idle}}]
    filters:
    - {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Strict-Transport-Security, value: max-age=9}]}}
    backendRefs: [{name: idle, port: 8080}]
"""),
    )
    for path, host, status in (("/moved", "x", 302), ("/moved", "x:80", 302), ("/idle", "x", 503)):
        answer = await world.get(path, host=host)
        assert (answer.status, answer.headers["strict-transport-security"]) == (status, "max-age=9")
