import pytest
import typer

from xds_server.cli.request import parse
from xds_server.routing.request import Request


@pytest.mark.parametrize(
    ("url", "request_"),
    [
        ("http://a.io", Request("http", "a.io", 80)),
        ("HTTP://A.io:8080/x?y=1#z", Request("http", "A.io:8080", 8080, "/x?y=1")),
        ("http://a.io?y", Request("http", "a.io", 80, "/?y")),
        ("http://a.io/a/../b%2f", Request("http", "a.io", 80, "/a/../b%2f")),
        ("http://a.io/ä b", Request("http", "a.io", 80, "/%C3%A4%20b")),
        ("https://a.io/", Request("https", "a.io", 443, sni="a.io")),
        ("https://[::1]/", Request("https", "[::1]", 443)),
        ("tls://a.io", Request("tls", "a.io", 443, sni="a.io")),
        ("tcp://a.io:5432", Request("tcp", "a.io:5432", 5432)),
        ("udp://a.io:53/", Request("udp", "a.io:53", 53)),
    ],
)
def test_urls(url: str, request_: Request) -> None:
    assert parse(url) == request_


def test_headers_methods_and_server_names() -> None:
    found = parse("https://a.io", "POST", ["X-A:  1 ", "x-a: 2", "HOST: b.io", "Empty:"], "c.io")
    assert (found.method, found.authority, found.sni) == ("POST", "b.io", "c.io")
    assert found.headers == (("x-a", "1"), ("x-a", "2"), ("empty", ""))


def test_calls_of_grpc() -> None:
    found = parse("grpc://a.io/s.S/M", headers=["content-type: application/grpc+proto"])
    assert (found.port, found.method, found.path) == (80, "POST", "/s.S/M")
    assert found.headers == (("content-type", "application/grpc+proto"), ("te", "trailers"))
    assert parse("grpcs://a.io/s.S/M").values("content-type") == ["application/grpc"]


@pytest.mark.parametrize(
    "url", ["a.io", "ftp://a.io", "http://", "http:///x", "tcp://a.io", "http://a.io:x", "http://[a", "tls://a.io/x"]
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(typer.Exit) as raised:
        parse(url)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("header", ["a", "a b: 1", ": 1"])
def test_what_is_no_header(header: str) -> None:
    with pytest.raises(typer.Exit):
        parse("http://a.io", headers=[header])
