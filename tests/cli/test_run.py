"""What `run` says before it starts anything; the rest is in tests/run."""

from pathlib import Path

import pytest

from tests.cli.command import TASK, invoke


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--ads-address", "nowhere"], "--ads-address nowhere: it is HOST:PORT, with the port from 0 to 65535"),
        (["--admin-address", "a:1x"], "--admin-address a:1x: it is HOST:PORT, with the port from 0 to 65535"),
        (["--echo", ":8000"], "--echo :8000: it is HOST:PORT, with the port from 0 to 65535"),
        (["--log-level", "loud"], "unknown log level 'loud'"),
    ],
)
def test_wrong_values_are_wrong_usage_in_one_line(arguments: list[str], error: str) -> None:
    assert invoke("run", TASK, *arguments) == (2, "", f"error: {error}\n")


@pytest.mark.parametrize("arguments", [["--port-offset", "-1"], ["--port-offset", "65536"], ["--log-format", "xml"]])
def test_values_out_of_range_are_wrong_usage(arguments: list[str]) -> None:
    found = invoke("run", TASK, *arguments)
    assert found.status == 2
    assert found.errors[-1].startswith(f"Error: Invalid value for '{arguments[0]}'")


def test_an_envoy_that_is_not_there_is_named_in_one_line(tmp_path: Path) -> None:
    found = invoke("run", TASK, "--envoy", tmp_path / "envoy")
    assert found == (2, "", f"error: --envoy {tmp_path}/envoy: there is no executable file of this name\n")


def test_plaintext_beyond_loopback_needs_a_word() -> None:
    refused = invoke("run", "--ads-address", "0.0.0.0:18000", str(TASK))
    assert refused.status == 2
    assert "--insecure-ads allows it" in refused.err
    assert "Traceback" not in refused.err
