"""CORS: what browsers are told, by which route, and which requests reach a backend."""

import pytest

from tests.traffic.authorization import Denial, grpc_authorization
from tests.traffic.client import Answer
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""
FOO, BAR, OTHER = "https://www.foo.com", "https://www.bar.com", "https://foobar.com"
CONFORMANCE = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /cors-1}}]
    filters:
    - type: CORS
      cors:
        allowOrigins: ["https://www.foo.com", "https://*.bar.com"]
        allowMethods: [GET, OPTIONS]
        allowHeaders: [x-header-1, x-header-2]
        exposeHeaders: [x-header-3, x-header-4]
        allowCredentials: true
        maxAge: 3600
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /cors-2}}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://www.foo.com"], allowMethods: ["*"]}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /wildcard-origin}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"], allowMethods: [PUT]}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /wildcards}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], allowCredentials: true}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /unauthenticated}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"]}}]
    backendRefs: [{name: a, port: 8080}]
"""
PREFIX = "access-control-"


def told(answer: Answer) -> dict[str, str]:
    """What an answer says of access, without `access-control-` and blanks."""
    return {
        name.removeprefix(PREFIX): value.replace(" ", "")
        for name, value in answer.headers.items()
        if name.startswith(PREFIX)
    }


async def preflight(
    world: World, path: str, origin: str, method: str = "GET", headers: str | None = None
) -> dict[str, str] | int:
    """What a preflight is told, or its status where that is no success; no backend has seen it."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers is not None:
        asked["Access-Control-Request-Headers"] = headers
    answer = await world.request("OPTIONS", path, headers=asked)
    assert answer.body == b""
    return told(answer) if answer.status in (200, 204) else answer.status


async def simple(world: World, path: str, origin: str, method: str = "GET", **headers: str) -> dict[str, str]:
    """What a request that reaches a backend is told."""
    answer = await world.request(method, path, headers={"Origin": origin, **headers})
    assert (answer.status, answer.told["name"]) == (200, "a")
    return told(answer)


FULL = {
    "allow-methods": "GET,OPTIONS",
    "allow-headers": "x-header-1,x-header-2",
    "expose-headers": "x-header-3,x-header-4",
    "max-age": "3600",
    "allow-credentials": "true",
}


@pytest.mark.parametrize("origin", [FOO, BAR, "https://xpto.www.bar.com"])
async def test_a_preflight_of_an_allowed_origin(world: World, origin: str) -> None:
    await world.serve(GATEWAY, CONFORMANCE)
    found = await preflight(world, "/cors-1", origin, headers="x-header-1, x-header-2")
    assert found == FULL | {"allow-origin": origin}


@pytest.mark.parametrize(
    "origin",
    [
        OTHER,
        "https://bar.com",
        "https://www.bar.com.evil.test",
        "https://www.bar.com:8443",
        "http://www.bar.com",
        "https://wwwxbar.com",
        "https://evil.test/.bar.com",
        "https://evil.test:1.bar.com",
        "null",
    ],
)
async def test_another_origin(world: World, origin: str) -> None:
    """Its preflights are not let through, its other requests are; to neither is it told that it may."""
    await world.serve(GATEWAY, CONFORMANCE)
    found = await preflight(world, "/cors-1", origin)
    assert isinstance(found, dict)
    assert "allow-origin" not in found
    assert await simple(world, "/cors-1", origin) == {}


@pytest.mark.parametrize("origin", [FOO, BAR])
async def test_a_request_of_an_allowed_origin(world: World, origin: str) -> None:
    await world.serve(GATEWAY, CONFORMANCE)
    found = await simple(world, "/cors-1", origin, **{"Access-Control-Request-Method": "GET"})
    assert found == {"allow-origin": origin, "allow-credentials": "true", "expose-headers": "x-header-3,x-header-4"}


async def test_any_method(world: World) -> None:
    await world.serve(GATEWAY, CONFORMANCE)
    assert await preflight(world, "/cors-2", FOO, "POST") == {
        "allow-origin": FOO, "allow-methods": "POST", "max-age": "5"
    }  # fmt: skip


@pytest.mark.parametrize("origin", [OTHER, f"{OTHER}:12345", "http://[::1]:80", "null"])
async def test_any_origin(world: World, origin: str) -> None:
    await world.serve(GATEWAY, CONFORMANCE)
    assert await preflight(world, "/wildcard-origin", origin, "PUT") == {
        "allow-origin": origin, "allow-methods": "PUT", "max-age": "5"
    }  # fmt: skip
    assert await simple(world, "/wildcard-origin", origin, "PUT") == {"allow-origin": origin}


