"""A control plane with its checks off, real Envoys, one echo backend, and traffic that never stops.

    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}") for n in range(8)))
        envoy = await world.start_envoy()
        async with world.traffic("/r1", "/r2") as traffic:
            await world.change(route("r1", path_regex="(("))
            await world.quiet()

Objects are made past `model.validate`, so whatever is written here reaches Envoy.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.ports import free_port
from tests.real_envoy import RealEnvoy
from tests.traffic.harness import at_rest
from xds_server.control import Changes, Control, Round
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import BY_KIND, kind_of
from xds_server.model.meta import Condition, Key
from xds_server.model.parse import parse
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.routing.audience import ForGateway
from xds_server.routing.listener import Bind
from xds_server.semantics.certificates import KeptSecret
from xds_server.shell.echo import echo
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import Serving
from xds_server.xds.limits import Limits
from xds_server.xds.resource import ResourceType

GATEWAY = Key("default", "gateway")
HOST = "example.com"
LIMITS = Limits(bind_seconds=0.3)


def made(document: Mapping[str, Any]) -> Object:
    """The object of a document without apiVersion, whatever its values are."""
    value = parse({"apiVersion": BY_KIND[document["kind"]].api_version, **document})
    assert not isinstance(value, Fault | Ignored), value
    return value


def gateway(name: str = GATEWAY.name, *, port: int = 80, generation: int = 1) -> Object:
    """A Gateway with one HTTP listener."""
    listeners = [{"name": "web", "port": port, "protocol": "HTTP"}]
    metadata = {"name": name, "namespace": GATEWAY.namespace, "generation": generation}
    return made({"kind": "Gateway", "metadata": metadata, "spec": {"gatewayClassName": "any", "listeners": listeners}})


def route(name: str, *rules: dict[str, Any], host: str = HOST, parent: str = GATEWAY.name) -> Object:
    """An HTTPRoute; without rules one that sends /NAME to the backend."""
    spec = {"parentRefs": [{"name": parent}], "hostnames": [host], "rules": list(rules) or [rule(f"/{name}")]}
    return made({"kind": "HTTPRoute", "metadata": {"name": name, "namespace": GATEWAY.namespace}, "spec": spec})


def rule(path: str, *, version: str = "", backend: str = "backend", **match: Any) -> dict[str, Any]:
    """Sends requests under `path` to the backend, marked in the response as of this version."""
    set_ = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": "version", "value": version}]},
    }
    return {
        "matches": [{"path": {"type": "PathPrefix", "value": path}, **match}],
        "filters": [set_] if version else [],
        "backendRefs": [{"name": backend, "port": 8080}],
    }


def with_bad_path(path: str = "/bad") -> dict[str, Any]:
    """A rule whose match is a path that is no regular expression: its fallback has the same match, and is as bad."""
    return {**rule(path), "matches": [{"path": {"type": "RegularExpression", "value": f"{path}(("}}]}


def with_bad_weights(path: str) -> dict[str, Any]:
    """A rule whose match is good and whose weights add up to more than Envoy allows: its fallback, a 500, is good."""
    heavy = [{"name": name, "port": 8080, "weight": 4_294_967_295} for name in ("backend", "other")]
    return {**rule(path), "backendRefs": heavy}


def service(name: str, address: str) -> list[Object]:
    """A Service with port 8080, and one endpoint."""
    host, _, port = address.rpartition(":")
    metadata = {"name": name, "namespace": GATEWAY.namespace}
    labels = {"kubernetes.io/service-name": name}
    slice_ = {
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": int(port)}],
        "endpoints": [{"addresses": [host]}],
    }
    spec = {"ports": [{"name": "http", "port": 8080}]}
    return [made({"kind": "Service", "metadata": metadata, "spec": spec}), made(slice_)]


class Quiet(RealEnvoy):
    """An Envoy whose access log is not shown when a test fails."""

    def log_tail(self, lines: int = 60) -> str:
        return "\n".join([line for line in super().log_tail(100_000).splitlines() if line[:1] != "{"][-lines:])


@dataclass
class Traffic:
    """Requests without pause, and what came of them: by path, how often each (status, version) was answered."""

    answers: dict[str, Counter[tuple[int, str]]] = field(default_factory=dict)

    def all_good(self, paths: Iterable[str]) -> bool:
        """Was every answer on these paths a 200, and was there one on each?"""
        return all(self.answers[path] and all(status == 200 for status, _ in self.answers[path]) for path in paths)

    def statuses(self, path: str) -> set[int]:
        """Every status that came for a path."""
        return {status for status, _ in self.answers[path]}


class World:
    """One control plane and what talks to it."""

    def __init__(self, *, checks: bool = False, **options: Any) -> None:
        self.backend = ""
        self.envoys: list[RealEnvoy] = []
        self.ports: dict[Key, int] = {}
        self._options = {"checks": checks, **options}
        self._objects: dict[tuple[str, Key], Object] = {}
        self._stack = AsyncExitStack()
        self._round = asyncio.Event()
        self._renew("127.0.0.1:0")

    def _renew(self, address: str) -> None:
        options = Options(any_class=True, **self._options, strict=True)
        self.control = Control(build(options), batch_seconds=0.005, batch_max_seconds=0.05)
        self.serving = Serving(self.control.catalog, self.control, ServeOptions(address=address, limits=LIMITS))
        self.control.wake = self.serving.wake
        self.control.watch(self._settled)

    async def __aenter__(self) -> "World":
        self.backend = await self._stack.enter_async_context(echo())
        await self._start()
        await self.change(*service("backend", self.backend), *service("other", self.backend))
        await self.serving.ready()
        return self

    async def _start(self) -> None:
        await self.serving.start()
        self._loop = asyncio.create_task(self.control.run())

    async def _stop(self) -> None:
        self._loop.cancel()
        await self.serving.stop()

    async def restart(self) -> None:
        """A new control plane with the same objects takes the place of the old one, which is gone without a word."""
        address = f"127.0.0.1:{self.serving.port}"
        await self._stop()
        self._renew(address)
        await self._start()
        await self.change(*self._objects.values())
        await self.serving.ready()
        await self.quiet()

    async def __aexit__(self, *error: Any) -> None:
        for envoy in self.envoys:
            await envoy.__aexit__(*error)
        await self._stop()
        await self._stack.aclose()

    def _settled(self, _: Round) -> None:
        self._round.set()

    async def change(self, *objects: Object, gone: Sequence[Object] = ()) -> None:
        """Adds or replaces objects, in one batch; returns once they are published."""
        binds = {}
        for value in objects:
            if kind_of(value).kind == "Gateway":
                key = value.metadata.key
                bound = self.ports.setdefault(key, free_port())
                listeners: Any = value
                ports = tuple((one.port, bound) for one in listeners.spec.listeners[:1])
                binds[key] = Bind(address="127.0.0.1", ports=ports, share_port=True)
        self._objects |= {(kind_of(value).kind, value.metadata.key): value for value in objects}
        for value in gone:
            del self._objects[kind_of(value).kind, value.metadata.key]
        upserts = tuple((kind_of(value).kind, value.metadata.key, value) for value in objects)
        removals = tuple((kind_of(value).kind, value.metadata.key) for value in gone)
        self.control.submit(Changes(upserts, removals, binds))
        async with asyncio.timeout(60):
            while not all(self._has(value) for value in objects) or any(self._has(value) for value in gone):
                self._round.clear()
                await self._round.wait()

    def _has(self, value: Object) -> bool:
        row: Any = self.control.pipeline.inputs.kinds[kind_of(value).kind].get(value.metadata.key)
        return bool(value == (row.current if isinstance(row, KeptSecret) else row))

    async def start_envoy(self, pod: str = "one", gateway: Key = GATEWAY, *, ready: bool = True) -> RealEnvoy:
        """A real Envoy of a Gateway, with the product's own bootstrap."""
        options = BootstrapOptions(gateway=gateway, pod=pod, ads_host="127.0.0.1", ads_port=self.serving.port)
        envoy = Quiet(to_json(bootstrap(options)), log_level="warning")
        self.envoys.append(envoy)
        await envoy.start()
        if ready:
            await envoy.wait_ready()
            await self.quiet()
        return envoy

    async def quiet(self) -> None:
        """Until every Envoy has what is published, nothing is searched, and statuses say so."""

        def everyone() -> bool:
            synced = {record.node.id: record.synced for record in self.serving.clients}
            serial = self.control.catalog.serial
            nodes = [envoy.bootstrap["node"]["id"] for envoy in self.envoys]
            return not self.control.quarantine.searched() and all(synced.get(node) == serial for node in nodes)

        for envoy in self.envoys:
            await envoy.until(everyone, "is not in sync")
        await at_rest(self.control)

    async def get(self, path: str, *, host: str = HOST, gateway: Key = GATEWAY, **headers: str) -> int:
        """The status of one GET over a connection of its own."""
        url = f"http://127.0.0.1:{self.ports[gateway]}{path}"
        async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": host, **headers}) as response:
            return response.status

    @asynccontextmanager
    async def traffic(self, *paths: str, gateway: Key = GATEWAY) -> AsyncIterator[Traffic]:
        """Requests to all paths, one after the other on a connection for each, for the length of the block: each path
        has been answered when it begins, and is asked once more when it ends.
        """
        traffic = Traffic({path: Counter() for path in paths})
        over = asyncio.Event()

        async def ask(session: aiohttp.ClientSession, path: str) -> None:
            url = f"http://127.0.0.1:{self.ports[gateway]}{path}"
            last = False
            while not last:
                last = over.is_set()
                async with session.get(url, headers={"Host": HOST}) as response:
                    await response.read()
                    traffic.answers[path][response.status, response.headers.get("version", "")] += 1
                await asyncio.sleep(0.002)

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            asking = [asyncio.create_task(ask(session, path)) for path in paths]
            try:
                await until(lambda: all(traffic.answers.values()) or any(task.done() for task in asking))
                yield traffic
            finally:
                over.set()
                await asyncio.gather(*asking)

    def pushes(self, type_: ResourceType = ResourceType.ROUTE, pod: str = "one") -> int:
        """How many responses of a type a pod's Envoy has been sent on its stream."""
        record = self.serving.clients.of_node(f"gateway~{pod}.{GATEWAY.namespace}")
        return record.of(type_).responses if record else 0

    def body(self, type_: ResourceType, name: str, *, build: str = "") -> bytes:
        """A resource as proxies of the Gateway with that Envoy version are served it."""
        gateway = ForGateway(*GATEWAY)
        resource = self.control.catalog.view((gateway, gateway._replace(build=build))).get(type_, name)
        return resource.body if resource else b""

    def resources_sent(self, pod: str = "one") -> dict[str, int]:
        """How many resources a pod's Envoy has been sent on its stream, by type."""
        record = self.serving.clients.of_node(f"gateway~{pod}.{GATEWAY.namespace}")
        assert record is not None
        return {type_.value: of.resources_sent for type_, of in record.types.items() if of.resources_sent}

    def conditions(self, name: str, kind: str = "HTTPRoute") -> dict[str, Condition]:
        """The conditions of a route at its only parent, by type."""
        status = self.control.pipeline.statuses.routes.get((kind, Key(GATEWAY.namespace, name)))
        assert status is not None
        (parent,) = status.parents
        return {condition.type: condition for condition in parent.conditions}

    def gateway_conditions(self, listener: str = "") -> dict[str, Condition]:
        """The conditions of the Gateway, or of one of its listeners."""
        status = self.control.pipeline.statuses.gateways.get(GATEWAY)
        assert status is not None
        if not listener:
            return {condition.type: condition for condition in status.conditions}
        (found,) = (one for one in status.listeners if one.name == listener)
        return {condition.type: condition for condition in found.conditions}


async def until(condition: Callable[[], Any], seconds: float = 60.0) -> float:
    """Waits for something that has no event of its own; the seconds it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it never came"
        await asyncio.sleep(0.005)
    return time.monotonic() - start
