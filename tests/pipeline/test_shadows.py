"""What is told of matches that are never reached; and that what is told is true."""

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipeline.documents import Document, document, gateway, listener, put, route
from tests.pipeline.test_requests import Request, answer_of_envoy, requests, worlds
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.shadows import shadowed
from xds_server.wire.decode import to_json
from xds_server.xds.resource import ResourceType

OLD, NEW = "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"
REDIRECT = {"type": "RequestRedirect", "requestRedirect": {"hostname": "x.io"}}


def world(*documents: Document) -> Pipeline:
    pipeline = program.build(Options(any_class=True, strict=True))
    put(pipeline, *documents)
    pipeline.settle()
    return pipeline


def rules(*groups: list[Document]) -> list[Document]:
    """A rule per list of matches."""
    return [{"matches": matches, "filters": [REDIRECT]} for matches in groups]


def path(value: str, type_: str = "PathPrefix", **more: Any) -> Document:
    return {"path": {"type": type_, "value": value}, **more}


def header(name: str, value: str = "1") -> Document:
    return {"name": name, "value": value}


def told(*documents: Document) -> list[tuple[str, str]]:
    found = shadowed(world(gateway("gw", listener("web")), *documents))
    return [(f"{one.rule.route.name} {one.rule.place}", f"{one.by.route.name} {one.by.place}") for one in found]


def second(first: Document, later: Document) -> bool:
    """Does the first of two rules of one route shadow the second?"""
    found = told(route("r", rules=rules([first], [later])))
    assert found in ([], [("r rules[1].matches[0]", "r rules[0].matches[0]")])
    return bool(found)


def test_the_same_match_of_a_younger_route() -> None:
    found = told(
        route("young", rules=rules([path("/p")]), creationTimestamp=NEW),
        route("old", rules=rules([path("/x"), path("/p")]), creationTimestamp=OLD),
    )
    assert found == [("young rules[0].matches[0]", "old rules[0].matches[1]")]


def test_it_is_told_in_words() -> None:
    pipeline = world(
        gateway("gw", listener("web")),
        route("b", rules=rules([path("/p"), path("/p")])),
        route("a", rules=rules([path("/p")])),
    )
    why = "can never match: HTTPRoute default/a rules[0].matches[0] is tried before it and takes all of its requests"
    assert [(one.host, one.message) for one in shadowed(pipeline)] == [
        ("*", f"rules[0].matches[0] {why}"),
        ("*", f"rules[0].matches[1] {why}"),
    ]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (path("/p"), path("/p/")),
        (path("/p", "Exact"), path("/p", "Exact")),
        (path("/p.*", "RegularExpression"), path("/p/q")),
        (path(".*", "RegularExpression"), path("/")),
        (path("^/p/.*$", "RegularExpression"), path("/p/q.*", "RegularExpression")),
        (path("/[pq]", "RegularExpression"), path("/[pq]", "RegularExpression")),
        ({"headers": [header("A"), header("b")]}, {"headers": [header("B"), header("a")]}),
        ({"queryParams": [header("a")]}, {"queryParams": [header("a")]}),
        ({"method": "GET"}, {"method": "GET"}),
        (path("/p.*", "RegularExpression"), path("/p", headers=[header("a")], method="GET")),
    ],
)
def test_covered(first: Document, later: Document) -> None:
    assert second(first, later)


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (path("/p", "Exact"), path("/p")),
        (path("/p"), path("/pq")),
        (path("/p/.*", "RegularExpression"), path("/p")),
        (path("/p*", "RegularExpression"), path("/p/q")),
        (path("/.", "RegularExpression"), path("/x")),
        (path("/p", headers=[header("a")]), path("/p")),
        (path("/p", headers=[header("a")]), path("/p", headers=[header("a", "2")])),
        (path("/p", headers=[header("a")]), path("/p", queryParams=[header("a")])),
        ({"queryParams": [header("A")]}, {"queryParams": [header("a")]}),
        ({"method": "GET"}, {"method": "POST"}),
    ],
)
def test_not_covered(first: Document, later: Document) -> None:
    assert not second(first, later)