@pytest.mark.parametrize(("path", "more"), [("/wildcards", {"allow-credentials": "true"}), ("/unauthenticated", {})])
async def test_wildcards_with_and_without_credentials(world: World, path: str, more: dict[str, str]) -> None:
    """What was asked for is told, never `*`; headers only where some are asked for."""
    await world.serve(GATEWAY, CONFORMANCE)
    origin = "https://other.foo.com"
    wanted = more | {"allow-origin": origin, "allow-methods": "PUT", "max-age": "5"}
    asked = wanted | {"allow-headers": "x-header-1,x-header-2"}
    assert await preflight(world, path, origin, "PUT", "x-header-1, x-header-2") == asked
    assert await preflight(world, path, origin, "PUT") == wanted
    assert await simple(world, path, origin, Authorization="Bearer test") == more | {"allow-origin": origin}


async def test_what_is_no_preflight_reaches_the_backend(world: World) -> None:
    await world.serve(GATEWAY, CONFORMANCE)
    for headers in ({}, {"Origin": FOO}, {"Access-Control-Request-Method": "GET"}):
        answer = await world.request("OPTIONS", "/cors-1", headers=headers)
        assert answer.told["method"] == "OPTIONS"


async def test_the_backends_own_words_are_replaced(world: World) -> None:
    await world.serve(GATEWAY, CONFORMANCE)
    own = {"X-Echo-Set-Header": "access-control-allow-origin:*"}
    assert (await simple(world, "/cors-1", FOO, **own))["allow-origin"] == FOO


async def test_preflights_find_rules_that_ask_for_a_method_or_headers(world: World) -> None:
    await world.serve(
        GATEWAY,
        """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /x}, method: POST}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://post.test"]}}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{path: {value: /x}, method: GET}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://get.test"]}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /y}, headers: [{name: version, value: "2"}], queryParams: [{name: q, value: "1"}]}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://two.test"], allowHeaders: ["*"]}}]
    backendRefs: [{name: a, port: 8080}]
""",
    )
    assert await preflight(world, "/x", "https://post.test", "POST") == {
        "allow-origin": "https://post.test", "max-age": "5"
    }  # fmt: skip
    assert await preflight(world, "/x", "https://get.test", "GET") == {
        "allow-origin": "https://get.test", "max-age": "5"
    }  # fmt: skip
    assert await preflight(world, "/x", "https://get.test", "POST") == {"max-age": "5"}
    assert await preflight(world, "/x", "https://get.test", "DELETE") == 404
    assert await preflight(world, "/y?q=1", "https://two.test", headers="version") == {
        "allow-origin": "https://two.test", "allow-headers": "version", "max-age": "5"
    }  # fmt: skip
    assert await preflight(world, "/y?q=2", "https://two.test", headers="version") == 404
    for headers in ({}, {"Origin": ""}):
        answer = await world.request("OPTIONS", "/x", headers={"Access-Control-Request-Method": "GET", **headers})
        assert answer.status == 404


async def test_redirects_and_failures(world: World) -> None:
    await world.serve(
        GATEWAY,
        """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /redirect}}]
    filters:
    - {type: CORS, cors: {allowOrigins: ["https://*.test"], allowCredentials: true, exposeHeaders: [x-a]}}
    - {type: RequestRedirect, requestRedirect: {hostname: example.org}}
  - matches: [{path: {value: /missing}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"], allowMethods: [PUT]}}]
    backendRefs: [{name: missing, port: 8080}]
  - matches: [{path: {value: /share}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"]}}]
    backendRefs: [{name: missing, port: 8080, weight: 1000000}, {name: a, port: 8080}]
""",
    )
    assert await preflight(world, "/redirect", "https://a.test", "POST") == {
        "allow-origin": "https://a.test", "allow-credentials": "true", "expose-headers": "x-a", "max-age": "5"
    }  # fmt: skip
    for host in ("example.com", "example.com:80"):
        answer = await world.get("/redirect", host=host, headers={"Origin": "https://a.test"})
        assert (answer.status, answer.headers["location"]) == (302, "http://example.org/redirect")
        assert told(answer) == {
            "allow-origin": "https://a.test", "allow-credentials": "true", "expose-headers": "x-a"
        }  # fmt: skip
    assert told(await world.get("/redirect", headers={"Origin": "https://test"})) == {}
    for path in ("/missing", "/share"):
        answer = await world.get(path, headers={"Origin": FOO})
        assert answer.status == 500
        assert told(answer) == {"allow-origin": FOO}
    assert await preflight(world, "/missing", FOO) == {"allow-origin": FOO, "allow-methods": "PUT", "max-age": "5"}


