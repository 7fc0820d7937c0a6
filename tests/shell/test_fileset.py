"""Many files as one set of objects: what changed, whose object counts, which generation it is."""

import io
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xds_server.model import validate
from xds_server.model.meta import Key
from xds_server.shell import fileset as module
from xds_server.shell.fileset import FileSet
from xds_server.shell.scan import Roots

NOW = float("inf")


def config(name, value="x", **metadata):
    more = "".join(f", {key}: {text}" for key, text in metadata.items())
    return f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{more}}}\ndata: {{a: "{value}"}}\n'


class World:
    """A folder and its FileSet."""

    def __init__(self, folder):
        self.folder = folder
        self.set = FileSet(Roots([folder]), validate.faults)

    def write(self, name, *documents):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n".join(documents))
        return str(path)

    def changed(self, name, *documents):
        return self.set.changed([self.write(name, *documents)])

    def gone(self, name):
        (self.folder / name).unlink()
        return self.set.changed([str(self.folder / name)])

    def settle(self):
        return self.set.settle(NOW)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def upserted(batch):
    return {key.name: value.data["a"] for _, key, value in batch.upserts}


def removed(batch):
    return [key.name for _, key in batch.removals]


def nothing(batch):
    return not batch.upserts and not batch.removals


def reasons(batch, folder):
    return [str(fault).replace(f"{folder}/", "") for fault in batch.faults]


def generations(batch):
    return {key.name: value.metadata.generation for _, key, value in batch.upserts}


# Changes


def test_the_first_look_finds_everything_in_order(world):
    world.write("b.yaml", config("three"))
    world.write("a.yaml", config("one"), config("two"))
    batch = world.set.rescan()
    assert [(kind, key) for kind, key, _ in batch.upserts] == [
        ("ConfigMap", Key("default", name)) for name in ("one", "two", "three")
    ]
    assert batch.removals == batch.faults == batch.ignored == ()
    assert nothing(world.set.rescan())


def test_an_edit_is_that_object_alone(world):
    world.write("a.yaml", config("one"), config("two"))
    world.set.rescan()
    batch = world.changed("a.yaml", config("one"), config("two", "new"))
    assert upserted(batch) == {"two": "new"}
    assert removed(batch) == []


def test_a_touched_file_changes_nothing(world):
    path = world.write("a.yaml", config("one"))
    world.set.rescan()
    os.utime(path, (1, 1))
    assert nothing(world.set.changed([path]))
    assert nothing(world.set.rescan())


def test_a_comment_changes_nothing(world):
    world.changed("a.yaml", config("one"))
    assert nothing(world.changed("a.yaml", "# hello\n" + config("one")))


def test_new_files_and_folders(world):
    world.set.rescan()
    assert upserted(world.changed("new/deep/a.yaml", config("one"))) == {"one": "x"}
    world.write("other/b.yaml", config("two"))
    assert upserted(world.set.changed([str(world.folder / "other")])) == {"two": "x"}


def test_a_new_file_whose_ending_is_in_capitals(world):
    world.set.rescan()
    assert upserted(world.changed("a.YAML", config("one"))) == {"one": "x"}


def test_an_object_is_let_go_when_its_file_is_quiet(world):
    world.changed("a.yaml", config("one"), config("two"))
    assert nothing(world.changed("a.yaml", config("one")))
    assert world.set.unsettled_since is not None
    assert removed(world.settle()) == ["two"]
    assert world.set.unsettled_since is None
    assert nothing(world.settle())


def test_a_second_look_comes_no_sooner_than_asked(world):
    world.changed("a.yaml", config("one"))
    before = time.monotonic()
    world.changed("a.yaml", "")
    assert before <= world.set.unsettled_since <= time.monotonic()
    assert nothing(world.set.settle(before - 1))
    assert removed(world.set.settle(time.monotonic())) == ["one"]


def test_a_file_written_in_steps_never_loses_its_objects(world):
    world.changed("a.yaml", config("one"), config("two", "old"))
    assert nothing(world.changed("a.yaml", ""))
    assert nothing(world.changed("a.yaml", config("one")))
    assert upserted(world.changed("a.yaml", config("one"), config("two", "new"))) == {"two": "new"}
    assert nothing(world.settle())


def test_a_file_that_vanishes_and_returns(world):
    world.changed("a.yaml", config("one"))
    assert nothing(world.gone("a.yaml"))
    assert nothing(world.changed("a.yaml", config("one")))
    assert world.set.unsettled_since is None


def test_a_file_that_stays_away(world):
    world.changed("a.yaml", config("one"))
    world.gone("a.yaml")
    assert removed(world.settle()) == ["one"]
    assert upserted(world.changed("a.yaml", config("one"))) == {"one": "x"}


