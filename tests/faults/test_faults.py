"""Fault isolation, proved: each bad input comes into a healthy world, whose traffic must not notice, and the bad one's
status must say why.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.faults.cases import Case, load
from tests.faults.world import HEALTHY, Steady, gateway_text, steady
from tests.traffic.harness import World
from xds_server.model.meta import Condition, Key
from xds_server.pipeline.program import Pipeline

CASES = load()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as started:
        await started.serve(gateway_text(), HEALTHY)
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def traffic(world: World) -> AsyncIterator[Steady]:
    async with steady(world) as started:
        yield started


def conditions_of(pipeline: Pipeline, of: str) -> Iterator[Condition]:
    """The conditions of an object, of all its parents or ancestors; or of one of its listeners."""
    kind, name, *part = of.split(" ")
    key = Key(*name.split("/")) if "/" in name else Key("", name)
    status = pipeline.statuses.of(kind, key)
    assert status is not None, f"{of} has no status"
    if part:
        status = next(one for one in status.listeners if one.name == part[1])
    for holder in (status, *getattr(status, "parents", ()), *getattr(status, "ancestors", ())):
        yield from getattr(holder, "conditions", ())


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_bad_object_harms_no_other(world: World, traffic: Steady, case: Case) -> None:
    before = traffic.served
    try:
        await world.serve(gateway_text(), HEALTHY, case.given, schema=not case.schema)
        found = {
            f"{one.type}={one.status}/{one.reason}": one.message
            for one in conditions_of(world.control.pipeline, case.says.of)
        }
        assert case.says.condition in found, found
        assert case.says.because in found[case.says.condition]
        for path, status in case.answers.items():
            assert await world.status(path) == status, path
        assert await world.name("/good") == "a"
    finally:
        await world.serve(gateway_text(), HEALTHY)
    assert traffic.wrong == []
    assert traffic.served > before


@pytest.mark.asyncio(loop_scope="module")
async def test_harm_would_be_noticed(world: World) -> None:
    async with steady(world) as traffic:
        await world.serve(gateway_text(), HEALTHY.replace("path: {value: /good}", "path: {value: /gone}"))
        await asyncio.sleep(0.1)
        await world.serve(gateway_text(), HEALTHY)
    assert "404" in " ".join(traffic.wrong)


def test_there_are_many() -> None:
    assert len(CASES) >= 100
    assert len({case.name for case in CASES}) == len(CASES)
