"""Continuous traffic, bounded, in which every request counts: how many, which failed, when, and why.

Clients of three sorts take turns with a pause between requests: those that keep their connection as long as the other
side wants it, with HTTP/1.1 and with HTTP/2, and those that make a new one for each request. Nothing is tried again:
what a client library would repeat in silence is a failure here. A connection that was closed, or was said to end,
before a request was sent on it is none.
"""

import asyncio
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

KEPT, FRESH, HTTP2 = "kept", "fresh", "http2"
GOAWAY = 7
PAUSE = 0.05
DEADLINE = 8.0
STARTING = 30.0
LINGERING = 2.0
"""Seconds for which it goes on after the block, at least: what was done last may harm a moment later."""
LEAST = 30
"""Requests of each sort; on a slow machine it goes on until there are so many."""
LINGERING_AT_MOST = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked for, and which status is right."""

    address: str
    host: str
    path: str = "/get"
    port: int = 80
    tls: ssl.SSLContext | None = None
    status: int = 200
    pause: float = PAUSE
    """Seconds between two requests of a client."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without its answer. `at` is in seconds since the traffic began."""

    at: float
    sort: str
    why: str


class BrokenAnswerError(ConnectionError):
    """The other side's answer ended early, or is none of HTTP/1.1."""


@dataclass(slots=True)
class Answer:
    """Status, headers in lower case, body; whether the connection goes on."""

    status: int
    headers: dict[str, str]
    body: bytes
    keeps: bool


class Connection:
    """An HTTP/1.1 connection, opened when it is needed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.opened = 0
        """How often."""

    async def get(self, *, keep: bool, path: str = "") -> Answer:
        """One request. Raises OSError."""
        reader, writer = await self._open()
        asks = "keep-alive" if keep else "close"
        head = f"GET {path or self._target.path} HTTP/1.1\r\nHost: {self._target.host}\r\nConnection: {asks}\r\n\r\n"
        try:
            writer.write(head.encode())
            await writer.drain()
            answer = await _answer(reader)
        except BaseException:
            self.close()
            raise
        if not (keep and answer.keeps):
            self.close()
        return answer

    def close(self) -> None:
        """Ends it, whatever is under way."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            target = self._target
            name = target.host if target.tls else None
            self._streams = await asyncio.open_connection(
                target.address, target.port, ssl=target.tls, server_hostname=name
            )
            self.opened += 1
        return self._streams


class Http2Connection(Connection):
    """An HTTP/2 connection without TLS, one request at a time; a new one once the other side said GOAWAY."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._protocol = H2Connection()
        self._reading: asyncio.Task[None] | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._ending = False
        self._stream = 0

    async def get(self, *, keep: bool, path: str = "") -> Answer:
        """One request. Raises OSError."""
        if self._ending:
            self.close()
        reader, writer = await self._open()
        if self._reading is None:
            self._protocol = H2Connection()
            self._protocol.initiate_connection()
            self._reading = asyncio.create_task(self._read(reader, writer))
        stream = self._stream = self._protocol.get_next_available_stream_id()
        target = self._target
        head = {":method": "GET", ":scheme": "http", ":authority": target.host, ":path": path or target.path}
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            self._protocol.send_headers(stream, list(head.items()), end_stream=True)
            writer.write(self._protocol.data_to_send())
            answer = await self._waiting
        except BaseException:
            self.close()
            raise
        answer.keeps = not self._ending
        if not keep:
            self.close()
        return answer

    def close(self) -> None:
        """Ends it, whatever is under way."""
        super().close()
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._ending = False

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = Answer(0, {}, b"", keeps=True)
        try:
            while frame := await _frame(reader):
                if frame[3] == GOAWAY:
                    self._goodbye(frame)
                    continue
                for event in self._protocol.receive_data(frame):
                    if isinstance(event, StreamEnded):
                        self._tell(answer)
                        answer = Answer(0, {}, b"", keeps=True)
                    else:
                        self._take(event, answer)
                writer.write(self._protocol.data_to_send())
            self._fail("the connection ends")
        except (OSError, ProtocolError) as error:
            self._fail(f"{type(error).__name__} {error}")

    def _take(self, event: object, answer: Answer) -> None:
        if isinstance(event, ResponseReceived):
            answer.headers = {bytes(name).decode(): bytes(value).decode() for name, value in event.headers}
            answer.status = int(answer.headers[":status"])
        elif isinstance(event, DataReceived):
            answer.body += event.data
            self._protocol.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamReset):
            self._fail(f"the stream is reset: {event.error_code}")

    def _goodbye(self, frame: bytes) -> None:
        """No further requests; that under way is answered, unless it came too late. (h2 forgets it.)"""
        self._ending = True
        if self._stream > int.from_bytes(frame[9:13]) & 0x7FFFFFFF:
            self._fail("the connection ended before the request came")

    def _tell(self, answer: Answer) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)

    def _fail(self, why: str) -> None:
        self._ending = True
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(BrokenAnswerError(why))


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame of HTTP/2 (RFC 9113, section 4.1); empty when the connection has ended."""
    try:
        head = await reader.readexactly(9)
        return head + await reader.readexactly(int.from_bytes(head[:3]))
    except asyncio.IncompleteReadError:
        return b""


