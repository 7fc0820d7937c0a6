"""What `diff` says of connections that drain is what Envoy does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.traffic.harness import World
from tests.traffic.test_no_drain import HTTP, HTTPS, gateway, route, secret
from xds_server.pipeline import difference
from xds_server.pipeline.difference import gateway_changes

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALT = "name: alt, port: 8080, protocol: HTTP"
BESIDE = HTTPS.replace("name: https", "name: beside").replace('"a.org"', '"b.org"')
TWO = HTTPS.replace("{name: a}", "{name: a}, {name: b}")


@pytest_asyncio.fixture(loop_scope="module")
async def world() -> AsyncIterator[World]:
    """Whose Envoy drains for so long that it is seen."""
    async with World(drain=("--drain-time-s", "600")) as started:
        yield started


def translated(world: World) -> difference.World:
    pipeline = world.control.pipeline
    resources = [one for one in pipeline.publisher.everything().values() if one is not None]
    return difference.world(pipeline.gateways(), resources)


async def draining(world: World) -> tuple[int, int]:
    """How many listeners and filter chains Envoy drains."""
    stats = await world.envoy.stats("total_(listeners|filter_chains)_draining$")
    assert len(stats) == 2
    return tuple(next(count for name, count in stats.items() if what in name) for what in ("listeners", "chains"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("old", "new", "drained"),
    [
        (gateway(HTTP, HTTPS) + route("a"), gateway(HTTP, HTTPS) + route("b", "/b"), (0, 0)),
        (gateway(HTTP, HTTPS), gateway(HTTP, HTTPS) + secret("a", "a.org,again.org"), (0, 0)),
        (gateway(HTTP, HTTPS), gateway(HTTP, HTTPS, BESIDE, ALT), (0, 0)),
        (gateway(HTTP, HTTPS, BESIDE), gateway(HTTP, TWO, BESIDE), (0, 1)),
        (gateway(HTTP, HTTPS, BESIDE), gateway(HTTP, TWO), (0, 2)),
        (gateway(HTTP, HTTPS, BESIDE), gateway(HTTP, HTTPS), (0, 1)),
        (gateway(HTTP, HTTPS, ALT), gateway(HTTP, HTTPS), (1, 0)),
        (gateway(HTTP, HTTPS, ALT), gateway(HTTP), (2, 0)),
    ],
)
async def test_what_drains(world: World, old: str, new: str, drained: tuple[int, int]) -> None:
    secrets = secret("a", "a.org") + secret("b", "b.org")
    await world.serve(secrets, route("a"), old)
    before = translated(world)
    await world.change(new)
    told = [drain for change in gateway_changes(before, translated(world)) for drain in change.drains]
    chains = sum(bool(drain.chain) for drain in told)
    assert (len(told) - chains, chains) == drained
    async with asyncio.timeout(60):
        while await draining(world) != drained:
            await asyncio.sleep(0.05)
