"""How it ends: when asked, when it cannot start, when it is killed; and that nothing stays behind."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.run.files import gateway, route, service, write
from tests.run.process import Server, alive, until
from tests.run.traffic import FAILED, until_status
from tests.traffic.client import connected

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "app.example.com"


Servers = dict[str, tuple[Server, int]]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """A server for each test that ends one, started together; and the port of its first Gateway."""
    async with AsyncExitStack() as stack:

        async def started(name: str) -> tuple[Server, int]:
            return await stack.enter_async_context(serving(tmp_path_factory.mktemp(name)))

        names = ("SIGINT", "SIGTERM", "twice", "killed")
        yield dict(zip(names, await asyncio.gather(*map(started, names)), strict=True))


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
async def test_a_signal_ends_everything_even_with_open_connections(servers: Servers, number: signal.Signals) -> None:
    server, port = servers[number.name]
    async with AsyncExitStack() as stack:
        for held in (port, *(int(address.rpartition(":")[2]) for address in (server.echo, server.admin))):
            connection = await stack.enter_async_context(connected(held))
            await connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")  # a request that never ends
        envoys, begun = server.envoys(), monotonic()
        server.interrupt(number)
        code = await server.ended()
        print(f"{number.name}: ended after {monotonic() - begun:.2f} s")
        assert code == 0
        assert not any(map(alive, envoys))
        assert not server.envoys()
        assert not list(server.temporary.glob("xds-server-*"))
        assert "Traceback" not in server.output
        assert "ended, starting it again" not in server.output


async def test_a_second_signal_does_not_print_a_traceback(servers: Servers) -> None:
    server, _ = servers["twice"]
    envoys = server.envoys()
    server.interrupt(signal.SIGINT)
    await server.says("stopping")
    with suppress(ProcessLookupError):  # it may be that quick
        server.interrupt(signal.SIGINT)
    await server.ended()
    await until(lambda: not any(map(alive, envoys)), "its Envoys are gone")
    assert "Traceback" not in server.output


async def test_no_envoy_outlives_a_server_that_is_killed(servers: Servers) -> None:
    server, port = servers["killed"]
    envoys = server.envoys()
    assert len(envoys) == 2
    assert all(map(alive, envoys))
    begun = monotonic()
    server.kill()
    await until(lambda: not any(map(alive, envoys)), "its Envoys are gone")
    await until_status(f"http://127.0.0.1:{port}/", HOST, FAILED)
    print(f"killed: Envoys gone after {1000 * (monotonic() - begun):.0f} ms")
    assert not server.envoys()


async def test_a_signal_while_it_starts_ends_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    write(tmp_path / "one.yaml", gateway("one", free_port()))
    async with server:
        await server.says("envoy found")
        server.interrupt(signal.SIGINT)
        assert await server.ended() == 0
        assert not server.envoys()
        assert not list(server.temporary.glob("xds-server-*"))
        assert "Traceback" not in server.output


async def test_addresses_that_are_taken_are_one_line_and_exit_code_2(tmp_path: Path) -> None:
    write(tmp_path / "one.yaml", gateway("one", free_port()))
    errors = await asyncio.gather(*(error_of_taken(tmp_path, one) for one in ("ads", "admin", "echo")))
    for error, option in zip(errors, ("--ads-address", "--admin-address", "--echo"), strict=True):
        print(error)
        assert option in error


async def error_of_taken(folder: Path, which: str) -> str:
    """The one line that tells that this address is held by something else."""
    server = Server(folder)
    address = getattr(server, which)
    host, _, port = address.rpartition(":")
    with socket.socket() as holder:
        holder.bind((host, int(port)))
        holder.listen()
        async with server:
            assert await server.ended() == 2
            assert not server.envoys()
            assert not list(server.temporary.glob("xds-server-*"))
    (error,) = [line for line in server.lines if "error" in line]
    assert error.startswith("error: ")
    assert address in error
    assert "address already in use" in error.lower()
    assert "Traceback" not in server.output
    return error
