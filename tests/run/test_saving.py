"""Files that are saved in parts, put in place of others, emptied or deleted, while requests go on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio
import yaml

from tests.ports import free_port
from tests.run.files import gateway, route, service, write
from tests.run.process import Server
from tests.run.traffic import get, traffic, until_status

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 2.0
"""Within which what was meant is done, on the busiest of machines; on an idle one it takes little over half of one."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A Gateway on port 80, its routes and their backend in one file, and a route of its own in another."""
    folder = tmp_path_factory.mktemp("saving")
    running = Server(folder, port_offset=free_port() - 80)
    routes = [route(name, "gw", f"{name}.example.com", path=f"/{name}") for name in ("a", "b", "c")]
    write(folder / "all.yaml", *service(running.echo), gateway("gw", 80), *routes)
    write(folder / "other.yaml", route("other", "gw", "other.example.com"))
    async with running:
        await running.says("Try:")
        yield running


@pytest.fixture
def base(server: Server) -> str:
    return f"http://127.0.0.1:{80 + server.port_offset}"


async def _in_parts(file: Path, text: str, *ends: int) -> None:
    """Truncates the file, and writes up to each of these places."""
    with file.open("w", encoding="utf-8") as opened:
        written = 0
        for end in (*ends, len(text)):
            await asyncio.sleep(0.15)
            opened.write(text[written:end])
            opened.flush()
            written = end


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
async def test_a_file_saved_in_parts_costs_no_request(server: Server, base: str, parts: int) -> None:
    file = server.folder / "all.yaml"
    text = f"# saved in {parts}\n" + yaml.safe_dump_all(yaml.safe_load_all(file.read_text("utf-8")), sort_keys=False)
    ends = [len(text) * part // parts for part in range(1, parts)]
    async with traffic(f"{base}/c", "c.example.com") as last, traffic(f"{base}/a", "a.example.com") as first:
        await _in_parts(file, text, *ends)
        await asyncio.sleep(0.7)
    last.assert_good()
    first.assert_good()


async def test_a_file_that_is_moved_away_and_written_anew_costs_no_request(server: Server, base: str) -> None:
    """As vim does it, which writes its backup first."""
    file = server.folder / "all.yaml"
    text = file.read_text("utf-8")
    async with traffic(f"{base}/c", "c.example.com") as seen:
        backup = file.rename(file.with_name("all.yaml~"))
        await asyncio.sleep(0.15)
        file.write_text(text, "utf-8")
        backup.unlink()
        await asyncio.sleep(0.7)
    seen.assert_good()


async def test_other_files_do_not_wait(server: Server, base: str) -> None:
    text = (server.folder / "all.yaml").read_text("utf-8")
    saving = asyncio.create_task(_in_parts(server.folder / "all.yaml", text, *(range(0, len(text), len(text) // 8))))
    await asyncio.sleep(0.2)
    write(server.folder / "new.yaml", route("new", "gw", "new.example.com"))
    await until_status(f"{base}/", "new.example.com", 200, seconds=SECONDS)
    assert not saving.done()
    await saving
    (server.folder / "new.yaml").unlink()


async def test_a_rule_that_is_taken_from_the_end_of_a_file_is_gone(server: Server, base: str) -> None:
    value = route("other", "gw", "other.example.com", path="/one")
    second = route("other", "gw", "other.example.com", path="/two")
    value["spec"]["rules"] += second["spec"]["rules"]
    write(server.folder / "other.yaml", value)
    await until_status(f"{base}/two", "other.example.com", 200)
    value["spec"]["rules"].pop()
    (server.folder / "other.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
    await until_status(f"{base}/two", "other.example.com", 404, seconds=SECONDS)
    assert (await get(f"{base}/one", "other.example.com")).status == 200


async def test_a_file_that_is_emptied_or_deleted_is_gone_soon(server: Server, base: str) -> None:
    file = server.folder / "other.yaml"
    for take_away in (lambda: file.write_text(""), file.unlink):
        write(file, route("other", "gw", "other.example.com"))
        await until_status(f"{base}/", "other.example.com", 200)
        begun = monotonic()
        take_away()
        await until_status(f"{base}/", "other.example.com", 404, seconds=SECONDS)
        assert monotonic() - begun >= 0.5