def test_a_renamed_file_changes_nothing(world):
    old = world.write("a.yaml", config("one"))
    world.set.rescan()
    new = str(Path(old).rename(world.folder / "b.yaml"))
    batch = world.set.changed([old, new])
    assert nothing(batch)
    assert batch.faults == ()
    assert nothing(world.settle())
    assert upserted(world.changed("b.yaml", config("one", "new"))) == {"one": "new"}


def test_a_renamed_folder_changes_nothing(world):
    world.write("old/a.yaml", config("one"))
    world.set.rescan()
    (world.folder / "old").rename(world.folder / "new")
    batch = world.set.changed([str(world.folder / "old"), str(world.folder / "new")])
    assert nothing(batch)
    assert batch.faults == ()
    assert nothing(world.settle())
    assert upserted(world.changed("new/a.yaml", config("one", "new"))) == {"one": "new"}


def test_a_folder_that_is_gone(world):
    world.write("old/a.yaml", config("one"))
    world.set.rescan()
    shutil.rmtree(world.folder / "old")
    assert nothing(world.set.changed([str(world.folder / "old")]))
    assert removed(world.settle()) == ["one"]


def test_an_object_that_moves_between_files_changes_nothing(world):
    world.changed("a.yaml", config("one"), config("two"))
    world.changed("b.yaml", config("three"))
    world.write("a.yaml", config("one"))
    batch = world.set.changed([str(world.folder / "a.yaml"), world.write("b.yaml", config("two"), config("three"))])
    assert nothing(batch)
    assert batch.faults == ()
    assert nothing(world.settle())


def test_a_link_changes_over_to_another_file(world):
    world.write("..1/a.yaml", config("one", "old"))
    world.write("..2/a.yaml", config("one", "new"))
    (world.folder / "..data").symlink_to("..1")
    (world.folder / "a.yaml").symlink_to("..data/a.yaml")
    assert upserted(world.set.rescan()) == {"one": "old"}
    (world.folder / "..tmp").symlink_to("..2")
    (world.folder / "..tmp").rename(world.folder / "..data")
    assert upserted(world.set.changed([str(world.folder / "..data")])) == {"one": "new"}


# How much is read


def test_an_edit_among_many_reads_one_file_and_parses_one_document(world, monkeypatch):
    for number in range(50):
        world.write(f"{number}.yaml", config(f"n{number}"), config(f"m{number}"))
    world.set.rescan()
    opened, parsed = [], []
    original_bytes, original_parse = module._bytes, module.read_content.__globals__["parse"]
    monkeypatch.setattr(module, "_bytes", lambda name: (opened.append(name), original_bytes(name))[1])
    monkeypatch.setitem(
        module.read_content.__globals__,
        "parse",
        lambda document: (parsed.append(document), original_parse(document))[1],
    )
    monkeypatch.setattr(Roots, "scan", lambda _: pytest.fail("scanned"))
    batch = world.changed("7.yaml", config("n7"), config("m7", "new"))
    assert upserted(batch) == {"m7": "new"}
    assert opened == [str(world.folder / "7.yaml")]
    assert [document["metadata"]["name"] for document in parsed] == ["m7"]


def test_a_rescan_opens_only_what_changed(world, monkeypatch):
    for number in range(20):
        world.write(f"{number}.yaml", config(f"n{number}"))
    world.set.rescan()
    opened = []
    original = module._bytes
    monkeypatch.setattr(module, "_bytes", lambda name: (opened.append(name), original(name))[1])
    path = world.write("3.yaml", config("n3", "longer than before"))
    assert upserted(world.set.rescan()) == {"n3": "longer than before"}
    assert opened == [path]


@pytest.mark.parametrize("noise", [".a.yaml.swp", "4913", "a.yaml~", "notes.txt", ".git/index"])
def test_other_files_are_not_looked_at(world, monkeypatch, noise):
    world.write("a.yaml", config("one"))
    world.set.rescan()
    path = world.write(noise, "not: [yaml")
    monkeypatch.setattr(module, "_bytes", lambda name: pytest.fail(f"read {name}"))
    monkeypatch.setattr(Roots, "scan", lambda _: pytest.fail("scanned"))
    assert nothing(world.set.changed([path]))
    Path(path).unlink()
    assert nothing(world.set.changed([path]))


# One object in several files


