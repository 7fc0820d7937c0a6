"""Probes and metrics: alive at once, ready when there is nothing to wait for."""

import aiohttp
from prometheus_client import CollectorRegistry, Counter
from structlog.testing import capture_logs

from xds_server.shell.health import Health


async def get(address: str, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as response:
        return response.status, await response.text()


async def test_it_is_alive_before_it_is_ready() -> None:
    waited = "not listed yet: gateways"
    health = Health(CollectorRegistry(), lambda: waited)
    address = await health.start("127.0.0.1:0")
    assert await get(address, "/healthz") == (200, "ok\n")
    assert await get(address, "/readyz") == (503, "not listed yet: gateways\n")
    waited = ""
    assert await get(address, "/readyz") == (200, "ok\n")
    await health.stop()


async def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Counter("seen", "What was seen.", registry=registry).inc(3)
    health = Health(registry, lambda: "")
    address = await health.start("127.0.0.1:0")
    status, text = await get(address, "/metrics")
    assert status == 200
    assert "seen_total 3.0" in text.splitlines()
    await health.stop()


async def test_it_is_open_to_the_network_without_a_word() -> None:
    """Probes and scrapers come from elsewhere, and there is nothing secret to read."""
    health = Health(CollectorRegistry(), lambda: "")
    with capture_logs() as logged:
        await health.start("0.0.0.0:0")
    await health.stop()
    assert logged == []
