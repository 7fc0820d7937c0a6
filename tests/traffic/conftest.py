"""One world per module: its Envoys and its event loop live as long as the module's tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.traffic.harness import World


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[World]:
    """Control plane, backends a, b and c; Envoys as Gateways are served."""
    async with World() as started:
        yield started
