"""What proxies prove, with tokens of a real cluster: who is let in, and who is told what instead."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import msgspec
import pytest

from tests.shell.serve.peers import Recorder
from xds_server.infra import names
from xds_server.model.meta import Key
from xds_server.pb import discovery_pb2
from xds_server.routing.audience import ForGateway
from xds_server.shell.kube.authority import ServerIdentity
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.tokens import TokenAdmission
from xds_server.shell.pki import new_authority
from xds_server.shell.serve.admission import Admitted, Denied
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import SERVICE, Serving
from xds_server.wire.part import Part
from xds_server.xds.catalog import Catalog
from xds_server.xds.node import Node
from xds_server.xds.resource import Resource, ResourceType


@dataclass(frozen=True)
class Pod:
    """A row about a pod, as the tables have it."""

    gateways: tuple[Key, ...]
    service_account: str
    services: tuple[Key, ...] = ()
    terminating: bool = False


class World:
    """A namespace with two pods, and the rows about them."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.pods: dict[Key, Pod] = {}
        self.reasons: list[str] = []

    def admission(self) -> TokenAdmission:
        return TokenAdmission(self.client, names.TOKEN_AUDIENCE, self.pods.get, denied=self.reasons.append)

    async def pod(self, name: str) -> None:
        account = {"metadata": {"name": name}}
        await self.client.create(path("v1", "serviceaccounts", self.namespace), account)
        container = {"name": "envoy", "image": "none", "imagePullPolicy": "Never"}
        spec = {"serviceAccountName": name, "containers": [container], "nodeSelector": {"nowhere": "yes"}}
        await self.client.create(path("v1", "pods", self.namespace), {"metadata": {"name": name}, "spec": spec})

    async def token(self, name: str, audience: str = names.TOKEN_AUDIENCE, *, bound: bool = True) -> str:
        spec: dict[str, Any] = {"audiences": [audience], "expirationSeconds": 600}
        if bound:
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": name}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self.client.create(path("v1", "serviceaccounts", self.namespace, name, "token"), request)
        token: str = msgspec.json.decode(answer)["status"]["token"]
        return token

    def node(self, pod: str, gateway: str) -> Node:
        id_ = f"gateway~{pod}.{self.namespace}"
        cluster = f"{self.namespace}/{gateway}"
        return Node(id_, cluster, "gateway", f"{pod}.{self.namespace}", self.namespace, gateway)

    async def denied(self, node: Node, *metadata: tuple[str, str], by: TokenAdmission | None = None) -> Denied:
        with pytest.raises(Denied) as found:
            await (by or self.admission()).admit(node, metadata)
        return found.value


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


@pytest.fixture
async def world(client: KubeClient, namespace: str) -> World:
    found = World(client, namespace)
    for name in ("mine", "yours"):
        await found.pod(name)
        found.pods[Key(namespace, name)] = Pod((Key(namespace, f"{name}-gateway"),), name)
    return found


async def test_a_pod_is_admitted_for_its_own_gateways(world: World) -> None:
    token = await world.token("mine")
    admitted = await world.admission().admit(world.node("mine", "mine-gateway"), [bearer(token)])
    assert isinstance(admitted, Admitted)
    assert admitted.gateways == (Key(world.namespace, "mine-gateway"),)
    assert admitted.until is not None
    assert world.reasons == []


async def test_a_stolen_node_id_is_refused(world: World) -> None:
    token = await world.token("yours")
    denied = await world.denied(world.node("mine", "mine-gateway"), bearer(token))
    assert denied.code is grpc.StatusCode.PERMISSION_DENIED
    assert f"the token is of pod yours.{world.namespace}" in denied.reason
    assert world.reasons == ["PERMISSION_DENIED"]


async def test_a_gateway_of_others_is_refused(world: World) -> None:
    denied = await world.denied(world.node("mine", "yours-gateway"), bearer(await world.token("mine")))
    assert denied.code is grpc.StatusCode.PERMISSION_DENIED
    assert f"does not serve {world.namespace}/yours-gateway" in denied.reason


async def test_a_token_for_somebody_else_is_refused(world: World) -> None:
    token = await world.token("mine", "https://kubernetes.default.svc")
    denied = await world.denied(world.node("mine", "mine-gateway"), bearer(token))
    assert denied.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_that_is_of_no_pod_is_refused(world: World) -> None:
    token = await world.token("mine", bound=False)
    denied = await world.denied(world.node("mine", "mine-gateway"), bearer(token))
    assert denied.code is grpc.StatusCode.PERMISSION_DENIED
    assert denied.reason == "the token is not that of a pod"


@pytest.mark.parametrize("metadata", [(), (("authorization", "Basic abc"),), (bearer("not.a.token"),)])
async def test_no_token_is_refused(world: World, metadata: tuple[tuple[str, str], ...]) -> None:
    denied = await world.denied(world.node("mine", "mine-gateway"), *metadata)
    assert denied.code is grpc.StatusCode.UNAUTHENTICATED


