"""A backend that is quick and notes what it was asked, for tests that count."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Recorder:
    """Answers every request with `status` and its name, over HTTP/1.1; `heads` are request line, headers and body.

    While `gate` is not set no answer goes out. An upgrade is agreed to, and what comes then is sent back.
    """

    def __init__(self, name: str) -> None:
        self.heads: list[list[str]] = []
        self.address = ""
        self.status = 200
        self.gate = asyncio.Event()
        self.gate.set()
        self._body = f'{{"name": "{name}"}}'
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.add(writer)
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
                length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
                self.heads.append([*lines[:-2], (await reader.readexactly(length)).decode()])
                await self.gate.wait()
                if "connection: Upgrade" in lines:
                    writer.write(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                    while data := await reader.read(65_536):
                        writer.write(data)
                    return
                length = len(self._body)
                writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: {length}\r\n\r\n{self._body}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def count(self, least: int = 0) -> int:
        """How many requests came, once there are that many, and a moment has passed in which more might."""
        async with asyncio.timeout(60):
            while len(self.heads) < least:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        return len(self.heads)

    async def stop(self) -> None:
        """Ends its connections, answered or not."""
        self.gate.set()
        for writer in tuple(self._writers):
            writer.transport.abort()
        async with asyncio.timeout(60):
            while self._writers:
                await asyncio.sleep(0)


@asynccontextmanager
async def recording(name: str = "recorder") -> AsyncIterator[Recorder]:
    """A Recorder that listens."""
    recorder = Recorder(name)
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()
    recorder.address = f"{host}:{port}"
    try:
        yield recorder
    finally:
        server.close()
        await recorder.stop()
