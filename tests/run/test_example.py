"""The example that `make run` runs, from its first line of output to edits of its files."""

import asyncio
import itertools
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.run.process import Server, until
from tests.run.traffic import get, traffic, until_status

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLE = Path(__file__).parents[2] / "examples" / "istio-task"
HOST = "httpbin.example.com"
EDIT_SECONDS = 2.0
"""Within which an edit must be served, unless the machine was busy just then."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """The example, served; its backend's port and the shift of port 80 are free ones."""
    folder = tmp_path_factory.mktemp("run") / "istio-task"
    shutil.copytree(EXAMPLE, folder)
    running = Server(folder, port_offset=free_port() - 80)
    port = running.echo.rpartition(":")[2]
    for name in ("httpbin.yaml", "httproute.yaml"):
        file = folder / name
        text, count = re.subn(r"port: 8000\b", f"port: {port}", file.read_text("utf-8"))
        assert count, name
        file.write_text(text, "utf-8")
    async with running:
        await running.says("Try:\n +curl .*")
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def folder(server: Server, base: str) -> AsyncIterator[Path]:
    """The folder that is served; afterwards it is as it was, and so is what is served."""
    before = {file: file.read_text("utf-8") for file in server.folder.iterdir()}
    yield server.folder
    for file in set(server.folder.iterdir()) - set(before):
        file.unlink()
    for file, text in before.items():
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
    await until(lambda: _as_at_first(server, base), "the example is served as at first")


async def _as_at_first(server: Server, base: str) -> bool:
    return await added_header(base) == "added-value" and not (await server.debug("/debug/faults"))["faults"]


@pytest.fixture(scope="module")
def base(server: Server) -> str:
    """The URL of the Gateway's port 80."""
    return f"http://127.0.0.1:{80 + server.port_offset}"


async def curl(line: str) -> str:
    """What the command prints, run as it stands but for options that keep it quiet."""
    command, *arguments = shlex.split(line)
    assert command == "curl"
    process = await asyncio.create_subprocess_exec(
        "curl", "-s", "--noproxy", "*", "--max-time", "10", *arguments,
        stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, line
    return said.decode()


async def test_the_printed_curl_line_does_what_the_task_page_says(server: Server, base: str) -> None:
    line = (await server.says(r"^ +(curl .*)$"))[1]
    assert line == f'curl -H "Host: {HOST}" {base}/get'
    told = json.loads(await curl(line))
    assert told["path"] == "/get"
    assert told["headers"]["My-Added-Header"] == "added-value"
    head = (await curl(line.replace("curl", "curl -I"))).split("\r\n")
    assert head[0] == "HTTP/1.1 200 OK"
    assert "server: istio-envoy" in head


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [("/get", 0, "200 from a backend, as predicted"), ("/headers", 1, "404 from Envoy itself, as predicted")],
)
async def test_what_is_explained_is_what_is_served(
    server: Server, base: str, path: str, status: int, told: str
) -> None:
    """The same files, asked from outside: the request goes to where `run` serves the Gateway."""
    await until_status(f"{base}/get", HOST, 200)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "xds_server", "explain", f"http://{HOST}{path}", str(server.folder), "--send",
        "--port-offset", str(server.port_offset), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert said.decode().splitlines()[-1] == f"sent to {base.removeprefix('http://')}: {told}"
    assert process.returncode == status


async def test_other_paths_and_hosts_are_not_found(base: str) -> None:
    for arguments in (f'-H "Host: {HOST}" {base}/headers', f'-H "Host: other.example.com" {base}/get'):
        head = (await curl(f"curl -I {arguments}")).split("\r\n")
        assert head[0] == "HTTP/1.1 404 Not Found"
        assert "server: istio-envoy" in head
        assert (await curl(f"curl -i {arguments}")).startswith("HTTP/1.1 404 Not Found")


async def added_header(base: str) -> str:
    """The header that the route adds, as the backend got it; empty where it answers no 200."""
    answer = await get(f"{base}/get", HOST)
    return str(answer.told["headers"].get("My-Added-Header")) if answer.status == 200 else ""


async def edited(file: Path, old: str, new: str) -> None:
    """Replaces text in a file, as an editor does that writes it in place."""
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


async def test_an_edit_is_served_within_a_fraction_of_a_second(folder: Path, base: str) -> None:
    values = ["added-value", *(f"edit-{number}" for number in range(5))]
    taken = []
    for old, new in itertools.pairwise(values):
        begun = monotonic()
        await edited(folder / "httproute.yaml", old, new)

        async def served(new: str = new) -> bool:
            return await added_header(base) == new

        await until(served, f"{new} is served")
        taken.append(monotonic() - begun)
    assert min(taken) < EDIT_SECONDS
    print("edit to new behaviour, ms:", *(f"{1000 * seconds:.0f}" for seconds in taken))


