"""What is spoken to backends and clients: HTTP/1.1, HTTP/2 in plain text, WebSocket."""

import io

import aiohttp
import pytest

from tests.traffic.client import connected, http2
from tests.traffic.harness import World, service
from tests.traffic.tls import trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""


SECURE = """
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:example.com}", tls.key: "${key:example.com}"}
---
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
"""


def route(backends: str, filters: str = "") -> str:
    """An HTTPRoute of one rule; `backends` and `filters` are the insides of YAML lists."""
    rule = f"{{backendRefs: [{backends}], filters: [{filters}]}}"
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{rule}]}}\n"


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [
        ("", "HTTP/1.1"), ("http", "HTTP/1.1"), ("kubernetes.io/h2c", "HTTP/2"), ("kubernetes.io/ws", "HTTP/1.1"),
        ("example.org/unknown", "HTTP/1.1"),
    ],
)  # fmt: skip
async def test_app_protocol(world: World, protocol: str, spoken: str) -> None:
    """It decides what the backend hears, whatever the client speaks."""
    await world.serve(
        GATEWAY, service("spoken", [world.backends["a"]], protocol=protocol), route("{name: spoken, port: 8080}")
    )
    answer = await world.request("POST", "/x?y", data="body")
    assert (answer.told["protocol"], answer.told["path"], answer.told["body"]) == (spoken, "/x?y", "body")
    async with http2(world.port()) as client:
        told = (await client.get("/x", host="shop.example.com:1")).told
        assert (told["protocol"], told["host"]) == (spoken, "shop.example.com:1")


async def test_a_changed_app_protocol_is_spoken_at_once(world: World) -> None:
    def backend(protocol: str) -> str:
        return service("spoken", [world.backends["a"]], protocol=protocol)

    await world.serve(GATEWAY, backend(""), route("{name: spoken, port: 8080}"))
    assert (await world.get("/")).told["protocol"] == "HTTP/1.1"
    await world.change(backend("kubernetes.io/h2c"))
    assert (await world.get("/")).told["protocol"] == "HTTP/2"


async def test_bodies_of_any_framing(world: World) -> None:
    """A body without a length, a large one, an interim 100."""
    await world.serve(GATEWAY, route("{name: a, port: 8080}"))

    async def chunks():  # type: ignore[no-untyped-def]
        yield b"one"
        yield b"two"

    assert (await world.request("POST", "/", data=chunks())).told["body"] == "onetwo"
    assert (await world.request("POST", "/", data=io.BytesIO(b"x" * 3_000_000))).told["body_bytes"] == 3_000_000
    assert (await world.request("POST", "/", data=b"x", expect100=True)).told["body"] == "x"


async def test_head_and_empty_answers(world: World) -> None:
    await world.serve(GATEWAY, route("{name: a, port: 8080}"))
    answer = await world.request("HEAD", "/x")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 50
    for status in (204, 304):
        assert (await world.get(f"/?status={status}")).status == status


async def test_connections_are_kept(world: World) -> None:
    await world.serve(GATEWAY, route("{name: a, port: 8080}"))
    async with connected(world.port()) as connection:
        for _ in range(5):
            assert (await connection.get()).status == 200


@pytest.mark.parametrize("protocol", ["kubernetes.io/ws", ""])
async def test_websocket(world: World, protocol: str) -> None:
    """Also where the Service does not say so: an upgrade is the client's to ask for."""
    await world.serve(GATEWAY, service("ws", [world.backends["a"]], protocol=protocol), route("{name: ws, port: 8080}"))
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{world.port()}/ws?x"
        async with session.ws_connect(url, headers={"Host": "shop.example.com"}, protocols=["chat"]) as socket:
            assert socket.protocol == "chat"
            await socket.send_str("grüße")
            assert await socket.receive_str(timeout=60) == "grüße"
            await socket.send_bytes(b"\x00\xff" * 50_000)
            assert await socket.receive_bytes(timeout=60) == b"\x00\xff" * 50_000
        assert socket.close_code == 1000


async def test_a_websocket_outlives_the_timeouts_of_requests(world: World) -> None:
    """And its idle time-out is an hour, not the five minutes of other streams."""
    rule = "{backendRefs: [{name: ws, port: 8080}], timeouts: {request: 3s}}"
    await world.serve(
        GATEWAY,
        service("ws", [world.backends["a"]], protocol="kubernetes.io/ws"),
        f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{rule}]}}\n",
    )
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{world.port()}/", headers={"Host": "x"}) as socket,
    ):
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=4)
        await socket.send_str("still here")
        assert await socket.receive_str(timeout=60) == "still here"
    (dump,) = await world.envoy.resources("dynamic_route_configs")
    (virtual_host,) = dump["route_config"]["virtual_hosts"]
    assert virtual_host["routes"][0]["route"]["idle_timeout"] == "3600s"


async def test_websocket_over_tls(world: World) -> None:
    """envoyproxy/gateway#2632. A client of HTTP/2 is not offered WebSockets there, so that it opens a connection of
    HTTP/1.1 for them: istio#33534, envoy#38645.
    """
    await world.serve(SECURE, route("{name: a, port: 8080}"))
    context = trusting("example.com")
    context.set_alpn_protocols(["http/1.1"])
    url = f"https://127.0.0.1:{world.port(443)}/ws"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers={"Host": "example.com"}, ssl=context, server_hostname="example.com") as socket,
    ):
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=60) == "hello"
    context = trusting("example.com")
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with http2(world.port(443), tls=context, server_name="example.com") as client:
        assert (await client.get()).told["headers"]["X-Forwarded-Proto"] == "https"
        assert client.protocol.remote_settings.enable_connect_protocol == 0