def test_the_first_file_counts_and_the_fault_names_both(world):
    world.write("b.yaml", config("one", "from b"))
    world.write("a.yaml", config("other"), config("one", "from a"))
    world.write("c.yaml", "\n", config("one", "from c"))
    batch = world.set.rescan()
    assert upserted(batch) == {"other": "x", "one": "from a"}
    assert reasons(batch, world.folder) == [
        "b.yaml:1: ConfigMap default/one: is given in a.yaml:6 already, which is what counts",
        "c.yaml:3: ConfigMap default/one: is given in a.yaml:6 already, which is what counts",
    ]


def test_the_next_file_counts_when_the_first_is_gone(world):
    world.write("a.yaml", config("one", "from a"))
    world.write("b.yaml", config("one", "from b"))
    world.set.rescan()
    batch = world.gone("a.yaml")
    assert upserted(batch) == {"one": "from b"}
    assert batch.faults == ()
    assert nothing(world.settle())


def test_an_edit_of_a_file_that_does_not_count_changes_nothing(world):
    world.write("a.yaml", config("one", "from a"))
    world.write("b.yaml", config("one", "from b"))
    world.set.rescan()
    batch = world.changed("b.yaml", config("one", "new"))
    assert nothing(batch)
    assert len(batch.faults) == 1


def test_a_file_that_sorts_first_takes_over(world):
    world.changed("b.yaml", config("one", "from b"))
    batch = world.changed("a.yaml", config("one", "from a"))
    assert upserted(batch) == {"one": "from a"}
    assert reasons(batch, world.folder)[0].startswith("b.yaml:1")


# What is wrong


def test_wrong_files_keep_what_they_last_said_well(world):
    world.changed("a.yaml", config("one", "good"))
    batch = world.changed("a.yaml", "kind: [\n")
    assert nothing(batch)
    assert reasons(batch, world.folder)[0].startswith("a.yaml:1: did not find")
    assert nothing(world.settle())
    batch = world.changed("a.yaml", config("one", "better"))
    assert upserted(batch) == {"one": "better"}
    assert batch.faults == ()


def test_faults_are_complete_and_in_order(world):
    world.changed("b.yaml", "x: [\n")
    world.changed("a.yaml", config("ok"), "- 1\n")
    batch = world.changed("c.yaml", config("fine"))
    assert [fault.file.removeprefix(f"{world.folder}/") for fault in batch.faults] == ["a.yaml", "b.yaml"]


def test_a_wrong_file_that_goes_away_takes_its_faults_along(world):
    world.changed("a.yaml", "x: [\n")
    assert world.gone("a.yaml").faults == ()


def test_other_kinds_are_told(world):
    batch = world.changed("a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n")
    assert [one.kind for one in batch.ignored] == ["Deployment"]
    assert world.gone("a.yaml").ignored == ()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a: 1\nb: \xff\n", "is not UTF-8 text, from line 2 on"),
        ("a: é\n".encode("utf-16"), "is not UTF-8 text, from line 1 on"),
        (b"a: \x00\n", "has a character that YAML does not allow"),
    ],
)
def test_files_that_are_no_text(world, data, reason):
    world.changed("a.yaml", config("one"))
    (world.folder / "a.yaml").write_bytes(data)
    batch = world.set.changed([str(world.folder / "a.yaml")])
    assert nothing(batch)
    assert [fault.reason for fault in batch.faults] == [reason]


def test_a_byte_order_mark_is_no_text(world):
    (world.folder / "a.yaml").write_bytes(b"\xef\xbb\xbf" + config("one").encode())
    assert upserted(world.set.rescan()) == {"one": "x"}


def test_files_that_are_too_large(world, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    batch = world.changed("a.yaml", config("one", "x" * 100))
    assert [fault.reason for fault in batch.faults] == ["has more than 100 bytes"]


def test_files_that_cannot_be_read(world):
    path = world.write("a.yaml", config("one"))
    world.set.rescan()
    Path(path).unlink()
    Path(path).symlink_to("a.yaml")
    batch = world.set.changed([path])
    assert nothing(batch)
    assert reasons(batch, world.folder) == ["a.yaml: cannot be read: Too many levels of symbolic links"]
    assert nothing(world.settle())
    Path(path).unlink()
    batch = world.changed("a.yaml", config("one", "new"))
    assert upserted(batch) == {"one": "new"}


def test_pipes_are_read_once_and_only_where_they_are_asked_for(tmp_path):
    os.mkfifo(tmp_path / "given")
    os.mkfifo(tmp_path / "pipe.yaml")
    files = FileSet(Roots([tmp_path / "given", tmp_path]), validate.faults)
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "given").write_text, config("one"))
        assert upserted(files.rescan()) == {"one": "x"}
    assert nothing(files.rescan())
    assert nothing(files.changed([str(tmp_path / "pipe.yaml")]))


