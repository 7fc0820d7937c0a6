"""A small HTTP endpoint for people and probes: pages to read, an index of them, errors as one line of JSON.

In: pages. Out: a listening server. Everything is GET; what a page does not know is refused with what it does know, so
that a misspelt parameter is never taken for an empty one. On loopback only requests that name this machine are
answered, for otherwise a web page that somebody visits could read along under a name of its own (DNS rebinding).
"""

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog
from aiohttp import hdrs, web

from xds_server.shell.serve.server import BindError

log = structlog.get_logger()

_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_STOP_SECONDS: Final = 1.0


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """A request that is answered with an error: its HTTP status and one sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


Answer = Callable[[Mapping[str, str]], Awaitable[web.Response]]
"""Parameters to a response; raises Refused."""


@dataclass(frozen=True, slots=True)
class Page:
    """One path. `parameters` says what each means; None where whatever comes is ignored, as for probes."""

    path: str
    about: str
    answer: Answer
    parameters: Mapping[str, str] | None = field(default_factory=dict)


def json_response(value: Any) -> web.Response:
    """JSON, indented for people."""
    return json_bytes(json_text(value))


def json_text(value: Any) -> bytes:
    """The same as bytes; for large values not to be called in the event loop."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def json_bytes(body: bytes) -> web.Response:
    """A response of JSON that is text already."""
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def plain_response(text: str, status: int = 200) -> web.Response:
    """A line or more of text."""
    return web.Response(text=text, status=status)


class Endpoint:
    """The pages, served. `option` is how a user sets the address, for the words of an error; pages that are `public`
    hold nothing that the network may not see.
    """

    def __init__(self, title: str, pages: Iterable[Page], *, option: str, public: bool = False) -> None:
        self._title = title
        self._pages = {page.path: page for page in pages}
        self._option = option
        self._public = public
        self._runner: web.AppRunner | None = None
        self._guarded = True

    async def start(self, address: str) -> str:
        """Listens on `host:port` (port 0 for a free one) and returns where. Raises BindError."""
        host, port = self._split(address)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_STOP_SECONDS)
        await runner.setup()
        try:
            self._guarded = await _is_loopback(host, port)
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise BindError(address, self._advice(error)) from error
        self._runner = runner
        bound_host, bound_port = runner.addresses[0][:2]
        bound = f"[{bound_host}]:{bound_port}" if ":" in bound_host else f"{bound_host}:{bound_port}"
        if not self._guarded and not self._public:
            log.warning("endpoint open to the network", endpoint=self._title, address=bound, authentication="none")
        return bound

    async def stop(self) -> None:
        """Closes the socket; requests under way have a second to end."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _split(self, address: str) -> tuple[str, int]:
        host, _, port = address.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
            raise BindError(address, f"{self._option} is host:port, such as 127.0.0.1:18001 or [::1]:18001")
        return host.removeprefix("[").removesuffix("]"), int(port)

    def _advice(self, error: OSError) -> str:
        """What the system says (asyncio wraps that in a sentence of its own), and what to do."""
        number = 0 if isinstance(error, socket.gaierror) else error.errno or 0
        reason = (os.strerror(number) if number else error.strerror or str(error)).lower()
        end = "end what listens there, or " if number == errno.EADDRINUSE else ""
        return f"{reason}; {end}give another with {self._option}"

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._answer_errors])
        application.router.add_get("/", self._index)
        for page in self._pages.values():
            application.router.add_get(page.path, self._handler(page))
        return application

    def _handler(self, page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if page.parameters is None:
                return await page.answer({})
            return await page.answer(_parameters(request, page.parameters))

        return handle

    @web.middleware
    async def _answer_errors(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            if self._guarded and not _names_this_machine(request.headers.get(hdrs.HOST, "")):
                raise Refused(403, f"host {request.host!r} is not this machine; ask for localhost or an IP address")
            response = await handler(request)
        except Refused as refused:
            response = _error(refused.status, refused.reason)
        except web.HTTPNotFound:
            response = _error(404, f"there is no {request.path}; known are {', '.join(['/', *self._pages])}")
        except web.HTTPMethodNotAllowed:
            response = _error(405, f"{request.method} is not answered; everything here is GET")
        except Exception as error:
            log.exception("page failed", path=request.path)
            response = _error(500, f"this page failed with {type(error).__name__}; the log says more")
        response.headers.update(_HEADERS)
        return response

    async def _index(self, _: web.Request) -> web.Response:
        lines = [self._title, ""]
        for page in self._pages.values():
            lines.append(f"{page.path}  {page.about}")
            lines += [f"    ?{name}=  {meaning}" for name, meaning in (page.parameters or {}).items()]
        return plain_response("\n".join(lines) + "\n")


def _parameters(request: web.Request, known: Mapping[str, str]) -> dict[str, str]:
    query = request.query
    for name in query:
        if name not in known:
            raise Refused(400, f"unknown parameter {name!r}; known are {', '.join(known) or 'none'}")
        if len(query.getall(name)) > 1:
            raise Refused(400, f"parameter {name!r} is given more than once")
    return dict(query)


def _error(status: int, reason: str) -> web.Response:
    body = msgspec.json.encode({"error": reason}) + b"\n"
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


async def _is_loopback(host: str, port: int) -> bool:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return all(ipaddress.ip_address(place[0]).is_loopback for *_, place in found)


def _names_this_machine(host: str) -> bool:
    """Is the Host header an address or localhost? Names that others choose are neither; browsers always send one."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
