"""Real Envoys under supervision: started, started again, ended in order, never left behind."""

import asyncio
import json
import os
import platform
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.ports import free_port
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.infra.binding import Port, Socket, Unavailable
from xds_server.model.meta import Key
from xds_server.shell import envoy as shell_envoy
from xds_server.shell.envoy import (
    EnvoyOptions,
    EnvoyUnavailableError,
    Supervisor,
    envoy_version,
    find_envoy,
    unavailable,
)

WEB = Key("shop", "web")


def config(gateway: Key = WEB, **changes: Any) -> dict[str, Any]:
    """A bootstrap whose control plane does not exist: Envoy runs and keeps trying."""
    given = {"gateway": gateway, "pod": "local", "ads_host": "127.0.0.1", "ads_port": 9}
    return to_json(bootstrap(BootstrapOptions(**(given | changes))))


def options(**changes: Any) -> EnvoyOptions:
    return EnvoyOptions(envoy=find_envoy(), concurrency=1, **changes)


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    async with Supervisor(options(access_logs=tmp_path)) as value:
        yield value


async def until(condition: Callable[[], Any], seconds: float = 45.0) -> float:
    """Waits for something that has no event of its own; the seconds it took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it never came"
        await asyncio.sleep(0.01)
    return time.monotonic() - start


def runs(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def server_info(supervisor: Supervisor, gateway: Key = WEB) -> dict[str, Any]:
    """What the Envoy's admin endpoint says of it."""
    await until(lambda: supervisor.statuses()[gateway].admin)
    async with aiohttp.ClientSession() as client:
        response = await client.get(f"http://{supervisor.statuses()[gateway].admin}/server_info")
        value: dict[str, Any] = await response.json(content_type=None)
        return value


async def test_it_runs_with_its_bootstrap_and_options(supervisor: Supervisor) -> None:
    before = time.time()
    await supervisor.ensure(WEB, config())
    status = supervisor.statuses()[WEB]
    assert status.pid is not None
    assert before <= status.since <= time.time()
    assert (status.restarts, status.last_exit) == (0, "")
    info = await server_info(supervisor)
    assert info["node"]["id"] == "gateway~local.shop"
    given = info["command_line_options"]
    assert (given["concurrency"], given["disable_hot_restart"], given["drain_time"]) == (1, True, "10s")
    hard = Path(f"/proc/{status.pid}/limits").read_text().partition("Max open files")[2].split()
    assert hard[0] == hard[1]
    assert os.getsid(status.pid) != os.getsid(0)
    assert supervisor.folder.stat().st_mode & 0o077 == 0


async def test_after_kill_9_it_is_back(supervisor: Supervisor) -> None:
    other = Key("shop", "other")
    await asyncio.gather(supervisor.ensure(WEB, config()), supervisor.ensure(other, config(other)))
    await server_info(supervisor)
    killed, bystander = supervisor.statuses()[WEB].pid, supervisor.statuses()[other].pid
    assert killed is not None
    with capture_logs() as lines:
        os.kill(killed, signal.SIGKILL)
        await until(lambda: supervisor.statuses()[WEB].restarts == 1)
        await until(lambda: supervisor.statuses()[WEB].admin)
    status = supervisor.statuses()[WEB]
    assert status.pid not in {killed, None}
    assert status.last_exit == "killed by SIGKILL"
    assert not Path(f"/proc/{killed}").exists(), "a zombie is left"
    assert supervisor.statuses()[other].pid == bystander
    assert [line for line in lines if line["log_level"] == "warning"] == [
        {
            "event": "envoy ended, starting it again",
            "gateway": "shop/web",
            "reason": "killed by SIGKILL",
            "seconds": 0.1,
            "log_level": "warning",
        }
    ]


async def test_an_envoy_that_keeps_ending_is_started_ever_more_rarely(supervisor: Supervisor) -> None:
    with capture_logs() as lines:
        await supervisor.ensure(WEB, {"node": {"id": "x"}, "no_such_field": 1})
        await until(lambda: sum("seconds" in line for line in lines) >= 3)
    assert [line["seconds"] for line in lines if "seconds" in line][:3] == [0.1, 0.2, 0.4]
    assert {line["reason"] for line in lines if "reason" in line} == {"exit code 1"}
    said = [line for line in lines if line.get("source", "").startswith("envoy")]
    assert any("no_such_field" in line["event"] and line["gateway"] == "shop/web" for line in said)
    assert all("\n" not in line["event"] for line in said)


