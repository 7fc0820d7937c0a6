"""Listeners that Envoy cannot open: another program holds the port."""

import socket

from tests.nack.harness import GATEWAY, World, made, route, rule, until
from tests.real_envoy import free_port
from xds_server.control import Changes
from xds_server.model.document import Object
from xds_server.routing.listener import Bind


def gateway(*ports: int) -> Object:
    """A Gateway with an HTTP listener on each port, named after it."""
    listeners = [{"name": f"p{port}", "port": port, "protocol": "HTTP"} for port in ports]
    spec = {"gatewayClassName": "any", "listeners": listeners}
    return made({"kind": "Gateway", "metadata": {"name": GATEWAY.name, "namespace": GATEWAY.namespace}, "spec": spec})


async def test_a_port_that_envoy_cannot_have_costs_its_listener_alone() -> None:
    taken, free, another = socket.socket(), free_port(), free_port()
    async with World() as world:

        def bind(first: int) -> Changes:
            ports = ((80, first), (81, free))
            return Changes(binds={GATEWAY: Bind(address="127.0.0.1", ports=ports, share_port=False)})

        with taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            world.ports[GATEWAY] = free
            await world.change(gateway(80, 81), route("one", rule("/")))
            world.control.submit(bind(taken.getsockname()[1]))
            envoy = await world.start_envoy(ready=False)
            await envoy.until(lambda: _opened(world, free), "has not opened the other one")
            assert await world.get("/") == 200
            assert world.control.pipeline.inputs.holds.keys() == (), "another Envoy may well bind it"
            assert world.gateway_conditions("p80")["Programmed"].status == "False"
        # What the port is bound to is part of the listener: told another one, it gets a new try.
        world.control.submit(bind(another))
        world.ports[GATEWAY] = another
        await envoy.until(lambda: _opened(world, another), "has not opened it")
        assert await world.get("/") == 200
        await until(lambda: world.gateway_conditions("p80")["Programmed"].status == "True")


async def _opened(world: World, port: int) -> bool:
    return f"tcp-{port}" in await world.envoys[0].listeners()
