"""The server over real gRPC, with plain clients."""

import asyncio
import gc
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.shell.serve.peers import NODE, Recorder, Server, connected, served
from tests.xds.fills import OTHER, fill
from xds_server.model.meta import Key
from xds_server.routing.audience import ForGateway
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import SERVICE, BindError, Serving
from xds_server.shell.serve.session import Session
from xds_server.xds.catalog import Catalog
from xds_server.xds.events import Acknowledged, Rejected, Subscribed
from xds_server.xds.limits import Limits
from xds_server.xds.resource import ResourceType

CLUSTER, LISTENER, ROUTE = ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_delta_from_request_to_answer() -> None:
    async with served() as server, connected(server.port) as client:
        one = fill(CLUSTER, "a", "1")
        server.put(one)
        await client.say(CLUSTER, node=NODE)
        response = await client.hear()
        assert [(r.name, r.version, r.resource.value) for r in response.resources] == [("a", one.version, one.body)]
        await client.say(CLUSTER, response_nonce=response.nonce)
        await client.say(LISTENER)
        await client.say(LISTENER, response_nonce=(await client.hear()).nonce)
        await server.seen.until_synced(1)
        assert [e.type for e in server.seen.events(Subscribed)] == [CLUSTER, LISTENER]
        assert [dict(e.resources) for e in server.seen.events(Acknowledged)] == [{"a": one}, {}]
    await server.seen.until_closed()
    assert server.seen.told[0] == ("opened", 1, NODE["id"])
    assert server.seen.told[-1] == ("closed", 1)
    assert len(server.serving.clients) == 0


async def test_sotw_from_request_to_answer() -> None:
    async with served() as server, connected(server.port, delta=False) as client:
        server.put(fill(CLUSTER, "a", "1"))
        await client.say(CLUSTER, node=NODE)
        response = await client.hear()
        assert [r.value for r in response.resources] == [b"a=1"]
        await client.say(CLUSTER, response_nonce=response.nonce, version_info=response.version_info)
        server.put(fill(CLUSTER, "b", "1"))
        assert {r.value for r in (await client.hear()).resources} == {b"a=1", b"b=1"}
        [record] = server.serving.clients
        assert record.protocol == "sotw"


async def test_a_change_reaches_those_who_see_it() -> None:
    other = {"id": "gateway~pod-2.default", "cluster": "default/other"}
    async with served() as server, connected(server.port) as client, connected(server.port) as outsider:
        for one, node in ((client, NODE), (outsider, other)):
            for type_ in (CLUSTER, LISTENER):
                await one.say(type_, node=node)
                await one.say(type_, response_nonce=(await one.hear()).nonce)
        async with asyncio.timeout(30):
            while len([entry for entry in server.seen.told if entry[0] == "synced"]) < 2:
                await asyncio.sleep(0.005)
        serial = server.put(fill(CLUSTER, "a", "1"))
        assert [r.name for r in (await client.hear()).resources] == ["a"]
        outside = next(record for record in server.serving.clients if record.node.name == "other")
        assert outside.synced == serial, "who sees nothing of a change has it at once"
        assert await outsider.hears_nothing()


async def test_nobody_is_answered_before_the_catalog_is_complete() -> None:
    async with served(ready=False) as server, connected(server.port) as client:
        health = health_pb2_grpc.HealthStub(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}"))
        for service in ("", SERVICE):
            assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == NOT_SERVING
        await client.say(CLUSTER, node=NODE)
        first = asyncio.create_task(client.hear())
        async with asyncio.timeout(30):
            while not server.seen.events(Subscribed):
                await asyncio.sleep(0.005)
        assert not first.done()
        server.put(fill(CLUSTER, "a", "1"))
        await asyncio.sleep(0.05)
        assert not first.done()
        await server.serving.ready()
        assert [r.name for r in (await first).resources] == ["a"]
        for service in ("", SERVICE):
            assert (await health.Check(health_pb2.HealthCheckRequest(service=service))).status == SERVING