def test_a_prefix_that_is_tried_first_for_its_hostname_covers_what_is_below_it() -> None:
    exact = route("exact", hosts=["a.e.com"], rules=rules([path("/")]))
    wide = route(
        "wide", hosts=["*.e.com"], rules=rules([path("/p", "Exact"), path("/p/q"), path("/[a]", "RegularExpression")])
    )
    narrow = gateway("gw", listener("web", hostname="a.e.com"))
    assert [one.rule.match for one in shadowed(world(narrow, exact, wide))] == [0, 1]


def test_a_match_that_is_reached_under_another_host_or_listener_is_none() -> None:
    old = route("old", hosts=["a.e.com"], rules=rules([path("/")]), creationTimestamp=OLD)
    assert (
        told(old, route("young", hosts=["a.e.com", "b.e.com"], rules=rules([path("/")]), creationTimestamp=NEW)) == []
    )
    assert told(old, route("young", hosts=["*.e.com"], rules=rules([path("/")]), creationTimestamp=NEW)) == []
    assert told(old, route("young", hosts=["a.e.com"], rules=rules([path("/")]), creationTimestamp=NEW)) != []


def test_what_is_served_nowhere_is_no_shadow() -> None:
    assert told(route("a"), route("b", gateway="other")) == []


def test_calls_of_one_method() -> None:
    def grpc(name: str, *methods: Document) -> Document:
        return document("GRPCRoute", name, {
            "parentRefs": [{"name": "gw", "namespace": "default"}],
            "rules": [{"matches": [{"method": method} for method in methods]}],
        })  # fmt: skip

    found = told(
        grpc("a", {"service": "s.S", "method": "M"}, {"service": "s.S"}),
        grpc("b", {"service": "s.S", "method": "M"}, {"service": "s.S", "method": "N"}, {"service": "s.S"}),
        route("http", rules=rules([path("/s.S/M", "Exact")])),
    )
    assert found == [
        ("b rules[0].matches[0]", "a rules[0].matches[0]"),
        ("b rules[0].matches[2]", "a rules[0].matches[1]"),
    ]


def test_thousands_of_matches_on_one_path_take_no_time() -> None:
    """Each differs in a header; one in a hundred comes twice."""
    many = [
        route(f"r{index:04}", rules=rules([path("/", headers=[header("same"), header("user", str(index))])]))
        for index in range(3_000)
    ]
    twins = [
        route(f"t{index:04}", rules=rules([path("/", headers=[header("same"), header("user", str(index))])]))
        for index in range(0, 3_000, 100)
    ]
    pipeline = world(gateway("gw", listener("web")), *many, *twins)
    before = time.process_time()
    found = shadowed(pipeline)
    assert time.process_time() - before < 2
    assert [(one.rule.route.name, one.by.route.name) for one in found] == [
        (f"t{index:04}", f"r{index:04}") for index in range(0, 3_000, 100)
    ]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.lists(requests, min_size=20, max_size=40))
def test_no_request_is_answered_by_a_shadow(made: tuple[list[str], list[Document]], asked: list[Request]) -> None:
    listeners, routes = made
    pipeline = program.build(Options(any_class=True, strict=True))
    spelled = [
        listener(f"l{index}", allowedRoutes={"namespaces": {"from": "All"}}, **({"hostname": name} if name else {}))
        for index, name in enumerate(listeners)
    ]
    put(pipeline, gateway("gw", *spelled), *routes)
    changes = pipeline.publisher.changes(pipeline.settle())
    (published,) = [one for (_, type_, _), one in changes.items() if type_ is ResourceType.ROUTE]
    assert published is not None
    configuration = to_json(published.type.url, published.body)
    shadows = {str(one.rule) for one in shadowed(pipeline)}
    assert not shadows & {answer_of_envoy(configuration, request) for request in asked}
