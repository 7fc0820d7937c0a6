"""The command as a whole, as a process of its own where its start or its pipes matter."""

import os
import sys
from pathlib import Path

import pytest

from tests.cli.command import GATEWAY, TASK, call, invoke, start
from xds_server.cli import VERBS

PROGRAM = Path(sys.executable).parent / "xds-server"
"""The installed command, whose name is in what it completes."""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_verb_has_help(verb: str, option: str) -> None:
    found = invoke(verb, option)
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(f"Usage: xds-server {verb} [OPTIONS]")
    assert "[PATH...]..." not in found.out


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("run", "serve", "echo", "bug-report")])
def test_every_verb_that_prints_takes_a_format(verb: str) -> None:
    assert "-o, --output" in invoke(verb, "-h").out
    assert invoke(verb, "-o", "xml").status == 2


def test_help_names_every_verb_and_cuts_nothing_short() -> None:
    found = invoke("-h")
    assert found.status == 0
    assert [line.split()[0] for line in found.out.split("Commands:\n")[1].splitlines()] == list(VERBS)
    assert "..." not in found.out.split("Commands:\n")[1]


@pytest.mark.parametrize("words", [[], ["bogus"], ["--bogus"], ["check", "--bogus"], ["version", "extra"]])
def test_wrong_usage_is_2(words: list[str]) -> None:
    found = invoke(*words)
    assert found.status == 2
    assert "Usage: xds-server" in found.out + found.err


def test_a_process_ends_with_the_status() -> None:
    """The entry point loads the named verb alone."""
    found = call("check", "-", stdin=GATEWAY + "---\nkind: [\n")
    assert found.status == 1
    assert "shop/gw" in found.out
    assert found.err == ""


def test_a_process_with_wrong_usage_ends_with_2() -> None:
    found = call("convert", "missing.yaml")
    assert found == (2, "", "error: missing.yaml: no such file or directory\n")


def test_a_reader_that_stops_reading_is_no_error() -> None:
    with start("translate", TASK) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait(20)


def test_closed_standard_input_is_told() -> None:
    found = call("convert", "-", preexec_fn=lambda: os.close(0))
    assert found == (2, "", "error: -: standard input is closed\n")


def test_completion_is_printed_and_completes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))  # wherever the tests run
    script = invoke("--show-completion", "bash")
    assert script.status == 0
    assert "complete -o default -F _xds_server_completion xds-server" in script.out
    words = {"_XDS_SERVER_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "xds-server tr"}
    found = call(program=[str(PROGRAM)], env={**os.environ, **words})
    assert (found.out.split(), found.err) == (["translate"], "")
