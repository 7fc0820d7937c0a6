import socket

from tests.cli.command import invoke


def test_a_port_that_is_taken_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        found = invoke("echo", "--address", address)
    assert (found.status, found.out) == (2, "")
    (line,) = found.errors
    assert line.startswith(f"error: --address {address}: cannot listen on {address}: ")


def test_wrong_values_are_wrong_usage() -> None:
    found = invoke("echo", "--address", "8000")
    assert found == (2, "", "error: --address 8000: it is HOST:PORT, with the port from 0 to 65535\n")
    found = invoke("echo", "--log-format", "xml")
    assert found.status == 2
    assert found.errors[-1].startswith("Error: Invalid value for '--log-format'")
