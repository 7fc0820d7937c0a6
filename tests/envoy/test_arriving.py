"""What is refused and changed before routes are asked; `tests/traffic/test_predictions.py` asks a real Envoy the same."""

import pytest

from xds_server.envoy.arriving import host, malformed, normalised, refusal, seen
from xds_server.routing.request import Request


def request(path: str = "/", **more: object) -> Request:
    return Request(**({"scheme": "http", "authority": "a.io", "port": 80, "path": path} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/", "/"),
        ("/a/../b", "/b"),
        ("/../x", "/x"),
        ("/a/.", "/a/"),
        ("/a/b/..", "/a/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("//a", "//a"),
        ("//..", "/"),
        ("/a//../b", "/a/b"),
        ("/a\\..\\b", "/b"),
        ("/%41%7e%5f%21", "/A~_%21"),
        ("/a%2f../b", "/a%2f../b"),
        ("/a/...", "/a/..."),
        ('/a"<>{}|^`', "/a%22%3C%3E%7B%7D%7C%5E%60"),
        ("/%zz%", "/%zz%"),
    ],
)
def test_paths(written: str, path: str) -> None:
    assert normalised(written) == path


def test_the_query_is_left_alone() -> None:
    assert seen(request("/a/../b?x=/../y&z=%41")).path == "/b?x=/../y&z=%41"


@pytest.mark.parametrize(
    ("authority", "found"),
    [("A.io", "a.io"), ("a.io:80", "a.io"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a.io.", "a.io")],
)
def test_hosts(authority: str, found: str) -> None:
    assert host(authority) == found


def test_headers_that_envoy_sets_or_drops() -> None:
    headers = (("x-forwarded-proto", "https"), ("te", "gzip"), ("connection", "x"), ("x-envoy-y", "1"), ("a", " 1 "))
    found = seen(request(headers=headers))
    assert found.headers == (("a", "1"), ("x-forwarded-proto", "http"), ("host", "a.io"))
    assert seen(request(headers=(("te", "trailers"),))).values("te") == ["trailers"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "BREW"},
        {"headers": (("a_b", "1"),)},
        {"path": "a"},
        {"path": "/\x7f"},
        {"path": "*"},
    ],
)
def test_malformed(wrong: dict[str, object]) -> None:
    assert malformed(request(**wrong))  # type: ignore[arg-type]
    assert refusal(request(**wrong))  # type: ignore[arg-type]


def test_refused_but_not_malformed() -> None:
    for path in ("/a#b", "/a?b#c", "/%00"):
        assert refusal(request(path))
        assert not malformed(request(path))


def test_what_is_not_refused() -> None:
    assert not refusal(request("*", method="OPTIONS"))
    assert not refusal(request("a.io:80", method="CONNECT"))
    assert not refusal(request("/a?b=%00", method="PROPFIND"))
