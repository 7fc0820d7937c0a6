"""RequestRedirect: status, scheme, port and path of Location."""

import pytest

from tests.traffic.client import connected
from tests.traffic.harness import World
from tests.traffic.tls import trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:example.com}", tls.key: "${key:example.com}"}
---
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: http-alt, port: 8080, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
  - {name: https-alt, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
"""


def redirect(fields: str, match: str = "{path: {value: /}}") -> str:
    """An HTTPRoute whose only rule redirects."""
    return f"""
kind: HTTPRoute
metadata: {{name: route}}
spec:
  rules:
  - matches: [{match}]
    filters: [{{type: RequestRedirect, requestRedirect: {{{fields}}}}}]
"""


async def location(world: World, path: str = "/path?q=1", *, port: int = 80, host: str = "example.com") -> str:
    """Where a GET is sent on to; over TLS on the ports of HTTPS listeners."""
    if port in (443, 8443):
        context = trusting("example.com")
        async with connected(world.port(port), tls=context, server_name="example.com") as connection:
            return (await connection.get(path, host=host)).headers["location"]
    return (await world.get(path, port=port, host=host)).headers["location"]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_status(world: World, code: int) -> None:
    await world.serve(GATEWAY, redirect(f"hostname: example.org, statusCode: {code}"))
    answer = await world.request("POST" if code == 303 else "GET", "/path?q=1")
    assert (answer.status, answer.headers["location"]) == (code, "http://example.org/path?q=1")


async def test_302_unless_told(world: World) -> None:
    await world.serve(GATEWAY, redirect("hostname: example.org"))
    assert await world.status("/") == 302


@pytest.mark.parametrize(
    ("port", "fields", "origin"),
    [
        (80, "", "http://example.org"),
        (80, "port: 80", "http://example.org"),
        (80, "port: 8080", "http://example.org:8080"),
        (80, "scheme: https", "https://example.org"),
        (80, "scheme: https, port: 443", "https://example.org"),
        (80, "scheme: https, port: 8443", "https://example.org:8443"),
        (8080, "", "http://example.org:8080"),
        (8080, "port: 80", "http://example.org"),
        (8080, "scheme: https", "https://example.org"),
        (8080, "scheme: http", "http://example.org"),
        (443, "", "https://example.org"),
        (443, "port: 443", "https://example.org"),
        (443, "port: 8443", "https://example.org:8443"),
        (443, "scheme: http", "http://example.org"),
        (443, "scheme: http, port: 80", "http://example.org"),
        (443, "scheme: http, port: 8080", "http://example.org:8080"),
        (8443, "", "https://example.org:8443"),
        (8443, "port: 443", "https://example.org"),
    ],
)
async def test_port_and_scheme(world: World, port: int, fields: str, origin: str) -> None:
    """No port and no scheme: the listener's own; a scheme alone: that scheme's port; a well-known port is not told."""
    await world.serve(GATEWAY, redirect(f"hostname: example.org, {fields}"))
    assert await location(world, port=port) == f"{origin}/path?q=1"
    assert await location(world, port=port, host="example.com:1234") == f"{origin}/path?q=1"


@pytest.mark.parametrize(
    ("port", "host", "fields", "origin"),
    [
        (80, "shop.example.com", "statusCode: 301", "http://shop.example.com"),
        (80, "shop.example.com:1234", "statusCode: 301", "http://shop.example.com"),
        (80, "shop.example.com:80", "port: 8080", "http://shop.example.com:8080"),
        (80, "shop.example.com:1234", "scheme: https", "https://shop.example.com"),
        (80, "Shop.example.com", "scheme: https, port: 8443", "https://Shop.example.com:8443"),
        (8080, "shop.example.com", "statusCode: 301", "http://shop.example.com:8080"),
        (8080, "shop.example.com:8080", "port: 80", "http://shop.example.com"),
        (8080, "[::1]:8080", "statusCode: 301", "http://[::1]:8080"),
        (80, "[::1]:8080", "scheme: https", "https://[::1]"),
        (80, "[::1]", "scheme: https", "https://[::1]"),
        (443, "example.com:4443", "statusCode: 301", "https://example.com"),
    ],
)
async def test_the_host_of_the_request_stays_and_its_port_does_not(
    world: World, port: int, host: str, fields: str, origin: str
) -> None:
    """Envoy prints the port that it was told to put in place of the request's, be it the scheme's own."""
    await world.serve(GATEWAY, redirect(fields))
    told = await location(world, port=port, host=host)
    well_known = {"http": ":80/", "https": ":443/"}[told.partition(":")[0]]
    assert told.replace(well_known, "/") == f"{origin}/path?q=1"


@pytest.mark.parametrize(
    ("path", "result"),
    [("/full", "/full"), ("/full/", "/full/"), ("/", "/"), ("/a%20b", "/a%20b"), ("/%", "/%"), ("/a\\\\1", "/a\\1")],
)
async def test_replace_full_path(world: World, path: str, result: str) -> None:
    await world.serve(GATEWAY, redirect(f'path: {{type: ReplaceFullPath, replaceFullPath: "{path}"}}'))
    assert await location(world, "/x/y?q=1&r=/z") == f"http://example.com{result}?q=1&r=/z"


async def test_a_path_with_a_query_of_its_own_goes_without_the_requests(world: World) -> None:
    """kgateway#14443: it is no reason to refuse a redirect."""
    path = "path: {type: ReplaceFullPath, replaceFullPath: '/new?brand=x'}"
    await world.serve(GATEWAY, redirect(path))
    for asked in ("/x", "/x?q=1"):
        assert await location(world, asked) == "http://example.com/new?brand=x"


PREFIXES = [
    ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
    ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
    ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
    ("/foo", "/foo", "/xyz", "/xyz"),
    ("/foo/", "/foo", "/xyz", "/xyz/"),
    ("/foo/bar", "/foo", "", "/bar"),
    ("/foo/bar", "/foo", "/", "/bar"),
    ("/foo/", "/foo", "", "/"),
    ("/foo/", "/foo", "/", "/"),
    ("/foo", "/foo", "", "/"),
    ("/foo", "/foo", "/", "/"),
    ("/bar", "/", "/xyz", "/xyz/bar"),
    ("/bar/", "/", "/xyz/", "/xyz/bar/"),
    ("/", "/", "/xyz", "/xyz/"),
    ("/bar", "/", "/", "/bar"),
    ("/a.b/c", "/a.b", "/", "/c"),
    ("/a+b/c", "/a+b", "", "/c"),
    ("/foo/foo/x", "/foo", "/", "/foo/x"),
    ("/foo/foo/x", "/foo", "/y", "/y/foo/x"),
    ("/foo/a%20b", "/foo", "/y%20z", "/y%20z/a%20b"),
    ("/foo//bar", "/foo", "/y", "/y//bar"),
]
"""Request, prefix, replacement, result: the table of HTTPPathModifier, then the root, dots, and repetition."""


@pytest.mark.parametrize(("path", "prefix", "replacement", "result"), PREFIXES)
async def test_replace_prefix_match(world: World, path: str, prefix: str, replacement: str, result: str) -> None:
    modifier = f'path: {{type: ReplacePrefixMatch, replacePrefixMatch: "{replacement}"}}'
    await world.serve(GATEWAY, redirect(modifier, f"{{path: {{value: {prefix}}}}}"))
    assert await location(world, path) == f"http://example.com{result}"
    assert await location(world, f"{path}?q=/foo/&r") == f"http://example.com{result}?q=/foo/&r"


async def test_a_redirect_keeps_to_its_match(world: World) -> None:
    """Also the second Envoy route, for hosts with a port, asks for everything that the match does."""
    await world.serve(GATEWAY, redirect("scheme: https", "{path: {value: /x}, headers: [{name: h, value: v}]}"))
    for host in ("example.com", "example.com:1234"):
        assert await world.status("/x", host=host, headers={"h": "v"}) == 302
        assert await world.status("/x", host=host) == 404
        assert await world.status("/y", host=host, headers={"h": "v"}) == 404
