"""The endpoint for probes and scrapers: is the process alive, does it serve, how much of what."""

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from xds_server.shell.endpoint import Endpoint, Page, plain_response
from xds_server.shell.metrics import exposition

TITLE: Final = "xds-server"
OPTION: Final = "--health-address"


class Health:
    """Pages without secrets, for whoever can reach them. `unready` says what is waited for, empty once ready."""

    def __init__(self, registry: CollectorRegistry, unready: Callable[[], str]) -> None:
        self._registry = registry
        self._unready = unready
        pages = (
            Page("/healthz", "ok while the process runs", self._alive, None),
            Page("/readyz", "ok once Envoys are answered; 503 and what is waited for before", self._ready, None),
            Page("/metrics", "Prometheus metrics", self._metrics, None),
        )
        self._endpoint = Endpoint(TITLE, pages, option=OPTION, public=True)

    async def start(self, address: str) -> str:
        """Listens on `host:port` and returns where. Raises BindError."""
        return await self._endpoint.start(address)

    async def stop(self) -> None:
        """Stops listening."""
        await self._endpoint.stop()

    async def _alive(self, _: Mapping[str, str]) -> web.Response:
        return plain_response("ok\n")

    async def _ready(self, _: Mapping[str, str]) -> web.Response:
        reason = self._unready()
        return plain_response(f"{reason}\n", 503) if reason else plain_response("ok\n")

    async def _metrics(self, _: Mapping[str, str]) -> web.Response:
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