async def test_a_file_that_stops_parsing_is_told_and_its_last_good_state_serves_on(
    server: Server, folder: Path, base: str
) -> None:
    file = folder / "httproute.yaml"
    good, mark = file.read_text("utf-8"), len(server.lines)
    broken_line = next(number for number, line in enumerate(good.splitlines(), 1) if "value: /get" in line)
    async with traffic(f"{base}/get", HOST) as seen:
        file.write_text(good.replace("value: /get", "value: [/get"), "utf-8")
        told = await server.says(rf"{re.escape(str(file))}:(\d+)(?::\d+)?: (.+)", after=mark)
        assert broken_line <= int(told[1]) <= broken_line + 2, told[0]
        assert told[2].strip()
        await seen.more()
        file.write_text(good.replace("added-value", "mended"), "utf-8")

        async def mended() -> bool:
            return await added_header(base) == "mended"

        await until(mended, "the mended file is served")
        await server.says(rf"fault mended .*{re.escape(str(file))}", after=mark)
        await seen.more()
    seen.assert_good()
    assert "Traceback" not in server.output


async def test_a_value_that_the_api_forbids_is_told_with_its_field(server: Server, folder: Path, base: str) -> None:
    file = folder / "httproute.yaml"
    good, mark = file.read_text("utf-8"), len(server.lines)
    async with traffic(f"{base}/get", HOST) as seen:
        file.write_text(good.replace("value: /get", "value: get"), "utf-8")
        told = await server.says(rf"{re.escape(str(file))}:\d+.*", after=mark)
        assert "HTTPRoute default/http" in told[0]
        assert "spec.rules[0].matches[0].path.value" in told[0]
        await seen.more()
        file.write_text(good, "utf-8")
        await server.says("fault mended", after=mark)
    seen.assert_good()


async def test_a_backend_that_is_missing_is_told_and_so_is_that_it_is_there_again(
    server: Server, folder: Path, base: str
) -> None:
    mark = len(server.lines)
    await edited(folder / "httproute.yaml", "name: httpbin", "name: missing")
    told = await server.says(r"not good .*HTTPRoute default/http.*", after=mark)
    assert "BackendNotFound" in told[0]
    await until_status(f"{base}/get", HOST, 500)
    await edited(folder / "httproute.yaml", "name: missing", "name: httpbin")
    await server.says(r"good again .*HTTPRoute default/http", after=mark)
    await until_status(f"{base}/get", HOST, 200)


async def test_an_unknown_kind_is_no_fault(server: Server, folder: Path, base: str) -> None:
    mark = len(server.lines)
    widget = folder / "widget.yaml"
    widget.write_text("apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: one}\n", "utf-8")
    # What comes after it in the same folder shows that it has been read.
    await edited(folder / "httproute.yaml", "added-value", "beside-a-widget")

    async def served() -> bool:
        return await added_header(base) == "beside-a-widget"

    await until(served, "the edit beside it is served")
    await until(lambda: ignored(server), "it is among what was ignored")
    assert not (await server.debug("/debug/faults"))["faults"]
    assert "[error" not in "\n".join(server.lines[mark:])


async def ignored(server: Server) -> bool:
    """Whether the admin endpoint tells that the Widget was passed over."""
    return "example.org/v1 Widget one" in (await server.debug("/debug/faults"))["ignored"]


async def test_debug_pages_and_probes_answer(server: Server) -> None:
    assert await server.page("/healthz") == (200, "ok\n")
    assert await server.page("/readyz") == (200, "ready\n")
    status, text = await server.page("/metrics")
    assert status == 200
    assert "# TYPE" in text
    (client,) = (await server.debug("/debug/clients"))["clients"]
    assert client["gateway"] == "istio-ingress/gateway"
    dump = await server.debug(f"/debug/config_dump?node={client['node']}")
    assert f'"{HOST}"' in json.dumps(dump)
    explained = await server.debug("/debug/explain?resource=routes/http-80")
    assert "httproutes" in json.dumps(explained)
    assert (await server.debug("/debug/tables"))["tables"]
    statuses = await server.debug("/debug/status?kind=Gateway")
    assert "Programmed" in json.dumps(statuses)


async def test_a_deleted_file_is_no_longer_served_and_is_again_once_it_is_back(folder: Path, base: str) -> None:
    file = folder / "httproute.yaml"
    text = file.read_text("utf-8")
    file.unlink()
    gone = await until_status(f"{base}/get", HOST, 404)
    file.write_text(text, "utf-8")
    back = await until_status(f"{base}/get", HOST, 200)
    print(f"deleted: {1000 * gone:.0f} ms, back: {1000 * back:.0f} ms")
