"""The debug endpoint: what is served, to whom, why, and what is wrong, as HTTP pages of JSON.

In: the pipeline, the catalog, the connected clients, what is wrong with the input. Out: pages, served by `endpoint`.
Nothing is changed by asking. Tables are read in the event loop, which alone changes them, by copying references; what
takes long (decoding, rendering, sorting) is done in one thread, one request after the other. Secrets are never shown:
`readable` and `admin_json` see to that.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import re2
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from xds_server import __version__
from xds_server.flow.explain import Row
from xds_server.model.document import Fault, Ignored
from xds_server.model.meta import Key
from xds_server.model.wording import some
from xds_server.pipeline.program import Pipeline
from xds_server.routing.audience import Audience, ForGateway
from xds_server.semantics import patterns
from xds_server.shell import overview
from xds_server.shell.config_dump import FIELDS, Filter, config_dump
from xds_server.shell.endpoint import Endpoint, Page, Refused, json_bytes, json_response, json_text, plain_response
from xds_server.shell.metrics import exposition
from xds_server.shell.readable import key_text
from xds_server.shell.serve.clients import Clients
from xds_server.shell.trace import trace
from xds_server.wire.part import leaves
from xds_server.xds.catalog import Catalog
from xds_server.xds.node import GATEWAY, Node, audiences
from xds_server.xds.resource import ResourceType

T = TypeVar("T")

TITLE: Final = "xds-server debug endpoint"
OPTION: Final = "--admin-address"
_NAMED: Final = 20
"""How many known names an error lists."""
_ROWS: Final = 200
_MOST_ROWS: Final = 100_000
_TYPES: Final = {type_.value: type_ for type_ in ResourceType}
_WHOSE: Final = {
    "node": "node id of a connected Envoy",
    "gateway": "or NAMESPACE/NAME of a Gateway",
    "build": "with gateway: an Envoy version, for what only Envoys of that version get",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the pages show. The functions are called in the event loop, at each request."""

    pipeline: Pipeline
    catalog: Catalog
    clients: Clients
    registry: CollectorRegistry
    faults: Callable[[], Sequence[Fault]] = tuple
    ignored: Callable[[], Sequence[Ignored]] = tuple
    unready: Callable[[], str]
    """Why nothing is served yet, in words; empty once it is."""
    about: Callable[[], Mapping[str, Any]] = dict
    """What this server is, beside its version."""


