"""The server is killed while an Envoy that it did not start serves: nobody notices, and its return resends nothing."""

import asyncio
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from tests.ports import free_port
from tests.real_envoy import RealEnvoy
from tests.run.files import gateway, route, service, write
from tests.run.process import Server, until
from tests.run.traffic import traffic, until_status
from tests.scenarios.certificates import filled_in
from xds_server.shell.echo import echo

HOST, ROUTES = "app.example.com", 10
TLS_SECRET: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "cert"},
    "type": "kubernetes.io/tls",
    "stringData": {"tls.crt": "${cert:app.example.com}", "tls.key": "${key:app.example.com}"},
}


async def bootstrap(server: Server) -> dict[str, Any]:
    """Once the server is up: what `xds-server bootstrap` prints for the Gateway `edge`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "xds_server", "bootstrap", "--gateway", "default/edge"),
        *("--ads-address", server.ads, "-o", "json"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    await until(lambda: admin_answers(server), "it is up")  # else Envoy would wait before it tries again
    assert process.returncode == 0
    config: dict[str, Any] = json.loads(said)
    return config


def write_world(folder: Path, backend: str, *ports: int) -> None:
    """A Gateway with HTTP and HTTPS and some routes, each to a Service of its own."""
    http, https = ports
    tls = {"name": "https", "port": https, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert"}]}}
    write(folder / "edge.yaml", gateway("edge", http, listeners=[tls]), filled_in(TLS_SECRET))
    write(folder / "app.yaml", *service(backend), route("app", "edge", HOST))
    for number in range(ROUTES):
        name = f"app-{number}"
        write(
            folder / f"{name}.yaml", *service(backend, name), route(name, "edge", f"{name}.example.com", service=name)
        )


async def in_sync(server: Server) -> dict[str, Any] | None:
    """The record of the Envoy, once it has everything."""
    page = await server.debug("/debug/clients")
    found: dict[str, Any] | None = next(
        (client for client in page["clients"] if client["synced_serial"] == page["catalog_serial"]), None
    )
    return found


async def has_asked_for(server: Server, types: Collection[str]) -> bool:
    """Whether the Envoy is in sync and has said of these types what it wants; of some it does after that."""
    client = await in_sync(server)
    return client is not None and client["types"].keys() == set(types)


async def admin_answers(server: Server) -> bool:
    """Whether the admin endpoint listens and is ready."""
    try:
        return (await server.page("/readyz"))[0] == 200
    except OSError:
        return False


def sent(client: dict[str, Any]) -> dict[str, int]:
    """By type, how many resources the Envoy was sent."""
    return {type_: record["resources_sent"] for type_, record in client["types"].items()}


async def test_a_killed_server_is_not_missed_and_resends_nothing_on_its_return(tmp_path: Path) -> None:
    port, https = free_port(), free_port()
    server = Server(tmp_path, "--no-envoy")
    url = f"http://127.0.0.1:{port}/"
    async with echo("app") as backend:
        write_world(tmp_path, backend, port, https)
        async with server, RealEnvoy(await bootstrap(server)) as envoy:
            await envoy.wait_ready(20)
            await until_status(url, HOST, 200)
            await until(lambda: in_sync(server), "the Envoy is in sync")
            first = sent(await in_sync(server) or {})
            assert first["secrets"] == 1
            assert first["clusters"] >= ROUTES
            async with traffic(url, HOST) as seen:
                await seen.more()
                server.kill()
                await server.ended()
                await envoy.until(lambda: _connected(envoy, 0), "notices")
                await seen.more()
                await server.start()
                await until(lambda: admin_answers(server), "it is back")
                took = await until(lambda: in_sync(server), "the Envoy is in sync again", seconds=60)
                await seen.more()
            print(f"{seen.count} requests, longest {1000 * seen.longest:.0f} ms; in sync {took:.1f} s after the return")
            seen.assert_good()
            await until(lambda: has_asked_for(server, first), "it has asked for every type again")
            again = sent(await in_sync(server) or {})
            assert not any(again.values()), again
            assert not any((await envoy.stats("update_rejected")).values())
            await _still_changes(server, url)


async def _connected(envoy: RealEnvoy, state: int) -> bool:
    return (await envoy.stats("control_plane.connected_state"))["control_plane.connected_state"] == state


async def _still_changes(server: Server, url: str) -> None:
    """What changes after the return arrives, and it alone."""
    before = sent(await in_sync(server) or {})
    document = list(yaml.safe_load_all((server.folder / "app-0.yaml").read_text("utf-8")))
    document[-1]["spec"]["hostnames"] = ["changed.example.com"]
    write(server.folder / "app-0.yaml", *document)
    await until_status(url, "changed.example.com", 200)
    await until_status(url, "app-0.example.com", 404)
    await until(lambda: in_sync(server), "the Envoy is in sync after the change")
    after = sent(await in_sync(server) or {})
    assert {type_ for type_ in after if after[type_] != before[type_]} == {"routes"}
