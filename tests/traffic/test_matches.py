"""Which rule a request goes to: every kind of match, alone and combined, and their order of precedence."""

import pytest

from tests.traffic.client import connected, http2
from tests.traffic.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""


def route(rules: str, name: str = "route", created: str = "") -> str:
    """An HTTPRoute; `rules` is a YAML list."""
    return f"kind: HTTPRoute\nmetadata: {{name: {name}, creationTimestamp: '{created}'}}\nspec:\n  rules:\n{rules}"


async def test_exact_path(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {type: Exact, value: /one}}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    assert await world.name("/one") == "a"
    assert await world.name("/one?x=/two") == "a"
    for path in ("/", "/one/", "/One", "/one/two", "/onetwo", "/two"):
        assert await world.status(path) == 404, path


@pytest.mark.parametrize("value", ["/v2", "/v2/"])
async def test_prefix_is_compared_by_elements(world: World, value: str) -> None:
    await world.serve(
        GATEWAY,
        route(f"""
  - matches: [{{path: {{type: PathPrefix, value: {value}}}}}]
    backendRefs: [{{name: a, port: 8080}}]
"""),
    )
    for path in ("/v2", "/v2/", "/v2/x", "/v2?q", "/v2/x/y?q=/v3"):
        assert await world.name(path) == "a", path
    for path in ("/", "/v2example", "/v", "/V2", "/x/v2"):
        assert await world.status(path) == 404, path


async def test_a_rule_without_matches_takes_everything(world: World) -> None:
    await world.serve(GATEWAY, route("  - backendRefs: [{name: a, port: 8080}]"))
    for path in ("/", "/x", "/x/y?z", "//x", "/%2F"):
        assert await world.name(path) == "a", path