class Debug:
    """The endpoint; loopback is the caller's default, and there is no authentication."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="debug")
        self._endpoint = Endpoint(TITLE, self._pages(), option=OPTION)

    async def start(self, address: str) -> str:
        """Listens on `host:port` and returns where (port 0 finds a free one). Raises BindError."""
        return await self._endpoint.start(address)

    async def stop(self) -> None:
        """Stops listening; what a page is still computing is thrown away."""
        await self._endpoint.stop()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _pages(self) -> Iterable[Page]:
        only = {
            "type": f"only resources of this type: {', '.join(_TYPES)}",
            "resource": f"as Envoy has it, one list alone, its entries bare: {', '.join(FIELDS)}",
            "name_regex": "only resources whose whole name matches (RE2)",
            "include_eds": "as Envoy has it; endpoints are always shown here",
        }
        return (
            Page("/debug/config_dump", "what an Envoy is served, as Envoy's own dump", self._dump, _WHOSE | only),
            Page("/debug/owners", "the objects behind all that an Envoy is served, versions", self._owners, _WHOSE),
            Page("/debug/server", "what this server is: version, identity, does it lead", self._about),
            Page("/debug/clients", "connected Envoys: what each was sent, accepted, rejected", self._clients),
            Page(
                "/debug/tables",
                "every table: rows, calls, failures",
                self._tables,
                {"table": "its keys", "key": "with table: one row"},
            ),
            Page(
                "/debug/explain",
                "which rows and objects something was made from",
                self._explain,
                {
                    "resource": f"TYPE/NAME, TYPE being one of {', '.join(_TYPES)}",
                    "gateway": "with resource: NAMESPACE/NAME, needed if several Gateways have one of this name",
                    "table": "or a row of this table",
                    "key": "with table: its key",
                    "limit": f"how many rows to follow, {_ROWS} if not given",
                },
            ),
            Page(
                "/debug/status",
                "every object's status, as computed",
                self._status,
                {"kind": "only objects of this kind", "name": "only NAMESPACE/NAME"},
            ),
            Page(
                "/debug/faults",
                "everything that is wrong: input, what statuses say, rejections by Envoys, failures",
                self._faults,
            ),
            Page("/metrics", "Prometheus metrics", self._metrics, None),
            Page("/healthz", "200 while the event loop runs", self._health, None),
            Page("/readyz", "200 once resources are published, 503 before", self._ready, None),
        )

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)

    # What is served

    async def _dump(self, query: Mapping[str, str]) -> web.Response:
        view = self._sources.catalog.view(self._audiences(query))
        return json_bytes(await self._in_thread(config_dump, view, _filter(query)))

    def _audiences(self, query: Mapping[str, str]) -> tuple[Audience, ...]:
        node, gateway = query.get("node"), query.get("gateway")
        if (node is None) == (gateway is None) or (node is not None and "build" in query):
            raise Refused(400, f"give either node=ID or gateway=NAMESPACE/NAME[&build=VERSION]; {self._known()}")
        if gateway is not None:
            key = self._gateway(gateway)
            build = query.get("build", "")
            return audiences(Node("", "", GATEWAY, "", key.namespace, key.name, build))
        record = self._sources.clients.of_node(node or "")
        if record is None:
            raise Refused(404, f"no Envoy with node id {node!r} is connected; {self._known()}")
        return audiences(record.node)

    def _gateway(self, text: str) -> Key:
        namespace, _, name = text.partition("/")
        verdict = self._sources.pipeline.tables.gateway_verdicts.get(Key(namespace, name))
        if verdict is None or not verdict.ours:
            raise Refused(404, f"there is no Gateway {text!r} to serve; {self._known()}")
        return Key(namespace, name)

    def _known(self) -> str:
        nodes = _some(record.node.id for record in self._sources.clients)
        return f"Gateways: {_some(map(str, self._sources.pipeline.gateways()))}; connected nodes: {nodes}"

    async def _clients(self, _: Mapping[str, str]) -> web.Response:
        catalog = self._sources.catalog
        seen = [(record, catalog.view(audiences(record.node))) for record in self._sources.clients]
        serial = catalog.serial
        return json_bytes(await self._in_thread(lambda: json_text(overview.clients(seen, serial))))

    async def _owners(self, query: Mapping[str, str]) -> web.Response:
        view = self._sources.catalog.view(self._audiences(query))
        whole = overview.makers(self._sources.pipeline, view)
        return json_bytes(await self._in_thread(lambda: json_text(overview.owners(view, whole))))

    async def _about(self, _: Mapping[str, str]) -> web.Response:
        return json_response({"version": __version__, **self._sources.about(), "unready": self._sources.unready()})

    # Why

    async def _tables(self, query: Mapping[str, str]) -> web.Response:
        if "table" not in query:
            if "key" in query:
                raise Refused(400, "key is the key of a row: give table too")
            shown = overview.tables(self._sources.pipeline.graph)
            return json_bytes(await self._in_thread(json_text, shown))
        name = self._table(query["table"])
        table = self._sources.pipeline.graph.tables[name]
        rows, failures = overview.rows_of(table), dict(table.failures)
        if "key" not in query:
            return json_bytes(await self._in_thread(lambda: json_text(overview.keys(name, rows, failures))))
        key = await self._in_thread(_find, name, query["key"], [*rows, *failures])
        message = overview.message_of(self._sources.pipeline, name)
        return json_bytes(
            await self._in_thread(lambda: json_text(overview.row(name, key, rows, failures, message))),
        )

    def _table(self, name: str) -> str:
        known = self._sources.pipeline.graph.tables
        if name not in known:
            raise Refused(404, f"there is no table {name!r}; known are {', '.join(known)}")
        return name

    async def _explain(self, query: Mapping[str, str]) -> web.Response:
        pipeline = self._sources.pipeline
        given = query.keys() - {"limit"}
        head: dict[str, Any] = {}
        if given == {"table", "key"}:
            table = pipeline.graph.tables[self._table(query["table"])]
            keys = [*overview.rows_of(table), *table.failures]
            start: Row = table.name, await self._in_thread(_find, table.name, query["key"], keys)
        elif given in ({"resource"}, {"resource", "gateway"}):
            start, head = self._resource(query)
        else:
            raise Refused(400, "give either resource=TYPE/NAME (and gateway=NAMESPACE/NAME), or table=NAME and key=KEY")
        found = await trace(pipeline.graph, start, _limit(query))
        return json_bytes(await self._in_thread(json_text, {**head, **found}))

    def _resource(self, query: Mapping[str, str]) -> tuple[Row, dict[str, Any]]:
        """The row behind a published resource, and who answers for its parts."""
        word, _, name = query["resource"].partition("/")
        type_ = _type(word)
        gateways = [self._gateway(query["gateway"])] if "gateway" in query else self._sources.pipeline.gateways()
        found = {}
        for key in gateways:
            audience = ForGateway(key.namespace, key.name)
            if (row := self._sources.pipeline.publisher.row_of((audience, type_, name))) is not None:
                found[audience] = row
        if not found:
            raise Refused(404, f"nobody is served {word} {name!r}; {self._names(type_, gateways)}")
        if len(found) > 1:
            several = _some(f"{one.namespace}/{one.name}" for one in found)
            raise Refused(400, f"several Gateways have {word} {name!r}, give gateway= too: {several}")
        audience, row = found.popitem()
        resource = self._sources.catalog.view((audience,)).get(type_, name)
        owners = sorted({str(owner) for leaf in leaves(resource.part) for owner in leaf.owners}) if resource else []
        version = resource.version if resource else ""
        head = {"resource": f"{word}/{name}", "gateway": f"{audience.namespace}/{audience.name}", "version": version}
        return row, {**head, "owners": owners}

    def _names(self, type_: ResourceType, gateways: Iterable[Key]) -> str:
        views = (self._sources.catalog.view((ForGateway(key.namespace, key.name),)) for key in gateways)
        return f"{type_.value} there are: {_some(sorted({name for view in views for name in view.resources(type_)}))}"

    # What came of it

    async def _status(self, query: Mapping[str, str]) -> web.Response:
        rows = overview.status_rows(self._sources.pipeline)
        if (kind := query.get("kind")) is not None:
            if kind not in rows:
                raise Refused(404, f"no status of a {kind!r} is known; kinds are {', '.join(rows) or 'not there yet'}")
            rows = {kind: rows[kind]}
        return json_bytes(await self._in_thread(lambda: json_text(overview.statuses(rows, query.get("name")))))

    async def _faults(self, _: Mapping[str, str]) -> web.Response:
        faults, ignored = tuple(self._sources.faults()), tuple(self._sources.ignored())
        rows = overview.status_rows(self._sources.pipeline)
        holds = overview.rows_of(self._sources.pipeline.inputs.holds)
        failures = {table.name: dict(table.failures) for table in self._sources.pipeline.graph.tables.values()}
        return json_bytes(
            await self._in_thread(lambda: json_text(overview.wrong(faults, ignored, rows, holds, failures))),
        )

    # For probes

    async def _metrics(self, _: Mapping[str, str]) -> web.Response:
        body = exposition(self._sources.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _health(self, _: Mapping[str, str]) -> web.Response:
        return plain_response("ok\n")

    async def _ready(self, _: Mapping[str, str]) -> web.Response:
        reason = self._sources.unready()
        return plain_response(f"{reason}\n", 503) if reason else plain_response("ready\n")


def _filter(query: Mapping[str, str]) -> Filter:
    resource = query.get("resource")
    if resource is not None and resource not in FIELDS:
        raise Refused(404, f"resource {resource!r} is not in this dump; known are {', '.join(FIELDS)}")
    if resource is not None and "type" in query:
        raise Refused(400, "resource and type say the same in two ways: give one")
    wanted = _type(query["type"]) if "type" in query else None
    if "name_regex" not in query:
        return Filter(wanted, resource)
    if problem := patterns.problem(query["name_regex"]):
        raise Refused(400, f"name_regex: {problem}")
    return Filter(wanted, resource, re2.compile(query["name_regex"]).fullmatch)


def _type(word: str) -> ResourceType:
    if word not in _TYPES:
        raise Refused(404, f"there is no type {word!r} of resources; known are {', '.join(_TYPES)}")
    return _TYPES[word]


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", str(_ROWS))
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MOST_ROWS:
        raise Refused(400, f"limit is a number from 1 to {_MOST_ROWS}, not {text!r}")
    return int(text)


def _find(table: str, text: str, keys: Iterable[Any]) -> Any:
    for key in keys:
        if key_text(key) == text:
            return key
    raise Refused(404, f"table {table!r} has no key {text!r}; ?table={table} lists its keys")


def _some(names: Iterable[str]) -> str:
    """The first of some names, and how many there are besides."""
    return some(list(dict.fromkeys(names)), _NAMED) or "none"
