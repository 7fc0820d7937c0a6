"""Several Gateways on one machine: addresses, taken ports, Envoys that end; and that none of it troubles another one."""

import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.run.files import gateway, route, service, write
from tests.run.process import Server, alive, until
from tests.run.traffic import get, traffic, until_status

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST, HOST = "127.0.0.1", "app.example.com"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One Gateway, `steady`, that every test leaves alone, with an echo backend."""
    folder = tmp_path_factory.mktemp("run")
    running = Server(folder, port_offset=free_port() - 80)
    write(folder / "app.yaml", *service(running.echo))
    serve(folder, "steady", 80)
    async with running:
        await until_status(steady(running), "steady.example.com", 200)
        yield running


def serve(folder: Path, name: str, *ports: int) -> None:
    """A Gateway with a route from NAME.example.com, in a file of its name."""
    write(folder / f"{name}.yaml", gateway(name, *ports), route(name, name, f"{name}.example.com"))


def steady(server: Server) -> str:
    """The URL of the Gateway that is left alone."""
    return f"http://{FIRST}:{80 + server.port_offset}/"


async def test_a_second_gateway_of_the_same_port_gets_the_next_address_and_that_is_told(server: Server) -> None:
    mark, port = len(server.lines), 80 + server.port_offset
    async with traffic(steady(server), "steady.example.com") as seen:
        serve(server.folder, "second", 80)
        told = await server.says(r"^Gateway default/second is served on .*, since .*", after=mark)
        assert told[0].startswith("Gateway default/second is served on 127.0.0.2, since Gateway default/steady has")
        assert f"{FIRST}:{port}" in told[0]
        line = await server.says(r"^ +curl .*second.example.com.*", after=mark)
        assert f"http://127.0.0.2:{port}/" in line[0]
        second = f"http://127.0.0.2:{port}/"
        assert (await get(second, "second.example.com")).status == 200
        assert (await get(second, "steady.example.com")).status == 404
        assert (await get(steady(server), "second.example.com")).status == 404
        (pid,) = server.envoys("default/second")
        (server.folder / "second.yaml").unlink()
        await until(lambda: not alive(pid), "its Envoy has ended")
        assert not server.envoys("default/second")
        await server.says(r"Gateway default/second is gone", after=mark)
        assert (await get(second, "second.example.com")).status == 0
    seen.assert_good()


async def test_a_gateway_that_is_deleted_and_comes_back_is_announced_again(server: Server) -> None:
    port = free_port()
    for _ in range(2):
        mark = len(server.lines)
        serve(server.folder, "back", port)
        await server.says(rf"^ +curl .*back.example.com.* http://{FIRST}:{port}/", after=mark)
        await until_status(f"http://{FIRST}:{port}/", "back.example.com", 200)
        (server.folder / "back.yaml").unlink()
        await server.says(r"Gateway default/back is gone", after=mark)


async def test_the_first_route_of_a_gateway_that_had_none_brings_its_curl_line(server: Server) -> None:
    port, mark = free_port(), len(server.lines)
    write(server.folder / "bare.yaml", gateway("bare", port))
    await server.says(rf"^Gateway default/bare is served on {FIRST}; no route is attached to it yet\.$", after=mark)
    serve(server.folder, "bare", port)
    await server.says(rf"^ +curl .*bare.example.com.* http://{FIRST}:{port}/", after=mark)
    (server.folder / "bare.yaml").unlink()
    await server.says(r"Gateway default/bare is gone", after=mark)


async def test_a_port_that_another_program_holds_is_told_and_served_once_it_is_free(server: Server) -> None:
    taken, free, mark = free_port(), free_port(), len(server.lines)
    async with traffic(steady(server), "steady.example.com") as seen:
        with socket.socket() as holder:
            holder.bind((FIRST, taken))
            holder.listen()
            serve(server.folder, "blocked", taken, free)
            told = await server.says(r".*another program holds.*", after=mark)
            assert f"Gateway default/blocked: port {taken} is not served" in told[0]
            assert f"another program holds {FIRST}:{taken}; stop that program or choose another port" in told[0]
            await server.says(rf"^ +curl .*blocked.example.com.*:{free}/", after=mark)
            await until_status(f"http://{FIRST}:{free}/", "blocked.example.com", 200)
        freed = monotonic()
        await until_status(f"http://{FIRST}:{taken}/", "blocked.example.com", 200)
        print(f"served {monotonic() - freed:.1f} s after it was freed")
        await server.says(rf"^ +curl .*blocked.example.com.*:{taken}/", after=mark)
        (server.folder / "blocked.yaml").unlink()
        await server.says(r"Gateway default/blocked is gone", after=mark)
    seen.assert_good()
    said = "\n".join(server.lines[mark:])
    assert said.count("another program holds") == 1, said
    assert "Traceback" not in said


async def test_an_envoy_that_is_killed_is_back_soon_and_the_other_one_never_fails(server: Server) -> None:
    port, mark = free_port(), len(server.lines)
    serve(server.folder, "killed", port)
    url = f"http://{FIRST}:{port}/"
    await until_status(url, "killed.example.com", 200)
    async with traffic(steady(server), "steady.example.com") as seen:
        for _ in range(2):
            (pid,) = server.envoys("default/killed")
            begun = monotonic()
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: not alive(pid), "it is gone")
            await until_status(url, "killed.example.com", 200)
            print(f"killed Envoy serves again after {1000 * (monotonic() - begun):.0f} ms")
        told = await server.says(r"envoy ended, starting it again.*", after=mark)
        assert re.search(r"gateway=default/killed .*SIGKILL", told[0])
        (server.folder / "killed.yaml").unlink()
        await server.says(r"Gateway default/killed is gone", after=mark)
        await seen.more()
    seen.assert_good()
