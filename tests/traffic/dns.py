"""A DNS server that knows what a test tells it, and notes what it is asked."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import Any

_NO_SUCH_NAME = 3
_A, _IN = 1, 1


class Dns(asyncio.DatagramProtocol):
    """`addresses` by name, in lower case without a final dot; every other name does not exist. Answers live a second."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.asked: set[str] = set()
        self.port = 0
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Once it is bound."""
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """One question."""
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        end = at + 5
        (type_,) = struct.unpack("!H", data[at + 1 : at + 3])
        name = ".".join(labels).lower()
        self.asked.add(name)
        known = self.addresses.get(name)
        answers = [IPv4Address(known).packed] if known and type_ == _A else []
        flags = 0x8180 | (0 if known else _NO_SUCH_NAME)
        message = data[:2] + struct.pack("!HHHHH", flags, 1, len(answers), 0, 0) + data[12:end]
        for address in answers:
            message += struct.pack("!HHHIH", 0xC00C, _A, _IN, 1, len(address)) + address
        self._transport.sendto(message, addr)


@asynccontextmanager
async def dns() -> AsyncIterator[Dns]:
    """A server on a free port of 127.0.0.1."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(Dns, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()


def asking(server: Dns, bootstrap: dict[str, Any]) -> None:
    """Makes an Envoy with that bootstrap ask the server, and first under a search domain where a name is not whole."""
    bootstrap["typed_dns_resolver_config"] = {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
            "resolvers": [{"socket_address": {"address": "127.0.0.1", "port_value": server.port}}],
        },
    }