async def test_its_words_are_log_lines_with_level_and_source() -> None:
    with capture_logs() as lines:
        async with Supervisor(options(log_level="info")) as supervisor:
            await supervisor.ensure(WEB, config())
            await until(lambda: any("starting main dispatch loop" in line["event"] for line in lines))
    (line,) = [line for line in lines if line["event"].startswith("runtime: layers:")]
    assert (line["log_level"], line["source"], line["gateway"]) == ("info", "envoy/main", "shop/web")
    assert "\\n" in line["event"]
    assert "\n" not in line["event"]
    assert not any("SIGTERM" in line["event"] for line in lines), "what we did ourselves is no news"


async def test_ensure_again_changes_nothing_unless_the_bootstrap_did(supervisor: Supervisor) -> None:
    await supervisor.ensure(WEB, config())
    first = supervisor.statuses()[WEB].pid
    await supervisor.ensure(WEB, config())
    assert supervisor.statuses()[WEB].pid == first
    await supervisor.ensure(WEB, config(pod="renamed"))
    assert supervisor.statuses()[WEB].pid != first
    assert first is not None
    assert not Path(f"/proc/{first}").exists()
    assert (await server_info(supervisor))["node"]["id"] == "gateway~renamed.shop"


async def test_remove_and_close_leave_nothing(supervisor: Supervisor) -> None:
    other = Key("shop", "other")
    await supervisor.ensure(WEB, config())
    await supervisor.ensure(other, config(other))
    pids = [status.pid for status in supervisor.statuses().values()]
    folder = supervisor.folder
    await supervisor.remove(WEB)
    assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False, True]
    assert list(supervisor.statuses()) == [other]
    await supervisor.remove(WEB)
    await supervisor.close()
    assert [Path(f"/proc/{pid}").exists() for pid in pids] == [False, False]
    assert not folder.exists()
    await supervisor.close()


async def test_an_envoy_that_ignores_sigterm_is_killed() -> None:
    async with Supervisor(options(stop_seconds=0.2)) as supervisor:
        await supervisor.ensure(WEB, config())
        pid = supervisor.statuses()[WEB].pid
        assert pid is not None
        await server_info(supervisor)
        os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        await supervisor.close()
        assert 0.2 <= time.monotonic() - start < 30
        assert not Path(f"/proc/{pid}").exists()


async def test_cancelling_what_uses_it_ends_the_envoys() -> None:
    pids: list[int | None] = []

    async def use() -> None:
        async with Supervisor(options()) as supervisor:
            await supervisor.ensure(WEB, config())
            pids.append(supervisor.statuses()[WEB].pid)
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await until(lambda: pids)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pids[0]}").exists()


async def test_what_cannot_be_started_is_reported_and_tried_again(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    async with Supervisor(options(access_logs=blocked / "below-a-file")) as supervisor:
        await supervisor.ensure(WEB, config())
        status = supervisor.statuses()[WEB]
        assert status.pid is None
        assert status.last_exit.startswith("cannot be started: ")
        blocked.unlink()
        await until(lambda: supervisor.statuses()[WEB].pid)


async def test_access_log_files(tmp_path: Path) -> None:
    """What Envoy writes to its standard output is in the Gateway's file, also after a restart."""
    port = free_port()
    value = config() | {"static_resources": listener_with_access_log(port)}
    del value["staticResources"], value["dynamicResources"]
    async with Supervisor(options(access_logs=tmp_path / "logs")) as supervisor, aiohttp.ClientSession() as client:
        await supervisor.ensure(WEB, value)
        file = tmp_path / "logs" / "shop_web.log"
        for path in ("/first", "/second"):
            await until(lambda: listens(port))
            async with client.get(f"http://127.0.0.1:{port}{path}", headers={"connection": "close"}) as response:
                assert response.status == 204
            await until(lambda path=path: f"{path}\n" in file.read_text())
            pid = supervisor.statuses()[WEB].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: supervisor.statuses()[WEB].pid not in {pid, None})
        assert file.read_text() == "/first\n/second\n"


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def listener_with_access_log(port: int) -> dict[str, Any]:
    extension = "type.googleapis.com/envoy.extensions"
    log = {
        "@type": f"{extension}.access_loggers.stream.v3.StdoutAccessLog",
        "log_format": {"text_format_source": {"inline_string": "%PATH%\n"}},
    }
    manager = {
        "@type": f"{extension}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "access_log": [{"name": "stdout", "typed_config": log}],
        "access_log_options": {"access_log_flush_interval": "0.1s"},
        "http_filters": [{"name": "r", "typed_config": {"@type": f"{extension}.filters.http.router.v3.Router"}}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
                }
            ]
        },
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    filters = [{"name": "http", "typed_config": manager}]
    return {"listeners": [{"name": "x", "address": address, "filter_chains": [{"filters": filters}]}]}


