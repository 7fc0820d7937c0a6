"""UDPRoutes: who gets a port's datagrams, in which shares, and what becomes of sessions when things change."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.traffic.harness import World, service
from tests.traffic.streams import (
    FAR,
    answering,
    datagram_service,
    far,
    gateway,
    granting,
    greeting,
    name_of,
    route,
    sender,
    sessions,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

UDP = "name: dns, port: 53, protocol: UDP"
SILENCE = 0.7
"""After so long without an answer there is none."""
SLOW = 5.0
"""The same where others are answered meanwhile, which may take a moment."""


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def backends(world: World) -> AsyncIterator[None]:
    """Services one, two and three, which answer datagrams."""
    async with AsyncExitStack() as stack:
        for name in ("one", "two", "three"):
            await world.change(datagram_service(name, await stack.enter_async_context(answering(name))))
        yield


def port(world: World, number: int = 53) -> int:
    return world.port(number, transport="udp")


async def test_a_session_keeps_its_backend(world: World) -> None:
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one", "two"))
    async with sender(port(world)) as client:
        first = await client.ask("a")
        assert first.split()[0] in ("one", "two")
        assert first.split()[2] == "a"
        for text in ("b", "c", "d"):
            assert (await client.ask(text)).split() == [*first.split()[:2], text]


async def test_weights_are_kept_exactly(world: World) -> None:
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one*70", "two*30", "three*0"))
    assert Counter(await sessions(port(world), 100)) == {"one": 70, "two": 30}


async def test_a_share_that_nobody_can_have_is_dropped(world: World) -> None:
    await world.change(service("empty", []).replace("port: 8080", "port: 8080\n    protocol: UDP"))
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one*50", "missing*30", "empty*20"))
    assert Counter(await sessions(port(world), 20, SLOW)) == {"one": 10, "": 10}


@pytest.mark.parametrize("length", [1, 1500, 4096, 65_000])
async def test_datagrams_of_any_size(world: World, length: int) -> None:
    """In both directions. Unless told otherwise Envoy drops those of more than 1,500 bytes, such as answers of DNS
    that it was asked for by EDNS (envoy#14113).
    """
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one"))
    async with sender(port(world)) as client:
        text = "x" * length
        assert (await client.ask(text)).split(" ")[2] == text


async def test_without_a_route_nothing_is_heard(world: World) -> None:
    await world.serve(gateway(UDP))
    async with sender(port(world)) as client:
        assert await client.ask("a", SILENCE) == ""
        assert client.refused == [], "the port is there"
        await world.change(route("UDPRoute", "late", "two"))
        assert (await client.ask("b")).startswith("two ")
        await world.remove("UDPRoute", "late")
    assert await sessions(port(world), 3, SILENCE) == [""] * 3


async def test_of_several_routes_the_oldest_has_all(world: World) -> None:
    older, newer = (route("UDPRoute", f"r{year}", to, created=year) for year, to in (("2023", "one"), ("2025", "two")))
    await world.serve(gateway(UDP), newer, older)
    assert set(await sessions(port(world), 20)) == {"one"}
    await world.serve(gateway(UDP), newer)
    assert set(await sessions(port(world), 20)) == {"two"}


async def test_all_listeners_or_some(world: World) -> None:
    """By nothing, by the port, by port and section."""
    listeners = (UDP, "name: more, port: 54, protocol: UDP", "name: last, port: 55, protocol: UDP")
    everywhere = route("UDPRoute", "all", "one", created="2025")
    by_port = route("UDPRoute", "port", "two").replace("name: gateway", "name: gateway, port: 54")
    both = route("UDPRoute", "both", "three", section="last").replace("name: gateway", "name: gateway, port: 55")
    await world.serve(gateway(*listeners), everywhere, by_port, both)
    found = [await sessions(port(world, number), 2) for number in (53, 54, 55)]
    assert found == [["one"] * 2, ["two"] * 2, ["three"] * 2]


async def test_a_backend_of_another_namespace(world: World) -> None:
    """Served with a grant, dropped without and again once it is gone."""
    async with answering("distant") as address:
        there = far(datagram_service("distant", address))
        ours = far(route("UDPRoute", "dns", "distant"))
        await world.serve(gateway(UDP), f"kind: Namespace\nmetadata: {{name: {FAR}}}\n---\n", there, ours)
        assert await sessions(port(world), 2, SILENCE) == ["", ""]
        await world.change(granting("UDPRoute"))
        assert await sessions(port(world), 2) == ["distant"] * 2
        await world.remove("ReferenceGrant", "grant", FAR)
        assert await sessions(port(world), 2, SILENCE) == ["", ""]


async def test_udp_and_tcp_of_one_number(world: World) -> None:
    async with greeting("greeter") as greeter:
        await world.change(service("greeter", [greeter]))
        await world.serve(
            gateway(UDP, "name: tcp, port: 53, protocol: TCP"),
            route("UDPRoute", "dns", "one"),
            route("TCPRoute", "dns", "greeter"),
        )
        assert await sessions(port(world), 2) == ["one", "one"]
        assert await name_of(world.port(53)) == "greeter"
        await world.serve(gateway(UDP), route("UDPRoute", "dns", "one"))
        assert await sessions(port(world), 2) == ["one", "one"]


async def test_an_edit_leaves_the_sessions_that_may_go_on(world: World) -> None:
    """Another backend gets a share of the new ones; those whose backend is gone come to another."""
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one"))
    async with sender(port(world)) as client:
        before = await client.ask("a")
        await world.serve(gateway(UDP), route("UDPRoute", "dns", "one*1", "two*1"))
        assert Counter(await sessions(port(world), 10)) == {"one": 5, "two": 5}
        assert (await client.ask("b")).split()[:2] == before.split()[:2], "the same socket to the same backend"
        await world.serve(gateway(UDP), route("UDPRoute", "dns", "three"))
        assert (await client.ask("c")).startswith("three ")


async def test_another_listener_leaves_sessions_alone(world: World) -> None:
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one"))
    async with sender(port(world)) as client:
        before = await client.ask("a")
        await world.serve(gateway(UDP, "name: more, port: 54, protocol: UDP"), route("UDPRoute", "dns", "one"))
        assert await sessions(port(world, 54), 2) == ["one", "one"]
        assert (await client.ask("b")).split()[:2] == before.split()[:2]


async def test_access_log(world: World) -> None:
    """A line for each session once it is over, for which these need not be waited: their listener goes."""
    await world.serve(gateway(UDP), route("UDPRoute", "dns", "one"))
    async with sender(port(world)) as client:
        answer = await client.ask("hello")
    await world.serve(gateway("name: dns, port: 54, protocol: UDP"))
    await asyncio.sleep(0.1)

    def lines() -> list[dict[str, object]]:
        text = (world.envoy.directory / "log").read_text("utf-8")
        found = [json.loads(line) for line in text.splitlines() if '"udp-53"' in line and line.endswith("}")]
        return [one for one in found if one["bytes_sent"] == len(answer) and one["bytes_received"] == len("hello")]

    await world.envoy.until(lines, "has not logged the session")
    assert lines()[0]["gateway"] == "default/gateway"
