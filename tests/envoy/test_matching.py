"""Matches as Envoy compares them; `tests/traffic/test_predictions.py` asks a real Envoy the same."""

import pytest

from xds_server.envoy.matching import misses, parameters, takes, words
from xds_server.routing.match import Match, PathKind, PathMatch, ValueMatch
from xds_server.routing.request import Request

EVERYTHING = PathMatch(PathKind.PREFIX, "/")


def request(path: str = "/", method: str = "GET", **headers: str) -> Request:
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request("http", "a.io", 80, path, method, given)


def told(match: Match, asked: Request) -> list[str]:
    return [why for _, why in misses(match, asked)]


@pytest.mark.parametrize(
    ("kind", "value", "taken", "missed"),
    [
        (PathKind.EXACT, "/a", ["/a", "/a?b"], ["/a/", "/A", "/ab"]),
        (PathKind.PREFIX, "/a", ["/a", "/a/", "/a/b", "/a?b"], ["/ab", "/", "/A"]),
        (PathKind.PREFIX, "/", ["/", "/a", "//"], ["*"]),
        (PathKind.REGEX, "/a[0-9]+", ["/a1", "/a12?b"], ["/a", "/a1/", "/xa1"]),
        (PathKind.REGEX, "/(", [], ["/("]),
    ],
)
def test_paths(kind: PathKind, value: str, taken: list[str], missed: list[str]) -> None:
    match = Match(PathMatch(kind, value))
    assert [path for path in (*taken, *missed) if takes(match, request(path))] == taken


def test_connect_has_no_path() -> None:
    assert not takes(Match(EVERYTHING), request(method="CONNECT"))


def test_any_value_of_a_header_will_do() -> None:
    match = Match(EVERYTHING, headers=(ValueMatch("a", "1"),))
    assert takes(match, Request("http", "a.io", 80, headers=(("a", "2"), ("a", "1"))))
    assert not takes(match, request(a="2,1"))


def test_the_first_value_of_a_parameter_counts_and_nothing_is_decoded() -> None:
    assert parameters("a=1&b&a=2&c=%31=&=x&&d=") == {"a": "1", "b": "", "c": "%31=", "": "x", "d": ""}
    match = Match(EVERYTHING, query=(ValueMatch("a", "[0-9]+", regex=True),))
    assert takes(match, request("/?a=12&a=x"))
    assert told(match, request("/?a=x")) == ["query parameter a matches [0-9]+, request has x"]
    assert told(match, request("/?b")) == ["query parameter a matches [0-9]+, request has none"]


def test_all_that_does_not_hold_is_told_in_order() -> None:
    match = Match(
        PathMatch(PathKind.PREFIX, "/cart"), (ValueMatch("x", "1"), ValueMatch("y", "v.*", regex=True)), method="POST"
    )
    assert told(match, request("/card", x="2", y="")) == [
        "path begins with /cart, request has /card",
        "method is POST, request has GET",
        "header x is 1, request has 2",
        'header y matches v.*, request has ""',
    ]
    assert words(match) == "path begins with /cart, method POST, header x is 1, header y matches v.*"


def test_calls_of_grpc() -> None:
    match = Match(PathMatch(PathKind.EXACT, "/s.S/M"), rpc=(3, 1))
    assert takes(match, request("/s.S/M", content_type="application/grpc"))
    assert takes(match, request("/s.S/M", content_type="application/grpc+proto"))
    assert told(match, request("/s.S/M", content_type="application/grpc-web")) == [
        "it takes gRPC calls alone (content-type application/grpc), request has content-type application/grpc-web"
    ]
