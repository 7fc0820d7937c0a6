"""A backend that tells what it was asked: `xds-server echo`, and the backend of tests.

In: HTTP/1.1, HTTP/2 in plain text (prior knowledge) and WebSocket on one port. Out: for every path JSON with
the backend's name, method, path, host, protocol, headers and body; a WebSocket gets its own messages back.
What the answer is like can be asked for, as with the echo server of Gateway API's conformance suite:

- `?delay=1s`: answer later (a GEP-2257 duration).
- `?status=503`: answer with this status; given several times, requests for the same path take turns.
- request header `X-Echo-Set-Header: name:value, name:value`: add response headers.

hypercorn speaks the protocols; it comes with the extra `local`.
"""

import asyncio
import base64
import json
import logging
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qs

import structlog

from xds_server.semantics.durations import milliseconds

if TYPE_CHECKING:
    from hypercorn.config import Config
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

BODY_LIMIT: Final = 1 << 20
"""How many bytes of a body, or of one WebSocket message, are echoed."""
_BACKLOG: Final = 4_096
_TURNS_LIMIT: Final = 10_000
_BODILESS: Final = frozenset({204, 304})
Header = tuple[bytes, bytes]

log = structlog.get_logger()


class EchoUnavailableError(Exception):
    """The echo server cannot start; the message says what to do."""


async def serve_echo(
    name: str, address: str, *, ready: Callable[[str], None] = lambda _: None, stop: asyncio.Event
) -> None:
    """Serves until `stop` is set; `ready` is told the address as HOST:PORT (port 0 lets the kernel choose).

    Connections that are open then are cut after half a second. Raises EchoUnavailableError if the address
    cannot be had or hypercorn is not installed.
    """
    try:
        from hypercorn.asyncio import serve
    except ImportError as error:
        raise EchoUnavailableError("echo needs hypercorn: pip install 'xds-server[local]'") from error
    listening = _listen(address)
    host, port = listening.getsockname()[:2]
    bound = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    _allow_many_connections()
    log.info("echo listening", name=name, address=bound)
    ready(bound)
    await serve(_Echo(name, stop), _config(listening.detach()), shutdown_trigger=stop.wait, mode="asgi")


@asynccontextmanager
async def echo(name: str = "echo", address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """An echo server for the length of a block; yields its address as HOST:PORT."""
    stop = asyncio.Event()
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_echo(name, address, ready=bound.set_result, stop=stop))
    either: list[asyncio.Future[Any]] = [serving, bound]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if not bound.done():
        await serving
    try:
        yield bound.result()
    finally:
        stop.set()
        await serving


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
    except ValueError as error:
        raise EchoUnavailableError(f"{address} is no address: it is HOST:PORT") from error
    except OSError as error:
        raise EchoUnavailableError(f"cannot listen on {address}: {error.strerror or error}") from error
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _allow_many_connections() -> None:
    """Each connection is an open file, and the usual soft limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _config(file: int) -> "Config":
    """hypercorn's settings; a proxy's idle connections are never closed from this side, which would race."""
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{file}"]
    config.backlog = _BACKLOG
    config.keep_alive_timeout = 24 * 3600.0
    config.keep_alive_max_requests = 1 << 62
    config.h2_max_concurrent_streams = 1_000
    config.h2_max_header_list_size = 1 << 20
    config.h11_max_incomplete_size = 1 << 20
    config.websocket_max_message_size = BODY_LIMIT
    config.graceful_timeout = 0.5
    config.include_server_header = False
    config.errorlog = logging.getLogger("hypercorn.error")
    config.errorlog.setLevel(logging.WARNING)
    return config


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a request asks the answer to be like."""

    status: int = 200
    delay: float = 0.0
    headers: tuple[Header, ...] = ()


