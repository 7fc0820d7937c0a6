"""The healthy world that bad input comes into, and the traffic that must not notice: persistent connections over which
one request follows the other, on every listener.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.traffic.client import Connection, connected
from tests.traffic.harness import World
from tests.traffic.tls import trusting

GATEWAY = "default/gateway"
PARENT = {"name": "gateway"}
_GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - name: https
    port: 443
    protocol: HTTPS
    hostname: shop.example.com
    tls: {certificateRefs: [{name: shop}]}
  - {name: tls, port: 8443, protocol: TLS, hostname: "*.example.com", tls: {mode: Passthrough}}
  - {name: tcp, port: 9000, protocol: TCP}
"""
HEALTHY = """
kind: Secret
metadata: {name: shop}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:shop.example.com}", tls.key: "${key:shop.example.com}"}
---
kind: HTTPRoute
metadata: {name: good}
spec:
  parentRefs: [{name: gateway}]
  rules:
  - matches: [{path: {value: /good}}]
    backendRefs: [{name: a, port: 8080}]
---
kind: HTTPRoute
metadata: {name: named}
spec:
  parentRefs: [{name: gateway}]
  hostnames: ["named.example.com", "shop.example.com"]
  rules:
  - backendRefs: [{name: b, port: 8080}]
---
kind: TCPRoute
metadata: {name: good}
spec:
  parentRefs: [{name: gateway, sectionName: tcp}]
  rules: [{backendRefs: [{name: c, port: 8080}]}]
"""
PAUSE = 0.002
"""Seconds between two requests of a connection."""


def gateway() -> dict[str, Any]:
    """The healthy Gateway as a document of its own."""
    return deepcopy(yaml.safe_load(_GATEWAY))


def gateway_text() -> str:
    """The same as text."""
    return _GATEWAY


@dataclass
class Steady:
    """Traffic that goes on. `wrong` is what happened to it that should not have."""

    wrong: list[str] = field(default_factory=list)
    served: int = 0

    async def http(self, port: int, host: str, backend: str, *, secure: bool) -> None:
        """GET after GET over one connection."""
        tls = trusting("shop.example.com") if secure else None
        async with connected(port, tls=tls, server_name=host if secure else None) as connection:
            while True:
                await self._one(connection, host, backend)
                await asyncio.sleep(PAUSE)

    async def _one(self, connection: Connection, host: str, backend: str) -> None:
        try:
            answer = await connection.get("/good", host=host)
        except (OSError, EOFError, TimeoutError) as error:
            self.wrong.append(f"{host}: {type(error).__name__} {error}")
            raise
        if answer.status != 200 or answer.told["name"] != backend:
            self.wrong.append(f"{host}: {answer.status} {answer.body[:80]!r}")
        elif answer.headers.get("connection") == "close":
            self.wrong.append(f"{host}: the connection is drained")
        self.served += 1


@asynccontextmanager
async def steady(world: World) -> AsyncIterator[Steady]:
    """Traffic on every listener, for as long as the block lasts."""
    traffic = Steady()
    tasks = [
        asyncio.create_task(traffic.http(world.port(80), "example.com", "a", secure=False)),
        asyncio.create_task(traffic.http(world.port(80), "named.example.com", "b", secure=False)),
        asyncio.create_task(traffic.http(world.port(9000), "tcp.example.com", "c", secure=False)),
        asyncio.create_task(traffic.http(world.port(443), "shop.example.com", "b", secure=True)),
    ]
    try:
        yield traffic
    finally:
        ended = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        traffic.wrong += [f"a connection ended: {task.exception()!r}" for task in ended if not task.cancelled()]
