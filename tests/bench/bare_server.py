"""The floor: a delta ADS server that knows nothing, and pushes bytes that it was given."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from xds_server.pb import discovery_pb2
from xds_server.xds.resource import BY_URL, Resource, ResourceType

METHOD = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class BareServer:
    """Answers each type once with what it holds, and sends a resource again when told to."""

    def __init__(self, resources: list[Resource]) -> None:
        self._resources = resources
        self._pushes: asyncio.Queue[bytes] = asyncio.Queue()
        self._server = grpc.aio.server()
        self.port = 0

    async def start(self) -> None:
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(METHOD, {"DeltaAggregatedResources": handler}),)
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)

    def push(self, resource: Resource) -> None:
        """Sends the resource now."""
        self._pushes.put_nowait(_response(resource.type, [resource], f"push-{resource.version}"))

    async def _serve(self, requests: AsyncIterator[Any], call: Any) -> None:
        reader = asyncio.create_task(self._read(requests))
        try:
            while True:
                await call.write(await self._pushes.get())
        finally:
            reader.cancel()

    async def _read(self, requests: AsyncIterator[Any]) -> None:
        answered: set[ResourceType] = set()
        async for request in requests:
            type_ = BY_URL[request.type_url]
            if type_ in answered or request.response_nonce:
                continue
            answered.add(type_)
            for kind in (type_, ResourceType.ENDPOINT) if type_ is ResourceType.CLUSTER else (type_,):
                found = [resource for resource in self._resources if resource.type is kind]
                self._pushes.put_nowait(_response(kind, found, kind.value))


def _response(type_: ResourceType, resources: list[Resource], nonce: str) -> bytes:
    message = discovery_pb2.DeltaDiscoveryResponse(type_url=type_.url, nonce=nonce)
    for resource in resources:
        one = message.resources.add(name=resource.name, version=resource.version)
        one.resource.type_url = type_.url
        one.resource.value = resource.body
    return bytes(message.SerializeToString())
