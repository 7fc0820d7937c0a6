"""Percent-encoded characters: what is the same, against the standard library's own decoding."""

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from xds_server.routing.escapes import any_case, capital, of_parameter, unescaped

PATHS = st.text(st.sampled_from("/aA9-._~%2fFeEcC3!$&é"), max_size=20).map(lambda text: "/" + quote(text, safe="/%!$&"))
VALUES = st.text(max_size=12)


def matches(pattern: str, text: str) -> bool:
    return re2.fullmatch(pattern, text) is not None


@pytest.mark.parametrize(
    ("written", "plain"),
    [("/%7Euser", "/~user"), ("/%61%5a", "/aZ"), ("/%2e%2D", "/.-"), ("/%2F%20%c3", "/%2F%20%c3"), ("/%7", "/%7")],
)
def test_needless_escapes(written: str, plain: str) -> None:
    assert unescaped(written) == plain


def test_capital_hex_digits() -> None:
    assert capital("/caf%c3%A9/%2f%zz%a") == "/caf%C3%A9/%2F%zz%a"


@given(PATHS)
def test_paths_in_either_case(path: str) -> None:
    value = capital(unescaped(path))
    lower = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), value)
    pattern = any_case(value)
    assert (pattern is None) == (lower == value)
    if pattern is not None:
        assert matches(pattern, value)
        assert matches(pattern, lower)
        assert not matches(pattern, f"{value}x")
        assert not matches(pattern, unquote(value, "latin1"))


@given(VALUES)
def test_values_of_parameters(value: str) -> None:
    pattern = of_parameter(value)
    if pattern is None:
        assert quote_plus(value) == value
        return
    for written in (quote(value, safe=""), quote_plus(value), quote_plus(value).lower().upper()):
        assert matches(pattern, written) == (unquote_plus(written) == value)


WRITTEN = st.text(st.sampled_from("ab +%2B5aA@/é"), max_size=8)


@given(st.text(st.sampled_from("a +%25@"), max_size=6), WRITTEN.map(lambda text: quote(text, safe="+%@/ab")))
def test_what_matches_means_the_value(value: str, written: str) -> None:
    """With or without plus for a blank."""
    if (pattern := of_parameter(value)) is not None and matches(pattern, written):
        assert value in (unquote(written), unquote_plus(written), written)


@pytest.mark.parametrize(
    ("value", "written", "same"),
    [
        ("x%20y", "x%20y", True),
        ("x%20y", "x%2520y", True),
        ("x%20y", "x y", False),
        ("a&b", "a&b", False),
        ("a&b", "a%26b", True),
        ("a.b", "axb", False),
        ('"(', '"%28', True),
        (" %22", "+%22", False),
        (" %22", "+%2522", True),
        ("100% off", "100%%20off", True),
        ("100% off", "100%+off", True),
        ("100% off", "100%25+off", True),
        ("a+ b", "a++b", False),
        ("a+ b", "a%2B+b", True),
        ("a+ b", "a+%20b", True),
        ("a+b", "a+b", True),
        ("a+b", "a%2bb", True),
    ],
)
def test_spellings(value: str, written: str, same: bool) -> None:
    assert matches(of_parameter(value) or re2.escape(value), written) is same
