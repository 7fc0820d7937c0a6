"""An Envoy whose kernel has no IPv6 is served as all others are, over IPv4."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio

from tests.traffic import streams
from tests.traffic.harness import GATEWAY, World, service
from tests.traffic.streams import datagram_service
from tests.without_ipv6 import RUNNER
from xds_server.model.meta import Key

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTENERS = (
    "name: http, port: 80, protocol: HTTP",
    "name: tcp, port: 5432, protocol: TCP",
    "name: udp, port: 53, protocol: UDP",
)
ROUTES = (
    "kind: HTTPRoute\nmetadata: {name: web}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n---\n",
    streams.route("TCPRoute", "tcp", "tcp", section="tcp"),
    streams.route("UDPRoute", "udp", "udp", section="udp"),
)


@pytest_asyncio.fixture(loop_scope="module", params=["delta", "sotw"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Listeners are bound to `::`, as in a cluster."""

    def edit(bootstrap: dict[str, Any]) -> None:
        if request.param == "sotw":
            bootstrap["dynamicResources"]["adsConfig"]["apiType"] = "GRPC"

    async with (
        World(address="::", edit_bootstrap=edit, runner=RUNNER) as started,
        streams.greeting("tcp") as tcp,
        streams.answering("udp") as udp,
    ):
        await started.change(service("tcp", [tcp]), datagram_service("udp", udp))
        await started.serve(streams.gateway(*LISTENERS), *ROUTES)
        yield started


async def listeners(world: World) -> dict[str, Any]:
    """What Envoy's active listeners bind, by name."""
    found = json.loads(await world.envoy.get("/config_dump?resource=dynamic_listeners"))
    return {
        one["name"]: one["active_state"]["listener"]["address"]["socket_address"] | {"port_value": 0}
        for one in found["configs"]
    }


async def served(world: World, *ports: int) -> None:
    """Every protocol, and HTTP on these ports."""
    async with aiohttp.ClientSession() as client:
        for port in ports or (80,):
            async with client.get(f"http://127.0.0.1:{world.port(port)}/") as answer:
                assert answer.status == 200
    assert await streams.name_of(world.port(5432)) == "tcp"
    async with streams.sender(world.port(53, transport="udp")) as sender:
        assert (await sender.ask("x")).startswith("udp")


async def asks(client: streams.Client) -> bool:
    """A request on this connection; is the answer to it good?"""
    client.writer.write(b"GET / HTTP/1.1\r\nhost: a.org\r\n\r\n")
    head = await client.reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    await client.reader.readexactly(int(length[1]))
    return head.startswith(b"HTTP/1.1 200") and b"connection: close" not in head


async def test_it_serves_all_protocols_on_ipv4(world: World) -> None:
    await served(world)
    found = await listeners(world)
    assert sorted(one.split("-")[0] for one in found) == ["tcp", "tcp", "udp"]
    assert {(one["address"], "ipv4_compat" in one) for one in found.values()} == {("0.0.0.0", False)}
    assert world.control.pipeline.inputs.holds.keys() == (), "no other Envoy is kept from anything"
    status = world.control.pipeline.statuses.gateways.get(GATEWAY)
    assert status is not None
    assert {one.type: one.status for one in status.conditions}["Programmed"] == "True"


async def test_what_changes_later_keeps_its_connections(world: World) -> None:
    async with streams.connection(world.port(5432)) as client:
        assert await client.line() == "tcp"
        more = "name: more, port: 81, protocol: HTTP"
        await world.serve(streams.gateway(*LISTENERS, more), *ROUTES)
        await served(world, 80, 81)
        assert await client.echoed("still there")


async def test_a_new_stream_finds_it_out_anew_and_the_listeners_stay(world: World) -> None:
    """Another replica knows nothing of it, and has the same listeners with the same versions."""
    before = await listeners(world)
    async with streams.connection(world.port()) as client:
        assert await asks(client)
        for session in list(world.serving._sessions.values()):
            session.end(grpc.StatusCode.UNAVAILABLE, "a test breaks it")
        await world.serve(streams.gateway(*LISTENERS), ROUTES[0], streams.route("TCPRoute", "tcp", "a"), ROUTES[2])
        assert await asks(client), "not even the connections notice"
    assert await listeners(world) == before
    counted = await world.envoy.stats("listener_manager")
    assert counted["listener_manager.listener_in_place_updated"] == 1, "the route's filter chain alone"
    assert counted["listener_manager.listener_modified"] == counted["listener_manager.listener_in_place_updated"]


async def test_one_that_drains_is_marked_like_the_others(world: World) -> None:
    await served(world)
    world.serving.regroup(Key("default", "local"), (GATEWAY,), draining=True)
    updated = "listener_manager.listener_in_place_updated"
    async with asyncio.timeout(60):
        while (await world.envoy.stats(updated)).get(updated, 0) < 2:
            await asyncio.sleep(0.02)
    assert {one["address"] for one in (await listeners(world)).values()} == {"0.0.0.0"}
