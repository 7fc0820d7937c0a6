"""Which files some paths stand for, and what they are called."""

import os
from pathlib import Path

import pytest

from xds_server.shell.scan import STDIN, Roots


@pytest.fixture
def folder(tmp_path):
    for name in (
        "a.yaml",
        "b.yml",
        "c.json",
        "notes.txt",
        ".hidden.yaml",
        "sub/d.yaml",
        "sub/deep/e.yaml",
        ".git/f.yaml",
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def below(root, *names):
    return [str(root / name) for name in names]


def test_files_of_a_folder(folder):
    expected = below(folder, "a.yaml", "b.yml", "c.json", "sub/d.yaml", "sub/deep/e.yaml")
    assert Roots([folder]).scan() == expected


def test_names_are_those_that_the_user_gave(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert Roots([Path("in/sub")]).scan() == ["in/sub/d.yaml", "in/sub/deep/e.yaml"]
    assert Roots([Path("in/sub/d.yaml")]).scan() == ["in/sub/d.yaml"]
    monkeypatch.chdir(folder / "sub")
    assert Roots([Path()]).scan() == ["./d.yaml", "./deep/e.yaml"]


def test_a_given_file_may_have_any_name(folder):
    given = [folder / "notes.txt", folder / ".hidden.yaml"]
    assert Roots(given).scan() == sorted(map(str, given))


def test_a_file_counts_once(folder):
    twice = Roots([folder, folder / "a.yaml", folder / "sub", folder])
    assert twice.scan() == Roots([folder]).scan()


def test_standard_input_comes_first(folder):
    assert Roots([folder / "a.yaml", Path("-")]).scan() == [STDIN, str(folder / "a.yaml")]


def test_missing_paths_are_noted(folder):
    roots = Roots([folder / "none", folder / "a.yaml"])
    assert roots.scan() == below(folder, "a.yaml")
    assert roots.unreadable == {str(folder / "none"): "there is no such file or folder"}
    (folder / "none").mkdir()
    roots.scan()
    assert roots.unreadable == {}


def test_links_are_followed_and_loops_end(folder, tmp_path):
    (folder / "loop").symlink_to(folder)
    (folder / "sub" / "up").symlink_to("..")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.yaml").touch()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "y.yaml").symlink_to(elsewhere / "x.yaml")
    (folder / "z.yaml").symlink_to("nowhere")
    names = Roots([folder]).scan()
    assert {name.removeprefix(f"{folder}/") for name in names} >= {"a.yaml", "linked/x.yaml", "y.yaml"}
    assert not any(name.endswith("z.yaml") for name in names)
    assert len(names) < 30


def test_what_cannot_be_looked_at_is_noted(folder):
    (folder / "self.yaml").symlink_to("self.yaml")
    roots = Roots([folder])
    assert len(roots.scan()) == 5
    assert list(roots.unreadable) == [str(folder / "self.yaml")]


def test_pipes_in_a_folder_are_no_files(folder):
    os.mkfifo(folder / "pipe.yaml")
    assert len(Roots([folder]).scan()) == 5


def test_what_a_changed_path_is_called(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    roots = Roots([Path("in"), Path("other/x.conf")])
    roots.scan()
    assert list(roots.called(str(folder / "a.yaml"))) == ["in/a.yaml"]
    assert list(roots.called(str(folder / "new/b.yaml"))) == ["in/new/b.yaml"]
    assert list(roots.called(str(folder))) == ["in"]
    assert list(roots.called(str(folder.parent / "other/x.conf"))) == ["other/x.conf"]
    assert list(roots.called(str(folder.parent / "inside.yaml"))) == []
    assert list(roots.called(str(folder / ".swap/a.yaml"))) == []
    assert list(roots.called(str(folder / ".a.yaml.swp"))) == []


def test_a_new_version_of_a_volume_concerns_its_whole_folder(folder):
    roots = Roots([folder])
    assert list(roots.called(str(folder / "..data"))) == [str(folder)]
    assert list(roots.called(str(folder / "..2026_01_31" / "a.yaml"))) == [str(folder)]


def test_the_target_of_a_link_is_called_by_the_link(folder, tmp_path):
    target = tmp_path / "real.txt"
    target.touch()
    (folder / "link.yaml").symlink_to(target)
    roots = Roots([folder])
    roots.scan()
    assert list(roots.called(str(target))) == [str(folder / "link.yaml")]
    assert str(tmp_path) in {path for path, _ in roots.places().folders}


def test_places_to_watch(folder):
    roots = Roots([folder, folder / "sub" / "d.yaml", Path("-")])
    roots.scan()
    places = roots.places()
    assert {path for path, _ in places.trees} == {str(folder)}
    assert {path for path, _ in places.folders} == {str(folder.parent), str(folder / "sub")}


def test_a_folder_put_in_place_of_another_is_another_place(folder):
    roots = Roots([folder])
    before = roots.places()
    folder.rename(folder.with_name("old"))
    assert roots.places().trees == frozenset()
    folder.mkdir()
    assert roots.places() != before


def test_endings_count_in_capitals_too(tmp_path):
    for name in ("a.YAML", "b.Yml", "c.JSON", "d.YAMLX"):
        (tmp_path / name).write_text("")
    assert [Path(name).name for name in Roots([tmp_path]).scan()] == ["a.YAML", "b.Yml", "c.JSON"]
