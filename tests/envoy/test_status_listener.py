"""The status port of a real Envoy: three paths, and a preStop hook that waits as long as connections are open."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.envoy.test_bootstrap import http, listener_with_regex, options, running
from tests.ports import free_port
from tests.shell.serve.peers import served
from tests.without_ipv6 import RUNNER
from xds_server.envoy.bootstrap import bootstrap, to_json
from xds_server.envoy.status_listener import LEAST_SECONDS

MOST_SECONDS = 5


@dataclass(frozen=True)
class Proxy:
    status: int
    traffic: int

    async def get(self, path: str, *, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection(host, self.status)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    async def drained(self) -> tuple[float, str]:
        began = time.monotonic()
        status, body = await self.get("/drain")
        assert status == 200
        return time.monotonic() - began, body.strip()


def with_traffic(proxy: Proxy, **changes: Any) -> dict[str, Any]:
    """A bootstrap with the status port, and a listener besides."""
    options_ = options(status_port=proxy.status, drain_seconds=MOST_SECONDS, **changes)
    config: dict[str, Any] = to_json(bootstrap(options_))
    traffic = listener_with_regex("/.*")
    traffic["name"] = f"tcp-{proxy.traffic}"
    traffic["stat_prefix"] = f"tcp-{proxy.traffic}"
    traffic["address"]["socket_address"]["port_value"] = proxy.traffic
    config["staticResources"]["listeners"].append(traffic)
    return config


async def until_ready(proxy: Proxy) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await proxy.get("/ready")
                break
            except OSError:
                await asyncio.sleep(0.05)


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    found = Proxy(free_port(), free_port())
    config = with_traffic(found, admin_port=free_port(), max_connections=1)
    del config["dynamicResources"]
    async with running(config, tmp_path):
        await until_ready(found)
        yield found


async def test_it_answers_three_paths_and_no_other(proxy: Proxy) -> None:
    status, said = await proxy.get("/ready")
    assert (status, "LIVE" in said) == (200, True)
    status, metrics = await proxy.get("/stats/prometheus")
    assert status == 200
    assert "envoy_server_live" in metrics
    for path in ("/", "/config_dump", "/quitquitquit", "/stats", "/ready/x", "/drain_listeners", "/clusters"):
        assert (await proxy.get(path))[0] == 404, path
    for path in ("/ready", "/drain", "/stats/prometheus"):
        assert (await proxy.get(path, method="POST"))[0] == 404, path


async def test_it_listens_on_both_families(proxy: Proxy) -> None:
    assert (await proxy.get("/ready", host="::1"))[0] == 200


async def test_without_ipv6_it_is_reached_by_the_pods_address_and_loopback(tmp_path: Path) -> None:
    found = Proxy(free_port(), free_port())
    config = with_traffic(found, admin_port=free_port(), status_address="127.0.0.2")
    del config["dynamicResources"]
    async with running(config, tmp_path, runner=RUNNER):
        await until_ready(found)
        for host in ("127.0.0.1", "127.0.0.2"):
            assert (await found.get("/ready", host=host))[0] == 200
        with pytest.raises(OSError, match="111"):
            await found.get("/ready", host="127.0.0.3")
        assert (await found.drained())[1] == "0 connections open"


async def test_the_address_of_a_pod_may_be_of_ipv6(tmp_path: Path) -> None:
    found = Proxy(free_port(), free_port())
    config = with_traffic(found, admin_port=free_port(), status_address="::1")
    del config["dynamicResources"]
    async with running(config, tmp_path):
        await until_ready(found)
        for host in ("127.0.0.1", "::1"):
            assert (await found.get("/ready", host=host))[0] == 200


async def test_an_idle_proxy_may_end_once_kube_proxies_know(proxy: Proxy) -> None:
    seconds, said = await proxy.drained()
    assert said == "0 connections open"
    assert seconds >= LEAST_SECONDS * 0.9


async def test_a_connection_is_waited_for_and_its_end_noticed(proxy: Proxy) -> None:
    """Also with as many connections as the Gateway may have: the status port counts for itself."""
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.traffic)
    asyncio.get_running_loop().call_later(LEAST_SECONDS + 1, writer.close)
    seconds, said = await proxy.drained()
    assert said == "0 connections open"
    assert seconds >= LEAST_SECONDS + 0.9


async def told_to_go(port: int) -> bool:
    """Whether the answer on a new connection says so."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 200")
    return b"connection: close" in head


async def test_clients_are_told_to_connect_anew_where_no_control_plane_does_it(proxy: Proxy) -> None:
    assert not await told_to_go(proxy.traffic)
    drained = asyncio.create_task(proxy.drained())
    await asyncio.sleep(1)
    assert await told_to_go(proxy.traffic), "new connections are served, too"
    assert (await drained)[0] >= LEAST_SECONDS * 0.9


async def test_who_asks_while_a_control_plane_is_connected_changes_nothing(tmp_path: Path) -> None:
    """Everybody in the cluster may ask."""
    async with served() as server:
        found, admin = Proxy(free_port(), free_port()), free_port()
        config = with_traffic(found, admin_port=admin, ads_port=server.port)
        async with running(config, tmp_path) as address:
            await until_ready(found)
            assert "connected_state: 1" in await http(address, "/stats?filter=control_plane.connected_state")
            drained = asyncio.create_task(found.drained())
            await asyncio.sleep(1)
            assert not await told_to_go(found.traffic)
            await drained
            assert not await told_to_go(found.traffic)


async def test_a_connection_that_stays_is_waited_for_no_longer_than_that(proxy: Proxy) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.traffic)
    seconds, said = await proxy.drained()
    writer.close()
    assert said == "1 connections open"
    assert seconds >= MOST_SECONDS * 0.9


async def test_nothing_answers_before_there_is_a_configuration(tmp_path: Path) -> None:
    """No control plane is there: the pod is not ready, for however long that lasts."""
    port = free_port()
    config = to_json(bootstrap(options(ads_port=free_port(), admin_port=free_port(), status_port=port)))
    async with running(config, tmp_path):
        await asyncio.sleep(2)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
