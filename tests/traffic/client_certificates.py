"""TLS clients that show certificates, and what servers ask them for."""

import asyncio
import contextlib
import ssl
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.traffic.authority import Pair
from tests.traffic.client import Answer, connected

_HANDSHAKE, _CERTIFICATE_REQUEST, _HELLO_DONE = 22, 13, 14


@contextmanager
def _files(*texts: str) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(index) for index in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        yield [str(path) for path in paths]


def client(
    trusted: str, shown: Pair | None = None, *, alpn: tuple[str, ...] = (), newest: bool = True
) -> ssl.SSLContext:
    """Trusts an authority in PEM, shows a certificate; `newest` False: speaks nothing newer than TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=trusted)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if not newest:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if shown is not None:
        with _files(shown.certificate, shown.key) as (chain, key):
            context.load_cert_chain(chain, key)
    return context


async def get(port: int, context: ssl.SSLContext, host: str) -> Answer:
    """One GET on a connection of its own. With TLS 1.3 a client learns only now that its certificate was refused."""
    async with connected(port, tls=context, server_name=host) as connection:
        return await connection.get(host=host)


async def asked_for(port: int, host: str) -> list[bytes] | None:
    """Whose certificates a server asks its clients for, as the subjects in DER; None where it does not ask.

    Read from the server's first flight, which is plain text up to TLS 1.2.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=host).do_handshake()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(outgoing.read())
        messages = b""
        async with asyncio.timeout(10):
            while not (found := dict(_messages(messages))).keys() & {_HELLO_DONE}:
                type_, _, length = struct.unpack("!BHH", await reader.readexactly(5))
                assert type_ == _HANDSHAKE
                messages += await reader.readexactly(length)
    finally:
        writer.transport.abort()
    return _subjects(found[_CERTIFICATE_REQUEST]) if _CERTIFICATE_REQUEST in found else None


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length = int.from_bytes(data[1:4])
        if len(data) < 4 + length:
            return
        yield data[0], data[4 : 4 + length]
        data = data[4 + length :]


def _subjects(request: bytes) -> list[bytes]:
    """Of a CertificateRequest (RFC 5246 section 7.4.4)."""
    rest = request[1 + request[0] :]
    rest = rest[2 + int.from_bytes(rest[:2]) :]
    rest, found = rest[2:], []
    while rest:
        length = int.from_bytes(rest[:2])
        found.append(rest[2 : 2 + length])
        rest = rest[2 + length :]
    return found
