"""TLS clients that trust the test certificates, and what they saw."""

import asyncio
import ssl

from tests.scenarios.certificates import names_of, pem


def trusting(*names: str, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Trusts the certificates made for these names, and checks that the server's is one for its host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in names:
        context.load_verify_locations(cadata=pem("cert", name))
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def trusting_pem(text: str) -> ssl.SSLContext:
    """Trusts one certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=text)
    return context


async def certificate_of(port: int, server_name: str | None, context: ssl.SSLContext | None = None) -> list[str]:
    """The DNS names in the certificate that a server shows for an SNI (None: without SNI); not verified.

    SSLError, ConnectionError or EOFError when it refuses.
    """
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=server_name or "")
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return names_of(ssl.DER_cert_to_PEM_cert(der).encode())
    finally:
        writer.transport.abort()