async def test_of_a_backend(world: World) -> None:
    await world.serve(
        GATEWAY,
        """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /one}}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://rule.test"]}}]
    backendRefs: [{name: a, port: 8080, filters: [{type: CORS, cors: {allowOrigins: ["https://backend.test"]}}]}]
  - matches: [{path: {value: /two}, method: GET}]
    backendRefs:
    - {name: a, port: 8080, filters: [{type: CORS, cors: {allowOrigins: ["https://a.test"]}}]}
    - {name: b, port: 8080, filters: [{type: CORS, cors: {allowOrigins: ["https://b.test"]}}]}
""",
    )
    assert await simple(world, "/one", "https://backend.test") == {"allow-origin": "https://backend.test"}
    assert await simple(world, "/one", "https://rule.test") == {}
    seen = set()
    for answer in await world.many(60, "/two", headers="origin: https://a.test\r\n"):
        seen.add((answer.told["name"], told(answer).get("allow-origin")))
    assert seen == {("a", "https://a.test"), ("b", None)}
    allowed = {str(await preflight(world, "/two", "https://b.test")) for _ in range(40)}
    assert allowed == {"{'max-age': '5'}", "{'allow-origin': 'https://b.test', 'max-age': '5'}"}


async def test_caches_are_told_that_answers_differ_by_origin(world: World) -> None:
    """gateway-api#4666, istio#15010: whoever asks, also without an Origin; what the backend says itself stays."""
    await world.serve(
        GATEWAY,
        """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /one}}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://a.test"]}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /any}}]
    filters:
    - {type: CORS, cors: {allowOrigins: ["*"]}}
    - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [vary]}}
    backendRefs: [{name: a, port: 8080}, {name: b, port: 8080}]
  - matches: [{path: {value: /moved}}]
    filters:
    - {type: CORS, cors: {allowOrigins: ["https://*.test"]}}
    - {type: RequestRedirect, requestRedirect: {hostname: example.org}}
  - matches: [{path: {value: /missing}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"]}}]
    backendRefs: [{name: missing, port: 8080}]
  - matches: [{path: {value: /nobody}}]
    filters: [{type: CORS, cors: {}}]
    backendRefs: [{name: a, port: 8080}]
  - backendRefs: [{name: a, port: 8080}]
""",
    )
    for path in ("/one", "/any", "/moved", "/missing"):
        for headers in ({}, {"Origin": "https://a.test"}, {"Origin": OTHER}):
            assert (await world.get(path, headers=headers)).headers["vary"] == "Origin", (path, headers)
    own = {"Origin": "https://a.test", "X-Echo-Set-Header": "vary:Accept-Encoding"}
    assert (await world.get("/one", headers=own)).headers["vary"] == "Accept-Encoding,Origin"
    assert (await world.get("/any", headers=own)).headers["vary"] == "Origin"
    for path in ("/nobody", "/"):
        assert "vary" not in (await world.get(path, headers={"Origin": FOO})).headers


async def test_pages_may_read_why_they_are_denied(world: World) -> None:
    """istio#29425: without these headers a page learns of no 401, only that something failed."""
    async with grpc_authorization() as authorization:
        await world.serve(
            GATEWAY,
            service("authorization", [authorization.address], protocol="kubernetes.io/h2c"),
            """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - filters:
    - {type: CORS, cors: {allowOrigins: ["https://*.test"], allowCredentials: true, exposeHeaders: [www-authenticate]}}
    - {type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: authorization, port: 8080}, grpc: {}}}
    backendRefs: [{name: a, port: 8080}]
""",
        )
        authorization.deny = Denial(401, {"www-authenticate": "Bearer"}, "who are you?")
        answer = await world.get("/", headers={"Origin": "https://a.test"})
        assert (answer.status, answer.headers["www-authenticate"], answer.body) == (401, "Bearer", b"who are you?")
        assert told(answer) == {
            "allow-origin": "https://a.test", "allow-credentials": "true", "expose-headers": "www-authenticate"
        }  # fmt: skip
        assert told(await world.get("/", headers={"Origin": OTHER})) == {}
