"""Many delta ADS clients in a process of their own: each subscribes as a gateway does and accepts whatever it is sent.

`python -m tests.bench.stream_clients PORT COUNT` prints `ready` once every client has its first routes, and ends with
its standard input. The clients speak as much HTTP/2 as it takes, so that the machine is left to the server: a thousand
real Envoys would not run on it, and gRPC's Python client costs as much as the server.
"""

import asyncio
import struct
import sys

from xds_server.pb import discovery_pb2
from xds_server.shell.serve.server import SERVICE
from xds_server.xds.resource import ResourceType

DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
ACK = 1
INITIAL_WINDOW_SIZE = 4
WIDEST = 0x7FFF_FFFF
AT_ONCE = 50
"""How many connect at the same time."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field, literal and never indexed (RFC 7541, 6.2.3); both shorter than 127 bytes."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def message(**fields: object) -> bytes:
    """A request as a DATA frame."""
    body = discovery_pb2.DeltaDiscoveryRequest(**fields).SerializeToString()
    return frame(DATA, 0, 1, b"\0" + struct.pack(">I", len(body)) + body)


OPENING = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, WIDEST))
    + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDEST - 65_535))
    + frame(
        HEADERS,
        4,  # END_HEADERS
        1,
        literal(b":method", b"POST")
        + literal(b":scheme", b"http")
        + literal(b":path", f"/{SERVICE}/DeltaAggregatedResources".encode())
        + literal(b":authority", b"xds")
        + literal(b"te", b"trailers")
        + literal(b"content-type", b"application/grpc"),
    )
)


class Client(asyncio.Protocol):
    """One connection with one stream."""

    def __init__(self, number: int, served: asyncio.Event) -> None:
        self._node = {"id": f"gateway~pod-{number}.default", "cluster": "default/gateway"}
        self._served = served
        self._received = b""
        self._messages = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(
            OPENING
            + message(node=self._node, type_url=ResourceType.CLUSTER.url)
            + message(type_url=ResourceType.LISTENER.url)
            + message(type_url=ResourceType.ROUTE.url, resource_names_subscribe=["r"])
        )

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 9:
            length = int.from_bytes(self._received[:3])
            if len(self._received) < 9 + length:
                return
            kind, flags = self._received[3], self._received[4]
            payload, self._received = self._received[9 : 9 + length], self._received[9 + length :]
            if kind in {SETTINGS, PING} and not flags & ACK:
                self._transport.write(frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == DATA:
                self._messages += payload
                self._accept()

    def _accept(self) -> None:
        """Answer every whole response."""
        while len(self._messages) >= 5:
            length = int.from_bytes(self._messages[1:5])
            if len(self._messages) < 5 + length:
                return
            response = discovery_pb2.DeltaDiscoveryResponse.FromString(self._messages[5 : 5 + length])
            self._messages = self._messages[5 + length :]
            self._transport.write(message(type_url=response.type_url, response_nonce=response.nonce))
            if response.type_url == ResourceType.ROUTE.url:
                self._served.set()


async def connect(port: int, number: int, slots: asyncio.Semaphore) -> asyncio.BaseTransport:
    """A client that has its first routes."""
    async with slots:
        served = asyncio.Event()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: Client(number, served), "127.0.0.1", port)
        await served.wait()
    return transport


async def main(port: int, count: int) -> None:
    """Run all clients until standard input ends."""
    slots = asyncio.Semaphore(AT_ONCE)
    transports = await asyncio.gather(*(connect(port, number, slots) for number in range(count)))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for transport in transports:
        transport.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
