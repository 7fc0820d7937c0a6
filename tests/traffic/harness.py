"""A world to send traffic through: control plane, real Envoys on loopback, echo backends, all started here.

    async with World() as world:
        await world.serve(GATEWAY, "kind: HTTPRoute …")
        answer = await world.get("/path", host="shop.example.com")

Documents are YAML as users write it, but for what is always the same (see `documents`): apiVersion, and a route's
parentRefs where it has one parent called `gateway`. Each Gateway gets an Envoy with the product's own bootstrap, and
each of its ports a free port of 127.0.0.1.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import yaml
from yarl import URL

from tests.ports import free_port, free_udp_port
from tests.real_envoy import RealEnvoy
from tests.scenarios.certificates import filled_in
from tests.traffic.client import Answer, answer_of, connected
from xds_server.control import Changes, Control, Round
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.model.core import ConfigMap
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import BY_KIND, ROUTE_KINDS, kind_of
from xds_server.model.meta import Key, Metadata
from xds_server.model.parse import parse
from xds_server.model.validate import faults
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.routing.listener import Bind, Socket, Transport
from xds_server.shell.echo import echo
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import Serving
from xds_server.xds.limits import Limits

BACKENDS = ("a", "b", "c")
GATEWAY = Key("default", "gateway")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARK = Key("traffic", "mark")
_SECONDS = 60.0
LIMITS = Limits(removal_seconds=0.5, settle_seconds=0.5)
Ident = tuple[str, Key]


def documents(text: str) -> list[dict[str, Any]]:
    """The documents of a YAML text, with what tests leave out."""
    found = [one for one in yaml.load_all(text, _LOADER) if one]
    for document in found:
        row = BY_KIND[document["kind"]]
        document.setdefault("apiVersion", row.api_version)
        if row.kind in ROUTE_KINDS:
            document["spec"].setdefault("parentRefs", [{"name": GATEWAY.name}])
    return [filled_in(document) for document in found]


def service(name: str, addresses: Iterable[str], *, protocol: str = "", namespace: str = "default") -> str:
    """A Service with port 8080 and an EndpointSlice of its name; `addresses` are host:port, all of one port."""
    port: dict[str, Any] = {"name": "http", "port": 8080}
    if protocol:
        port["appProtocol"] = protocol
    whole = {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [port]}}
    return f"{yaml.safe_dump(whole)}---\n{endpoints(name, addresses, service=name, namespace=namespace)}"


def endpoints(name: str, addresses: Iterable[str], *, service: str, namespace: str = "default") -> str:
    """One EndpointSlice of a Service."""
    places = [address.rpartition(":") for address in addresses]
    ports = {int(port) for *_, port in places} or {1}
    assert len(ports) == 1, "a slice has one port for all its addresses"
    slice_ = {
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": ports.pop()}],
        "endpoints": [{"addresses": [host]} for host, *_ in places],
    }
    return f"{yaml.safe_dump(slice_)}---\n"


class World:
    """Everything between a YAML text and an answer. `backends` are the echo servers' addresses by name.

    `edit_bootstrap` may change the bootstrap of each Envoy (shorter time-outs), `drain` how it drains; `address` is where
    listeners bind, `runner` what starts each Envoy.
    """

    def __init__(
        self,
        *,
        address: str = "127.0.0.1",
        edit_bootstrap: Callable[[dict[str, Any]], None] = lambda _: None,
        allow_external_names: bool = False,
        drain: tuple[str, ...] = ("--drain-time-s", "1"),
        limits: Limits = LIMITS,
        runner: tuple[str, ...] = (),
    ) -> None:
        self.backends: dict[str, str] = {}
        self.envoys: dict[Key, RealEnvoy] = {}
        self.control = Control(
            build(Options(any_class=True, strict=True, default_bind=None, allow_external_names=allow_external_names)),
            batch_seconds=0.005,
            batch_max_seconds=0.05,
        )
        options = ServeOptions(address="127.0.0.1:0", limits=limits)
        self.serving = Serving(self.control.catalog, self.control, options)
        self.control.wake = self.serving.wake
        self.control.watch(self._settled)
        self._address = address
        self._edit_bootstrap = edit_bootstrap
        self._drain = drain
        self._runner = runner
        self._stack = AsyncExitStack()
        self._http: aiohttp.ClientSession | None = None
        self._ports: dict[Socket, int] = {}
        self._served: set[Ident] = set()
        self._mark = 0
        self._round = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "World":
        stack = self._stack
        for name in BACKENDS:
            self.backends[name] = await stack.enter_async_context(echo(name))
        await self.serving.start()
        stack.push_async_callback(self.serving.stop)
        self._loop = asyncio.create_task(self.control.run(), name="control")
        stack.callback(self._loop.cancel)
        # An Envoy that drains ends connections after a second: none is used again that was idle for nearly so long.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=0.2)
        # Redirects are looked at, not followed; cookies and compression would only add headers.
        self._http = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("Accept-Encoding",)
            )
        )
        basics = "".join(service(name, [address]) for name, address in self.backends.items())
        await self.change("kind: Namespace\nmetadata: {name: default}\n", basics)
        await self.serving.ready()
        return self

    async def __aexit__(self, *error: Any) -> None:
        for envoy in self.envoys.values():
            await envoy.__aexit__(*error)
        await self._stack.aclose()

    # What is served

    async def serve(self, *texts: str, schema: bool = True) -> None:
        """Beside the backends and what `change` added, exactly these documents; returns when Envoys have them all.

        `schema`: they are what the CRDs' schemas let pass, which is asserted.
        """
        values = _objects(texts, schema=schema)
        now = {_ident(value) for value in values}
        gone, self._served = self._served - now, now
        await self._apply(values, gone)

    async def change(self, *texts: str) -> None:
        """Adds or replaces documents."""
        await self._apply(_objects(texts), ())

    async def remove(self, kind: str, name: str, namespace: str = "default") -> None:
        """Takes one object away."""
        await self._apply((), {(kind, Key(namespace, name))})

    async def _apply(self, values: Iterable[Object], gone: Iterable[Ident]) -> None:
        values = tuple(values)
        gateways = [value for value in values if kind_of(value).kind == "Gateway"]
        self._mark += 1
        mark = ConfigMap(metadata=Metadata(name=_MARK.name, namespace=_MARK.namespace), data={"mark": str(self._mark)})
        upserts = tuple((*_ident(value), value) for value in (*values, mark))
        self.control.submit(Changes(upserts, tuple(gone), binds=self._binds(gateways)))
        await self._until(self._mark_settled, "did not settle")
        for gateway in gateways:
            await self._start(gateway.metadata.key)
        await self.synced()

    def _mark_settled(self) -> bool:
        mark = self.control.pipeline.inputs.kinds["ConfigMap"].get(_MARK)
        return mark is not None and mark.data["mark"] == str(self._mark)

    def _settled(self, _: Round) -> None:
        self._round.set()

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Looks at the condition after each settle: one that saw an input has done what it means, too."""
        async with asyncio.timeout(_SECONDS):
            self._round.clear()
            await self._round.wait()
            while not condition():
                assert self._loop is not None
                assert not self._loop.done(), f"the loop ended: {self._loop}"
                self._round.clear()
                await self._round.wait()

    def _binds(self, gateways: Iterable[Any]) -> Mapping[Key, Bind]:
        binds = {}
        for gateway in gateways:
            key = gateway.metadata.key
            for listener in gateway.spec.listeners:
                socket = Socket(key, "udp" if listener.protocol == "UDP" else "tcp", listener.port)
                if socket not in self._ports:
                    self._ports[socket] = free_udp_port() if socket.transport == "udp" else free_port()
            tcp, udp = self._bound(key, "tcp"), self._bound(key, "udp")
            binds[key] = Bind(address=self._address, ports=tcp, udp_ports=udp, share_port=False)
        return binds

    def _bound(self, gateway: Key, transport: str) -> tuple[tuple[int, int], ...]:
        own = ((one.port, bound) for one, bound in self._ports.items() if one[:2] == (gateway, transport))
        return tuple(sorted(own))

    async def _start(self, gateway: Key) -> None:
        if gateway in self.envoys:
            return
        options = BootstrapOptions(gateway=gateway, pod="local", ads_host="127.0.0.1", ads_port=self.serving.port)
        config = to_json(bootstrap(options))
        self._edit_bootstrap(config)
        envoy = self.envoys[gateway] = RealEnvoy(
            config,
            log_level="warning",
            arguments=("--file-flush-interval-msec", "50"),
            drain=self._drain,
            runner=self._runner,
        )
        await envoy.start()
        await envoy.wait_ready()

    async def synced(self) -> None:
        """Until every Envoy has accepted all that is published, and nothing is warming."""
        for key, envoy in self.envoys.items():
            node = envoy.bootstrap["node"]["id"]
            served = self.control.pipeline.inputs.kinds["Gateway"].get(key) is not None

            def has_all(node: str = node) -> bool:
                records = [record for record in self.serving.clients if record.node.id == node]
                return any(record.synced == self.control.catalog.serial for record in records)

            await envoy.until(has_all, "is not in sync")
            if served:
                await envoy.until(lambda envoy=envoy: _warm(envoy), "is still warming")
        await asyncio.sleep(0.01)  # an ACK comes before the worker threads have it
        await at_rest(self.control)

    async def draining(self) -> int:
        """How many listeners and filter chains the Envoy of `gateway` drains."""
        return sum((await self.envoy.stats("total_(listeners|filter_chains)_draining$")).values())

    async def drained(self) -> None:
        """Until there are none, which takes as long as Envoys drain."""

        async def none() -> bool:
            return not await self.draining()

        await self.envoy.until(none, "drains on")

    async def refused(self, port: int = 80, gateway: str = GATEWAY.name) -> None:
        """Until nobody listens where a listener was: a socket is closed once every thread of Envoy has let go of it."""
        async with asyncio.timeout(_SECONDS):
            while True:
                try:
                    async with connected(self.port(port, gateway)):
                        await asyncio.sleep(0.01)
                except ConnectionRefusedError:
                    return
                except ConnectionError:
                    pass  # taken by the socket just before it was closed

    def port(self, port: int = 80, gateway: str = GATEWAY.name, *, transport: Transport = "tcp") -> int:
        """The port that is bound for a listener's port."""
        return self._ports[Socket(Key(GATEWAY.namespace, gateway), transport, port)]

    @property
    def envoy(self) -> RealEnvoy:
        """The Envoy of the Gateway called `gateway`."""
        return self.envoys[GATEWAY]

    # Requests

    async def request(
        self,
        method: str,
        path: str,
        *,
        host: str = "example.com",
        port: int = 80,
        gateway: str = "gateway",
        **more: Any,
    ) -> Answer:
        """One HTTP/1.1 request; `path` goes out as it is written. `port` is the listener's."""
        assert self._http is not None
        url = URL(f"http://127.0.0.1:{self.port(port, gateway)}{path}", encoded=True)
        headers = {"Host": host, **more.pop("headers", {})}
        async with self._http.request(method, url, headers=headers, allow_redirects=False, **more) as response:
            return answer_of(response.status, response.headers.items(), await response.read())

    async def get(self, path: str, **more: Any) -> Answer:
        """GET."""
        return await self.request("GET", path, **more)

    async def status(self, path: str, **more: Any) -> int:
        """The status of a GET."""
        return (await self.get(path, **more)).status

    async def name(self, path: str, **more: Any) -> str:
        """Which backend answers a GET, or the status where none did."""
        answer = await self.get(path, **more)
        return answer.told["name"] if answer.status == 200 else str(answer.status)

    async def many(
        self, count: int, path: str, *, host: str = "example.com", headers: str = "", port: int = 80, at_once: int = 20
    ) -> list[Answer]:
        """The answers to `count` GETs over `at_once` connections; `headers` are lines, each with its end."""

        async def some(number: int) -> list[Answer]:
            async with connected(self.port(port)) as connection:
                return [await connection.get(path, host=host, headers=headers) for _ in range(number)]

        shares = [count // at_once + (index < count % at_once) for index in range(at_once)]
        return [answer for answers in await asyncio.gather(*map(some, shares)) for answer in answers]


async def at_rest(control: Control) -> None:
    """Until statuses say what streams have reported."""
    control.submit(Changes())
    async with asyncio.timeout(_SECONDS):
        while control._pending:
            await asyncio.sleep(0.001)
        await control.resting.wait()


async def _warm(envoy: RealEnvoy) -> bool:
    stats = await envoy.stats("^(listener_manager.total_listeners_warming|cluster_manager.warming_clusters)$")
    return len(stats) == 2 and not any(stats.values())


def _ident(value: Object) -> Ident:
    return kind_of(value).kind, value.metadata.key


def _objects(texts: Iterable[str], *, schema: bool = True) -> list[Object]:
    """Documents as the API server would let them pass."""
    values = []
    for document in (one for text in texts for one in documents(text)):
        value = parse(document)
        assert not isinstance(value, Fault | Ignored), value
        assert not schema or not (wrong := faults(value)), [str(fault) for fault in wrong]
        values.append(value)
    return values
