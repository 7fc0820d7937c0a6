"""Filter chains of routes that Envoy rejects: their names are closed, others and their connections go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy

from tests.nack.harness import GATEWAY, World, made, service
from tests.traffic.streams import client_hello, connection, greeting, raw_answer
from xds_server.envoy import stream_chain
from xds_server.model.document import Object
from xds_server.routing.listener import Listener


def gateway() -> Object:
    """A Gateway that hands on TLS."""
    listeners = [{"name": "tls", "port": 443, "protocol": "TLS", "tls": {"mode": "Passthrough"}}]
    metadata = {"name": GATEWAY.name, "namespace": GATEWAY.namespace}
    return made({"kind": "Gateway", "metadata": metadata, "spec": {"gatewayClassName": "any", "listeners": listeners}})


def route(name: str, *hosts: str, to: str = "one") -> Object:
    """A TLSRoute; without hostnames one for NAME.example.com."""
    spec: dict[str, Any] = {"parentRefs": [{"name": GATEWAY.name}], "hostnames": hosts or (f"{name}.example.com",)}
    spec["rules"] = [{"backendRefs": [{"name": to, "port": 8080}]}]
    return made({"kind": "TLSRoute", "metadata": {"name": name, "namespace": GATEWAY.namespace}, "spec": spec})


@asynccontextmanager
async def serving() -> AsyncIterator[World]:
    """A world with the Services one and two, whose backends speak first and know no TLS."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World())
        for name in ("one", "two"):
            await world.change(*service(name, await stack.enter_async_context(greeting(name))))
        yield world


async def who(world: World, host: str) -> str:
    """The backend that takes a name, by its greeting; the client hello comes back after it."""
    return (await raw_answer(world.ports[GATEWAY], host)).partition(b"\n")[0].decode()


async def test_a_server_name_that_envoy_refuses() -> None:
    """There is no chain with such a name, not even one that closes; the route's other names are served."""
    async with serving() as world:
        await world.change(gateway(), *(route(f"r{number}") for number in range(6)))
        await world.start_envoy()
        async with connection(world.ports[GATEWAY]) as client:
            client.writer.write(client_hello("r0.example.com"))
            assert await client.line() == "one"
            await world.change(route("bad", "b*d.example.com", "fine.example.com", to="two"), route("new"))
            await world.quiet()
            assert await who(world, "fine.example.com") == "two"
            assert await who(world, "new.example.com") == "one"
            found = world.conditions("bad", "TLSRoute")
            assert found["Accepted"].status == "True"
            assert found["PartiallyInvalid"].message.startswith(
                "Dropped Rule: hostname b*d.example.com was rejected by Envoy: "
            )
            assert "PartiallyInvalid" not in world.conditions("new", "TLSRoute")
            client.writer.write(b"still here\n")
            async with asyncio.timeout(60):
                await client.reader.readuntil(b"still here\n")


async def test_a_rejected_chain_closes_its_name_and_no_wider_route_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    build = stream_chain._proxy

    def sometimes_bad(listener: Listener, hostname: str, route: str) -> TcpProxy:
        proxy = build(listener, hostname, route)
        if "/bad/" in route:
            proxy.max_connect_attempts = 0
        return proxy

    monkeypatch.setattr(stream_chain, "_proxy", sometimes_bad)
    async with serving() as world:
        await world.change(gateway(), route("wide", "*.example.com"))
        await world.start_envoy()
        await world.change(route("bad", "a.example.com", "b.example.com", to="two"), route("c", to="two"))
        await world.quiet()
        names = [f"{letter}.example.com" for letter in "abcd"]
        assert [await who(world, name) for name in names] == ["", "", "two", "one"]
        found = world.conditions("bad", "TLSRoute")
        assert (found["Accepted"].status, found["Accepted"].reason) == ("False", "UnsupportedValue")
        assert "hostname a.example.com was rejected by Envoy: " in found["Accepted"].message
        assert world.conditions("wide", "TLSRoute")["Accepted"].status == "True"
        assert world.gateway_conditions("tls")["Programmed"].status == "True"
        monkeypatch.setattr(stream_chain, "_proxy", build)
        await world.change(route("bad", "a.example.com", "b.example.com", to="one"))
        await world.quiet()
        assert [await who(world, name) for name in names[:2]] == ["one", "one"]
        assert world.conditions("bad", "TLSRoute")["Accepted"].status == "True"
        assert world.control.pipeline.inputs.holds.keys() == ()
