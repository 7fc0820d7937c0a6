"""What the benches run on: one server, one Envoy, and as many routes as asked for, each with a host of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from e2e.installation import Installation
from e2e.kubectl import Kubectl, condition, eventually
from e2e.traffic import Connection, Target
from e2e.workloads import GATEWAY_LABEL, GATEWAYS, backend, gateway, placed, route
from xds_server.shell.kube.client import KubeClient, path

NAME = "bench"
PROBE = "probe"
AT_ONCE = 20
"""Requests to the API server."""
SERVED_SECONDS = 180.0


def host(number: int) -> str:
    """The host of a route."""
    return f"r{number}.example.com"


def probe(version: str) -> dict[str, object]:
    """The route that is changed: Envoy answers it itself, and says which version it has."""
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": f"/{version}"}, "statusCode": 302}
    filters = [{"type": "RequestRedirect", "requestRedirect": redirect}]
    rule = {"backendRefs": [], "filters": filters}
    return route(PROBE, NAME, host="probe.example.com", **rule)


@dataclass(slots=True)
class World:
    """Routes in a namespace, behind one Envoy."""

    installed: Installation
    client: KubeClient
    namespace: str
    address: str = ""
    routes: int = 0
    _version: int = 0
    _polls: Connection | None = field(default=None)

    @property
    def where(self) -> str:
        """The path of the namespace's HTTPRoutes."""
        return path(GATEWAYS, "httproutes", self.namespace)

    async def begin(self) -> None:
        """The Gateway, its Envoy and the route that is measured."""
        objects = [*backend("echo", self.installed.images.echo), gateway(NAME), probe("0")]
        kubectl = self.installed.kubectl
        kubectl.apply(*placed(self.namespace, objects))
        kubectl.rolled_out("echo", self.namespace)
        kubectl.wait(f"gateway/{NAME}", "condition=Programmed", self.namespace, 90)
        self.address = kubectl.get("gateway", NAME, self.namespace)["status"]["addresses"][0]["value"]
        self._polls = Connection(Target(self.address, "probe.example.com"))

    async def grow(self, count: int) -> None:
        """Makes routes until there are so many, the measured one included, and waits until all are served and told."""
        wanted = range(self.routes, count - 1)
        gate = asyncio.Semaphore(AT_ONCE)

        async def make(number: int) -> None:
            async with gate:
                made = route(f"r{number}", NAME, host=host(number))
                await self.client.create(self.where, {**made, "metadata": {"name": f"r{number}"}})

        await asyncio.gather(*(make(number) for number in wanted))
        self.routes = count - 1
        if wanted:
            await self.until_served(self.address, wanted[-1])
        await self.calm()

    async def until_served(self, address: str, number: int) -> None:
        """Waits until a route is served."""
        end = time.monotonic() + SERVED_SECONDS
        while True:
            connection = Connection(Target(address, host(number)))
            try:
                async with asyncio.timeout(5):
                    if (await connection.get(keep=False)).status == 200:
                        return
            except OSError:
                pass
            finally:
                connection.close()
            assert time.monotonic() < end, f"route {number} is not served"
            await asyncio.sleep(0.02)

    async def calm(self) -> None:
        """Waits until statuses are written: the objects that have them change no more."""
        last: list[int] = []
        for _ in range(120):
            await asyncio.sleep(2)
            metrics = self.installed.metrics(self.pod())
            now = [metrics["xds_server_kube_events_total", kind] for kind in ("HTTPRoute", "Gateway")]
            if now == last:
                return
            last = now

    async def change(self) -> float:
        """Changes the measured route; the seconds from the request to the API server until Envoy serves it."""
        self._version += 1
        version = f"/{self._version}"
        began = time.perf_counter()
        await self.client.patch(f"{self.where}/{PROBE}", {"spec": probe(version[1:])["spec"]})
        assert self._polls is not None
        async with asyncio.timeout(30):
            while True:
                answer = await self._polls.get(keep=True, path="/")
                if answer.headers.get("location", "").endswith(version):
                    return time.perf_counter() - began
                await asyncio.sleep(0.001)

    async def gateway_alone(self, name: str) -> tuple[float, float]:
        """Makes a Gateway and deletes it; the seconds until it was Programmed, and until its pods were gone."""
        where = path(GATEWAYS, "gateways", self.namespace)
        pods = path("v1", "pods", self.namespace)
        label = {"labelSelector": f"{GATEWAY_LABEL}={name}"}

        async def is_programmed() -> bool:
            found = await self.client.get_object(f"{where}/{name}")
            return condition(found, "Programmed").get("status") == "True"

        async def is_gone() -> bool:
            return not (await self.client.get_object(pods, label))["items"]

        began = time.perf_counter()
        await self.client.create(where, gateway(name))
        await _until(is_programmed)
        made = time.perf_counter() - began
        began = time.perf_counter()
        await self.client.delete(f"{where}/{name}")
        await _until(is_gone)
        return made, time.perf_counter() - began

    def pod(self) -> str:
        """The server."""
        (pod,) = self.installed.ready_pods()
        return pod

    def envoys(self) -> list[dict[str, object]]:
        """Its Envoy's pod, and those that go."""
        return self.installed.kubectl.list("pods", self.namespace, f"{GATEWAY_LABEL}={NAME}")


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SERVED_SECONDS):
        while not await check():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def world(installed: Installation, client: KubeClient) -> AsyncIterator[World]:
    """A world with one server; afterwards the servers are as many as before."""
    kubectl = Kubectl()
    replicas = len(installed.ready_pods())
    namespace = f"bench-{uuid4().hex[:6]}"
    kubectl("create", "namespace", namespace)
    try:
        installed.scale(1)
        eventually(lambda: len(installed.ready_pods()) == 1, 60)
        made = World(installed, client, namespace)
        await made.begin()
        yield made
    finally:
        kubectl.delete("namespace", namespace, wait=False)
        installed.scale(replicas)
