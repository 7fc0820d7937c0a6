"""One session without a network: its call is played by the test."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from structlog.testing import capture_logs

from tests.shell.serve.peers import NODE, Recorder
from tests.xds.fills import GATEWAY, OTHER, Shelf, fill
from xds_server.envoy import kit
from xds_server.envoy.draining import marked
from xds_server.envoy.ipv4 import ipv4_only
from xds_server.model.meta import Key
from xds_server.pb import discovery_pb2
from xds_server.shell.serve.admission import Admission, Admitted, Denied, Metadata, OpenAdmission
from xds_server.shell.serve.clients import Clients
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.session import Session, World
from xds_server.wire.encode import encode
from xds_server.wire.part import Part
from xds_server.xds.delta import DeltaStream
from xds_server.xds.limits import Limits
from xds_server.xds.node import Node
from xds_server.xds.resource import Resource, ResourceType

CLUSTER, LISTENER = ResourceType.CLUSTER, ResourceType.LISTENER


class AbortedError(Exception):
    """What grpc.aio raises from abort."""


class PlayedCall:
    """A gRPC call whose client does what the test says; `accepts` cleared means that it reads nothing."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[Any] = asyncio.Queue()
        self.written: list[discovery_pb2.DeltaDiscoveryResponse] = []
        self.accepts = asyncio.Event()
        self.accepts.set()
        self.status: tuple[grpc.StatusCode, str] | None = None

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def invocation_metadata(self) -> None:
        return None

    async def write(self, message: bytes, /) -> None:
        await self.accepts.wait()
        self.written.append(discovery_pb2.DeltaDiscoveryResponse.FromString(message))

    async def abort(self, code: grpc.StatusCode, details: str, /) -> None:
        self.status = (code, details)
        raise AbortedError

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (request := await self.requests.get()) is not None:
            if isinstance(request, Exception):
                raise request
            yield request

    def say(self, type_: ResourceType, **fields: Any) -> None:
        self.requests.put_nowait(discovery_pb2.DeltaDiscoveryRequest(type_url=type_.url, **fields))


