"""One proxy that serves several Gateways, as a deployment by hand may; which ones changes under traffic."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.traffic.client import Connection, connected
from tests.traffic.harness import GATEWAY, World
from xds_server.model.meta import Key

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = Key("default", "other")
POD = Key("default", "local")


def gateway(name: str, port: int) -> str:
    """A Gateway with one HTTP listener."""
    listener = f"{{name: http, port: {port}, protocol: HTTP}}"
    return f"kind: Gateway\nmetadata: {{name: {name}}}\nspec: {{gatewayClassName: x, listeners: [{listener}]}}\n---\n"


def route(name: str, backend: str, *gateways: str) -> str:
    """A route of some Gateways."""
    parents = ", ".join(f"{{name: {one}}}" for one in gateways)
    refs = f"rules: [{{backendRefs: [{{name: {backend}, port: 8080}}]}}]"
    return f"kind: HTTPRoute\nmetadata: {{name: {name}}}\nspec: {{parentRefs: [{parents}], {refs}}}\n---\n"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[World]:
    """The Gateways `gateway` on port 80 and `other` on port 81, and one Envoy, which serves the first."""
    async with World() as started:
        await started.serve(gateway("gateway", 80), route("a", "a", "gateway"))
        started.envoys[OTHER] = started.envoy
        await started.change(gateway("other", 81), route("b", "b", "other"), route("c", "c", "gateway", "other"))
        del started.envoys[OTHER]
        yield started


async def serves(world: World, *gateways: Key) -> None:
    """From now on; returns when Envoy has that."""
    world.serving.regroup(POD, gateways)
    await world.synced()


async def name(client: Connection, host: str = "example.com") -> str:
    """Who answers on a connection, which is not told to go."""
    answer = await client.get(host=host)
    assert (answer.status, answer.headers.get("connection")) == (200, None)
    return str(answer.told["name"])


def sent(world: World) -> dict[str, int]:
    """How many resources the Envoy has been sent, by type."""
    (record,) = world.serving.clients
    return {type_.value: one.resources_sent for type_, one in record.types.items()}


async def test_a_gateway_joins_and_leaves_and_the_other_goes_on(world: World) -> None:
    async with connected(world.port()) as first:
        assert await name(first) == "a"
        await serves(world, GATEWAY, OTHER)
        assert await name(first) == "a"
        async with connected(world.port(81, "other")) as second:
            assert await name(second) == "b"
            before = sent(world)
            await serves(world, OTHER, GATEWAY)
            assert sent(world) == before, "nothing is another for it"
            await serves(world, OTHER)
            assert await name(second) == "b"
            await world.refused()
            await world.drained()
            assert await name(second) == "b"
            assert await first.ended()
            await serves(world, GATEWAY)
    async with connected(world.port()) as first:
        assert await name(first) == "a"


async def test_only_the_difference_is_sent(world: World) -> None:
    await serves(world, GATEWAY)
    await world.drained()  # routes of a listener that drains are still known
    before = sent(world)
    await serves(world, GATEWAY, OTHER)
    after = sent(world)
    news = {type_: after[type_] - before[type_] for type_ in after}
    assert news == {"clusters": 1, "endpoints": 1, "listeners": 1, "routes": 1}, "of the Service c it had all already"
    await serves(world, GATEWAY)
    assert {type_: sent(world)[type_] - after[type_] for type_ in after} == dict.fromkeys(after, 0)


async def test_both_are_programmed_by_their_one_proxy(world: World) -> None:
    def programmed() -> dict[str, str]:
        statuses = world.control.pipeline.statuses.gateways
        return {
            key.name: condition.status
            for key, status in statuses.items()
            for condition in status.conditions
            if condition.type == "Programmed"
        }

    await serves(world, OTHER)
    served = world.control.pipeline.inputs.served
    assert {key.name: row.envoys for key, row in served.items()} == {"gateway": 0, "other": 1}
    await serves(world, GATEWAY, OTHER)
    assert {key.name: row.envoys for key, row in served.items()} == {"gateway": 1, "other": 1}
    assert programmed() == {"gateway": "True", "other": "True"}


async def test_a_gateway_that_is_deleted_leaves_the_other_alone(world: World) -> None:
    await serves(world, GATEWAY, OTHER)
    async with connected(world.port()) as first:
        await world.remove("Gateway", "other")
        await world.refused(81, "other")
        await world.drained()
        assert await name(first) == "a"
