"""Authorization services that note what they were asked: Envoy's own protocol over gRPC, and plain HTTP.

Both say yes unless `deny` is set. Headers that they add are in `adds`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption
from envoy_data_plane.envoy.service.auth import v3 as auth
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.rpc import Status

from tests.traffic.authority import Pair

SERVICE = "envoy.service.auth.v3.Authorization"
_OK, _DENIED = 0, 7


@dataclass
class Asked:
    """What a service was asked about one request; header names are lower case."""

    method: str
    path: str
    host: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Denial:
    """What is said instead of yes."""

    status: int = 403
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass
class Authorization:
    """A service: `asked` grows by one for each request. `before` is awaited before it answers."""

    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    adds: dict[str, str] = field(default_factory=dict)
    removes: tuple[str, ...] = ()
    deny: Denial | None = None
    before: Callable[[], Awaitable[Any]] | None = None

    async def over_grpc(self, request: auth.CheckRequest, _: Any) -> auth.CheckResponse:
        """Check."""
        assert request.attributes
        assert request.attributes.request
        assert request.attributes.request.http
        about = request.attributes.request.http
        self.asked.append(Asked(about.method, about.path, about.host, dict(about.headers), about.body.encode()))
        if self.before:
            await self.before()
        if self.deny is None:
            changes = auth.OkHttpResponse(headers=_options(self.adds), headers_to_remove=list(self.removes))
            return auth.CheckResponse(status=Status(code=_OK), ok_response=changes)
        denied = auth.DeniedHttpResponse(
            status=HttpStatus(code=StatusCode(self.deny.status)),
            headers=_options(self.deny.headers),
            body=self.deny.body,
        )
        return auth.CheckResponse(status=Status(code=_DENIED), denied_response=denied)

    async def over_http(self, request: web.Request) -> web.Response:
        """Any request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.raw_path, request.host, headers, await request.read()))
        if self.before:
            await self.before()
        if self.deny is None:
            return web.Response(text="fine", headers=self.adds)
        return web.Response(status=self.deny.status, headers=self.deny.headers, text=self.deny.body)


def _options(headers: dict[str, str]) -> list[HeaderValueOption]:
    return [HeaderValueOption(header=HeaderValue(key=name, value=value)) for name, value in headers.items()]


@asynccontextmanager
async def grpc_authorization(pair: Pair | None = None) -> AsyncIterator[Authorization]:
    """One that speaks Envoy's protocol, on a free port; over TLS where it has a certificate."""
    service = Authorization()
    method = grpc.unary_unary_rpc_method_handler(
        service.over_grpc, request_deserializer=auth.CheckRequest.parse, response_serializer=bytes
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Check": method}),))
    if pair is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        shown = grpc.ssl_server_credentials([(pair.key.encode(), pair.certificate.encode())])
        port = server.add_secure_port("127.0.0.1:0", shown)
    service.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield service
    finally:
        await server.stop(None)


@asynccontextmanager
async def http_authorization() -> AsyncIterator[Authorization]:
    """One that is asked over HTTP/1.1, on a free port."""
    service = Authorization()
    runner = web.ServerRunner(web.Server(service.over_http))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.address = "{}:{}".format(*runner.addresses[0])
    try:
        yield service
    finally:
        await runner.cleanup()
