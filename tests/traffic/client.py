"""Clients that say exactly what they are told to: answers as values, raw HTTP/1.1, HTTP/2 with prior knowledge or TLS."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import h2.config
import h2.connection
import h2.events

_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A response. Header names are lower case; several values of one name are joined by commas."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @cached_property
    def told(self) -> dict[str, Any]:
        """What the echo backend says of the request that reached it."""
        told: dict[str, Any] = json.loads(self.body)
        return told


def answer_of(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
    """The Answer with these headers."""
    joined: dict[str, list[str]] = {}
    for name, value in headers:
        joined.setdefault(name.lower(), []).append(value)
    return Answer(status, {name: ",".join(values) for name, values in joined.items()}, body)


@dataclass
class Connection:
    """One HTTP/1.1 connection that is kept open for as long as the peer lets it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head: bool = False) -> Answer:
        """The next response; EOFError (IncompleteReadError) when the connection ends before one is complete."""
        async with asyncio.timeout(_SECONDS):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            pairs = [line.partition(": ")[::2] for line in lines[1:] if line]
            answer = answer_of(status, pairs, b"")
            if head or status in (204, 304) or 100 <= status < 200:
                return answer
            return Answer(status, answer.headers, await self._body(answer.headers))

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.read(-1)
        body = b""
        while length := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(length)
            await self.reader.readexactly(2)
        await self.reader.readline()
        return body

    async def get(self, path: str = "/", *, host: str = "example.com", headers: str = "") -> Answer:
        """A GET; `headers` are further lines, each with its end."""
        await self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode("latin1"))
        return await self.answer()

    async def ended(self) -> bool:
        """Does the peer close the connection now, with nothing more to say? A reset counts."""
        try:
            async with asyncio.timeout(_SECONDS):
                return not await self.reader.read(1)
        except ConnectionError:
            return True


@asynccontextmanager
async def connected(
    port: int, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, server_name: str | None = None
) -> AsyncIterator[Connection]:
    """A connection, with TLS where a context is given."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=server_name)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def raw(port: int, data: bytes) -> Answer:
    """Sends bytes on a new connection; the answer to them."""
    async with connected(port) as connection:
        await connection.send(data)
        return await connection.answer()


@dataclass
class Http2:
    """One HTTP/2 connection; requests one after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    scheme: str
    protocol: h2.connection.H2Connection = field(
        default_factory=lambda: h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin1"))
    )

    async def get(
        self, path: str = "/", *, host: str = "example.com", headers: Iterable[tuple[str, str]] = ()
    ) -> Answer:
        """A GET. ConnectionResetError when the stream is reset or the connection ends."""
        pseudo = [(":method", "GET"), (":scheme", self.scheme), (":authority", host), (":path", path)]
        stream = self.protocol.get_next_available_stream_id()
        self.protocol.send_headers(stream, [*pseudo, *headers], end_stream=True)
        self.writer.write(self.protocol.data_to_send())
        status, pairs, body = 0, [], b""
        async with asyncio.timeout(_SECONDS):
            while data := await self.reader.read(65_536):
                for event in self.protocol.receive_data(data):
                    if getattr(event, "stream_id", None) != stream:
                        continue
                    if isinstance(event, h2.events.ResponseReceived):
                        pairs = [(str(name), str(value)) for name, value in event.headers or ()]
                        status = int(dict(pairs)[":status"])
                    elif isinstance(event, h2.events.DataReceived):
                        body += event.data or b""
                        self.protocol.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                    elif isinstance(event, h2.events.StreamReset):
                        raise ConnectionResetError(f"stream {stream}: {event.error_code}")
                    elif isinstance(event, h2.events.StreamEnded):
                        return answer_of(status, pairs, body)
                self.writer.write(self.protocol.data_to_send())
        raise ConnectionResetError("the connection ended")


@asynccontextmanager
async def http2(
    port: int, *, tls: ssl.SSLContext | None = None, server_name: str | None = None
) -> AsyncIterator[Http2]:
    """An HTTP/2 connection: with prior knowledge in plain text, or over TLS."""
    async with connected(port, tls=tls, server_name=server_name) as connection:
        client = Http2(connection.reader, connection.writer, "https" if tls else "http")
        client.protocol.initiate_connection()
        client.writer.write(client.protocol.data_to_send())
        yield client
