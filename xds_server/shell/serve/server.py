"""Serving: the gRPC server with ADS in both variants, health and reflection.

In: a Catalog, an Observer, options; then `ready` once the catalog is complete, and `wake` after each publish. Out:
streams. Before `ready` clients may connect and are heard, health says NOT_SERVING, and nobody is answered: an answer
from an empty catalog would wipe a proxy. All of it lives in one event loop.
"""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2, descriptor_pool, struct_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from xds_server.envoy.ipv4 import ipv4_only
from xds_server.model.meta import Key
from xds_server.pb import ads_pb2, base_pb2, discovery_pb2, semantic_version_pb2, status_pb2
from xds_server.routing.audience import Audience
from xds_server.shell.serve.admission import Admission, OpenAdmission
from xds_server.shell.serve.clients import Clients
from xds_server.shell.serve.observer import Observer
from xds_server.shell.serve.options import ServeOptions, channel_arguments
from xds_server.shell.serve.session import Session, World
from xds_server.xds.catalog import Catalog
from xds_server.xds.delta import DeltaStream
from xds_server.xds.node import GATEWAY
from xds_server.xds.sotw import SotwStream

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class BindError(Exception):
    """The address cannot be listened on; the text names it and says why."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.address = address
        self.reason = reason


class Serving:
    """The ADS server. `port` is the one it listens on, once started; `clients` are those connected."""

    def __init__(
        self,
        catalog: Catalog,
        observer: Observer,
        options: ServeOptions | None = None,
        *,
        admission: Admission | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.port = 0
        self.clients = Clients()
        self._world = World(
            catalog,
            observer,
            self.clients,
            options or ServeOptions(),
            asyncio.Event(),
            clock,
            admission or OpenAdmission(),
        )
        self._sessions: dict[int, Session] = {}
        self._numbers = itertools.count(1)
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        """Listen, with these credentials or those of the options. BindError when the address is taken, not ours, or
        none.
        """
        options = self._world.options
        credentials = credentials or options.credentials
        await _probe(options.address)
        server = grpc.aio.server(options=channel_arguments(options))
        server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server, pool=_descriptors()
        )
        try:
            if credentials is None:
                self.port = server.add_insecure_port(options.address)
            else:
                self.port = server.add_secure_port(options.address, credentials)
        except RuntimeError as error:
            raise BindError(options.address, "gRPC could not bind to it") from error
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        await server.start()
        self._server = server

    async def ready(self) -> None:
        """The catalog is complete: answer everyone from now on."""
        self._world.ready.set()
        for session in self._sessions.values():
            session.wake()
        await self._say(health_pb2.HealthCheckResponse.SERVING)

    def wake(self, audiences: Iterable[Audience]) -> None:
        """The catalog changed for these audiences: serve the clients that see any of them."""
        changed = frozenset(audiences)
        for session in self._sessions.values():
            session.catalog_changed(changed)

    def regroup(self, pod: Key, gateways: tuple[Key, ...], *, draining: bool = False) -> None:
        """The proxy in this pod, if it is connected, serves these Gateways from now on; `draining`: its pod is about
        to end. It is sent what that changes, on the stream that it has.
        """
        for session in tuple(self._sessions.values()):
            if (
                session.node is not None
                and session.node.kind == GATEWAY
                and session.node.pod == f"{pod.name}.{pod.namespace}"
            ):
                session.regroup(gateways, draining=draining)

    async def stop(self) -> None:
        """End all streams, so that clients look for another server at once, and stop listening."""
        if self._server is None:
            return
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        for session in self._sessions.values():
            session.end(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        await self._server.stop(self._world.options.stop_seconds)
        self._server = None

    def _handlers(self) -> grpc.GenericRpcHandler:
        """Requests are parsed once; responses are bytes already."""

        async def delta(requests: AsyncIterator[Any], call: Any) -> None:
            await self._serve(DeltaStream(self._world.options.limits, ipv4_only), requests, call)

        async def sotw(requests: AsyncIterator[Any], call: Any) -> None:
            await self._serve(SotwStream(self._world.options.limits, ipv4_only), requests, call)

        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(
                    delta, request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString
                ),
                "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(
                    sotw, request_deserializer=discovery_pb2.DiscoveryRequest.FromString
                ),
            },
        )

    async def _serve(self, stream: DeltaStream | SotwStream, requests: AsyncIterator[Any], call: Any) -> None:
        session = Session(next(self._numbers), stream, call, self._world)
        self._sessions[session.number] = session
        try:
            await session.run(requests)
        finally:
            del self._sessions[session.number]

    async def _say(self, status: Any) -> None:
        for service in ("", SERVICE):
            await self._health.set(service, status)


def _descriptors() -> descriptor_pool.DescriptorPool:
    """What reflection can show: our messages live in a pool of their own, the other services in the default one."""
    pool = descriptor_pool.DescriptorPool()
    own = (semantic_version_pb2, base_pb2, status_pb2, discovery_pb2, ads_pb2)
    for module in (any_pb2, struct_pb2, health_pb2, reflection_pb2, *own):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


async def _probe(address: str) -> None:
    """Bind and let go, for a reason that people can read; gRPC tells none, and prints several lines."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise BindError(address, "an address is host:port, such as 127.0.0.1:18000 or [::1]:18000")
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        for family, kind, protocol, _, place in found[:1]:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
    except OSError as error:
        raise BindError(address, (error.strerror or str(error)).lower()) from error
