"""A gRPC backend that answers every unary method with its name and what reached it, and a client for it."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.traffic.authority import Pair

_SECONDS = 60.0


@dataclass
class Backend:
    """What one backend was asked: by method, the metadata of each call."""

    name: str
    address: str = ""
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def service(self, details: Any) -> Any:
        """The handler of a method, whatever it is; `Fail` answers with NOT_FOUND of its own."""
        method = details.method

        async def unary(request: bytes, context: Any) -> bytes:
            metadata = joined(context.invocation_metadata())
            self.calls.append((method, metadata))
            if method.endswith("/Fail"):
                await context.abort(grpc.StatusCode.NOT_FOUND, "not here")
            told = {"name": self.name, "method": method, "metadata": metadata, "request": request.decode()}
            return json.dumps(told).encode()

        async def stream(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
            async for request in requests:
                yield request + b"!"

        if method.endswith("/Stream"):
            return grpc.stream_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def service(self, handler_call_details: Any) -> Any:
        return self.backend.service(handler_call_details)


@asynccontextmanager
async def grpc_backend(name: str, pair: Pair | None = None) -> AsyncIterator[Backend]:
    """A server on a free port of 127.0.0.1, over TLS with a certificate; it refuses those who do not offer h2."""
    backend = Backend(name)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(backend),))
    if pair is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        shown = grpc.ssl_server_credentials([(pair.key.encode(), pair.certificate.encode())])
        port = server.add_secure_port("127.0.0.1:0", shown)
    backend.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield backend
    finally:
        await server.stop(None)


def joined(metadata: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Metadata by name; several values are joined by commas."""
    found: dict[str, str] = {}
    for key, value in metadata:
        if isinstance(value, str):
            found[key] = f"{found[key]},{value}" if key in found else value
    return found


@dataclass(frozen=True)
class Reply:
    """How a call ended; `told` is what the backend says, if it was one."""

    code: grpc.StatusCode
    told: dict[str, Any]
    headers: dict[str, str]
    details: str = ""


@asynccontextmanager
async def client(port: int, host: str = "example.com") -> AsyncIterator[Any]:
    """A function that makes unary calls over one connection in plain text, HTTP/2 from the start."""
    options = [("grpc.default_authority", host), ("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:

        async def call(method: str, /, **metadata: str) -> Reply:
            pairs = [(key.replace("_", "-"), value) for key, value in metadata.items()]
            made = channel.unary_unary(method)(b"hello", metadata=pairs, timeout=_SECONDS)
            try:
                answer = await made
            except grpc.aio.AioRpcError as error:
                return Reply(error.code(), {}, {}, error.details() or "")
            return Reply(grpc.StatusCode.OK, json.loads(answer), joined(await made.initial_metadata()))

        call.channel = channel  # type: ignore[attr-defined]
        yield call
