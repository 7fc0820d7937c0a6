"""Listeners that Envoy cannot open: another program holds the port."""

import socket

from tests.nack.harness import GATEWAY, World, made, route, rule, until
from tests.ports import free_port
from tests.real_envoy import RealEnvoy
from tests.traffic.harness import at_rest
from xds_server.control import Changes
from xds_server.model.document import Object
from xds_server.routing.listener import Bind
from xds_server.xds.resource import ResourceType


def gateway(*ports: int) -> Object:
    """A Gateway with an HTTP listener on each port, named after it."""
    listeners = [{"name": f"p{port}", "port": port, "protocol": "HTTP"} for port in ports]
    spec = {"gatewayClassName": "any", "listeners": listeners}
    return made({"kind": "Gateway", "metadata": {"name": GATEWAY.name, "namespace": GATEWAY.namespace}, "spec": spec})


def bound(first: int, second: int) -> Changes:
    """Where the listeners of ports 80 and 81 are bound."""
    ports = ((80, first), (81, second))
    return Changes(binds={GATEWAY: Bind(address="127.0.0.1", ports=ports, share_port=False)})


async def with_a_taken_port(world: World, taken: int, free: int) -> RealEnvoy:
    """An Envoy that cannot bind the first of two listeners, while the second one serves."""
    world.ports[GATEWAY] = free
    await world.change(gateway(80, 81), route("one", rule("/")))
    world.control.submit(bound(taken, free))
    envoy = await world.start_envoy(ready=False)
    await envoy.until(lambda: opened(envoy, free), "has not opened the other one")
    assert await world.get("/") == 200
    await until(lambda: all(record.of(ResourceType.LISTENER).rejections for record in world.serving.clients))
    await at_rest(world.control)
    assert world.control.pipeline.inputs.holds.keys() == (), "another Envoy may well bind it"
    assert world.gateway_conditions("p80")["Programmed"].status == "False"
    return envoy


async def opened(envoy: RealEnvoy, port: int) -> bool:
    return f"tcp-{port}" in await envoy.listeners()


async def test_a_port_that_another_program_holds_is_served_once_it_is_free() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    async with World() as world:
        with taken:
            envoy = await with_a_taken_port(world, port, free_port())
        await envoy.until(lambda: opened(envoy, port), "has not opened it")
        world.ports[GATEWAY] = port
        assert await world.get("/") == 200
        await until(lambda: world.gateway_conditions("p80")["Programmed"].status == "True")


async def test_a_listener_that_is_given_another_port_is_served_at_once() -> None:
    free, another = free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with World() as world:
            envoy = await with_a_taken_port(world, taken.getsockname()[1], free)
            world.control.submit(bound(another, free))
            await envoy.until(lambda: opened(envoy, another), "has not opened it")
            world.ports[GATEWAY] = another
            assert await world.get("/") == 200
            await until(lambda: world.gateway_conditions("p80")["Programmed"].status == "True")
