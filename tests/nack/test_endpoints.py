"""Endpoints and clusters that Envoy rejects."""

from typing import Any

import msgspec

from tests.nack.harness import World, gateway, route, rule, service
from xds_server.model.document import Object
from xds_server.xds.resource import ResourceType


def with_bad_address(slice_: Object) -> Object:
    """The slice with an endpoint whose address is none."""
    value: Any = slice_
    endpoint = msgspec.structs.replace(value.endpoints[0], addresses=("not-an-address",))
    changed: Object = msgspec.structs.replace(value, endpoints=(endpoint,))
    return changed


async def test_a_bad_address_costs_its_service_alone() -> None:
    names = [f"s{n}" for n in range(6)]
    async with World() as world:
        for name in names:
            whole, slice_ = service(name, world.backend)
            await world.change(whole, with_bad_address(slice_) if name == "s2" else slice_)
        await world.change(gateway(), *(route(name, rule(f"/{name}", backend=name)) for name in names))
        await world.start_envoy()
        assert [await world.get(f"/{name}") for name in names] == [200, 200, 503, 200, 200, 200]
        (id_,) = world.control.pipeline.inputs.holds.keys()
        assert (id_.type, id_.leaf) == (ResourceType.ENDPOINT, "default/s2:8080")
        await world.change(*service("s2", world.backend))
        await world.quiet()
        assert await world.get("/s2") == 200


async def test_good_endpoints_turn_bad_while_others_move() -> None:
    async with World() as world:
        await world.change(*service("s1", world.backend), *service("s2", world.backend))
        await world.change(gateway(), *(route(name, rule(f"/{name}", backend=name)) for name in ("s1", "s2")))
        envoy = await world.start_envoy()
        async with world.traffic("/s2") as traffic:
            port = world.backend.rpartition(":")[2]
            _, bad = service("s2", world.backend)
            _, moved = service("s1", f"127.0.0.2:{port}")
            await world.change(with_bad_address(bad), moved)
            await world.quiet()
            known = await envoy.get("/clusters")
        assert f"default/s1:8080/auto::127.0.0.2:{port}::" in known
        assert traffic.all_good(["/s2"]), "its last good endpoints stay in service"
