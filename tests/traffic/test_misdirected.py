"""Hosts asked for over a connection of another listener: 421, so that the client comes again; 404 where nobody has them."""

import json

import pytest

from tests.traffic.client import connected, http2, raw
from tests.traffic.harness import World
from tests.traffic.test_tls import gateway, https, route, secret
from tests.traffic.tls import trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = "example.org,unknown.org,second-example.org,*.wildcard.org"
LISTENERS = (
    https("all", "all"),
    https("second", "all", "second-example.org"),
    https("wildcard", "all", "*.wildcard.org"),
    https("fourth", "all", "fourth-example.wildcard.org"),
)
AUTHORITIES = (
    "example.org", "unknown.org", "second-example.org", "third.wildcard.org", "x.third.wildcard.org", "wildcard.org",
    "fourth-example.wildcard.org",
)  # fmt: skip
EXPECTED: dict[str, list[int | str]] = {
    # SNI: the answers in the order of the authorities
    "example.org": ["a", 404, 421, 421, 421, 404, 421],
    "unknown.org": ["a", 404, 421, 421, 421, 404, 421],
    "second-example.org": [421, 421, "b", 421, 421, 421, 421],
    "third.wildcard.org": [421, 421, 421, "c", 404, 421, 421],
    "other.wildcard.org": [421, 421, 421, "c", 404, 421, 421],
    "fourth-example.wildcard.org": [421, 421, 421, 421, 421, 421, "a"],
}


def part(name: str, backend: str, section: str, host: str) -> str:
    """A route for one host of a listener."""
    return route(name, backend, section).replace("spec: {", f"spec: {{hostnames: [{host}], ")


ROUTES = (
    part("all", "a", "all", "example.org"),
    route("second", "b", "second"),
    part("wildcard", "c", "wildcard", "third.wildcard.org"),
    route("fourth", "a", "fourth"),
)


@pytest.mark.parametrize("version", ["h2", "http/1.1"])
async def test_every_sni_with_every_authority(world: World, version: str) -> None:
    """One connection per SNI, the authorities one after the other, with and without a port."""
    await world.serve(secret("all", NAMES), gateway(*LISTENERS), *ROUTES)
    connect = http2 if version == "h2" else connected
    for sni, expected in EXPECTED.items():
        async with connect(world.port(443), tls=trusting(NAMES, alpn=(version,)), server_name=sni) as client:
            for suffix in ("", ":443", ":1234"):
                answers = [await client.get(host=host + suffix) for host in AUTHORITIES]
                found = [answer.told["name"] if answer.status == 200 else answer.status for answer in answers]
                assert found == expected, (sni, suffix)
            answers = [await client.get(host=host.upper()) for host in AUTHORITIES]
            assert [answer.status for answer in answers] == [one if one in (421, 404) else 200 for one in expected]


async def test_a_host_that_no_listener_has_is_404(world: World) -> None:
    """A path or method changes nothing of either answer; the connection lives on."""
    a, b = https("a", "all", "second-example.org"), https("b", "all", "*.wildcard.org")
    await world.serve(secret("all", NAMES), gateway(a, b), route("any", "a"))
    async with connected(world.port(443), tls=trusting(NAMES), server_name="second-example.org") as connection:
        for path in ("/", "/some/path?query"):
            assert (await connection.get(path, host="unknown.org")).status == 404
            assert (await connection.get(path, host="x.wildcard.org")).status == 421
            assert (await connection.get(path, host="second-example.org")).status == 200


async def test_hosts_of_a_tls_listener_are_misdirected(world: World) -> None:
    passed = 'name: passed, port: 443, protocol: TLS, hostname: "fourth-example.wildcard.org", tls: {mode: Passthrough}'
    await world.serve(secret("all", NAMES), gateway(https("w", "all", "*.wildcard.org"), passed), route("any", "a"))
    async with connected(world.port(443), tls=trusting(NAMES), server_name="x.wildcard.org") as connection:
        assert (await connection.get(host="x.wildcard.org")).status == 200
        assert (await connection.get(host="fourth-example.wildcard.org")).status == 421


async def test_a_listener_that_comes_and_goes_takes_its_hosts_with_it(world: World) -> None:
    """The open connection of the wider listener stays."""
    wide, narrow = https("w", "all", "*.wildcard.org"), https("n", "all", "fourth-example.wildcard.org")
    await world.serve(secret("all", NAMES), gateway(wide), route("any", "a"))
    async with connected(world.port(443), tls=trusting(NAMES), server_name="x.wildcard.org") as connection:
        for listeners, status in (((wide,), 200), ((wide, narrow), 421), ((wide,), 200)):
            await world.change(gateway(*listeners))
            assert (await connection.get(host="fourth-example.wildcard.org")).status == status
            assert (await connection.get(host="x.wildcard.org")).status == 200


async def test_plain_http_has_nothing_to_misdirect(world: World) -> None:
    """One connection for all: the most specific listener answers, and says 404 where no route of it does."""
    narrow = 'name: n, port: 80, protocol: HTTP, hostname: "fourth-example.wildcard.org"'
    await world.serve(gateway("name: all, port: 80, protocol: HTTP", narrow), route("any", "a", "all"))
    async with connected(world.port(80)) as connection:
        assert (await connection.get(host="x.wildcard.org")).status == 200
        assert (await connection.get(host="fourth-example.wildcard.org")).status == 404
    assert (await raw(world.port(80), b"GET / HTTP/1.0\r\n\r\n")).status != 421


async def test_the_access_log_tells_of_a_misdirected_request(world: World) -> None:
    await world.serve(secret("all", NAMES), gateway(*LISTENERS), *ROUTES)
    async with connected(world.port(443), tls=trusting(NAMES), server_name="second-example.org") as connection:
        assert (await connection.get("/told", host="third.wildcard.org")).status == 421

    def told() -> list[dict[str, object]]:
        text = (world.envoy.directory / "log").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if '"/told"' in line and line.endswith("}")]

    await world.envoy.until(told, "has not logged")
    fields = ("route", "response_code", "authority", "requested_server_name", "listener")
    assert [told()[0][name] for name in fields] == [
        "misdirected", 421, "third.wildcard.org", "second-example.org", "https-443/second-example.org"
    ]  # fmt: skip