async def test_a_node_that_says_nothing_of_itself_is_refused() -> None:
    async with served() as server, connected(server.port) as client:
        await client.say(CLUSTER)
        code, details = await client.end()
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "node.id is ''" in details
        assert 'expected as "gateway~POD.NAMESPACE"' in details
        assert server.seen.told == []


async def test_a_stream_does_not_change_its_node() -> None:
    async with served() as server, connected(server.port) as client:
        await client.say(CLUSTER, node=NODE)
        await client.hear()
        await client.say(LISTENER, node={**NODE, "cluster": "default/other"})
        code, details = await client.end()
        assert (code, "default/other" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)
        await server.seen.until_closed()


async def test_limits_of_a_request() -> None:
    async with served(limits=Limits(names=5), max_request_bytes=2000) as server:
        async with connected(server.port) as client:
            await client.say(ROUTE, node=NODE, resource_names_subscribe=[str(n) for n in range(6)])
            assert (await client.end())[0] is grpc.StatusCode.INVALID_ARGUMENT
        async with connected(server.port) as client:
            await client.say(ROUTE, node=NODE, resource_names_subscribe=["x" * 3000])
            assert (await client.end())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        async with connected(server.port) as client:
            await client.say(ROUTE, node=NODE, resource_names_subscribe=["r"])
            assert (await client.hear()).resources[0].name == "r", "the server is well"


async def test_a_client_that_says_nothing_is_let_go() -> None:
    async with served(first_request_seconds=0.1) as server, connected(server.port) as client:
        assert await client.end() == (grpc.StatusCode.DEADLINE_EXCEEDED, "no request came")


async def test_a_client_that_reads_nothing_is_let_go_and_harms_nobody() -> None:
    async with served(write_seconds=2) as server:
        server.put(*(fill(type_, "big", "x" * 24_000_000) for type_ in (CLUSTER, LISTENER)))
        async with connected(server.port) as stuck, connected(server.port) as client:
            for type_ in (CLUSTER, LISTENER):
                await stuck.say(type_, node=NODE)
            await client.say(ROUTE, node=NODE, resource_names_subscribe=["r"])
            assert (await client.hear()).resources[0].name == "r"
            await server.seen.until_closed()
            assert [record.node.id for record in server.serving.clients] == [NODE["id"]]
            server.put(fill(ROUTE, "r", "1"))
            await client.say(ROUTE, response_nonce="1")
            assert (await client.hear()).resources[0].resource.value == b"r=1"


async def test_clients_that_vanish_leave_nothing_behind() -> None:
    async with served() as server:
        server.put(fill(CLUSTER, "a", "1"))
        before = len(asyncio.all_tasks())
        for _ in range(20):
            async with connected(server.port) as client:
                await client.say(CLUSTER, node=NODE)
                await client.hear()
        await server.seen.until_closed(20)
        async with asyncio.timeout(30):
            while len(asyncio.all_tasks()) > before:
                await asyncio.sleep(0.01)
        assert len(server.serving.clients) == 0
        assert not server.serving._sessions
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, Session)]


async def test_a_rejection_is_told() -> None:
    async with served() as server, connected(server.port) as client:
        server.put(fill(ROUTE, "r", "bad"))
        await client.say(ROUTE, node=NODE, resource_names_subscribe=["r"])
        nonce = (await client.hear()).nonce
        await client.say(ROUTE, response_nonce=nonce, error_detail={"code": 13, "message": "missing ): (("})
        async with asyncio.timeout(30):
            while not server.seen.events(Rejected):
                await asyncio.sleep(0.005)
        [event] = server.seen.events(Rejected)
        assert (event.type, list(event.resources), event.detail) == (ROUTE, ["r"], "missing ): ((")
        [record] = server.serving.clients
        assert record.types[ROUTE].last_rejection == "missing ): (("
        assert await client.hears_nothing()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.255.255.1:18000", "cannot assign requested address"),
        ("127.0.0.1", "an address is host:port, such as 127.0.0.1:18000 or [::1]:18000"),
        ("127.0.0.1:99999", "an address is host:port, such as 127.0.0.1:18000 or [::1]:18000"),
        (":80", "an address is host:port, such as 127.0.0.1:18000 or [::1]:18000"),
    ],
)
async def test_an_address_that_cannot_be_listened_on(address: str, reason: str) -> None:
    serving = Serving(Catalog(), Recorder(), ServeOptions(address=address))
    with pytest.raises(BindError) as caught:
        await serving.start()
    assert str(caught.value) == f"cannot listen on {address}: {reason}"


