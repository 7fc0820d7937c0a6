"""How it ends: when asked, when it cannot start, when it is killed; and that nothing stays behind."""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from tests.real_envoy import free_port
from tests.run.files import gateway, route, service, write
from tests.run.process import Server, alive, until
from tests.run.traffic import until_status
from tests.traffic.client import connected

END_SECONDS = 4.0
ORPHAN_SECONDS = 2.0
HOST = "app.example.com"


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Server, int]]:
    """Two Gateways that are served; the server and the port of the first one."""
    port = free_port()
    server = Server(folder)
    write(folder / "app.yaml", *service(server.echo), gateway("one", port), route("one", "one", HOST))
    write(folder / "two.yaml", gateway("two", port))
    async with server:
        await until_status(f"http://127.0.0.1:{port}/", HOST, 200)
        await until(lambda: len(server.envoys()) == 2, "both Envoys run")
        yield server, port


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_everything_even_with_open_connections(tmp_path: Path, number: signal.Signals) -> None:
    async with serving(tmp_path) as (server, port), AsyncExitStack() as stack:
        for held in (port, *(int(address.rpartition(":")[2]) for address in (server.echo, server.admin))):
            connection = await stack.enter_async_context(connected(held))
            await connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")  # a request that never ends
        envoys, begun = server.envoys(), monotonic()
        server.interrupt(number)
        code = await server.ended(END_SECONDS)
        print(f"{number.name}: ended after {monotonic() - begun:.2f} s")
        assert code == 0
        assert not any(map(alive, envoys))
        assert not server.envoys()
        assert not list(server.temporary.glob("xds-server-*"))
        assert "Traceback" not in server.output
        assert "ended, starting it again" not in server.output


async def test_a_second_signal_does_not_print_a_traceback(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, _):
        envoys = server.envoys()
        server.interrupt(signal.SIGINT)
        await server.says("stopping")
        server.interrupt(signal.SIGINT)
        await server.ended(END_SECONDS)
        await until(lambda: not any(map(alive, envoys)), "its Envoys are gone", seconds=ORPHAN_SECONDS)
        assert "Traceback" not in server.output


async def test_a_signal_while_it_starts_ends_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    write(tmp_path / "one.yaml", gateway("one", free_port()))
    async with server:
        await server.says("envoy found")
        server.interrupt(signal.SIGINT)
        assert await server.ended(END_SECONDS) == 0
        assert not server.envoys()
        assert not list(server.temporary.glob("xds-server-*"))
        assert "Traceback" not in server.output


async def test_no_envoy_outlives_a_server_that_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, _):
        envoys = server.envoys()
        server.kill()
        took = await until(lambda: not any(map(alive, envoys)), "its Envoys are gone", seconds=ORPHAN_SECONDS)
        print(f"killed: Envoys gone after {1000 * took:.0f} ms")
        assert not server.envoys()
        left = set(server.temporary.glob("xds-server-*"))
        assert left
        await server.ended()
        mark = len(server.lines)
        await server.start()  # the next one clears up
        await server.says("files read", after=mark)
        assert not left & set(server.temporary.glob("xds-server-*"))


@pytest.mark.parametrize("which", ["ads", "admin", "echo"])
async def test_an_address_that_is_taken_is_one_line_and_exit_code_2(tmp_path: Path, which: str) -> None:
    server = Server(tmp_path)
    write(tmp_path / "one.yaml", gateway("one", free_port()))
    address = getattr(server, which)
    host, _, port = address.rpartition(":")
    with socket.socket() as holder:
        holder.bind((host, int(port)))
        holder.listen()
        async with server:
            assert await server.ended() == 2
            assert not server.envoys()
    (error,) = [line for line in server.lines if "error" in line]
    assert error.startswith("error: ")
    assert address in error
    assert "address already in use" in error.lower() or "in use" in error
    assert "Traceback" not in server.output
    print(error)
