"""Where this machine's authorities are looked for."""

from pathlib import Path

from xds_server.shell.trusted import PLACES, system_authorities


def test_the_first_file_that_there_is(tmp_path: Path) -> None:
    there, later = tmp_path / "there.pem", tmp_path / "later.pem"
    there.touch()
    later.touch()
    assert system_authorities([str(tmp_path), str(tmp_path / "none"), str(there), str(later)]) == str(there)


def test_without_any_it_is_the_most_usual_one() -> None:
    assert system_authorities([]) == PLACES[0]
