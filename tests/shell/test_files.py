"""Files as a source of batches: a real folder, a real watcher."""

import asyncio
import shutil
import time
from contextlib import asynccontextmanager

import pytest

from xds_server.shell import files as module
from xds_server.shell import watch as watch_module
from xds_server.shell.files import FileSource, read

SECONDS = 30.0
RESCAN_SECONDS = 120.0


def config(name, value="x"):
    return f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: "{value}"}}\n'


class Follower:
    """What a consumer of batches knows."""

    def __init__(self, batches):
        self._batches = batches
        self.values = {}
        self.faults = ()
        self.count = 0

    async def next(self):
        async with asyncio.timeout(SECONDS):
            batch = await anext(self._batches)
        assert not {key for _, key, _ in batch.upserts} & {key for _, key in batch.removals}
        for _, key, value in batch.upserts:
            self.values[key.name] = value.data["a"]
        for _, key in batch.removals:
            del self.values[key.name]
        self.faults, self.count = batch.faults, self.count + 1
        return batch

    async def until(self, **values):
        while self.values != values:
            await self.next()

    async def quiet(self, seconds=0.2):
        """Nothing is said for a while. Ends the following, as an iterator that was cancelled is over."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await anext(self._batches)


@asynccontextmanager
async def following(*paths, **options):
    batches = FileSource(paths, **{"rescan_seconds": RESCAN_SECONDS, **options}).batches()
    follower = Follower(batches)
    try:
        yield follower
    finally:
        await batches.aclose()


def test_read_once(tmp_path):
    (tmp_path / "b.yaml").write_text(config("two"))
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}')
    (tmp_path / "c.yaml").write_text("a: [")
    objects, faults = read([tmp_path])
    assert [value.metadata.name for value in objects] == ["one", "two"]
    assert [fault.file for fault in faults] == [str(tmp_path / "c.yaml")]


def test_read_checks_what_it_is_told_to(tmp_path):
    (tmp_path / "a.yaml").write_text(config("A_b"))
    assert [fault.field for fault in read([tmp_path])[1]] == ["metadata.name"]
    [value], faults = read([tmp_path], check=lambda _: ())
    assert (value.metadata.name, faults) == ("A_b", [])


async def test_everything_first_then_changes(tmp_path):
    (tmp_path / "a.yaml").write_text(config("one"))
    (tmp_path / "b.yaml").write_text(config("two"))
    async with following(tmp_path) as follower:
        await follower.next()
        assert follower.values == {"one": "x", "two": "x"}
        (tmp_path / "a.yaml").write_text(config("one", "new"))
        batch = await follower.next()
        assert [key.name for _, key, _ in batch.upserts] == ["one"]
        (tmp_path / "c.yaml").write_text(config("three"))
        await follower.until(one="new", two="x", three="x")
        (tmp_path / "b.yaml").unlink()
        await follower.until(one="new", three="x")


async def test_an_empty_folder_is_an_empty_batch_at_once(tmp_path):
    async with following(tmp_path) as follower:
        batch = await follower.next()
        assert (batch.upserts, batch.removals, batch.faults) == ((), (), ())


async def test_a_change_during_the_first_look_is_not_missed(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text(config("one"))
    original = module.FileSet.rescan

    def rescan(self, until):
        batch = original(self, until)
        (tmp_path / "a.yaml").write_text(config("one", "late"))
        return batch

    monkeypatch.setattr(module.FileSet, "rescan", rescan)
    async with following(tmp_path) as follower:
        await follower.until(one="late")


async def test_what_does_not_parse_keeps_serving_and_says_where(tmp_path):
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path) as follower:
        await follower.next()
        (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: [\n")
        await follower.next()
        assert follower.values == {"one": "x"}
        assert [(fault.file, fault.line) for fault in follower.faults] == [(str(tmp_path / "a.yaml"), 2)]
        (tmp_path / "a.yaml").write_text(config("one", "new"))
        await follower.until(one="new")
        assert follower.faults == ()


async def test_editors_that_put_a_new_file_in_place(tmp_path):
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path) as follower:
        await follower.next()
        for value in ("first", "second"):
            (tmp_path / ".a.yaml.tmp").write_text(config("one", value))
            (tmp_path / ".a.yaml.tmp").replace(tmp_path / "a.yaml")
            batch = await follower.next()
            assert follower.values == {"one": value}
            assert batch.removals == ()


async def test_editors_that_move_the_old_file_away_and_write_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUIET_SECONDS", 20.0)
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path) as follower:
        await follower.next()
        (tmp_path / "a.yaml").rename(tmp_path / "a.yaml~")
        await asyncio.sleep(0.02)
        (tmp_path / "a.yaml").write_text(config("one", "new"))
        batch = await follower.next()
        assert (follower.values, batch.removals) == ({"one": "new"}, ())


async def test_a_file_saved_in_parts_loses_nothing_and_others_do_not_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "QUIET_SECONDS", 20.0)
    file, text = tmp_path / "a.yaml", config("one") + "---\n" + config("two")
    file.write_text(text)
    (tmp_path / "b.yaml").write_text(config("three"))
    async with following(tmp_path) as follower:
        await follower.next()
        removed = []
        for part, other in (("", "first"), (text[:30], "second"), (text[: len(config("one"))], "third")):
            file.write_text(part)
            (tmp_path / "b.yaml").write_text(config("three", other))
            begun = time.monotonic()
            while follower.values["three"] != other:
                removed += (await follower.next()).removals
            assert time.monotonic() - begun < module.QUIET_SECONDS / 2
            await asyncio.sleep(0.15)
        file.write_text(text.replace("x", "new"))
        while follower.values != {"one": "new", "two": "new", "three": "third"}:
            removed += (await follower.next()).removals
        assert removed == []


async def test_what_is_emptied_or_deleted_is_gone_once_that_is_quiet(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(config(name))
    async with following(tmp_path) as follower:
        await follower.next()
        begun = time.monotonic()
        (tmp_path / "one.yaml").write_text("")
        await follower.until(two="x")
        (tmp_path / "two.yaml").unlink()
        await follower.until()
        assert 2 * module.QUIET_SECONDS <= time.monotonic() - begun < RESCAN_SECONDS / 2


async def test_a_broken_watch_lets_go_too(tmp_path, monkeypatch):
    async def awatch(*_, **__):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(watch_module, "awatch", awatch)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path) as follower:
        await follower.next()
        (tmp_path / "a.yaml").write_text("# nothing")
        await follower.until()


async def test_a_single_file_is_watched_through_replacement(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text(config("one"))
    (tmp_path / "b.yaml").write_text(config("other"))
    async with following(path) as follower:
        await follower.next()
        (tmp_path / "new").write_text(config("one", "new"))
        (tmp_path / "new").replace(path)
        await follower.until(one="new")
        path.write_text(config("one", "newer"))
        await follower.until(one="newer")
        path.unlink()
        await follower.until()
        while not follower.faults:
            await follower.next()
        path.write_text(config("one", "back"))
        await follower.until(one="back")


async def test_a_volume_of_a_config_map_gets_a_new_version(tmp_path):
    def version(number, value):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "a.yaml").write_text(config("one", value))
        (tmp_path / "..tmp").symlink_to(f"..{number}")
        (tmp_path / "..tmp").rename(tmp_path / "..data")

    version(1, "old")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    async with following(tmp_path) as follower:
        await follower.until(one="old")
        version(2, "new")
        shutil.rmtree(tmp_path / "..1")
        await follower.until(one="new")
        version(3, "newer")
        await follower.until(one="newer")


async def test_a_link_to_a_file_elsewhere(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real"
    target.write_text(config("one"))
    (tmp_path / "in" / "a.yaml").symlink_to(target)
    async with following(tmp_path / "in") as follower:
        await follower.until(one="x")
        await asyncio.sleep(0.05)  # where the link leads is watched from the second round on
        target.write_text(config("one", "new"))
        await follower.until(one="new")


async def test_folders_come_and_go(tmp_path):
    async with following(tmp_path) as follower:
        await follower.next()
        (tmp_path / "sub" / "deep").mkdir(parents=True)
        (tmp_path / "sub" / "deep" / "a.yaml").write_text(config("one"))
        await follower.until(one="x")
        (tmp_path / "sub" / "deep" / "a.yaml").write_text(config("one", "new"))
        await follower.until(one="new")
        shutil.rmtree(tmp_path / "sub")
        await follower.until()


async def test_a_given_folder_comes_goes_and_returns(tmp_path):
    folder = tmp_path / "in"
    async with following(folder) as follower:
        await follower.next()
        assert [fault.reason for fault in follower.faults] == ["there is no such file or folder"]
        folder.mkdir()
        (folder / "a.yaml").write_text(config("one"))
        await follower.until(one="x")
        folder.rename(tmp_path / "old")
        await follower.next()
        assert [fault.reason for fault in follower.faults] == ["there is no such file or folder"]
        await follower.until(one="x")
        folder.mkdir()
        (folder / "a.yaml").write_text(config("one", "back"))
        await follower.until(one="back")
        (folder / "a.yaml").write_text(config("one", "again"))
        await follower.until(one="again")


async def test_several_edits_at_once_are_one_batch(tmp_path):
    for number in range(20):
        (tmp_path / f"{number}.yaml").write_text(config(f"n{number}"))
    async with following(tmp_path) as follower:
        await follower.next()
        for number in range(20):
            (tmp_path / f"{number}.yaml").write_text(config(f"n{number}", "new"))
        await follower.until(**{f"n{number}": "new" for number in range(20)})
        assert follower.count <= 4


async def test_edits_that_say_nothing_new_say_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path) as follower:
        await follower.next()
        (tmp_path / "a.yaml").write_text("# a comment\n" + config("one"))
        (tmp_path / "notes.txt").write_text("hello")
        await follower.quiet()


async def test_a_field_that_no_kind_has_is_news_though_nothing_else_changed(tmp_path):
    route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: x}\nspec: {}\n"
    (tmp_path / "a.yaml").write_text(route)
    async with following(tmp_path) as follower:
        assert (await anext(follower._batches)).remarks == ()
        (tmp_path / "a.yaml").write_text(route.replace("{}", "{hosts: 1}"))
        [remark] = (await anext(follower._batches)).remarks
        assert (remark.field, remark.line) == ("spec.hosts", 4)


async def test_a_broken_watch_is_made_up_for_by_looking_again(tmp_path, monkeypatch):
    async def awatch(*_, **__):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(watch_module, "awatch", awatch)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path) as follower:
        await follower.next()
        (tmp_path / "a.yaml").write_text(config("one", "changed"))
        await follower.until(one="changed")


async def test_changes_that_were_not_reported_are_found_in_time(tmp_path, monkeypatch):
    async def awatch(*_, **__):
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(watch_module, "awatch", awatch)
    (tmp_path / "a.yaml").write_text(config("one"))
    async with following(tmp_path, rescan_seconds=0.01) as follower:
        await follower.next()
        (tmp_path / "a.yaml").write_text(config("one", "changed"))
        await follower.until(one="changed")


async def test_the_event_loop_goes_on_while_many_files_are_read(tmp_path):
    for number in range(1500):
        (tmp_path / f"{number}.yaml").write_text(config(f"n{number}"))
    turns = 0

    async def tick():
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    ticking = asyncio.create_task(tick())
    async with following(tmp_path) as follower:
        await follower.next()
    ticking.cancel()
    assert len(follower.values) == 1500
    assert turns > 20
