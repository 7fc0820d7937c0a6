"""Backends and clients of connections and datagrams: what they say, how they end, and documents to serve them by."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.scenarios.certificates import pem
from tests.traffic.harness import World, service

SECONDS = 60.0
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(serve: Serve, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
    finally:
        server.close()


@asynccontextmanager
async def greeting(name: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that speaks first: its name in a line; then it sends back what comes. Gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(f"{name}\n".encode())
            while data := await reader.read(65_536):
                writer.write(data)
            writer.close()
        except ConnectionError:
            pass

    async with _listening(serve, tls) as address:
        yield address


@asynccontextmanager
async def counting(tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that answers only when the client has said that nothing more will come: how many bytes came."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(f"{len(await reader.read())}\n".encode())
            writer.close()
        except ConnectionError:
            pass

    async with _listening(serve, tls) as address:
        yield address


def presenting(names: str, folder: Path) -> ssl.SSLContext:
    """A server's TLS with the certificate that tests have for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = folder / "pair.pem"
    path.write_bytes((pem("cert", names) + pem("key", names)).encode())
    context.load_cert_chain(path)
    return context


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def line(self) -> str:
        """The next line; empty where the connection ends or is reset."""
        try:
            async with asyncio.timeout(SECONDS):
                return (await self.reader.readline()).decode().rstrip("\n")
        except ConnectionError:
            return ""

    async def echoed(self, text: str) -> bool:
        """Does a line come back as it was sent?"""
        self.writer.write(f"{text}\n".encode())
        return await self.line() == text


@asynccontextmanager
async def connection(port: int, tls: ssl.SSLContext | None = None, name: str | None = None) -> AsyncIterator[Client]:
    """A connection, over TLS to the server of that name where a context is given."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def name_of(port: int, tls: ssl.SSLContext | None = None, name: str | None = None) -> str:
    """Which backend takes a connection; empty where it is closed."""
    async with connection(port, tls, name) as client:
        return await client.line()


async def names_of(port: int, count: int) -> list[str]:
    """Which backends take so many connections, each after a whole exchange."""

    async def one() -> str:
        async with connection(port) as client:
            found = await client.line()
            assert not found or await client.echoed("ping")
            return found

    return list(await asyncio.gather(*(one() for _ in range(count))))


def client_hello(server_name: str, *, protocols: Iterable[str] = ()) -> bytes:
    """What a TLS client says first; the more protocols it offers, the longer."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(list(protocols))
    hello = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name)
    with suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    return outgoing.read()


async def raw_answer(port: int, server_name: str) -> bytes:
    """What is answered first to a TLS ClientHello; empty where that is FIN or RST."""
    async with connection(port) as client, asyncio.timeout(SECONDS):
        client.writer.write(client_hello(server_name))
        try:
            return await client.reader.read(65_536)
        except ConnectionError:
            return b""


class Datagrams(asyncio.DatagramProtocol):
    """A socket, server or client, and what comes to it. With a name it answers with it and the sender's port."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.came: asyncio.Queue[str] = asyncio.Queue()
        self.refused: list[Exception] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if self.name:
            self.transport.sendto(f"{self.name} {address[1]} {data.decode()}".encode(), address)
        self.came.put_nowait(data.decode())

    def error_received(self, error: Exception) -> None:
        self.refused.append(error)

    async def ask(self, text: str, seconds: float = SECONDS) -> str:
        """What is answered; empty where nothing comes in time."""
        self.transport.sendto(text.encode())
        try:
            async with asyncio.timeout(seconds):
                return await self.came.get()
        except TimeoutError:
            return ""


@asynccontextmanager
async def answering(name: str) -> AsyncIterator[str]:
    """A server of datagrams; gives its address."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(name), local_addr=("127.0.0.1", 0))
    try:
        host, port = transport.get_extra_info("sockname")
        yield f"{host}:{port}"
    finally:
        transport.close()