class Stage:
    def __init__(self, admission: Admission | None = None, **options: Any) -> None:
        self.shelf = Shelf()
        self.seen = Recorder()
        self.clients = Clients()
        self.ready = asyncio.Event()
        self.ready.set()
        loop = asyncio.get_running_loop()
        world = World(
            self.shelf.catalog,
            self.seen,
            self.clients,
            ServeOptions(**options),
            self.ready,
            loop.time,
            admission or OpenAdmission(),
        )
        self.call = PlayedCall()
        self.session = Session(1, DeltaStream(world.options.limits, ipv4_only), self.call, world)
        self.task = asyncio.create_task(self.session.run(aiter(self.call)))

    async def rest(self) -> None:
        """Until every task has done what it can without the test."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def until_removed(self, name: str) -> None:
        """Until the client was told last that this is gone."""
        async with asyncio.timeout(30):
            while list(self.call.written[-1].removed_resources) != [name]:
                await asyncio.sleep(0.005)

    async def in_sync(self) -> None:
        for type_ in (CLUSTER, LISTENER):
            self.call.say(type_, node=NODE)
            await self.rest()
            self.call.say(type_, response_nonce=self.call.written[-1].nonce)
        await self.rest()


async def test_the_client_leaves() -> None:
    stage = Stage()
    await stage.in_sync()
    assert stage.seen.synced_to == 0
    stage.call.requests.put_nowait(None)
    await stage.task
    assert stage.call.status is None
    assert stage.seen.told[-1] == ("closed", 1)


@pytest.mark.parametrize("times", [1, 2])
async def test_the_client_vanishes_and_grpc_cancels_the_handler(times: int) -> None:
    stage = Stage()
    await stage.in_sync()
    for _ in range(times):
        stage.task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await stage.task
    assert stage.seen.told[-1] == ("closed", 1)
    await stage.rest()
    assert len(asyncio.all_tasks()) == 1


async def test_the_client_vanishes_in_the_middle_of_a_write() -> None:
    stage = Stage()
    stage.shelf.put(fill(CLUSTER, "a", "1"))
    stage.call.accepts.clear()
    stage.call.say(CLUSTER, node=NODE)
    await stage.rest()
    stage.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stage.task
    assert stage.seen.told[-1] == ("closed", 1)


async def test_r1_a_client_that_reads_nothing_gets_the_newest_when_it_does() -> None:
    """One writer, no queue: what happens meanwhile is one response."""
    stage = Stage()
    stage.shelf.put(fill(CLUSTER, "a", "1"))
    stage.call.accepts.clear()
    stage.call.say(CLUSTER, node=NODE)
    await stage.rest()
    for content in "23456":
        stage.shelf.put(fill(CLUSTER, "a", content))
        stage.session.catalog_changed(frozenset({GATEWAY}))
        await stage.rest()
    stage.call.accepts.set()
    await stage.rest()
    stage.call.say(CLUSTER, response_nonce=stage.call.written[0].nonce)
    await stage.rest()
    assert [response.resources[0].resource.value for response in stage.call.written] == [b"a=1", b"a=6"]
    stage.session.end(grpc.StatusCode.UNAVAILABLE, "over")
    with pytest.raises(AbortedError):
        await stage.task


async def test_a_write_that_takes_too_long() -> None:
    stage = Stage(write_seconds=0.05)
    stage.shelf.put(fill(CLUSTER, "a", "1"))
    stage.call.accepts.clear()
    stage.call.say(CLUSTER, node=NODE)
    with pytest.raises(AbortedError):
        await stage.task
    assert stage.call.status == (grpc.StatusCode.DEADLINE_EXCEEDED, "nothing was read for 0.05 s")
    assert stage.seen.told[-1] == ("closed", 1)


async def test_a_mistake_of_ours_ends_the_stream_and_is_not_hidden() -> None:
    stage = Stage()
    await stage.in_sync()
    stage.call.requests.put_nowait(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError):
        await stage.task
    assert stage.seen.told[-1] == ("closed", 1)
    assert len(stage.clients) == 0


async def test_what_others_see_keeps_a_client_in_sync() -> None:
    stage = Stage()
    await stage.in_sync()
    other = GATEWAY._replace(name="other")
    stage.shelf.put(fill(CLUSTER, "a", "1", audience=other))
    stage.session.catalog_changed(frozenset({other}))
    assert stage.seen.synced_to == 1
    stage.session.catalog_changed(frozenset())
    assert [entry for entry in stage.seen.told if entry[0] == "synced"] == [("synced", 1, 0), ("synced", 1, 1)]
    stage.task.cancel()


async def test_what_others_see_does_not_bring_a_client_in_sync() -> None:
    stage = Stage()
    await stage.in_sync()
    stage.shelf.put(fill(CLUSTER, "a", "1"))
    stage.session.catalog_changed(frozenset({GATEWAY}))
    other = GATEWAY._replace(name="other")
    stage.shelf.put(fill(CLUSTER, "b", "1", audience=other))
    stage.session.catalog_changed(frozenset({other}))
    await stage.rest()
    assert stage.seen.synced_to == 0, "it has not accepted what it sees"
    stage.shelf.put(fill(CLUSTER, "c", "1", audience=other))
    stage.session.catalog_changed(frozenset({other}))
    await stage.rest()
    assert stage.seen.synced_to == 0, "its answer is still out"
    stage.call.say(CLUSTER, response_nonce=stage.call.written[-1].nonce)
    await stage.rest()
    assert stage.seen.synced_to == 3
    stage.task.cancel()


async def test_the_protocols_deadline_is_kept() -> None:
    """Removals wait for the answer about routes, which never comes."""
    stage = Stage()
    stage.session._stream = DeltaStream(Limits(removal_seconds=1))
    await stage.in_sync()
    stage.shelf.put(fill(CLUSTER, "a", "1"))
    stage.session.wake()
    await stage.rest()
    stage.call.say(CLUSTER, response_nonce=stage.call.written[-1].nonce)
    stage.call.say(ResourceType.ROUTE, resource_names_subscribe=["r"])
    await stage.rest()
    stage.shelf.put(gone=[fill(CLUSTER, "a", "1")])
    stage.session.wake()
    await stage.rest()
    assert list(stage.call.written[-1].removed_resources) == []
    await stage.until_removed("a")
    stage.task.cancel()


class Asked:
    """An admission that answers when the test says."""

    def __init__(self, answer: Admitted | Denied) -> None:
        self.answer = answer
        self.asked: list[tuple[Node, Metadata]] = []
        self.answers = asyncio.Event()

    async def admit(self, node: Node, metadata: Metadata, /) -> Admitted:
        self.asked.append((node, metadata))
        await self.answers.wait()
        if isinstance(self.answer, Denied):
            raise self.answer
        return self.answer


async def test_nothing_is_sent_before_the_client_is_admitted() -> None:
    admission = Asked(Admitted((Key("default", "other"),)))
    stage = Stage(admission)
    stage.shelf.put(fill(CLUSTER, "a", "1"), fill(CLUSTER, "b", "1", audience=OTHER))
    stage.call.say(CLUSTER, node=NODE)
    stage.session.wake()
    await stage.rest()
    assert stage.call.written == stage.seen.told == []
    assert [(node.id, metadata) for node, metadata in admission.asked] == [(NODE["id"], ())]
    admission.answers.set()
    await stage.rest()
    assert [one.name for one in stage.call.written[0].resources] == ["b"], "not what is of the Gateway that it names"
    stage.task.cancel()


async def test_a_client_that_is_not_admitted() -> None:
    admission = Asked(Denied(grpc.StatusCode.PERMISSION_DENIED, "pod-1 is not of default/gateway"))
    admission.answers.set()
    stage = Stage(admission)
    stage.shelf.put(fill(CLUSTER, "a", "1"))
    stage.call.say(CLUSTER, node=NODE)
    with pytest.raises(AbortedError):
        await stage.task
    assert stage.call.status == (grpc.StatusCode.PERMISSION_DENIED, "pod-1 is not of default/gateway")
    assert stage.call.written == stage.seen.told == []


async def test_who_is_refused_is_told_with_where_it_comes_from_and_who_it_says_to_be() -> None:
    admission = Asked(Denied(grpc.StatusCode.UNAVAILABLE, "the pod is not known"))
    admission.answers.set()
    with capture_logs() as lines:
        refused = Stage(admission)
        refused.call.say(CLUSTER, node=NODE)
        with pytest.raises(AbortedError):
            await refused.task
        broken = Stage(admission)
        broken.call.say(CLUSTER, node={"id": "nobody"})
        with pytest.raises(AbortedError):
            await broken.task
    denied, broke = lines
    told = {key: denied[key] for key in ("event", "node", "code", "reason", "peer")}
    assert told == {
        "event": "envoy refused",
        "node": NODE["id"],
        "code": "UNAVAILABLE",
        "reason": "the pod is not known",
        "peer": "ipv4:127.0.0.1:1",
    }
    assert (broke["event"], broke["peer"]) == ("client refused", "ipv4:127.0.0.1:1")


async def test_the_server_stops_while_a_client_waits_to_be_admitted() -> None:
    admission = Asked(Admitted((Key("default", "gateway"),)))
    stage = Stage(admission)
    stage.call.say(CLUSTER, node=NODE)
    await stage.rest()
    stage.session.end(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
    with pytest.raises(AbortedError):
        await stage.task
    assert stage.seen.told == []


async def test_what_a_client_has_shown_is_over() -> None:
    admission = Asked(Admitted((Key("default", "gateway"),), until=time.time() + 1))
    admission.answers.set()
    stage = Stage(admission)
    await stage.in_sync()
    assert stage.seen.synced_to == 0
    with pytest.raises(AbortedError):
        await stage.task
    assert stage.call.status is not None
    assert stage.call.status[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_other_gateways_are_served_on_the_same_stream() -> None:
    stage = Stage()
    await stage.in_sync()
    stage.shelf.put(fill(LISTENER, "m", "1", audience=OTHER))
    stage.session.catalog_changed(frozenset({OTHER}))
    assert stage.seen.synced_to == 1
    both = (Key("default", "gateway"), Key("default", "other"))
    stage.session.regroup(both, draining=False)
    assert stage.seen.told[-1] == ("regrouped", 1, both, False)
    assert [record.synced for record in stage.clients] == [None]
    await stage.rest()
    assert [one.name for one in stage.call.written[-1].resources] == ["m"]
    stage.call.say(LISTENER, response_nonce=stage.call.written[-1].nonce)
    await stage.rest()
    assert stage.seen.told[-1] == ("synced", 1, 1), "the serial is the one of before, and is told anew"
    told = list(stage.seen.told)
    stage.session.regroup(both, draining=False)
    assert stage.seen.told == told, "nothing is new"
    stage.task.cancel()


async def test_a_client_that_drains_is_sent_its_listeners_with_a_mark_and_then_without_them() -> None:
    stage = Stage(limits=Limits(drain_seconds=1))
    await stage.in_sync()
    chain = FilterChain(name="*", filters=[Filter(name="f")])
    body = encode(Listener(name="l", filter_chains=[chain]))
    stage.shelf.put(Resource(LISTENER, "l", GATEWAY, Part("l", body)))
    stage.session.wake()
    await stage.rest()
    stage.call.say(LISTENER, response_nonce=stage.call.written[-1].nonce)
    await stage.rest()
    stage.session.regroup((Key("default", "gateway"),), draining=True)
    assert stage.seen.told[-1] == ("regrouped", 1, (Key("default", "gateway"),), True)
    await stage.rest()
    assert [one.resource.value for one in stage.call.written[-1].resources] == [marked(body, 0)] != [body]
    stage.call.say(LISTENER, response_nonce=stage.call.written[-1].nonce)
    await stage.until_removed("l")
    stage.task.cancel()


async def test_a_client_without_ipv6_is_sent_its_listeners_over_ipv4_and_nothing_is_warned_of() -> None:
    stage = Stage()
    await stage.in_sync()
    body = encode(Listener(name="l", address=kit.tcp("::", 80)))
    resource = Resource(LISTENER, "l", GATEWAY, Part("l", body))
    stage.shelf.put(resource)
    stage.session.wake()
    await stage.rest()
    sent = stage.call.written[-1]
    detail = "Error adding/updating listener(s) l: malformed IP address: ::\n"
    with capture_logs() as logs:
        stage.call.say(LISTENER, response_nonce=sent.nonce, error_detail={"code": 13, "message": detail})
        await stage.rest()
    [again] = stage.call.written[-1].resources
    assert sent.resources[0].resource.value == body
    assert again.resource.value == ipv4_only(body) != body
    assert again.version == sent.resources[0].version == resource.version
    assert [(one["log_level"], one["event"]) for one in logs] == [("info", "envoy has no IPv6")]
    stage.task.cancel()


async def test_a_client_whose_pod_ends_already_when_it_connects() -> None:
    admission = Asked(Admitted((Key("default", "gateway"),), draining=True))
    admission.answers.set()
    stage = Stage(admission, limits=Limits(drain_seconds=0.1))
    await stage.in_sync()
    assert [record.node.draining for record in stage.clients] == [True]
    await asyncio.sleep(0.2)
    stage.shelf.put(
        Resource(
            LISTENER, "l", GATEWAY, Part("l", encode(Listener(name="l", default_filter_chain=FilterChain(name="*"))))
        )
    )
    stage.session.wake()
    count = len(stage.call.written)
    await stage.rest()
    assert len(stage.call.written) == count, "it takes no new connections any more"
    stage.task.cancel()
