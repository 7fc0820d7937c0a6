"""Our dump of what a real Envoy is served, beside that Envoy's own dump of what it got."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from envoy_data_plane.envoy.admin import v3 as admin

from tests.ports import free_port
from tests.real_envoy import RealEnvoy, ads_bootstrap
from tests.shell.debug_world import World, documents, key_text
from xds_server.model.batch import upsert
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.model.yaml import load
from xds_server.routing.audience import Everyone
from xds_server.routing.listener import Bind
from xds_server.shell.config_dump import FIELDS, SECTIONS, Filter, config_dump
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import Serving
from xds_server.wire.part import Part
from xds_server.wire.registry import class_of
from xds_server.wire.schema import fields_of
from xds_server.xds.catalog import Catalog
from xds_server.xds.events import Event
from xds_server.xds.node import Node
from xds_server.xds.resource import Resource, ResourceType

NODE = "gateway~pod-1.shop"
BACKEND = """
apiVersion: v1
kind: Service
metadata: {name: nothing, namespace: shop}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: nothing-1, namespace: shop, labels: {kubernetes.io/service-name: nothing}}
addressType: IPv4
ports: [{port: 9}]
endpoints: [{addresses: [127.0.0.1]}]
"""
BAD_REGEX = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: bad, namespace: shop}
spec:
  parentRefs: [{name: secure}]
  rules:
  - matches: [{path: {type: RegularExpression, value: "/(unclosed"}}]
    backendRefs: [{name: nothing, port: 80}]
"""


class Silent:
    """An observer that does nothing about what it is told."""

    def opened(self, stream: int, node: Node) -> None: ...
    def event(self, stream: int, node: Node, event: Event) -> None: ...
    def sent(self, stream: int, node: Node, response: object) -> None: ...

    def synced(self, stream: int, node: Node, serial: int) -> None: ...
    def closed(self, stream: int, node: Node) -> None: ...


class Running:
    """A control plane with its debug endpoint; without our own checks, so that Envoy has something to reject."""

    def __init__(self) -> None:
        self.world = World((), checks=False)
        self.serving = Serving(self.world.catalog, Silent(), ServeOptions(address="127.0.0.1:0"))
        self.world.clients = self.serving.clients
        self.envoy: RealEnvoy

    def submit(self, documents: Iterable[Any]) -> None:
        """Adds documents, publishes, and wakes the streams."""
        for document in documents:
            kind, key, value = upsert(parse(document))  # type: ignore[arg-type]
            self.world.pipeline.inputs.put(kind, key, value)
        self.serving.wake(self.world.settle())

    async def get(self, path: str, **parameters: str) -> Any:
        """A page, which must not show the private key."""
        status, text = await self.world.ask(path, params=parameters)
        assert status == 200, text
        assert not any(line in text for line in key_text().splitlines()[1:-1])
        return json.loads(text)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    await made.serving.start()
    bind = Bind(address="127.0.0.1", ports=((443, free_port()),))
    made.world.pipeline.inputs.binds.put(Key("shop", "secure"), bind)
    made.submit([*documents(), *load(BACKEND)])
    await made.serving.ready()
    bootstrap = ads_bootstrap(made.serving.port, node=NODE, cluster="shop/secure")
    async with made.world, RealEnvoy(bootstrap) as made.envoy:
        await made.envoy.wait_ready()
        yield made
    await made.serving.stop()


def entries(dump: dict[str, Any]) -> dict[str, Any]:
    """The entries of every list we have, without what only Envoy knows."""
    found = {}
    for config in dump["configs"]:
        for field in FIELDS:
            if field in config:
                found[field] = [_comparable(one) for one in config[field]]
    return found


def _comparable(entry: dict[str, Any]) -> dict[str, Any]:
    state = entry.get("active_state")
    kept = {name: value for name, value in entry.items() if name not in {"last_updated", "client_status"}}
    return kept | {"active_state": _comparable(state)} if state else kept


async def test_it_is_what_envoy_dumps(running: Running) -> None:
    ours = await running.get("/debug/config_dump", node=NODE)
    theirs = await running.envoy.config_dump()
    expected, found = entries(theirs), entries(ours)
    assert list(expected) == list(FIELDS), "Envoy has all types"
    for field in FIELDS:
        if field != "dynamic_endpoint_configs":
            assert found[field] == expected[field]
    # Envoy makes this one anew from the hosts that it has, with defaults filled in.
    (mine,), (its,) = found["dynamic_endpoint_configs"], expected["dynamic_endpoint_configs"]
    assert mine["endpoint_config"]["@type"] == its["endpoint_config"]["@type"]
    assert mine["endpoint_config"].keys() <= its["endpoint_config"].keys()
    for field in FIELDS:
        mine = await running.get("/debug/config_dump", node=NODE, resource=field)
        its = await running.envoy.config_dump(f"include_eds&resource={field}")
        assert mine["configs"][0]["@type"] == its["configs"][0]["@type"]


async def test_a_real_rejection_is_told(running: Running) -> None:
    running.submit(load(BAD_REGEX))

    async def routes() -> dict[str, Any]:
        (client,) = (await running.get("/debug/clients"))["clients"]
        assert (client["node"], client["gateway"], client["protocol"]) == (NODE, "shop/secure", "delta")
        return dict(client["types"]["routes"])

    async def rejected() -> bool:
        return (await routes())["last_nack"] is not None

    async def accepted() -> bool:
        now = await routes()
        return bool(now["version_acked"] == now["version_sent"] != before["version_sent"])

    await running.envoy.until(rejected, "rejected nothing")
    before = await routes()
    assert before["nacks"] == 1
    assert before["version_sent"] != before["version_acked"]
    assert "missing )" in before["last_nack"]["detail"]
    assert before["last_nack"]["resources"] == ["https-443/shop.example.com"]
    running.submit(load(BAD_REGEX.replace("(", "")))
    await running.envoy.until(accepted, "did not accept what is good")
    assert (await routes())["last_nack"] == before["last_nack"]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.message)
def test_field_names_are_those_of_envoys_messages(section: Any) -> None:
    message = {field.name: field for field in fields_of(getattr(admin, section.message))}
    entry = message[section.field].message
    assert entry is class_of(f"type.googleapis.com/envoy.admin.v3.{section.entry}")
    assert entry is not None
    names = {field.name: field for field in fields_of(entry)}
    assert ("version_info" in message) is section.versioned
    assert ("name" in names) is section.named
    assert "error_state" in names
    if section.type is ResourceType.LISTENER:
        state = names["active_state"].message
        assert state is not None
        names = {field.name: field for field in fields_of(state)}
    assert {"version_info", section.body} <= names.keys()


def test_a_resource_that_cannot_be_decoded_does_not_hide_the_others() -> None:
    catalog = Catalog()
    good = Resource(ResourceType.CLUSTER, "good", Everyone(), Part("good", b"\n\x04good"))
    bad = Resource(ResourceType.CLUSTER, "bad", Everyone(), Part("bad", b"\n\x7fx"))
    catalog.publish({(Everyone(), one.type, one.name): one for one in (good, bad)})
    dump = json.loads(config_dump(catalog.view((Everyone(),)), Filter(ResourceType.CLUSTER)))
    first, second = dump["configs"][0]["dynamic_active_clusters"]
    assert "cannot be decoded" in first["error_state"]["details"]
    assert second["cluster"] == {"@type": ResourceType.CLUSTER.url, "name": "good"}
