"""TCPRoutes: who gets a port's connections, in which shares, and how those end that nobody can have."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from time import monotonic

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.traffic.harness import World, service
from tests.traffic.streams import (
    FAR,
    connection,
    counting,
    far,
    gateway,
    granting,
    greeting,
    logged,
    name_of,
    names_of,
    route,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

TCP = "name: db, port: 5432, protocol: TCP"
AT_ONCE = 10.0
"""Within which a connection is served or closed; nothing waits for the client to speak, which Envoy does for 15."""


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def backends(world: World) -> AsyncIterator[None]:
    """Services one, two and three, which speak first; dead, where nobody listens; empty, without endpoints."""
    async with AsyncExitStack() as stack:
        for name in ("one", "two", "three"):
            await world.change(service(name, [await stack.enter_async_context(greeting(name))]))
        await world.change(service("dead", [f"127.0.0.1:{free_port()}"]), service("empty", []))
        yield


async def test_the_server_may_speak_first(world: World) -> None:
    await world.serve(gateway(TCP), route("TCPRoute", "db", "one"))
    begun = monotonic()
    async with connection(world.port(5432)) as client:
        assert await client.line() == "one"
        assert monotonic() - begun < AT_ONCE
        assert await client.echoed("hello")
        client.writer.write_eof()
        assert await client.line() == "", "the backend's end of it is passed on, too"


async def test_a_client_that_has_finished_is_still_answered(world: World) -> None:
    """As `nc` does it: one end of the connection closes, the other goes on (envoy#2067, envoy#17160)."""
    async with counting() as address:
        await world.serve(gateway(TCP), service("counting", [address]), route("TCPRoute", "db", "counting"))
        async with connection(world.port(5432)) as client:
            client.writer.write(b"x" * 300_000)
            client.writer.write_eof()
            assert await client.line() == "300000"


async def test_weights(world: World) -> None:
    await world.serve(gateway(TCP), route("TCPRoute", "db", "one*70", "two*30", "three*0"))
    found = Counter(await names_of(world.port(5432), 300))
    assert found.keys() == {"one", "two"}
    assert 170 <= found["one"] <= 250


async def test_the_share_of_a_backend_that_cannot_be_used_is_closed(world: World) -> None:
    await world.serve(gateway(TCP), route("TCPRoute", "db", "one*2", "missing*1"))
    begun = monotonic()
    found = Counter(await names_of(world.port(5432), 150))
    assert monotonic() - begun < AT_ONCE
    assert found.keys() == {"one", ""}
    assert 25 <= found[""] <= 75


@pytest.mark.parametrize("backend", ["missing", "one*0", "empty", "dead"])
async def test_nobody_to_have_it(world: World, backend: str) -> None:
    await world.serve(gateway(TCP), route("TCPRoute", "db", backend))
    begun = monotonic()
    assert await name_of(world.port(5432)) == ""
    assert monotonic() - begun < AT_ONCE


async def test_a_port_without_route_is_open_and_closes(world: World) -> None:
    await world.serve(gateway(TCP))
    assert await name_of(world.port(5432)) == ""
    await world.change(route("TCPRoute", "late", "two"))
    assert await name_of(world.port(5432)) == "two"
    await world.remove("TCPRoute", "late")
    assert await name_of(world.port(5432)) == ""


async def test_of_several_routes_the_oldest_has_all(world: World) -> None:
    older, newer = (route("TCPRoute", f"r{year}", to, created=year) for year, to in (("2023", "one"), ("2025", "two")))
    await world.serve(gateway(TCP), newer, older)
    assert set(await names_of(world.port(5432), 50)) == {"one"}
    await world.serve(gateway(TCP), newer)
    assert set(await names_of(world.port(5432), 50)) == {"two"}


async def test_all_listeners_or_some(world: World) -> None:
    second = "name: more, port: 5433, protocol: TCP"
    web = "name: web, port: 80, protocol: HTTP"
    everywhere = route("TCPRoute", "all", "one", created="2025")
    await world.serve(gateway(TCP, second, web), everywhere, route("TCPRoute", "some", "two", section="more"))
    assert await name_of(world.port(5432)) == "one"
    assert await name_of(world.port(5433)) == "two"
    assert await world.status("/") == 404


async def test_a_port_or_a_port_and_a_section(world: World) -> None:
    """Listeners by the port alone, and by both; where the two do not meet nobody is reached."""
    second = "name: more, port: 5433, protocol: TCP"
    by_port = route("TCPRoute", "port", "one").replace("name: gateway", "name: gateway, port: 5432")
    both = route("TCPRoute", "both", "two", section="more").replace("name: gateway", "name: gateway, port: 5433")
    neither = route("TCPRoute", "neither", "three", section="db", created="2020").replace(
        "name: gateway", "name: gateway, port: 5433"
    )
    await world.serve(gateway(TCP, second), by_port, both, neither)
    assert [await name_of(world.port(port)) for port in (5432, 5433)] == ["one", "two"]


async def test_a_backend_of_another_namespace(world: World) -> None:
    """Served with a grant, closed without and again once it is gone."""
    async with greeting("distant") as address:
        there = far(service("distant", [address]))
        ours = far(route("TCPRoute", "db", "distant"))
        await world.serve(gateway(TCP), f"kind: Namespace\nmetadata: {{name: {FAR}}}\n---\n", there, ours)
        assert await name_of(world.port(5432)) == ""
        await world.change(granting("TCPRoute"))
        assert await name_of(world.port(5432)) == "distant"
        await world.remove("ReferenceGrant", "grant", FAR)
        assert await name_of(world.port(5432)) == ""


async def test_new_endpoints_leave_connections_alone(world: World) -> None:
    await world.serve(gateway(TCP), route("TCPRoute", "db", "moving"))
    async with greeting("before") as before, greeting("after") as after:
        await world.change(service("moving", [before]))
        async with connection(world.port(5432)) as client:
            assert await client.line() == "before"
            await world.change(service("moving", [after]))
            assert await name_of(world.port(5432)) == "after"
            assert await client.echoed("still here")


async def test_another_ports_change_leaves_connections_alone(world: World) -> None:
    ports = (TCP, "name: more, port: 5433, protocol: TCP")
    mine = route("TCPRoute", "mine", "one", section="db")
    await world.serve(gateway(*ports), mine, route("TCPRoute", "other", "one", section="more"))
    async with connection(world.port(5432)) as mine_open, connection(world.port(5433)) as other_open:
        assert [await mine_open.line(), await other_open.line()] == ["one", "one"]
        await world.serve(gateway(*ports), mine, route("TCPRoute", "other", "two", section="more"))
        assert await name_of(world.port(5433)) == "two"
        await asyncio.sleep(1.2)
        assert await mine_open.echoed("still here")
        assert await other_open.line() == "", "its own chain has drained"


async def test_access_log(world: World) -> None:
    await world.serve(gateway(TCP), route("TCPRoute", "logged", "one"))
    async with connection(world.port(5432)) as client:
        await client.line()
        assert await client.echoed("four")
    await world.serve(gateway(TCP), route("TCPRoute", "logged-missing", "missing"))
    await name_of(world.port(5432))
    (line,) = await logged(world, '"TCPRoute/default/logged/0/0"')
    told = json.loads(line)
    assert {name: told[name] for name in ("gateway", "listener", "backend", "bytes_received", "bytes_sent")} == {
        "gateway": "default/gateway",
        "listener": "tcp-5432/*",
        "backend": "default/one:8080/tcp",
        "bytes_received": 5,
        "bytes_sent": 9,
    }
    assert told["upstream_host"].startswith("127.0.0.1:")
    (line,) = await logged(world, "TCPRoute/default/logged-missing/0/0")
    assert json.loads(line)["response_flags"] == "NC"
