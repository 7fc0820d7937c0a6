"""A backend over TLS that tells how it was connected to: server name, protocol, client certificate."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.traffic.authority import Pair


@asynccontextmanager
async def tls_backend(name: str, pair: Pair, *, clients: str = "", newest: bool = False) -> AsyncIterator[str]:
    """A server of HTTP/1.1 with that certificate; yields its address. With `clients` (PEM) it has to be shown a
    certificate that these issued; with `newest` it speaks TLS 1.3 alone.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        for file, text in (("crt", pair.certificate), ("key", pair.key)):
            (Path(folder) / file).write_text(text)
        context.load_cert_chain(Path(folder) / "crt", Path(folder) / "key")
    context.set_alpn_protocols(["http/1.1"])
    context.sni_callback = lambda socket, server_name, _: setattr(socket, "asked_for", server_name)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients)
    if newest:
        context.minimum_version = ssl.TLSVersion.TLSv1_3

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket = writer.get_extra_info("ssl_object")
        shown = socket.getpeercert(binary_form=True)
        told = {
            "name": name,
            "sni": getattr(socket, "asked_for", None),
            "alpn": socket.selected_alpn_protocol(),
            "client": ssl.DER_cert_to_PEM_cert(shown) if shown else None,
        }
        body = json.dumps(told).encode()
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=4096)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()
