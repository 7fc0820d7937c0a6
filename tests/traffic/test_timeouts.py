"""Timeouts: 504 when they expire, none unless asked for."""

import asyncio
import time

import aiohttp
import pytest

from tests.traffic.client import Answer, connected, http2
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""
ROUTE = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /request}}]
    timeouts: {request: 3s}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /backend}}]
    timeouts: {backendRequest: 3s}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /both}}]
    timeouts: {request: 10s, backendRequest: 3s}
    backendRefs: [{name: a, port: 8080}, {name: b, port: 8080}]
  - matches: [{path: {value: /zero}}]
    timeouts: {request: 0s}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /zero-backend}}]
    timeouts: {request: 3s, backendRequest: 0s}
    backendRefs: [{name: a, port: 8080}]
  - backendRefs: [{name: a, port: 8080}]
"""


async def timed(world: World, path: str) -> tuple[int, float]:
    """Status and seconds of a GET."""
    begun = time.monotonic()
    return await world.status(path), time.monotonic() - begun


async def test_timeouts(world: World) -> None:
    await world.serve(GATEWAY, ROUTE)
    slow, quick = "?delay=20s", "?delay=20ms"
    limited = [f"/{name}" for name in ("request", "backend", "both", "zero-backend")]
    free = ["/zero", "/none"]
    asked = (
        [path + slow for path in limited] + [path + quick for path in limited] + [path + "?delay=4s" for path in free]
    )
    answers = await asyncio.gather(*(timed(world, path) for path in asked))
    late, good, unlimited = answers[:4], answers[4:8], answers[8:]
    for status, seconds in late:
        assert status == 504
        assert 2.9 < seconds < 9, "answered when the time was over, not when the backend was ready"
    assert [status for status, _ in good] == [200] * 4
    assert all(status == 200 and seconds >= 4 for status, seconds in unlimited)


async def test_of_http2_clients(world: World) -> None:
    await world.serve(GATEWAY, ROUTE)
    async with http2(world.port()) as client:
        assert (await client.get("/request?delay=9s")).status == 504
        assert (await client.get("/request")).status == 200


async def test_there_is_no_limit_unless_asked_for(world: World) -> None:
    """Envoy's own is 15 s, which is too long to wait for here: its configuration says that there is none."""
    await world.serve(GATEWAY, ROUTE)
    (dump,) = await world.envoy.resources("dynamic_route_configs")
    routes = dump["route_config"]["virtual_hosts"][0]["routes"]
    timeouts = {route["match"].get("path_separated_prefix", "/"): route["route"]["timeout"] for route in routes}
    assert timeouts == {
        "/request": "3s", "/backend": "3s", "/both": "3s", "/zero": "0s", "/zero-backend": "3s", "/": "0s"
    }  # fmt: skip


async def test_the_whole_answer_counts_and_the_upload_does_not(world: World) -> None:
    """What agentgateway#3285 and envoyproxy/gateway#5446 ask: an answer that goes on beyond the limit is broken off, so
    streams need a rule without one. How long a client takes to send its request is its own affair. Once a try that may
    be followed by others has begun to answer, only the limit of all of them counts.
    """

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: 10" in head:
            await reader.readexactly(10)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\n")
        for _ in range(1 if b"post" in head else 10):
            writer.write(b"x" * (10 if b"post" in head else 1))
            await asyncio.sleep(0.4)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    address = "{}:{}".format(*server.sockets[0].getsockname())
    rules = (
        ROUTE.replace("name: a,", "name: drip,").replace("name: b,", "name: drip,")
        + """
  - matches: [{path: {value: /tries}}]
    timeouts: {backendRequest: 3s}
    retry: {attempts: 1, codes: [503]}
    backendRefs: [{name: drip, port: 8080}]
"""
    )
    async with server:
        await world.serve(GATEWAY, service("drip", [address]), rules)
        limited, free = ("/request", "/backend", "/both", "/zero-backend"), ("/zero", "/none", "/tries")
        answers = await asyncio.gather(*map(world.get, (*limited, *free)), return_exceptions=True)
        assert [type(one) for one in answers[:4]] == [aiohttp.ClientPayloadError] * 4
        assert [isinstance(one, Answer) and one.body for one in answers[4:]] == [b"x" * 10] * 3
        async with connected(world.port()) as connection:
            await connection.send(b"POST /request HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
            for _ in range(10):
                await connection.send(b"x")
                await asyncio.sleep(0.4)
            assert (await connection.answer()).status == 200
