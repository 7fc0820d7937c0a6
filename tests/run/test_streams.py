"""Connections and datagrams on one machine: where their ports are, how to reach them, and who else may hold them."""

import asyncio
import shlex
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.ports import free_port, free_udp_port
from tests.run.files import gateway, service, write
from tests.run.process import Server, until
from tests.traffic.streams import answering, greeting, name_of, sender

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST = "127.0.0.1"
DNS = ({"name": "udp", "port": 53, "protocol": "UDP"}, {"name": "tcp", "port": 53, "protocol": "TCP"})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    folder = tmp_path_factory.mktemp("run")
    async with (
        answering("datagrams") as datagrams,
        greeting("connections") as connections,
        Server(folder, port_offset=free_port() - 53) as running,
    ):
        write(folder / "udp.yaml", *_udp(*service(datagrams, "udp")))
        write(folder / "tcp.yaml", *service(connections, "tcp"))
        yield running


def _udp(of_service: dict[str, Any], slice_: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    of_service["spec"]["ports"][0]["protocol"] = "UDP"
    return of_service, slice_


def stream_route(kind: str, name: str, parent: str, to: str, **more: Any) -> dict[str, Any]:
    rules = [{"backendRefs": [{"name": to, "port": 80}]}]
    spec = {"parentRefs": [{"name": parent}], **more, "rules": rules}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


async def test_udp_and_tcp_of_one_number_and_the_lines_that_reach_them(server: Server) -> None:
    port = 53 + server.port_offset
    routes = (stream_route("UDPRoute", "dns", "dns", "udp"), stream_route("TCPRoute", "dns", "dns", "tcp"))
    write(server.folder / "dns.yaml", gateway("dns", listeners=DNS), *routes)
    await server.says(rf"^ +nc -u {FIRST} {port}$")
    await server.says(rf"^ +nc {FIRST} {port}$")
    async with sender(port) as client:
        assert (await client.ask("hello")).startswith("datagrams ")
    assert await name_of(port) == "connections"
    assert "work-in-progress" not in server.output, "nobody can do anything about that"


async def test_the_line_for_tls_is_one_that_works(server: Server) -> None:
    port, mark = free_port(), len(server.lines)
    listener = {"name": "tls", "port": port, "protocol": "TLS", "tls": {"mode": "Passthrough"}}
    one = stream_route("TLSRoute", "tls", "tls", "tcp", hostnames=["*.example.com"])
    write(server.folder / "tls.yaml", gateway("tls", listeners=[listener]), one)
    line = (await server.says(r"^ +(openssl .*)$", after=mark))[1]
    assert line == f"openssl s_client -connect {FIRST}:{port} -servername www.example.com"
    process = await asyncio.create_subprocess_exec(
        *shlex.split(line), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    assert b"CONNECTED" in said
    assert b"wrong version number" in said or b"packet length" in said, "the backend's greeting is no TLS"


async def test_a_udp_port_that_another_program_holds_is_told_and_served_once_it_is_free(server: Server) -> None:
    taken, mark = free_udp_port(), len(server.lines)
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind((FIRST, taken))
        listener = {"name": "udp", "port": taken, "protocol": "UDP"}
        one = stream_route("UDPRoute", "blocked", "blocked", "udp")
        write(server.folder / "blocked.yaml", gateway("blocked", listeners=[listener]), one)
        told = await server.says(r".*another program holds.*", after=mark)
        assert f"Gateway default/blocked: UDP port {taken} is not served" in told[0]
        assert f"another program holds {FIRST}:{taken}/udp" in told[0]

    async def answered() -> bool:
        async with sender(taken) as client:
            return (await client.ask("hello", 0.5)).startswith("datagrams ")

    await until(answered, "it is served")
    await server.says(rf"^ +nc -u {FIRST} {taken}$", after=mark)
