"""A delta ADS client that accepts everything: another Envoy build, as far as the server can tell."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from xds_server.pb import discovery_pb2
from xds_server.xds.resource import ResourceType

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


@dataclass
class Accepting:
    """What the client has been sent: bodies by type URL and name, and how often anything came."""

    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    responses: int = 0

    def body(self, type_: ResourceType, name: str) -> bytes | None:
        """The resource as it was sent last."""
        return self.bodies.get((type_.url, name))


@asynccontextmanager
async def accepting(
    port: int, *, build: tuple[int, int, int], routes: Iterable[str], node: str = "gateway~other.default"
) -> AsyncIterator[Accepting]:
    """Connected for the length of the block, as a proxy of the Gateway default/gateway with this Envoy version."""
    seen = Accepting()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.stream_stream(
            METHOD,
            request_serializer=discovery_pb2.DeltaDiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
        )()
        for type_ in (ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE):
            request = discovery_pb2.DeltaDiscoveryRequest(type_url=type_.url)
            request.node.id, request.node.cluster = node, "default/gateway"
            version = request.node.user_agent_build_version.version
            version.major_number, version.minor_number, version.patch = build
            if type_ is ResourceType.ROUTE:
                request.resource_names_subscribe.extend(routes)
            await call.write(request)
        reading = asyncio.create_task(_accept(call, seen))
        try:
            yield seen
        finally:
            call.cancel()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _accept(call: Any, seen: Accepting) -> None:
    async for response in call:
        for resource in response.resources:
            seen.bodies[response.type_url, resource.name] = resource.resource.value
        for name in response.removed_resources:
            seen.bodies.pop((response.type_url, name), None)
        seen.responses += 1
        nonce = response.nonce
        await call.write(discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=nonce))
