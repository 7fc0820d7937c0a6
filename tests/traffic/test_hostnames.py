"""Which listener and which host a request belongs to: wildcards, isolation, several ports and Gateways."""

import pytest

from tests.traffic.client import http2, raw
from tests.traffic.harness import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTENERS = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: any, port: 80, protocol: HTTP}
  - {name: wild, port: 80, protocol: HTTP, hostname: "*.example.com"}
  - {name: deeper, port: 80, protocol: HTTP, hostname: "*.foo.example.com"}
  - {name: exact, port: 80, protocol: HTTP, hostname: abc.foo.example.com}
  - {name: second, port: 8080, protocol: HTTP}
"""


def gateway(hostname: str = "", name: str = "gateway", port: int = 80) -> str:
    """A Gateway with one HTTP listener."""
    host = f', hostname: "{hostname}"' if hostname else ""
    listener = f"{{name: http, port: {port}, protocol: HTTP{host}}}"
    return f"kind: Gateway\nmetadata: {{name: {name}}}\nspec: {{gatewayClassName: x, listeners: [{listener}]}}\n"


def route(name: str, backend: str, *, hosts: str = "", parent: str = "name: gateway", path: str = "/") -> str:
    """An HTTPRoute of one prefix; `hosts` is a YAML list's inside."""
    return f"""
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{{parent}}}]
  hostnames: [{hosts}]
  rules:
  - matches: [{{path: {{value: {path}}}}}]
    backendRefs: [{{name: {backend}, port: 8080}}]
"""


async def test_a_listener_answers_for_its_hosts_alone(world: World) -> None:
    """The most specific listener owns a host; what its routes do not take is a 404, not another listener's."""
    await world.serve(
        LISTENERS,
        route("any", "a", parent="name: gateway, sectionName: any", path="/any"),
        route("wild", "b", parent="name: gateway, sectionName: wild", path="/wild"),
        route("deeper", "c", parent="name: gateway, sectionName: deeper", path="/deeper"),
        route("exact", "a", parent="name: gateway, sectionName: exact", path="/exact"),
    )
    owners = {
        "other.org": "any", "example.com": "any", "bar.example.com": "wild", "x.bar.example.com": "wild",
        "foo.example.com": "wild", "x.foo.example.com": "deeper", "y.x.foo.example.com": "deeper",
        "abc.foo.example.com": "exact",
    }  # fmt: skip
    for host, owner in owners.items():
        for path in ("any", "wild", "deeper", "exact"):
            assert await world.status(f"/{path}", host=host) == (200 if path == owner else 404), (host, path)


async def test_a_listener_without_routes_keeps_its_hosts(world: World) -> None:
    await world.serve(LISTENERS, route("any", "a", parent="name: gateway, sectionName: any"))
    assert await world.name("/", host="other.org") == "a"
    for host in ("bar.example.com", "x.foo.example.com", "abc.foo.example.com"):
        assert await world.status("/", host=host) == 404, host


async def test_a_route_attaches_to_all_listeners_or_to_those_of_a_port(world: World) -> None:
    await world.serve(LISTENERS, route("all", "a", path="/all"), route("p", "b", parent="name: gateway, port: 8080"))
    for host in ("other.org", "bar.example.com", "abc.foo.example.com"):
        assert await world.name("/all", host=host) == "a"
        assert await world.name("/all", host=host, port=8080) == "a"
        assert await world.status("/", host=host) == 404
        assert await world.name("/", host=host, port=8080) == "b"


async def test_hostnames_of_routes_on_a_listener_with_a_wildcard(world: World) -> None:
    await world.serve(
        gateway("*.example.com"),
        route("exact", "a", hosts="shop.example.com, other.org"),
        route("wild", "b", hosts='"*.deep.example.com"'),
        route("wider", "c", hosts='"*.com"', path="/wider"),
    )
    assert await world.name("/", host="shop.example.com") == "a"
    assert await world.name("/", host="x.deep.example.com") == "b"
    assert await world.name("/", host="y.x.deep.example.com") == "b"
    assert await world.name("/wider", host="any.example.com") == "c"
    for host in ("other.org", "example.com", "deep.example.com", "x.shop.example.com", "shop.example.com.evil.org"):
        assert await world.status("/", host=host) == 404, host
    assert await world.status("/wider", host="example.org") == 404


async def test_a_wildcard_route_on_an_exact_listener_serves_that_host(world: World) -> None:
    await world.serve(gateway("abc.example.com"), route("wild", "a", hosts='"*.example.com"'))
    assert await world.name("/", host="abc.example.com") == "a"
    assert await world.status("/", host="x.example.com") == 404


async def test_a_route_without_a_common_host_takes_nothing(world: World) -> None:
    await world.serve(gateway("*.example.com"), route("other", "a", hosts="example.org"))
    for host in ("example.org", "x.example.com", "example.com"):
        assert await world.status("/", host=host) == 404


@pytest.mark.parametrize("listener", ["abc.example.com", "*.example.com", ""])
async def test_the_hostname_as_the_route_writes_it_ranks_first(world: World, listener: str) -> None:
    """Though on the first listener the effective hosts are equal, and though the wider route's path is longer."""
    await world.serve(
        gateway(listener),
        route("a-wide", "a", hosts='"*.example.com"', path="/path/long"),
        route("b-exact", "b", hosts="abc.example.com", path="/path"),
        route("c-none", "c"),
    )
    assert await world.name("/path/long", host="abc.example.com") == "b"
    assert await world.name("/path/long", host="abc.example.com:80") == "b"
    assert await world.name("/none", host="abc.example.com") == "c"