async def test_an_address_that_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    async with served() as server:
        address = f"127.0.0.1:{server.port}"
        with pytest.raises(BindError, match=f"^cannot listen on {address}: address already in use$"):
            await Serving(Catalog(), Recorder(), ServeOptions(address=address)).start()
    assert "add_port" not in capfd.readouterr().err, "gRPC's own lines say less"


async def test_an_address_is_free_again_at_once() -> None:
    async with served() as server, connected(server.port) as client:
        port = server.port
        await client.say(CLUSTER, node=NODE)
        await client.hear()
    async with served(port=port), connected(port) as client:
        await client.say(CLUSTER, node=NODE)
        await client.hear()


async def test_all_families_are_listened_on() -> None:
    server = Server(Catalog(), ServeOptions(address="[::]:0", stop_seconds=0))
    await server.serving.start()
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as probe:
            probe.connect((host, server.port))
    await server.serving.stop()


async def test_stopping_tells_clients_to_look_elsewhere() -> None:
    async with served() as server, connected(server.port) as client:
        await client.say(CLUSTER, node=NODE)
        await client.hear()
        await server.serving.stop()
        assert await client.end() == (grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        await server.seen.until_closed()


async def test_reflection_shows_envoys_own_names() -> None:
    async with served() as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()

        async def ask(**request: str) -> reflection_pb2.ServerReflectionResponse:
            await call.write(reflection_pb2.ServerReflectionRequest(**request))
            return await call.read()

        services = (await ask(list_services="*")).list_services_response.service
        assert {one.name for one in services} >= {SERVICE, "grpc.health.v1.Health"}
        for symbol in (SERVICE, "envoy.service.discovery.v3.DeltaDiscoveryRequest", "grpc.health.v1.Health"):
            answer = await ask(file_containing_symbol=symbol)
            assert answer.file_descriptor_response.file_descriptor_proto, symbol
        call.cancel()


async def test_a_gateway_of_an_older_envoy_sees_what_was_made_for_it() -> None:
    node = {**NODE, "user_agent_build_version": {"version": {"major_number": 1, "minor_number": 39, "patch": 2}}}
    async with served() as server, connected(server.port) as client:
        own = ForGateway("default", "gateway", "1.39.2")
        server.put(fill(CLUSTER, "a", "all"), fill(CLUSTER, "a", "old", audience=own))
        await client.say(CLUSTER, node=node)
        assert [r.resource.value for r in (await client.hear()).resources] == [b"a=old"]


async def test_what_a_pod_serves_is_changed_for_its_stream_alone() -> None:
    async with served() as server, connected(server.port) as one, connected(server.port) as two:
        server.put(fill(CLUSTER, "a", "1"), fill(CLUSTER, "b", "1", audience=OTHER))
        for client, pod in ((one, "pod-1"), (two, "pod-2")):
            await client.say(CLUSTER, node={**NODE, "id": f"gateway~{pod}.default"})
            await client.say(CLUSTER, response_nonce=(await client.hear()).nonce)
        server.serving.regroup(Key("default", "pod-2"), (Key("default", "other"),))
        server.serving.regroup(Key("other", "pod-1"), ())
        response = await two.hear()
        assert [one.name for one in response.resources] == ["b"]
        assert {record.node.pod: record.node.serves for record in server.serving.clients} == {
            "pod-1.default": (Key("default", "gateway"),),
            "pod-2.default": (Key("default", "other"),),
        }
        assert await one.hears_nothing()