async def test_the_token_of_a_pod_that_is_gone_is_worth_nothing(world: World) -> None:
    shown, kept, admission = await world.token("mine"), await world.token("mine"), world.admission()
    node = world.node("mine", "mine-gateway")
    await admission.admit(node, [bearer(shown)])
    await world.client.delete(path("v1", "pods", world.namespace, "mine"), {"gracePeriodSeconds": 0})
    async with asyncio.timeout(60):  # the API server asks its cache for the pod, and remembers what it found for 10 s
        while await is_admitted(world, node, bearer(kept)):
            await asyncio.sleep(0.5)
    denied = await world.denied(node, bearer(kept))
    assert denied.code is grpc.StatusCode.UNAUTHENTICATED
    del world.pods[Key(world.namespace, "mine")]  # where the token is remembered, the tables know that the pod is gone
    denied = await world.denied(node, bearer(shown), by=admission)
    assert denied.code is grpc.StatusCode.UNAVAILABLE


async def is_admitted(world: World, node: Node, metadata: tuple[str, str]) -> bool:
    try:
        await world.admission().admit(node, [metadata])
    except Denied:
        return False
    return True


async def test_a_pod_that_took_the_name_of_another_has_to_be_its_own_account(world: World) -> None:
    """A token is remembered longer than a pod may live; the next pod of that name may be another's."""
    shown, admission = await world.token("mine"), world.admission()
    node = world.node("mine", "mine-gateway")
    await admission.admit(node, [bearer(shown)])
    world.pods[Key(world.namespace, "mine")] = Pod((Key(world.namespace, "mine-gateway"),), "yours")
    denied = await world.denied(node, bearer(shown), by=admission)
    assert denied.code is grpc.StatusCode.PERMISSION_DENIED
    assert "has ServiceAccount yours" in denied.reason


async def test_a_pod_may_call_itself_after_its_service(world: World) -> None:
    gateway, inner, service = (Key(world.namespace, name) for name in ("mine-gateway", "inner", "ingress"))
    world.pods[Key(world.namespace, "mine")] = Pod((gateway,), "mine", (inner, service))
    token = await world.token("mine")
    admitted = await world.admission().admit(world.node("mine", "ingress"), [bearer(token)])
    assert admitted.gateways == (gateway,)


HOST = "xds-server.auth.svc"


class Server:
    """A server that listens with TLS and asks the cluster whom it has; each Gateway has a secret, of its own name."""

    def __init__(self, world: World) -> None:
        self.identity = ServerIdentity(world.client, world.namespace, "xds-server", (HOST,))
        self.identity.adopt(new_authority("xds-server", datetime.now(UTC)))
        catalog = Catalog()
        secrets = [
            Resource(ResourceType.SECRET, name, ForGateway(world.namespace, name), Part(name, name.encode()))
            for name in ("mine-gateway", "yours-gateway")
        ]
        catalog.publish({(one.audience, one.type, one.name): one for one in secrets})
        options = ServeOptions(address="127.0.0.1:0", stop_seconds=0.1)
        self.serving = Serving(catalog, Recorder(), options, admission=world.admission())

    @asynccontextmanager
    async def stream(self, token: str) -> AsyncIterator[Any]:
        """An ADS stream of somebody who shows this token, and trusts the authority."""
        assert self.identity.authority is not None
        trusted = grpc.ssl_channel_credentials(self.identity.authority.bundle)
        named = [("grpc.ssl_target_name_override", HOST)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.serving.port}", trusted, named) as channel:
            method = channel.stream_stream(
                f"/{SERVICE}/DeltaAggregatedResources",
                request_serializer=discovery_pb2.DeltaDiscoveryRequest.SerializeToString,
                response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
            )
            call = method(metadata=[bearer(token)])
            yield call
            call.cancel()


@pytest.fixture
async def server(world: World) -> AsyncIterator[Server]:
    found = Server(world)
    await found.serving.start(found.identity.credentials())
    await found.serving.ready()
    yield found
    await found.serving.stop()


def asking(node: Node, *secrets: str) -> discovery_pb2.DeltaDiscoveryRequest:
    said = {"id": node.id, "cluster": node.cluster}
    return discovery_pb2.DeltaDiscoveryRequest(
        type_url=ResourceType.SECRET.url, node=said, resource_names_subscribe=secrets
    )


async def test_an_envoy_is_sent_the_secrets_of_its_own_gateways(world: World, server: Server) -> None:
    async with asyncio.timeout(60), server.stream(await world.token("mine")) as call:
        await call.write(asking(world.node("mine", "mine-gateway"), "mine-gateway", "yours-gateway"))
        answer = await call.read()
        assert [one.name for one in answer.resources] == ["mine-gateway"]
        await call.write(
            discovery_pb2.DeltaDiscoveryRequest(type_url=ResourceType.SECRET.url, response_nonce=answer.nonce)
        )
        answer = await call.read()
        assert (list(answer.resources), list(answer.removed_resources)) == ([], ["yours-gateway"])


@pytest.mark.parametrize("says", [("yours", "yours-gateway"), ("mine", "yours-gateway")])
async def test_who_says_to_be_another_is_sent_nothing(world: World, server: Server, says: tuple[str, str]) -> None:
    """A stolen node.id, and the Gateway of others, over TLS with a token that is good."""
    async with asyncio.timeout(60), server.stream(await world.token("mine")) as call:
        await call.write(asking(world.node(*says), "yours-gateway"))
        assert [answer async for answer in answers(call)] == []
        assert await call.code() is grpc.StatusCode.PERMISSION_DENIED


async def answers(call: Any) -> AsyncIterator[Any]:
    """What came before the end."""
    while True:
        try:
            answer = await call.read()
        except grpc.aio.AioRpcError:
            return
        if answer is grpc.aio.EOF:
            return
        yield answer