async def test_longer_wildcards_rank_before_shorter_ones(world: World) -> None:
    await world.serve(
        gateway("*.example.com"),
        route("a-short", "a", hosts='"*.com"', path="/path/long"),
        route("b-long", "b", hosts='"*.example.com"', path="/path"),
    )
    assert await world.name("/path/long", host="x.example.com") == "b"


async def test_what_the_narrower_host_does_not_match_falls_to_the_wider(world: World) -> None:
    await world.serve(
        gateway(),
        route("exact", "a", hosts="abc.example.com", path="/a"),
        route("wild", "b", hosts='"*.example.com"', path="/b"),
        route("none", "c", path="/c"),
    )
    assert [await world.name(path, host="abc.example.com") for path in ("/a", "/b", "/c", "/d")] == [
        "a",
        "b",
        "c",
        "404",
    ]
    assert [await world.name(path, host="x.example.com") for path in ("/a", "/b", "/c")] == ["404", "b", "c"]
    assert [await world.name(path, host="x.org") for path in ("/a", "/b", "/c")] == ["404", "404", "c"]


@pytest.mark.parametrize("host", ["Shop.EXAMPLE.com", "shop.example.com:1234", "SHOP.example.com:80"])
async def test_host_is_compared_without_case_and_port_and_forwarded_as_it_is(world: World, host: str) -> None:
    await world.serve(gateway("*.example.com"), route("shop", "a", hosts="shop.example.com"))
    answer = await world.get("/", host=host)
    assert answer.told["host"] == host
    async with http2(world.port()) as client:
        assert (await client.get(host=host)).told["host"] == host


@pytest.mark.parametrize("host", ["shop.example.com.", "shop.example.com.:8080", "SHOP.example.com."])
async def test_a_final_dot_makes_no_other_host(world: World, host: str) -> None:
    """Neither of another listener nor of another route; the backend gets the host without it."""
    narrow = 'listeners: [{name: any, port: 80, protocol: HTTP}, {name: shop, port: 80, protocol: HTTP, hostname: "*.example.com"}]'
    await world.serve(
        f"kind: Gateway\nmetadata: {{name: gateway}}\nspec: {{gatewayClassName: x, {narrow}}}\n",
        route("shop", "a", hosts="shop.example.com", parent="name: gateway, sectionName: shop"),
        route("any", "b", parent="name: gateway, sectionName: any"),
    )
    answer = await world.get("/", host=host)
    assert (answer.told["name"], answer.told["host"]) == ("a", host.replace(".com.", ".com"))
    async with http2(world.port()) as client:
        assert (await client.get(host=host)).told["name"] == "a"


async def test_hosts_that_are_no_names(world: World) -> None:
    """IP literals, odd and empty hosts belong to the listener without hostname."""
    await world.serve(gateway(), route("any", "a"))
    for host in ("127.0.0.1", "[::1]:80", "localhost", "xn--bcher-kva.example"):
        assert await world.name("/", host=host) == "a", host
    assert (await raw(world.port(), b"GET / HTTP/1.1\r\nHost:\r\n\r\n")).status in (200, 400)


async def test_several_gateways_have_their_own_routes(world: World) -> None:
    await world.serve(
        gateway(), gateway(name="second"),
        route("one", "a", path="/one"), route("two", "b", parent="name: second", path="/two"),
        route("both", "c", parent="name: gateway}, {name: second", path="/both"),
    )  # fmt: skip
    assert [await world.name(path) for path in ("/one", "/two", "/both")] == ["a", "404", "c"]
    assert [await world.name(path, gateway="second") for path in ("/one", "/two", "/both")] == ["404", "b", "c"]


async def test_a_port_that_is_not_served_any_more_refuses_connections(world: World) -> None:
    await world.serve(LISTENERS, route("all", "a"))
    assert await world.name("/", port=8080) == "a"
    await world.serve(gateway(), route("all", "a"))
    assert await world.name("/") == "a"
    await world.refused(8080)


async def test_only_allowed_namespaces_attach(world: World) -> None:
    await world.serve(
        """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: same, port: 80, protocol: HTTP, hostname: same.org}
  - name: chosen
    port: 80
    protocol: HTTP
    hostname: chosen.org
    allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: shop}}}}
  - {name: all, port: 80, protocol: HTTP, hostname: all.org, allowedRoutes: {namespaces: {from: All}}}
---
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
kind: Namespace
metadata: {name: stray}
---
kind: HTTPRoute
metadata: {name: own}
spec:
  rules: [{matches: [{path: {value: /own}}], filters: [{type: RequestRedirect, requestRedirect: {}}]}]
---
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: gateway, namespace: default}]
  rules: [{matches: [{path: {value: /shop}}], filters: [{type: RequestRedirect, requestRedirect: {}}]}]
---
kind: HTTPRoute
metadata: {name: stray, namespace: stray}
spec:
  parentRefs: [{name: gateway, namespace: default}]
  rules: [{matches: [{path: {value: /stray}}], filters: [{type: RequestRedirect, requestRedirect: {}}]}]
"""
    )
    seen = {
        host: [path for path in ("/own", "/shop", "/stray") if await world.status(path, host=host) == 302]
        for host in ("same.org", "chosen.org", "all.org")
    }
    assert seen == {"same.org": ["/own"], "chosen.org": ["/shop"], "all.org": ["/own", "/shop", "/stray"]}
    await world.change("kind: Namespace\nmetadata: {name: stray, labels: {team: shop}}")
    assert await world.status("/stray", host="chosen.org") == 302