@dataclass(slots=True)
class _Echo:
    """The ASGI application. `turns` counts the requests per path that choose between several statuses."""

    name: str
    stop: asyncio.Event
    turns: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await _lifespan(receive, send)

    async def _http(self, scope: Mapping[str, Any], receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        # The body is always read to its end: hypercorn fails on DATA frames of a stream that was answered.
        if (request := await _read(receive)) is None:
            return
        body, length = request
        try:
            answer = self._answer(scope)
            content = self._content(scope, body, length)
        except ValueError as error:
            answer, content = _Answer(status=400), {"name": self.name, "error": str(error)}
        if answer.delay:
            await self._sleep(answer.delay)
        payload = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
        framing = [] if answer.status in _BODILESS else [(b"content-length", b"%d" % len(payload))]
        headers = [(b"content-type", b"application/json"), (b"x-echo-name", self.name.encode()), *framing]
        own = {name for name, _ in answer.headers}
        await send({
            "type": "http.response.start",
            "status": answer.status,
            "headers": [header for header in headers if header[0] not in own] + list(answer.headers),
        })  # fmt: skip
        await send({"type": "http.response.body", "body": payload, "more_body": False})

    def _content(self, scope: Mapping[str, Any], body: bytes, length: int) -> dict[str, Any]:
        headers = joined(scope["headers"])
        return {
            "name": self.name,
            "method": scope["method"],
            "path": _target(scope),
            "host": headers.get("Host", ""),
            "protocol": {"2": "HTTP/2"}.get(scope["http_version"], f"HTTP/{scope['http_version']}"),
            "headers": headers,
            "body": _text(body),
            "body_bytes": length,
        }

    def _answer(self, scope: Mapping[str, Any]) -> _Answer:
        """Raises ValueError for wishes that cannot be understood."""
        query = parse_qs(scope["query_string"].decode("latin1"), max_num_fields=100)
        statuses = [int(value) for value in query.get("status", ["200"])]
        if not all(200 <= status <= 599 for status in statuses):
            raise ValueError("status must be from 200 to 599")
        turn = self._turn(_target(scope)) if len(statuses) > 1 else 0
        return _Answer(
            status=statuses[turn % len(statuses)],
            delay=milliseconds(query.get("delay", ["0s"])[-1]) / 1000,
            headers=tuple(_wished(scope["headers"])),
        )

    def _turn(self, target: str) -> int:
        if len(self.turns) > _TURNS_LIMIT:
            self.turns.clear()
        self.turns[target] += 1
        return self.turns[target] - 1

    async def _sleep(self, seconds: float) -> None:
        """Waits, but not beyond the server's own end."""
        try:
            await asyncio.wait_for(self.stop.wait(), seconds)
        except TimeoutError:
            return

    async def _websocket(
        self, scope: Mapping[str, Any], receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        stopping = asyncio.create_task(self.stop.wait())
        try:
            while True:
                receiving = asyncio.ensure_future(receive())
                await asyncio.wait([receiving, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    receiving.cancel()
                    await send({"type": "websocket.close", "code": 1001, "reason": "stopping"})
                    return
                if not await self._reply(scope, cast("Mapping[str, Any]", receiving.result()), send):
                    return
        finally:
            stopping.cancel()

    async def _reply(self, scope: Mapping[str, Any], message: Mapping[str, Any], send: "ASGISendCallable") -> bool:
        """Answers one WebSocket event; False when the connection has ended."""
        if message["type"] == "websocket.connect":
            offered = scope["subprotocols"]
            await send({
                "type": "websocket.accept",
                "subprotocol": offered[0] if offered else None,
                "headers": [(b"x-echo-name", self.name.encode())],
            })  # fmt: skip
        elif message["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message["bytes"], "text": message["text"]})
        else:
            return False
        return True


async def _lifespan(receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
    while True:
        if (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _read(receive: "ASGIReceiveCallable") -> tuple[bytes, int] | None:
    """The first BODY_LIMIT bytes of the body, and its whole length; None if the client left meanwhile."""
    kept = bytearray()
    length = 0
    while (message := cast("Mapping[str, Any]", await receive()))["type"] == "http.request":
        chunk = message["body"]
        length += len(chunk)
        kept += chunk[: BODY_LIMIT - len(kept)]
        if not message["more_body"]:
            return bytes(kept), length
    return None


def joined(headers: Iterable[Header]) -> dict[str, str]:
    """Headers by canonical name (`My-Added-Header`), several values of one name joined by commas."""
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(name.decode("latin1").title(), []).append(value.decode("latin1"))
    return {name: ",".join(values[name]) for name in sorted(values)}


def _wished(headers: Iterable[Header]) -> Iterable[Header]:
    for name, value in headers:
        if name.lower() == b"x-echo-set-header":
            for wish in value.split(b","):
                wanted, colon, content = wish.strip().partition(b":")
                if not colon or not wanted.strip():
                    raise ValueError("X-Echo-Set-Header must be name:value, name:value")
                yield wanted.strip().lower(), content.strip()


def _target(scope: Mapping[str, Any]) -> str:
    """The path as it was sent, not decoded, with its query."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return cast("bytes", scope["raw_path"] + query).decode("latin1")


def _text(body: bytes) -> str:
    """Text as it is; anything else as a data URL, as httpbin shows it."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "data:application/octet-stream;base64," + base64.b64encode(body).decode()