async def _answer(reader: asyncio.StreamReader) -> Answer:
    try:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        version, code, *_ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body = await _chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ValueError) as error:
        raise BrokenAnswerError(f"the answer ends early or is none: {error}") from error
    return Answer(int(code), headers, body, version == "HTTP/1.1" and headers.get("connection") != "close")


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return b"".join(parts)


async def _asked(target: Target) -> Answer:
    connection = Connection(target)
    try:
        async with asyncio.timeout(DEADLINE):
            return await connection.get(keep=False)
    finally:
        connection.close()


def ask(target: Target) -> Answer:
    """One request on a connection of its own. Raises OSError; TimeoutError and BrokenAnswerError are some."""
    return asyncio.run(_asked(target))


@dataclass(slots=True)
class Counted:
    """What a traffic came to."""

    requests: Counter[str] = field(default_factory=Counter)
    """By sort of client."""
    connections: int = 0
    """How often clients that keep their connections had to make others."""
    slowest: float = 0.0
    failures: list[Failure] = field(default_factory=list)


class Traffic:
    """Runs in a thread of its own while a `with` block lasts. Its first requests are answered before the block begins:
    each client must have had a right answer within STARTING seconds.
    """

    def __init__(self, target: Target, *, kept: int = 2, fresh: int = 1, http2: int = 1) -> None:
        self.counted = Counted()
        self._target = target
        self._sorts = [KEPT] * kept + [FRESH] * fresh + [HTTP2] * (0 if target.tls else http2)
        self._marks: list[tuple[float, str]] = []
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._warm = threading.Semaphore(0)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in self._sorts:
            if not self._warm.acquire(timeout=STARTING):
                self._end()
                raise AssertionError(f"no answer to begin with: {self.counted.failures[-3:]}")
        self.counted.failures.clear()
        self.mark("begins")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if kind is None:
            time.sleep(LINGERING)
            end = time.monotonic() + LINGERING_AT_MOST
            while not self._had(LEAST) and time.monotonic() < end:
                time.sleep(PAUSE)
        self._end()
        if kind is not None and self.counted.failures:
            print(self)

    def mark(self, what: str) -> None:
        """Says what happens now; printed beside failures."""
        self._marks.append((time.monotonic() - self._began, what))

    def unharmed(self, least: int = LEAST) -> Counted:
        """Asserts that every request had the right answer, and that there were at least so many of each sort."""
        assert not self._thread.is_alive(), "unharmed() is asked once the traffic has ended"
        print(self)
        assert not self.counted.failures, str(self)
        assert self._had(least), str(self)
        return self.counted

    def _had(self, least: int) -> bool:
        return all(self.counted.requests[sort] >= least for sort in self._sorts)

    def __str__(self) -> str:
        counted = self.counted
        text = f"{dict(counted.requests)} requests, {len(counted.failures)} failed, slowest {counted.slowest:.2f} s"
        events = [(at, f"--- {what}") for at, what in self._marks] if counted.failures else []
        events += [(failure.at, f"{failure.sort}: {failure.why}") for failure in counted.failures[:40]]
        return "\n".join([text, *(f"{at:8.2f} s  {what}" for at, what in sorted(events))])

    def _end(self) -> None:
        self._stop.set()
        self._thread.join(DEADLINE * 2)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(sort) for sort in self._sorts))

    async def _client(self, sort: str) -> None:
        connection = Http2Connection(self._target) if sort == HTTP2 else Connection(self._target)
        warm = False
        while not self._stop.is_set():
            right = await self._request(connection, sort)
            if right and not warm:
                warm = True
                self._warm.release()
            await asyncio.sleep(self._target.pause)
        self.counted.connections += connection.opened - 1 if sort != FRESH else 0
        connection.close()

    async def _request(self, connection: Connection, sort: str) -> bool:
        started = time.monotonic()
        why = ""
        try:
            async with asyncio.timeout(DEADLINE):
                answer = await connection.get(keep=sort != FRESH)
        except Exception as error:  # noqa: BLE001 (whatever it is, the request has no answer)
            connection.close()
            why = f"{type(error).__name__} {error}".strip()
        else:
            if answer.status != self._target.status:
                said = answer.headers.get("server", "no server header")
                why = f"status {answer.status} ({said}): {answer.body[:200].decode(errors='replace')}"
        ended = time.monotonic()
        self.counted.requests[sort] += 1
        self.counted.slowest = max(self.counted.slowest, ended - started)
        if why:
            self.counted.failures.append(Failure(started - self._began, sort, why))
        return not why
