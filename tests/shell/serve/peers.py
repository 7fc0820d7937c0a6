"""Both ends of a stream for tests: a server on a free port with a recording observer, and a plain gRPC client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from xds_server.pb import discovery_pb2
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import SERVICE, Serving
from xds_server.xds.catalog import Catalog, Change
from xds_server.xds.events import Event
from xds_server.xds.node import Node
from xds_server.xds.resource import Resource, ResourceType
from xds_server.xds.stream import Response

SOON = 12.0
"""Seconds: what takes one on a machine that is not busy, and 15 where an Envoy waits in vain."""
NODE = {"id": "gateway~pod-1.default", "cluster": "default/gateway"}


class Recorder:
    """An Observer that remembers; `until` waits for something to be told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.responses: list[Response] = []

    def opened(self, stream: int, node: Node) -> None:
        self.told.append(("opened", stream, node.id))

    def sent(self, stream: int, node: Node, response: Response) -> None:
        self.responses.append(response)

    def event(self, stream: int, node: Node, event: Event) -> None:
        self.told.append(("event", stream, event))

    def synced(self, stream: int, node: Node, serial: int) -> None:
        self.told.append(("synced", stream, serial))

    def regrouped(self, stream: int, before: Node, node: Node) -> None:
        self.told.append(("regrouped", stream, node.serves, node.draining))

    def closed(self, stream: int, node: Node) -> None:
        self.told.append(("closed", stream))

    def events(self, kind: type[Event]) -> list[Any]:
        return [entry[2] for entry in self.told if entry[0] == "event" and isinstance(entry[2], kind)]

    @property
    def synced_to(self) -> int | None:
        return next((entry[2] for entry in reversed(self.told) if entry[0] == "synced"), None)

    async def until_synced(self, serial: int) -> None:
        """Sooner than an Envoy goes on by itself that is not told what it waits for: after 15 s."""
        async with asyncio.timeout(SOON):
            while self.synced_to != serial:
                await asyncio.sleep(0.005)

    async def until_closed(self, count: int = 1) -> None:
        async with asyncio.timeout(30):
            while sum(entry[0] == "closed" for entry in self.told) < count:
                await asyncio.sleep(0.005)


class Server:
    """A Serving with its catalog; `put` publishes and wakes."""

    def __init__(self, catalog: Catalog, options: ServeOptions) -> None:
        self.catalog = catalog
        self.seen = Recorder()
        self.serving = Serving(catalog, self.seen, options)

    @property
    def port(self) -> int:
        return self.serving.port

    def put(self, *resources: Resource, gone: tuple[Resource, ...] = ()) -> int:
        changes: dict[Change, Resource | None] = {(one.audience, one.type, one.name): one for one in resources}
        changes.update({(one.audience, one.type, one.name): None for one in gone})
        published = self.catalog.publish(changes)
        self.serving.wake(published.audiences)
        return published.serial


@contextlib.asynccontextmanager
async def served(
    catalog: Catalog | None = None, *, ready: bool = True, port: int = 0, **options: Any
) -> AsyncIterator[Server]:
    """A listening server, stopped at the end. `port` is for one that comes back."""
    quick = {"stop_seconds": 0.1, **options}
    server = Server(catalog or Catalog(), ServeOptions(address=f"127.0.0.1:{port}", **quick))
    await server.serving.start()
    try:
        if ready:
            await server.serving.ready()
        yield server
    finally:
        await server.serving.stop()


class Client:
    """One ADS stream as a client; `say` sends a request, `hear` waits for a response."""

    def __init__(self, channel: grpc.aio.Channel, *, delta: bool = True) -> None:
        method = "DeltaAggregatedResources" if delta else "StreamAggregatedResources"
        self.request = discovery_pb2.DeltaDiscoveryRequest if delta else discovery_pb2.DiscoveryRequest
        response = discovery_pb2.DeltaDiscoveryResponse if delta else discovery_pb2.DiscoveryResponse
        self.call = channel.stream_stream(
            f"/{SERVICE}/{method}",
            request_serializer=self.request.SerializeToString,
            response_deserializer=response.FromString,
        )()

    async def say(self, type_: ResourceType, **fields: Any) -> None:
        await self.call.write(self.request(type_url=type_.url, **fields))

    async def hear(self, seconds: float = 30) -> Any:
        async with asyncio.timeout(seconds):
            return await self.call.read()

    async def hears_nothing(self, seconds: float = 0.15) -> bool:
        """Ends the stream: a read that is given up cancels the call."""
        try:
            async with asyncio.timeout(seconds):
                await self.call.read()
        except TimeoutError:
            return True
        return False

    async def end(self) -> tuple[grpc.StatusCode, str]:
        """How the server ended the stream."""
        async with asyncio.timeout(30):
            return await self.call.code(), await self.call.details()


@contextlib.asynccontextmanager
async def connected(port: int, *, delta: bool = True) -> AsyncIterator[Client]:
    """A client on a connection of its own."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=own) as channel:
        client = Client(channel, delta=delta)
        yield client
        client.call.cancel()