def test_standard_input_is_read_once(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(config("one").encode())))
    files = FileSet(Roots([Path("-")]), validate.faults)
    assert upserted(files.rescan()) == {"one": "x"}
    assert nothing(files.rescan())


def test_faults_of_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: [")))
    [fault] = FileSet(Roots([Path("-")]), validate.faults).rescan().faults
    assert (fault.file, fault.line) == ("-", 1)


def test_a_folder_called_like_a_file(world):
    (world.folder / "a.yaml").mkdir()
    world.write("a.yaml/b.yaml", config("one"))
    assert upserted(world.set.changed([str(world.folder / "a.yaml")])) == {"one": "x"}


def test_a_missing_root_is_a_fault_until_it_is_there(tmp_path):
    files = FileSet(Roots([tmp_path / "later"]), validate.faults)
    [fault] = files.rescan().faults
    assert (fault.file, fault.reason) == (str(tmp_path / "later"), "there is no such file or folder")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.yaml").write_text(config("one"))
    batch = files.changed([str(tmp_path / "later")])
    assert upserted(batch) == {"one": "x"}
    assert batch.faults == ()
    (tmp_path / "later").rename(tmp_path / "gone")
    assert len(files.changed([str(tmp_path / "later")]).faults) == 1
    assert removed(files.settle(NOW)) == [], "nobody said that its objects are to go"


# Generations


def test_generations_count_changes_of_all_but_metadata(world):
    assert generations(world.changed("a.yaml", config("one"))) == {"one": 1}
    assert generations(world.changed("a.yaml", config("one", "new"))) == {"one": 2}
    assert generations(world.changed("a.yaml", config("one", "new", uid="u"))) == {"one": 2}
    assert generations(world.changed("a.yaml", config("one", "newer", uid="u"))) == {"one": 3}


def test_a_given_generation_is_where_counting_begins(world):
    assert generations(world.changed("a.yaml", config("one", generation=7))) == {"one": 7}
    assert generations(world.changed("a.yaml", config("one", "new", generation=7))) == {"one": 8}


def test_an_object_that_returns_is_a_new_generation(world):
    world.changed("a.yaml", config("one"))
    world.gone("a.yaml")
    world.settle()
    assert generations(world.changed("a.yaml", config("one"))) == {"one": 2}


def test_creation_times_stay_as_given(world):
    batch = world.changed("a.yaml", config("one"), config("two", creationTimestamp="2026-01-01T00:00:00Z"))
    assert [value.metadata.creation_timestamp for value in batch.objects] == ["", "2026-01-01T00:00:00Z"]


# Whatever happened, the end is what a fresh look finds

FILES = st.sampled_from(["a.yaml", "b.yaml", "sub/c.yaml"])
DOCUMENTS = st.builds(config, st.sampled_from(["one", "two", "three"]), st.sampled_from(["x", "y"]))
STEPS = st.lists(
    st.tuples(st.just("write"), FILES, st.lists(DOCUMENTS, max_size=3))
    | st.tuples(st.sampled_from(["delete", "rename"]), FILES, st.just([]))
    | st.tuples(st.sampled_from(["settle", "rescan"]), st.just(""), st.just([])),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_any_history_ends_where_a_fresh_look_begins(steps):
    with tempfile.TemporaryDirectory() as folder:
        world, known = World(Path(folder)), {}

        def follow(batch):
            for kind, key, value in batch.upserts:
                assert known.get((kind, key)) != value
                known[kind, key] = value
            for ident in batch.removals:
                del known[ident]
            return batch

        for verb, name, documents in steps:
            path = world.folder / name
            if verb == "write":
                follow(world.changed(name, *documents))
            elif verb == "settle":
                follow(world.settle())
            elif verb == "rescan":
                follow(world.set.rescan())
            elif path.exists():
                moved = path.with_name("moved.yaml") if verb == "rename" else None
                path.unlink() if moved is None else path.rename(moved)
                follow(world.set.changed(list(map(str, filter(None, [path, moved])))))
        last = follow(world.settle())
        fresh = FileSet(Roots([world.folder]), validate.faults).rescan()
        expected = {(kind, key): value.data for kind, key, value in fresh.upserts}
        assert {ident: value.data for ident, value in known.items()} == expected
        assert last.faults == fresh.faults


def test_a_folder_that_is_gone_takes_nothing_out_of_service(world):
    world.write("a.yaml", config("a"))
    world.set.rescan()
    away = world.folder.rename(world.folder.with_name("away"))
    batch = world.set.rescan()
    assert not batch.removals
    assert "there is no such file or folder" in str(batch.faults[0])
    world.set.settle(NOW)
    away.rename(world.folder)
    batch = world.set.rescan()
    assert not batch.removals
    assert not batch.upserts
    assert not batch.faults
