"""The echo server over real sockets: what it tells, what can be asked of it, what it bears."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import h2.config
import h2.connection
import h2.events
import pytest
from structlog.testing import capture_logs

from xds_server.shell.echo import BODY_LIMIT, EchoUnavailableError, echo, joined, serve_echo


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async with echo("a") as bound:
        yield bound


@pytest.fixture
async def client(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://{address}", connector=connector) as session:
        yield session


async def raw(address: str, request: bytes, end: bytes) -> bytes:
    """Sends bytes and reads until `end` has come."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        async with asyncio.timeout(30):
            writer.write(request)
            return await reader.readuntil(end)
    finally:
        writer.close()


async def test_it_tells_what_it_was_asked(address: str) -> None:
    request = (
        b"POST /a%2Fb?x=1&x=2 HTTP/1.1\r\nHost: shop.example.com\r\nmy-added-header: added-value\r\n"
        b"X-Many: 1\r\nx-many: 2\r\nContent-Length: 5\r\n\r\nhello"
    )
    head, _, body = (await raw(address, request, b"}\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"x-echo-name: a" in head
    assert json.loads(body) == {
        "name": "a",
        "method": "POST",
        "path": "/a%2Fb?x=1&x=2",
        "host": "shop.example.com",
        "protocol": "HTTP/1.1",
        "headers": {
            "Content-Length": "5",
            "Host": "shop.example.com",
            "My-Added-Header": "added-value",
            "X-Many": "1,2",
        },
        "body": "hello",
        "body_bytes": 5,
    }


def test_header_names_are_canonical() -> None:
    assert joined([(b"x-REAL-ip", b"1"), (b"X-Real-Ip", b""), (b"a", b"\xe9")]) == {
        "A": "é",
        "X-Real-Ip": "1,",
    }


async def test_the_path_is_shown_as_it_was_sent(address: str) -> None:
    answer = await raw(address, b"GET /a/../b//%2e?q=%20+ HTTP/1.1\r\nHost: x\r\n\r\n", b"}\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["path"] == "/a/../b//%2e?q=%20+"


@pytest.mark.parametrize(
    ("body", "shown"),
    [("grüße".encode(), "grüße"), (b"\xff\x00", "data:application/octet-stream;base64,/wA=")],
)
async def test_bodies(client: aiohttp.ClientSession, body: bytes, shown: str) -> None:
    async with client.put("/", data=body) as response:
        told = await response.json()
    assert (told["body"], told["body_bytes"]) == (shown, len(body))


async def test_a_large_body_is_read_and_cut(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data=io.BytesIO(b"x" * (5 * BODY_LIMIT))) as response:
        told = await response.json()
    assert (len(told["body"]), told["body_bytes"]) == (BODY_LIMIT, 5 * BODY_LIMIT)


async def test_head_has_the_headers_of_get(client: aiohttp.ClientSession) -> None:
    async with client.head("/x") as head:
        assert await head.read() == b""
    async with client.get("/x") as get:
        length = len(await get.read())
    assert head.status == 200
    assert abs(int(head.headers["content-length"]) - length) <= 1  # "HEAD" against "GET"
    assert "server" not in head.headers


async def test_expect_100_continue(client: aiohttp.ClientSession) -> None:
    async with client.post("/", data="later", expect100=True) as response:
        told = await response.json()
    assert (told["body"], told["headers"]["Expect"]) == ("later", "100-continue")


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503])
async def test_status(client: aiohttp.ClientSession, status: int) -> None:
    async with client.get("/x", params={"status": str(status)}) as response:
        assert response.status == status
        body = await response.read()
    assert (body == b"") is (status in {204, 304})
    async with client.get("/after") as response:
        assert response.status == 200


async def test_statuses_take_turns_per_path(client: aiohttp.ClientSession) -> None:
    async def get(path: str) -> int:
        async with client.get(path) as response:
            return response.status

    assert [await get("/a?status=503&status=503&status=200") for _ in range(4)] == [503, 503, 200, 503]
    assert await get("/b?status=500&status=200") == 500


async def test_delay(client: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with client.get("/?delay=120ms") as response:
        assert response.status == 200
    assert 0.12 <= loop.time() - start < 60  # not 120 s


async def test_response_headers(client: aiohttp.ClientSession) -> None:
    wish = {"X-Echo-Set-Header": "x-one: 1, X-Two:2:3 , x-one:again, Content-Type: text/plain"}
    async with client.get("/", headers=wish) as response:
        assert response.headers.getall("x-one") == ["1", "again"]
        assert response.headers["x-two"] == "2:3"
        assert response.headers.getall("content-type") == ["text/plain"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [("delay=soon", {}), ("status=99", {}), ("status=ok", {}), ("", {"X-Echo-Set-Header": "no-colon"})],
)
async def test_wishes_that_make_no_sense(client: aiohttp.ClientSession, query: str, headers: dict[str, str]) -> None:
    async with client.get(f"/?{query}", headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]


async def h2c(address: str, headers: list[tuple[str, str]], body: bytes = b"") -> tuple[dict[bytes, bytes], Any]:
    """One exchange by HTTP/2 with prior knowledge."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    connection.send_headers(1, headers, end_stream=not body)
    if body:
        connection.send_data(1, body, end_stream=True)
    writer.write(connection.data_to_send())
    received: dict[bytes, bytes] = {}
    data = b""
    async with asyncio.timeout(30):
        while True:
            for event in connection.receive_data(await reader.read(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    received = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    data += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    writer.close()
                    return received, json.loads(data) if data else None
            writer.write(connection.data_to_send())


async def test_http2_without_tls(address: str) -> None:
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "grpc.example.com"),
        (":path", "/s/m?q=1"),
        ("te", "trailers"),
    ]
    response, told = await h2c(address, headers, b"body")
    assert response[b":status"] == b"200"
    assert (told["protocol"], told["method"], told["path"], told["host"], told["body"], told["headers"]) == (
        "HTTP/2", "POST", "/s/m?q=1", "grpc.example.com", "body", {"Host": "grpc.example.com", "Te": "trailers"},
    )  # fmt: skip


async def test_http2_head(address: str) -> None:
    headers = [(":method", "HEAD"), (":scheme", "http"), (":authority", "x"), (":path", "/")]
    response, body = await h2c(address, headers)
    assert (response[b":status"], body) == (b"200", None)


async def test_websocket_text_and_binary_on_any_path(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/any/path?x=1", protocols=["chat", "other"]) as socket_:
        assert socket_.protocol == "chat"
        await socket_.send_str("grüße")
        assert await socket_.receive_str(timeout=30) == "grüße"
        await socket_.send_bytes(b"\x00\xff")
        assert await socket_.receive_bytes(timeout=30) == b"\x00\xff"
    assert socket_.close_code == 1000


async def test_websocket_message_beyond_the_limit(client: aiohttp.ClientSession) -> None:
    async with client.ws_connect("/") as socket_:
        await socket_.send_bytes(b"x" * (BODY_LIMIT + 1))
        message = await socket_.receive(timeout=30)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_stopping_ends_websockets_and_delays_at_once() -> None:
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as client:
        async with echo() as address:
            socket_ = await client.ws_connect(f"http://{address}/")
            slow = asyncio.create_task(client.get(f"http://{address}/?delay=1h"))
            await socket_.send_str("x")
            await socket_.receive_str(timeout=30)
            start = loop.time()
        assert loop.time() - start < 30
        message = await socket_.receive(timeout=30)
        assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
    with pytest.raises(OSError):
        await asyncio.open_connection(address.split(":")[0], int(address.split(":")[1]))


async def test_two_thousand_connections_at_once(address: str) -> None:
    host, _, port = address.rpartition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(2_000)]
    try:
        for number, (_, writer) in enumerate(opened):
            writer.write(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        for number, (reader, _) in enumerate(opened):
            answer = await reader.readuntil(b"}\n")
            assert b'"path": "/%d"' % number in answer
    finally:
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize("address", ["127.0.0.1:nope", "127.0.0.1"])
async def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(EchoUnavailableError, match="is no address"):
        await serve_echo("a", address, stop=asyncio.Event())


async def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(EchoUnavailableError, match=f"cannot listen on {taken}: .*in use"):
            async with echo("a", taken):
                pytest.fail("it started")


async def test_it_logs_one_line_and_serves_ipv6() -> None:
    with capture_logs() as lines:
        async with echo("six", "[::1]:0") as address:
            answer = await raw(address, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"}\n")
    assert b'"name": "six"' in answer
    assert lines == [{"event": "echo listening", "log_level": "info", "name": "six", "address": address}]
