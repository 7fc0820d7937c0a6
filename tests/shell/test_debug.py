"""The pages of the debug endpoint, asked over HTTP, above the real pipeline."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.pipeline import documents as doc
from tests.shell.debug_world import GATEWAY, World, documents, key_text, objects
from xds_server import __version__
from xds_server.model.document import Fault
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.routing.audience import ForGateway
from xds_server.shell.serve.clients import ClientRecord
from xds_server.wire.part import Owner
from xds_server.xds.events import Acknowledged, Rejected, Subscribed
from xds_server.xds.node import Node, audiences
from xds_server.xds.resource import ResourceType
from xds_server.xds.stream import Response

NODE = Node(
    "gateway~pod-1.istio-ingress", GATEWAY, "gateway", "pod-1.istio-ingress", "istio-ingress", "gateway", "1.40.0"
)
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TYPES = ["clusters", "endpoints", "listeners", "secrets", "routes"]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as made:
        yield made


def connect(world: World, node: Node = NODE, stream: int = 1) -> None:
    world.clients.opened(ClientRecord(stream, node, "ipv4:127.0.0.1:5", "delta", WHEN))


def sections(dump: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {config["@type"].rpartition(".")[2]: config for config in dump["configs"]}


async def everything(world: World) -> AsyncIterator[tuple[str, str]]:
    """Every page there is in this world, with every row of every table and every explanation of a resource."""
    for path in ("/", "/debug/server", "/debug/clients", "/debug/tables", "/debug/status", "/debug/faults", "/metrics"):
        yield path, (await world.ask(path))[1]
    for gateway in (GATEWAY, "shop/secure"):
        yield gateway, (await world.ask("/debug/config_dump", params={"gateway": gateway}))[1]
        yield f"owners {gateway}", (await world.ask("/debug/owners", params={"gateway": gateway}))[1]
    for name, table in world.pipeline.graph.tables.items():
        listed = await world.get("/debug/tables", table=name)
        assert len(listed["keys"]) == len(table)
        for key in listed["keys"]:
            for path in ("/debug/tables", "/debug/explain"):
                status, text = await world.ask(path, params={"table": name, "key": key})
                assert status == 200, text
                yield f"{path} {name} {key}", text


async def test_no_page_shows_a_private_key(world: World) -> None:
    key = key_text()
    lines = [line for line in key.splitlines() if line and not line.startswith("-----")]
    encoded = base64.b64encode(key.encode()).decode()
    assert any(key.encode() in row.data for row in world.pipeline.tables.secrets.values()), "it is served"
    connect(world)
    said = f"bad secret: {key}"
    world.clients.event(1, Rejected(ResourceType.SECRET, {}, said), WHEN)
    world.faults = [Fault(reason=f"is wrong: {key}", kind="Secret")]
    world.pipeline.inputs.holds.put(
        HoldId(Key("shop", "secure"), "1.40.0", ResourceType.SECRET, "secret/shop/cert"),
        Hold(rejected=frozenset({"0"}), detail=said, owners=(Owner("Secret", "shop", "cert"),)),
    )
    world.settle()
    pages = 0
    async for path, text in everything(world):
        pages += 1
        for secret in (*lines, encoded[40:80], base64.b64encode(lines[0].encode()).decode()[4:-4], "BEGIN PRIVATE"):
            assert secret not in text, path
    assert pages > 100


async def test_config_dump_has_every_type_from_the_bytes_that_are_served(world: World) -> None:
    plain = sections(await world.get("/debug/config_dump", gateway=GATEWAY))
    assert list(plain) == [
        "ClustersConfigDump",
        "EndpointsConfigDump",
        "ListenersConfigDump",
        "RoutesConfigDump",
        "SecretsConfigDump",
    ]
    cluster = plain["ClustersConfigDump"]["dynamic_active_clusters"][0]
    assert cluster["cluster"]["name"] == "default/httpbin:8000/auto"
    assert cluster["cluster"]["eds_cluster_config"]["service_name"] == "default/httpbin:8000"
    endpoints = plain["EndpointsConfigDump"]["dynamic_endpoint_configs"][0]["endpoint_config"]
    address = endpoints["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert address == {"address": "127.0.0.1", "port_value": 8000}
    listener = plain["ListenersConfigDump"]["dynamic_listeners"][0]
    assert listener["name"] == listener["active_state"]["listener"]["name"] == "tcp-80"
    route = plain["RoutesConfigDump"]["dynamic_route_configs"][0]["route_config"]
    assert route["virtual_hosts"][0]["domains"] == ["httpbin.example.com"]
    assert route["virtual_hosts"][0]["routes"][0]["route"]["cluster"] == "default/httpbin:8000/auto"
    secure = sections(await world.get("/debug/config_dump", gateway="shop/secure"))
    secret = secure["SecretsConfigDump"]["dynamic_active_secrets"][0]
    assert secret["name"] == "secret/shop/cert"
    assert secret["secret"]["@type"].endswith("tls.v3.Secret")
    certificate = secret["secret"]["tls_certificate"]
    assert certificate["private_key"] == {"inline_bytes": "W3JlZGFjdGVkXQ=="}
    assert base64.b64decode(certificate["certificate_chain"]["inline_bytes"]).startswith(b"-----BEGIN CERTIFICATE")


async def test_versions_are_those_that_envoy_is_told(world: World) -> None:
    connect(world)
    view = world.catalog.view((ForGateway("istio-ingress", "gateway"),))
    dump = sections(await world.get("/debug/config_dump", node=NODE.id))
    assert dump["ClustersConfigDump"]["version_info"] == view.version(ResourceType.CLUSTER)
    (route,) = dump["RoutesConfigDump"]["dynamic_route_configs"]
    resource = view.get(ResourceType.ROUTE, "http-80")
    assert resource is not None
    assert route["version_info"] == resource.version


async def test_a_node_sees_what_its_envoy_version_gets(world: World) -> None:
    leaf = "HTTPRoute/default/http/0/0@80"
    part = world.pipeline.leaf(HoldId(Key("istio-ingress", "gateway"), "1.40.0", ResourceType.ROUTE, leaf))
    assert part is not None
    held = HoldId(Key("istio-ingress", "gateway"), "1.40.0", ResourceType.ROUTE, leaf)
    world.pipeline.inputs.holds.put(held, Hold(rejected=frozenset({part.hash}), detail="no", owners=part.owners))
    world.settle()
    connect(world)

    async def statuses(**whose: str) -> list[Any]:
        dump = await world.get("/debug/config_dump", resource="dynamic_route_configs", **whose)
        return [one.get("direct_response") for one in dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"]]

    assert await statuses(node=NODE.id) == [{"status": 500}]
    assert await statuses(gateway=GATEWAY, build="1.40.0") == [{"status": 500}]
    assert await statuses(gateway=GATEWAY) == await statuses(gateway=GATEWAY, build="1.39.0") == [None]
    (rejected,) = (await world.get("/debug/faults"))["rejected"]
    assert rejected == {
        "gateway": GATEWAY,
        "build": "1.40.0",
        "type": "routes",
        "part": leaf,
        "owners": ["HTTPRoute default/http rules[0]"],
        "detail": "no",
    }


async def test_what_a_version_is_not_to_have_is_not_dumped(world: World) -> None:
    id_ = HoldId(Key("shop", "secure"), "1.40.0", ResourceType.LISTENER, "listener tcp-443")
    leaf = world.pipeline.leaf(id_)
    assert leaf is not None
    world.pipeline.inputs.holds.put(id_, Hold(rejected=frozenset({leaf.hash}), detail="no", owners=leaf.owners))
    world.settle()
    dump = sections(await world.get("/debug/config_dump", gateway="shop/secure", build="1.40.0"))
    assert dump["ListenersConfigDump"].keys() == {"@type", "version_info"}
    assert "dynamic_active_secrets" in dump["SecretsConfigDump"]


async def test_dump_filters(world: World) -> None:
    async def names(**filters: str) -> list[tuple[str, int]]:
        dump = await world.get("/debug/config_dump", gateway=GATEWAY, **filters)
        found = sections(dump)
        return [(name, sum(len(v) for v in one.values() if isinstance(v, list))) for name, one in found.items()]

    assert await names(type="routes") == [("RoutesConfigDump", 1)]
    assert await names(type="routes", name_regex="http-.*") == [("RoutesConfigDump", 1)]
    assert await names(type="routes", name_regex="http") == [("RoutesConfigDump", 0)]
    assert dict(await names(name_regex="default/.*", include_eds="")) == {
        "ClustersConfigDump": 1,
        "EndpointsConfigDump": 1,
        "ListenersConfigDump": 0,
        "RoutesConfigDump": 0,
        "SecretsConfigDump": 0,
    }
    bare = await world.get("/debug/config_dump", gateway=GATEWAY, resource="dynamic_listeners")
    (entry,) = bare["configs"]
    assert entry["@type"] == "type.googleapis.com/envoy.admin.v3.ListenersConfigDump.DynamicListener"
    assert entry["active_state"]["listener"]["name"] == "tcp-80"


@pytest.mark.parametrize(
    ("path", "parameters", "status", "words"),
    [
        (
            "/debug/config_dump",
            {},
            400,
            f"node=ID or gateway=NAMESPACE/NAME[&build=VERSION]; Gateways: {GATEWAY}, shop",
        ),
        ("/debug/config_dump", {"node": "a", "gateway": "b"}, 400, "give either"),
        ("/debug/config_dump", {"node": "a", "build": "b"}, 400, "give either"),
        ("/debug/config_dump", {"node": "x"}, 404, "no Envoy with node id 'x' is connected"),
        ("/debug/config_dump", {"gateway": "a/b"}, 404, f"no Gateway 'a/b' to serve; Gateways: {GATEWAY}"),
        ("/debug/config_dump", {"gateway": "b"}, 404, "no Gateway 'b'"),
        ("/debug/config_dump", {"gateway": GATEWAY, "type": "lds"}, 404, "known are clusters, endpoints"),
        ("/debug/config_dump", {"gateway": GATEWAY, "resource": "x"}, 404, "dynamic_active_clusters"),
        ("/debug/config_dump", {"gateway": GATEWAY, "type": "x", "resource": "dynamic_listeners"}, 400, "give one"),
        ("/debug/config_dump", {"gateway": GATEWAY, "name_regex": "a("}, 400, "missing )"),
        ("/debug/config_dump", {"gatway": GATEWAY}, 400, "unknown parameter 'gatway'; known are node, gateway"),
        ("/debug/clients", {"x": "1"}, 400, "unknown parameter 'x'; known are none"),
        ("/debug/tables", {"table": "x"}, 404, "known are gatewayclasses, gateways, listenersets, httproutes"),
        ("/debug/tables", {"key": "x"}, 400, "give table too"),
        ("/debug/tables", {"table": "gateways", "key": "x"}, 404, "has no key 'x'; ?table=gateways lists"),
        ("/debug/explain", {}, 400, "give either resource="),
        ("/debug/explain", {"table": "gateways"}, 400, "give either resource="),
        ("/debug/explain", {"resource": "x/y"}, 404, "known are clusters, endpoints"),
        ("/debug/explain", {"resource": "routes/y"}, 404, "routes there are: http-80, https-443/shop.example.com"),
        ("/debug/explain", {"resource": "routes/http-80", "gateway": "shop/secure"}, 404, "https-443/shop"),
        ("/debug/explain", {"resource": "routes/http-80", "limit": "0"}, 400, "limit is a number from 1"),
        ("/debug/status", {"kind": "Pod"}, 404, "kinds are Gateway, HTTPRoute"),
        ("/debug/nothing", {}, 404, "known are /, /debug/config_dump"),
    ],
)
async def test_what_is_not_known_is_refused_with_what_is(
    world: World, path: str, parameters: dict[str, str], status: int, words: str
) -> None:
    found, text = await world.refused(path, **parameters)
    assert found == status
    assert words in text


async def test_a_resource_that_several_gateways_have_needs_a_gateway(world: World) -> None:
    twin, *_ = documents()
    twin["metadata"]["name"] = "twin"
    world.put([parse(twin)])
    status, words = await world.refused("/debug/explain", resource="listeners/tcp-443")
    assert status == 400
    assert "shop/secure, shop/twin" in words
    found = await world.get("/debug/explain", resource="listeners/tcp-443", gateway="shop/twin")
    assert found["gateway"] == "shop/twin"


async def test_clients(world: World) -> None:
    connect(world)
    connect(world, stream=2)
    clients = world.clients
    clients.event(2, Subscribed(ResourceType.LISTENER, ("*",)), WHEN)
    clients.sent(2, Response(ResourceType.LISTENER, "1", "v1", {}, (), b"12345"))
    clients.event(2, Acknowledged(ResourceType.LISTENER, {}, (), 1, "v1"), WHEN)
    clients.sent(2, Response(ResourceType.LISTENER, "2", "v2", {}, (), b"12345"))
    clients.event(2, Rejected(ResourceType.LISTENER, {"tcp-80": None}, "tcp-80: no", "v2"), WHEN)  # type: ignore[dict-item]
    clients.synced(2, 7)
    page = await world.get("/debug/clients")
    assert page["catalog_serial"] == world.catalog.serial
    idle, busy = page["clients"]
    assert (idle["stream"], idle["types"], idle["synced_serial"]) == (1, {}, None)
    assert busy == {
        "node": NODE.id,
        "gateway": GATEWAY,
        "serves": [GATEWAY],
        "draining": False,
        "build": "1.40.0",
        "peer": "ipv4:127.0.0.1:5",
        "protocol": "delta",
        "stream": 2,
        "connected_at": "2026-01-02T03:04:05+00:00",
        "synced_serial": 7,
        "in_sync": False,
        "types": {
            "listeners": {
                "subscribed": "*",
                "state": "rejected",
                "version_sent": "v2",
                "version_acked": "v1",
                "responses": 2,
                "resources_sent": 0,
                "bytes_sent": 10,
                "nacks": 1,
                "last_nack": {
                    "at": "2026-01-02T03:04:05+00:00",
                    "resources": ["tcp-80"],
                    "detail": "tcp-80: no",
                },
            }
        },
    }


async def test_a_client_is_in_sync_when_it_has_all_that_it_sees(world: World) -> None:
    async def state() -> tuple[bool, str]:
        (client,) = (await world.get("/debug/clients"))["clients"]
        return client["in_sync"], client["types"]["routes"]["state"]

    connect(world)
    clients, type_ = world.clients, ResourceType.ROUTE
    clients.sent(1, Response(type_, "1", "v1", {}, (), b"12345"))
    assert await state() == (False, "sent")
    clients.event(1, Acknowledged(type_, {}, (), 1, "v1"), WHEN)
    clients.synced(1, world.catalog.serial)
    assert await state() == (True, "synced")
    world.pipeline.inputs.remove("HTTPRoute", Key("default", "http"))
    world.settle()
    assert await state() == (False, "stale")
    clients.synced(1, world.catalog.serial)
    assert await state() == (True, "synced")
    key, gateway = Key("shop", "secure"), world.pipeline.inputs.kinds["Gateway"].get(Key("shop", "secure"))
    for number in range(200):  # more than the catalog remembers
        world.pipeline.inputs.remove("Gateway", key)
        if number % 2:
            world.pipeline.inputs.put("Gateway", key, gateway)
        world.settle()
    clients.event(1, Acknowledged(type_, {}, (), 2, "v0"), WHEN)
    assert await state() == (False, "sent")
    clients.sent(1, Response(type_, "2", "v0", {}, (), b"12345"))
    assert await state() == (False, "stale")
    version = world.catalog.view(audiences(NODE)).version(type_)
    clients.sent(1, Response(type_, "3", version, {}, (), b"12345"))
    clients.event(1, Acknowledged(type_, {}, (), 2, version), WHEN)
    assert await state() == (True, "synced")


async def test_owners_of_all_that_a_gateway_is_served(world: World) -> None:
    page = await world.get("/debug/owners", gateway=GATEWAY)
    assert list(page) == TYPES
    assert page["clusters"]["default/httpbin:8000/auto"]["owners"] == ["Service default/httpbin"]
    assert page["endpoints"]["default/httpbin:8000"]["owners"] == ["Service default/httpbin"]
    assert page["routes"]["http-80"]["owners"][-1] == "HTTPRoute default/http rules[0]"
    secure = await world.get("/debug/owners", gateway="shop/secure")
    assert secure["secrets"]["secret/shop/cert"]["owners"] == ["Secret shop/cert"]
    dump = sections(await world.get("/debug/config_dump", gateway=GATEWAY))
    (route,) = dump["RoutesConfigDump"]["dynamic_route_configs"]
    assert page["routes"]["http-80"]["version"] == route["version_info"]


async def test_what_a_server_is(world: World) -> None:
    page = await world.get("/debug/server")
    assert page == {"version": __version__, "unready": ""}


async def test_tables_count_rows_calls_and_failures(world: World) -> None:
    page = {one["table"]: one for one in (await world.get("/debug/tables"))["tables"]}
    assert list(page) == list(world.pipeline.graph.tables)
    assert page["httproutes"] == {"table": "httproutes", "input": True, "rows": 2, "calls": 0, "failures": 0}
    assert page["rules"]["calls"] == 2
    assert not page["rules"]["input"]


async def test_a_failing_function_is_shown_with_its_words() -> None:
    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ValueError("it broke")

    async with World() as world:
        route = Key("default", "broken")
        world.pipeline.inputs.kinds["HTTPRoute"].put(route, Broken())
        world.settle()
        page = {one["table"]: one for one in (await world.get("/debug/tables"))["tables"]}
        assert page["rules"]["failures"] == 1
        assert page["rules"]["failing"] == {"HTTPRoute default/broken": "ValueError: it broke"}
        listed = await world.get("/debug/tables", table="rules")
        assert "HTTPRoute default/broken" not in listed["keys"]
        assert listed["failing"]["HTTPRoute default/broken"]["traceback"][-1] == "ValueError: it broke"
        row = await world.get("/debug/tables", table="rules", key="HTTPRoute default/broken")
        assert (row["present"], row["failure"]["error"]) == (False, "ValueError: it broke")
        explained = await world.get("/debug/explain", table="rules", key="HTTPRoute default/broken")
        assert explained["rows"][0]["failure"]["error"] == "ValueError: it broke"
        assert explained["inputs"] == ["httproutes: default/broken"]
        failures = (await world.get("/debug/faults"))["failures"]
        assert {"rules", "claims"} <= {one["table"] for one in failures}
        assert 'xds_server_table_failures{table="rules"} 1.0' in (await world.ask("/metrics"))[1]


async def test_a_row_is_readable(world: World) -> None:
    key = "HTTPRoute default/http istio-ingress/gateway 80 http"
    page = await world.get("/debug/tables", table="placed", key=key)
    ((_, leaf),) = page["row"]["leaves"]
    assert leaf["owners"] == ["HTTPRoute default/http rules[0]"]
    assert leaf["message"]["routes"][0]["match"] == {"path_separated_prefix": "/get"}
    route = await world.get("/debug/tables", table="httproutes", key="default/http")
    assert route["row"]["spec"]["rules"][0]["backendRefs"][0]["name"] == "httpbin"
    secret = await world.get("/debug/tables", table="secrets", key="shop/cert")
    assert secret["row"]["current"]["data"]["tls.key"] == f"[redacted] {len(key_text())} bytes"
    assert list(secret["row"]["current"]["metadata"]["annotations"].values()) == ["[redacted]"]


async def test_every_part_in_every_table_is_shown_as_a_message(world: World) -> None:
    found = 0
    for name in world.pipeline.graph.tables:
        for key in (await world.get("/debug/tables", table=name))["keys"]:
            _, text = await world.ask("/debug/tables", params={"table": name, "key": key})
            parts = text.count('"hash"') and text.count('"message"')
            found += parts
            assert bool(parts) == ('"hash"' in text), f"{name} {key}"
            assert "undecodable" not in text
    assert found >= 20


async def test_explain_goes_down_to_the_objects(world: World) -> None:
    page = await world.get("/debug/explain", resource="routes/http-80")
    assert (page["resource"], page["gateway"]) == ("routes/http-80", GATEWAY)
    assert page["owners"] == [
        "HTTPRoute default/http hostname httpbin.example.com",
        "HTTPRoute default/http rules[0]",
    ]
    assert page["inputs"] == [
        "gateways: istio-ingress/gateway",
        "httproutes: default/http",
        "services: default/httpbin",
    ]
    first = page["rows"][0]
    assert (first["table"], first["kind"], first["depth"]) == ("gateway.routes", "group", 0)
    assert first["made_from"] == ["listeners: istio-ingress/gateway default -"]
    assert {"table": "virtual_hosts", "index": "scope", "part": "rows", "key": f"{GATEWAY} 80 -", "found": 1} in first[
        "asked"
    ]
    rows = {(row["table"], row["key"]) for row in page["rows"]}
    assert ("placed", "HTTPRoute default/http istio-ingress/gateway 80 http") in rows
    secret = await world.get("/debug/explain", resource="secrets/secret/shop/cert")
    assert "secrets: shop/cert" in secret["inputs"]


async def test_explain_stops_at_its_limit(world: World) -> None:
    page = await world.get("/debug/explain", resource="routes/http-80", limit="2")
    assert len(page["rows"]) == 2
    assert "limit=" in page["truncated"]
    assert "truncated" not in await world.get("/debug/explain", resource="routes/http-80")


async def test_status(world: World) -> None:
    page = await world.get("/debug/status")
    assert page.keys() == {"Gateway", "HTTPRoute"}
    gateway = page["Gateway"][GATEWAY]
    assert {one["type"]: one["status"] for one in gateway["conditions"]} == {
        "Accepted": "True",
        "Programmed": "False",
        "Ready": "False",
    }
    assert gateway["listeners"][0]["attachedRoutes"] == 1
    (parent,) = page["HTTPRoute"]["shop/shop"]["parents"]
    resolved = next(one for one in parent["conditions"] if one["type"] == "ResolvedRefs")
    assert (resolved["status"], resolved["reason"]) == ("False", "BackendNotFound")
    assert await world.get("/debug/status", kind="Gateway", name=GATEWAY) == {"Gateway": {GATEWAY: gateway}}


async def test_faults(world: World) -> None:
    fault = Fault(reason="is not a number", kind="Service", namespace="a", name="b", field="spec.x", file="f", line=3)
    world.faults = [fault]
    page = await world.get("/debug/faults")
    assert page["faults"] == [
        {
            "text": "f:3: Service a/b: spec.x is not a number",
            "reason": "is not a number",
            "kind": "Service",
            "namespace": "a",
            "name": "b",
            "field": "spec.x",
            "file": "f",
            "line": 3,
            "column": 0,
        }
    ]
    assert (page["ignored"], page["rejected"], page["failures"]) == ([], [], [])


async def test_faults_that_statuses_tell(world: World) -> None:
    """Each on its own with its code, and once, whichever conditions say it."""
    rules = [doc.rule("/", doc.backend("s", 81), doc.backend("s", 80), doc.backend("gone"))]
    listener = doc.listener("odd", 70, protocol="example.com/odd")
    doc.put(
        world.pipeline, doc.gateway("gw", listener, doc.listener("web")), doc.service("s"), doc.route("r", rules=rules)
    )
    world.settle()
    found = (await world.get("/debug/faults"))["verdicts"]
    of_route = [one for one in found if one["object"] == "HTTPRoute default/r"]
    assert [(one["code"], one["field"], one["reason"]) for one in of_route] == [
        ("XDS0703", "rules[0].backendRefs[0]", "BackendNotFound"),
        ("XDS0701", "rules[0].backendRefs[2]", "BackendNotFound"),
    ]
    assert (of_route[0]["part"], of_route[0]["conditions"]) == ("parent default/gw", ["ResolvedRefs"])
    assert of_route[0]["message"] == "Service default/s has no TCP port 81 (it has: 80)"
    (odd,) = [one for one in found if one["part"] == "listener odd"]
    assert (odd["object"], odd["code"], odd["conditions"]) == (
        "Gateway default/gw",
        "XDS0401",
        ["Accepted", "Programmed"],
    )


async def test_probes(world: World) -> None:
    world.unready = "nothing is published yet: waiting for the first objects"
    assert await world.ask("/readyz") == (503, world.unready + "\n")
    assert await world.ask("/healthz", params={"verbose": ""}) == (200, "ok\n")
    world.unready = ""
    assert await world.ask("/readyz") == (200, "ready\n")


async def test_the_index_lists_every_page_and_parameter(world: World) -> None:
    status, text = await world.ask("/")
    assert status == 200
    for word in ("/debug/config_dump", "?node=", "/debug/explain", "?resource=", "/metrics", "/readyz"):
        assert word in text


async def test_probes_are_answered_while_a_large_dump_is_made() -> None:
    route = next(one for one in objects() if one.metadata.name == "http")
    many = [
        msgspec.structs.replace(
            route,
            metadata=msgspec.structs.replace(route.metadata, name=f"r{number}"),
            spec=msgspec.structs.replace(route.spec, hostnames=(f"h{number}.example.com",)),  # type: ignore[attr-defined]
        )
        for number in range(1500)
    ]
    async with World([*objects(), *many]) as world:
        dump = asyncio.create_task(world.ask("/debug/config_dump", params={"gateway": GATEWAY}))
        probes = 0
        while not dump.done():
            assert await world.ask("/healthz") == (200, "ok\n")
            probes += 1
        status, text = dump.result()
        assert status == 200
        assert "h1499.example.com" in text
        assert probes > 3
