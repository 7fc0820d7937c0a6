"""Files that are saved in parts, put in place of others, emptied or deleted, while requests go on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
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

QUIET_SECONDS = 0.4
"""The next part of a file comes sooner, or it may be taken for all there is: after half a second."""


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


async def _in_parts(file: Path, text: str, *ends: int) -> float:
    """Truncates the file, and writes up to each of these places; the longest that the file was left alone meanwhile."""
    left, longest = monotonic(), 0.0
    with file.open("w", encoding="utf-8") as opened:
        written = 0
        for end in (*ends, len(text)):
            await asyncio.sleep(0.15)
            left, before = monotonic(), left
            opened.write(text[written:end])
            opened.flush()
            longest = max(longest, monotonic() - before)
            written = end
    return longest


async def _costs_no_request(save: Callable[[], Awaitable[float]], base: str, *names: str) -> None:
    """Saves under traffic to these routes. Where the machine held up the saving itself, that shows nothing: again."""
    for _ in range(30):
        async with AsyncExitStack() as stack:
            seen = [await stack.enter_async_context(traffic(f"{base}/{name}", f"{name}.example.com")) for name in names]
            longest = await save()
            await asyncio.sleep(0.7)
        if longest < QUIET_SECONDS:
            for one in seen:
                one.assert_good()
            return
        for name in names:
            await until_status(f"{base}/{name}", f"{name}.example.com", 200)
    pytest.fail("the machine is too busy to save a file")


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
async def test_a_file_saved_in_parts_costs_no_request(server: Server, base: str, parts: int) -> None:
    file = server.folder / "all.yaml"
    text = f"# saved in {parts}\n" + yaml.safe_dump_all(yaml.safe_load_all(file.read_text("utf-8")), sort_keys=False)
    ends = [len(text) * part // parts for part in range(1, parts)]
    await _costs_no_request(lambda: _in_parts(file, text, *ends), base, "c", "a")


async def test_a_file_that_is_moved_away_and_written_anew_costs_no_request(server: Server, base: str) -> None:
    """As vim does it, which writes its backup first."""
    file = server.folder / "all.yaml"
    text = file.read_text("utf-8")

    async def save() -> float:
        left = monotonic()
        backup = file.rename(file.with_name("all.yaml~"))
        await asyncio.sleep(0.15)
        file.write_text(text, "utf-8")
        longest = monotonic() - left
        backup.unlink()
        return longest

    await _costs_no_request(save, base, "c")


async def test_other_files_do_not_wait(server: Server, base: str) -> None:
    file = server.folder / "other.yaml"
    text, served = file.read_text("utf-8"), asyncio.Event()

    async def save() -> None:
        with file.open("w", encoding="utf-8") as opened:
            while not served.is_set():
                opened.write("# more is to come\n")
                opened.flush()
                await asyncio.sleep(0.15)
            opened.write(text)

    async with asyncio.TaskGroup() as group:
        group.create_task(save())
        await asyncio.sleep(0.2)
        write(server.folder / "new.yaml", route("new", "gw", "new.example.com"))
        try:
            await until_status(f"{base}/", "new.example.com", 200)
        finally:
            served.set()
    (server.folder / "new.yaml").unlink()


async def test_a_rule_that_is_taken_from_the_end_of_a_file_is_gone(server: Server, base: str) -> None:
    value = route("other", "gw", "other.example.com", path="/one")
    second = route("other", "gw", "other.example.com", path="/two")
    value["spec"]["rules"] += second["spec"]["rules"]
    write(server.folder / "other.yaml", value)
    await until_status(f"{base}/two", "other.example.com", 200)
    value["spec"]["rules"].pop()
    (server.folder / "other.yaml").write_text(yaml.safe_dump(value, sort_keys=False))
    await until_status(f"{base}/two", "other.example.com", 404)
    assert (await get(f"{base}/one", "other.example.com")).status == 200


async def test_a_file_that_is_emptied_or_deleted_is_gone_soon(server: Server, base: str) -> None:
    file = server.folder / "other.yaml"
    for take_away in (lambda: file.write_text(""), file.unlink):
        write(file, route("other", "gw", "other.example.com"))
        await until_status(f"{base}/", "other.example.com", 200)
        begun = monotonic()
        take_away()
        await until_status(f"{base}/", "other.example.com", 404)
        assert monotonic() - begun >= 0.5