PARENT = """
import asyncio, json, os, signal, sys, time
from pathlib import Path
from xds_server.model.meta import Key
from xds_server.shell.envoy import EnvoyOptions, Supervisor, find_envoy
from xds_server.shell import logs

logs.configure()

async def main():
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    supervisor = Supervisor(EnvoyOptions(envoy=find_envoy(), concurrency=1))
    await supervisor.ensure(Key("shop", "web"), json.loads(sys.stdin.read()))
    while not supervisor.statuses()[Key("shop", "web")].admin:
        await asyncio.sleep(0.01)
    before = supervisor.statuses()[Key("shop", "web")]
    print(before.pid, supervisor.folder, flush=True)
    await interrupted.wait()
    await asyncio.sleep(0.3)
    after = supervisor.statuses()[Key("shop", "web")]
    print("untouched" if after == before else after, flush=True)
    await supervisor.close()
    print("gone" if not Path(f"/proc/{before.pid}").exists() else "left", flush=True)

asyncio.run(main())
"""


@pytest.fixture
async def parent() -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that supervises an Envoy, as the leader of its own process group."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(config()).encode())
    process.stdin.close()
    yield process
    if process.returncode is None:
        process.kill()
        await process.wait()


async def its_envoy(parent: asyncio.subprocess.Process) -> tuple[int, Path]:
    """The pid of the Envoy of that process, and its folder."""
    assert parent.stdout is not None
    pid, folder = (await asyncio.wait_for(parent.stdout.readline(), 60)).decode().split()
    return int(pid), Path(folder)


async def test_kill_9_of_the_parent_ends_its_envoy(parent: asyncio.subprocess.Process) -> None:
    pid, folder = await its_envoy(parent)
    assert runs(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not runs(pid))
    assert folder.exists()
    async with Supervisor(options()) as supervisor:
        assert not folder.exists(), "the folder of a dead process was left"
        async with Supervisor(options()):
            assert supervisor.folder.exists(), "the folder of a living process was removed"


async def test_ctrl_c_reaches_the_parent_first(parent: asyncio.subprocess.Process) -> None:
    pid, folder = await its_envoy(parent)
    assert parent.stdout is not None
    os.killpg(parent.pid, signal.SIGINT)
    said = await asyncio.wait_for(parent.stdout.read(), 60)
    assert await parent.wait() == 0
    assert said.decode().split() == ["untouched", "gone"]
    assert not runs(pid)
    assert not folder.exists()


async def test_version() -> None:
    assert (await envoy_version(find_envoy())).startswith("1.40.")


@pytest.mark.parametrize(("program", "fault"), [("/bin/echo", "is not an Envoy"), ("/no/such", "cannot be run")])
async def test_what_is_no_envoy(program: str, fault: str) -> None:
    with pytest.raises(EnvoyUnavailableError, match=f"^{program} {fault}"):
        await envoy_version(Path(program))


def test_the_given_envoy_is_used(tmp_path: Path) -> None:
    given = tmp_path / "my-envoy"
    with pytest.raises(EnvoyUnavailableError, match=r"--envoy .*my-envoy: there is no executable file"):
        find_envoy(given)
    given.write_text("")
    with pytest.raises(EnvoyUnavailableError):
        find_envoy(given)
    given.chmod(0o755)
    assert find_envoy(given) == given
    with pytest.raises(EnvoyUnavailableError):
        find_envoy(tmp_path)


@pytest.mark.parametrize(
    ("system", "machine", "advice"),
    [
        ("Linux", "x86_64", r"pip install 'xds-server\[local\]'"),
        ("Darwin", "arm64", "no Envoy for Darwin arm64; give one with --envoy"),
    ],
)
def test_no_envoy_package(monkeypatch: pytest.MonkeyPatch, system: str, machine: str, advice: str) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(EnvoyUnavailableError, match=advice):
        find_envoy()


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_sockets_that_something_holds(protocol: str) -> None:
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("0.0.0.0", 0))
        if protocol == "TCP":
            other.listen()
        held = Socket("127.0.0.1", Port(other.getsockname()[1], protocol))
        assert unavailable(held) is Unavailable.IN_USE
    assert unavailable(held) is None


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_addresses_that_this_machine_does_not_have(address: str) -> None:
    assert unavailable(Socket(address, Port(18_080))) is Unavailable.NO_ADDRESS


def test_temporary_folders_are_where_the_system_keeps_them() -> None:
    folder = shell_envoy._PrivateFolder()
    try:
        assert folder.path.parent == Path(tempfile.gettempdir())
    finally:
        folder.remove()
        folder.remove()
    assert not folder.path.exists()