async def test_regular_expression_path(world: World) -> None:
    await world.serve(
        GATEWAY,
        route(r"""
  - matches: [{path: {type: RegularExpression, value: "/(users|teams)/[0-9]{1,30}(/.*)?"}}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    for path in ("/users/1", "/teams/123?q=x", "/users/12/", "/users/12/a"):
        assert await world.name(path) == "a", path
    for path in ("/users/", "/users/x", "/x/users/1", "/users/1x", "/users"):
        assert await world.status(path) == 404, path


async def test_headers(world: World) -> None:
    await world.serve(
        GATEWAY,
        route(r"""
  - matches:
    - path: {value: /exact}
      headers: [{name: X-Version, value: "One, two"}]
    - path: {value: /regex}
      headers: [{name: x-version, type: RegularExpression, value: "v[0-9]+"}]
    - path: {value: /both}
      headers: [{name: a, value: "1"}, {name: b, value: "2"}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    assert await world.name("/exact", headers={"x-VERSION": "One, two"}) == "a"
    for headers in ({}, {"x-version": "one, two"}, {"x-version": "One, two, three"}, {"other": "One, two"}):
        assert await world.status("/exact", headers=headers) == 404, headers
    assert await world.name("/regex", headers={"X-Version": "v12"}) == "a"
    for value in ("v", "xv1", "v1x", ""):
        assert await world.status("/regex", headers={"x-version": value}) == 404, value
    assert await world.name("/both", headers={"b": "2", "a": "1"}) == "a"
    assert await world.status("/both", headers={"a": "1"}) == 404


async def test_query_parameters(world: World) -> None:
    await world.serve(
        GATEWAY,
        route(r"""
  - matches:
    - path: {value: /exact}
      queryParams: [{name: Animal, value: whale}]
    - path: {value: /regex}
      queryParams: [{name: n, type: RegularExpression, value: "[0-9]+"}]
    - path: {value: /both}
      queryParams: [{name: a, value: "1"}, {name: b, value: "2"}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    assert await world.name("/exact?x=y&Animal=whale&z") == "a"
    for query in ("", "?animal=whale", "?Animal=Whale", "?Animal=whales", "?Animal"):
        assert await world.status("/exact" + query) == 404, query
    assert await world.name("/regex?n=42") == "a"
    for query in ("?n=", "?n=4x", "?n=x4"):
        assert await world.status("/regex" + query) == 404, query
    assert await world.name("/both?b=2&a=1") == "a"
    assert await world.status("/both?a=1") == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_methods(world: World, method: str) -> None:
    await world.serve(
        GATEWAY,
        route(f"""
  - matches: [{{method: {method}}}]
    backendRefs: [{{name: a, port: 8080}}]
"""),
    )
    assert (await world.request(method, "/")).status == 200
    other = "POST" if method != "POST" else "GET"
    assert (await world.request(other, "/")).status == 404


async def test_all_parts_of_a_match_must_hold_and_any_match_is_enough(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - matches:
    - path: {value: /api}
      method: PUT
      headers: [{name: env, value: test}]
      queryParams: [{name: v, value: "1"}]
    - path: {type: Exact, value: /other}
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    whole = {"method": "PUT", "path": "/api/x?v=1", "headers": {"env": "test"}}
    assert (await world.request(**whole)).status == 200
    for part in ({"method": "GET"}, {"path": "/x?v=1"}, {"path": "/api"}, {"headers": {}}):
        assert (await world.request(**(whole | part))).status == 404, part
    assert await world.name("/other") == "a"


async def test_precedence_of_paths(world: World) -> None:
    """Exact, then regular expressions (ours to place), then the longest prefix; the order of rules does not count."""
    await world.serve(
        GATEWAY,
        route("""
  - backendRefs: [{name: c, port: 8080}]
  - matches: [{path: {value: /match}}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{path: {value: /match/prefix/one}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {type: Exact, value: /match/prefix/one/exact}}]
    backendRefs: [{name: c, port: 8080}]
  - matches: [{path: {type: RegularExpression, value: "/match/[a-z]+/one/(exact|regex)"}}]
    backendRefs: [{name: b, port: 8080}]
"""),
    )
    for path, name in {
        "/": "c", "/x": "c", "/matchx": "c", "/match": "b", "/match/x": "b", "/match/prefix": "b",
        "/match/prefix/one": "a", "/match/prefix/one/x": "a", "/match/prefix/onex": "b",
        "/match/prefix/one/exact": "c", "/match/prefix/one/regex": "b",
    }.items():  # fmt: skip
        assert await world.name(path) == name, path


async def test_precedence_method_headers_query(world: World) -> None:
    """A longer path beats a method, a method beats headers, more headers beat fewer, headers beat parameters."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{queryParams: [{name: p, value: "1"}, {name: q, value: "1"}]}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{headers: [{name: h, value: "1"}]}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{headers: [{name: h, value: "1"}, {name: i, value: "1"}]}]
    backendRefs: [{name: c, port: 8080}]
  - matches: [{method: PUT}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{path: {value: /path}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{queryParams: [{name: p, value: "1"}]}]
    backendRefs: [{name: c, port: 8080}]
"""),
    )
    both = {"h": "1", "i": "1"}
    for method, path, headers, name in (
        ("PUT", "/path?p=1&q=1", both, "a"),
        ("PUT", "/?p=1&q=1", both, "b"),
        ("GET", "/?p=1&q=1", both, "c"),
        ("GET", "/?p=1&q=1", {"h": "1"}, "a"),
        ("GET", "/?p=1&q=1", {}, "b"),
        ("GET", "/?p=1", {}, "c"),
    ):
        answer = await world.request(method, path, headers=headers)
        assert answer.told["name"] == name, (method, path, headers)
    assert await world.status("/") == 404


async def test_of_equal_matches_the_oldest_route_wins_then_its_name_then_the_first_rule(world: World) -> None:
    rule = "  - matches: [{{path: {{value: /same}}}}]\n    backendRefs: [{{name: {0}, port: 8080}}]\n"
    old, new = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"
    await world.serve(
        GATEWAY, route(rule.format("b") + rule.format("c"), "z-old", old), route(rule.format("a"), "a-new", new)
    )
    assert await world.name("/same") == "b"
    await world.serve(GATEWAY, route(rule.format("b"), "z", old), route(rule.format("a"), "a", old))
    assert await world.name("/same") == "a"


async def test_the_first_of_equal_rules_wins_even_if_its_backend_is_missing(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{headers: [{name: one, value: "1"}, {name: two, value: "2"}]}]
    backendRefs: [{name: missing, port: 8080}]
  - matches: [{headers: [{name: two, value: "2"}, {name: one, value: "1"}]}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    assert await world.status("/", headers={"one": "1", "two": "2"}) == 500


async def test_a_bad_match_costs_only_itself(world: World) -> None:
    """Accepted=True, PartiallyInvalid: what is right of the route goes on."""
    await world.serve(
        GATEWAY,
        route("""
  - matches:
    - path: {type: RegularExpression, value: "/(unclosed"}
    - path: {type: RegularExpression, value: '/[\\x{100}-\\x{200}]'}
    - path: {type: Exact, value: /good}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /other}}]
    backendRefs: [{name: b, port: 8080}]
"""),
    )
    assert await world.name("/good") == "a"
    assert await world.name("/other") == "b"
    assert await world.status("/(unclosed") == 404


async def test_http2_requests_match_alike(world: World) -> None:
    await world.serve(
        GATEWAY,
        route("""
  - matches:
    - path: {type: Exact, value: /h2}
      headers: [{name: X-Kind, value: grey}]
      queryParams: [{name: n, value: "1"}]
      method: GET
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    async with http2(world.port()) as client:
        assert (await client.get("/h2?n=1", headers=[("x-kind", "grey")])).told["name"] == "a"
        assert (await client.get("/h2?n=2", headers=[("x-kind", "grey")])).status == 404


async def test_escapes_in_paths(world: World) -> None:
    """Needless ones and hex digits of either case change nothing: traefik#11768, envoy#13701."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /%7Euser}}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {type: Exact, value: /caf%c3%a9}}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{path: {value: /th%C3%A9}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /tea}}}]
    backendRefs: [{name: c, port: 8080}]
  - matches: [{path: {value: /s%C3%BC%C3%9F}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
    backendRefs: [{name: c, port: 8080}]
"""),
    )
    for path in ("/~user", "/%7Euser", "/%7euser/x", "/%7eus%65r?q"):
        assert await world.name(path) == "a", path
    for path in ("/caf%c3%a9", "/caf%C3%A9", "/c%61f%C3%a9?%c3"):
        assert await world.name(path) == "b", path
    for path in ("/caf%C3%A9/", "/cafe", "/CAF%C3%A9", "/th%C3%A9x", "/th%C3%A8"):
        assert await world.status(path) == 404, path
    for path, seen in {
        "/th%C3%A9": "/tea", "/th%c3%a9/": "/tea/", "/th%c3%a9/th%c3%a9?q=/th%c3%a9": "/tea/th%c3%a9?q=/th%c3%a9",
        "/s%c3%bc%c3%9f": "/", "/s%C3%BC%C3%9F/x": "/x",
    }.items():  # fmt: skip
        assert (await world.get(path)).told["path"] == seen


async def test_query_parameters_as_clients_write_them(world: World) -> None:
    """Escaped or not; a blank as %20 or +. Of several values the first counts: gateway-api#1271, contour#4588."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /a}, queryParams: [{name: q, value: "two words"}]}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /b}, queryParams: [{name: mail, value: "a+b@example.com"}]}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{path: {value: /c}, queryParams: [{name: city, value: "Köln"}]}]
    backendRefs: [{name: c, port: 8080}]
  - matches: [{path: {value: /d}, queryParams: [{name: v, value: "1"}]}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /e}, queryParams: [{name: here, type: RegularExpression, value: ".*"}]}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    for path, name in {
        "/a?q=two%20words": "a", "/a?q=two+words": "a", "/a?q=two%2Bwords": "404", "/a?q=twowords": "404",
        "/b?mail=a+b@example.com": "b", "/b?mail=a%2bb%40example.com": "b", "/b?mail=a%20b@example.com": "404",
        "/c?city=K%C3%B6ln": "c", "/c?city=k%c3%b6ln": "404", "/c?city=Koeln": "404",
        "/d?v=1&v=2": "a", "/d?v=2&v=1": "404", "/d?w=2&v=1": "a",
        "/e?here": "a", "/e?here=": "a", "/e?x&here=1": "a", "/e?there": "404",
    }.items():  # fmt: skip
        assert await world.name(path) == name, path


async def test_host_is_a_header_like_others_and_lines_of_one_name_are_one_value(world: World) -> None:
    """istio#23083: it is compared as it is sent, with its port. istio#11900, gateway-api#213: a comma joins."""
    await world.serve(
        GATEWAY,
        route("""
  - matches: [{path: {value: /host}, headers: [{name: Host, value: tenant.test}]}]
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /pattern}, headers: [{name: host, type: RegularExpression, value: "t[a-z]+[.]test(:[0-9]+)?"}]}]
    backendRefs: [{name: b, port: 8080}]
  - matches: [{path: {value: /lines}, headers: [{name: via, value: "one,two"}]}]
    backendRefs: [{name: c, port: 8080}]
  - matches: [{path: {value: /lines}, headers: [{name: via, value: "one"}]}]
    backendRefs: [{name: a, port: 8080}]
"""),
    )
    assert await world.name("/host", host="tenant.test") == "a"
    assert await world.status("/host", host="tenant.test:80") == 404
    assert await world.status("/host", host="other.test") == 404
    assert await world.name("/pattern", host="tenant.test:80") == "b"
    async with http2(world.port()) as client:
        assert (await client.get("/host", host="tenant.test")).told["name"] == "a"
    async with connected(world.port()) as connection:
        assert (await connection.get("/lines", headers="Via: one\r\nVIA: two\r\n")).told["name"] == "c"
        assert (await connection.get("/lines", headers="Via: one\r\n")).told["name"] == "a"
        assert (await connection.get("/lines", headers="Via: two\r\nVia: one\r\n")).status == 404