@asynccontextmanager
async def sender(port: int) -> AsyncIterator[Datagrams]:
    """A client of a port of datagrams, with a port of its own: a session."""
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_datagram_endpoint(Datagrams, remote_addr=("127.0.0.1", port))
    try:
        yield client
    finally:
        transport.close()


async def sessions(port: int, count: int, seconds: float = SECONDS) -> list[str]:
    """Which backends answer so many clients; empty for those that none answers in time."""

    async def one() -> str:
        async with sender(port) as client:
            return (await client.ask("ping", seconds)).partition(" ")[0]

    return list(await asyncio.gather(*(one() for _ in range(count))))


# Documents


def datagram_service(name: str, address: str) -> str:
    """A Service with the UDP port 8080 and one endpoint."""
    return service(name, [address]).replace("port: 8080", "port: 8080\n    protocol: UDP")


def gateway(*listeners: str) -> str:
    """A Gateway; listeners are the insides of flow mappings."""
    entries = ", ".join(f"{{{one}}}" for one in listeners)
    return f"kind: Gateway\nmetadata: {{name: gateway}}\nspec: {{gatewayClassName: x, listeners: [{entries}]}}\n---\n"


def tls(name: str, hostname: str = "", *, certificate: str = "", port: int = 443) -> str:
    """The inside of a TLS listener: it hands on TLS, or ends it with the certificate in that Secret."""
    mode = f"mode: Terminate, certificateRefs: [{{name: {certificate}}}]" if certificate else "mode: Passthrough"
    host = f', hostname: "{hostname}"' if hostname else ""
    return f"name: {name}, port: {port}, protocol: TLS, tls: {{{mode}}}{host}"


def secret(name: str, names: str) -> str:
    """A Secret with the certificate for these names."""
    data = f'{{tls.crt: "${{cert:{names}}}", tls.key: "${{key:{names}}}"}}'
    return f"kind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\nstringData: {data}\n---\n"


def route(
    kind: str, name: str, *backends: str, hosts: Iterable[str] = (), section: str = "", created: str = "2024"
) -> str:
    """A route; a backend is `NAME` or `NAME*WEIGHT`. `created` is a year."""
    refs = []
    for one in backends:
        backend, _, weight = one.partition("*")
        refs.append(f"{{name: {backend}, port: 8080, weight: {weight or 1}}}")
    parent = f"name: gateway, sectionName: {section}" if section else "name: gateway"
    hostnames = f"hostnames: [{', '.join(repr(host) for host in hosts)}], " if hosts else ""
    return (
        f'kind: {kind}\nmetadata: {{name: {name}, creationTimestamp: "{created}-01-01T00:00:00Z"}}\n'
        f"spec: {{parentRefs: [{{{parent}}}], {hostnames}rules: [{{backendRefs: [{', '.join(refs)}]}}]}}\n---\n"
    )


FAR = "far"
"""A namespace for backends that need a grant."""


def granting(kind: str) -> str:
    """A grant of that namespace for routes of a kind."""
    return (
        f"kind: ReferenceGrant\nmetadata: {{name: grant, namespace: {FAR}}}\nspec:\n"
        f"  from: [{{group: gateway.networking.k8s.io, kind: {kind}, namespace: default}}]\n"
        '  to: [{group: "", kind: Service}]\n---\n'
    )


def far(document: str) -> str:
    """A Service and its endpoints in that namespace, or a route to it."""
    return document.replace("namespace: default", f"namespace: {FAR}").replace(
        "backendRefs: [{", f"backendRefs: [{{namespace: {FAR}, "
    )


async def logged(world: World, what: str, count: int = 1) -> list[str]:
    """The lines of the access log that hold a text, once there are so many."""

    def lines() -> list[str]:
        text = (world.envoy.directory / "log").read_text("utf-8")
        found = [line for line in text.splitlines() if what in line and line.startswith("{") and line.endswith("}")]
        return found if len(found) >= count else []

    await world.envoy.until(lines, f"has not logged {what}")
    return lines()
