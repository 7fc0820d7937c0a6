from pathlib import Path

import pytest
import yaml

from tests.cli.command import GATEWAY, TASK, invoke

READERS = ["translate", "check", "convert"]


@pytest.mark.parametrize("verb", ["translate", "convert"])
def test_without_paths_it_is_wrong_usage_in_one_line(verb: str) -> None:
    found = invoke(verb)
    assert found == (2, "", "error: no input: name a file, a directory, or - for standard input\n")


@pytest.mark.parametrize("verb", [*READERS, "run"])
def test_a_path_that_is_not_there_is_wrong_usage_in_one_line(verb: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    for arguments in [(missing,), ("-f", missing), (TASK, "-f", missing)]:
        assert invoke(verb, *arguments) == (2, "", f"error: {missing}: no such file or directory\n")


def test_a_path_that_no_file_can_have_is_wrong_usage_in_one_line() -> None:
    found = invoke("check", "a" * 300)
    assert (found.status, found.err) == (2, f"error: {'a' * 300}: file name too long\n")


@pytest.mark.parametrize("option", ["-f", "--filename"])
def test_paths_and_filenames_add_up(option: str, tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.yaml").write_text(GATEWAY.replace("name: gw", f"name: {name}"))
    arguments = [tmp_path / "a.yaml", option, tmp_path / "b.yaml", option, tmp_path / "c.yaml"]
    assert list(yaml.safe_load(invoke("translate", *arguments).out)) == ["shop/a", "shop/b", "shop/c"]


@pytest.mark.parametrize("arguments", [["-"], ["-f", "-"], ["-", "-f", "-"]])
@pytest.mark.parametrize("verb", READERS)
def test_a_dash_is_standard_input(verb: str, arguments: list[str]) -> None:
    found = invoke(verb, *arguments, stdin=GATEWAY)
    assert (found.status, found.err) == (0, "")
    assert found.out.count("gw") > 0


def test_standard_input_and_files_go_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GATEWAY)
    found = invoke("translate", "-", tmp_path, stdin=GATEWAY.replace("name: gw", "name: other"))
    assert list(yaml.safe_load(found.out)) == ["shop/gw", "shop/other"]


def test_a_directory_is_read_with_what_is_below_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "gateway.yml").write_text(GATEWAY)
    (tmp_path / "below" / "notes.txt").write_text("{{{")
    assert invoke("check", tmp_path).status == 0
    assert list(yaml.safe_load(invoke("translate", tmp_path).out)) == ["shop/gw"]


@pytest.mark.parametrize("verb", READERS)
def test_what_cannot_be_read_is_told_beside_the_rest(verb: str, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GATEWAY)
    (tmp_path / "latin.yaml").write_bytes(b"# one\nname: caf\xe9\n")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "broken.yaml").write_text("kind: Gateway\n---\nkind: Gateway\nspec: [\n")
    found = invoke(verb, tmp_path)
    text = found.out + found.err
    assert found.status == 1
    assert "gw" in found.out
    assert "latin.yaml" in text
    assert "UTF-8" in text
    assert "line 2" in text or "latin.yaml:2" in text
    assert "loop.yaml" in text
    assert "symbolic links" in text
    assert "broken.yaml:4" in text


@pytest.mark.parametrize("verb", READERS)
def test_a_file_that_the_system_refuses_to_read_is_told(verb: str, tmp_path: Path) -> None:
    """Nobody reads the first page of memory; permissions would not keep root out."""
    (tmp_path / "closed.yaml").symlink_to("/proc/self/mem")
    found = invoke(verb, tmp_path)
    text = found.out + found.err
    assert found.status == 1
    assert f"{tmp_path}/closed.yaml" in text
    assert "cannot be read: Input/output error" in text


def test_a_mark_of_byte_order_is_no_part_of_the_text() -> None:
    for verb in READERS:
        assert invoke(verb, "-", stdin=b"\xef\xbb\xbf" + GATEWAY.encode()).status == 0
