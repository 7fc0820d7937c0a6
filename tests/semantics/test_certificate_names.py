"""Which hosts a DNS name in a certificate is for, as clients judge it."""

import pytest

from xds_server.semantics.certificate_names import fits, normal, told


@pytest.mark.parametrize(
    ("name", "hostname", "expected"),
    [
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "b.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", "*.example.com", True),
        ("a.example.com", "*.example.com", True),
        ("*.b.example.com", "*.example.com", True),
        ("*.example.com", "*.b.example.com", False),
        ("example.com", "*.example.com", False),
        ("a.example.com", "*", True),
        ("*", "a.example.com", False),
        ("*", "*.example.com", False),
        ("*", "localhost", False),
        ("localhost", "localhost", True),
    ],
)
def test_fits(name: str, hostname: str, expected: bool) -> None:
    assert fits(name, hostname) is expected


def test_names_are_compared_without_case_and_once() -> None:
    assert normal(["A.example.com", "a.Example.com.", "*.example.com"]) == ("a.example.com", "*.example.com")


def test_many_names_are_told_in_short() -> None:
    assert told([]) == "no DNS name"
    assert told(["a", "b"]) == "a, b"
    assert told(map(str, range(8))) == "0, 1, 2, 3, 4 and 3 more"
