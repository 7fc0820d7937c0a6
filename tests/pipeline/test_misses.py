"""What came closest where nothing takes a request: the nearest first, each with the first thing that did not hold."""

import time

import pytest

from tests.pipeline.documents import Document, gateway, listener, route, rule
from tests.pipeline.test_predict import WEB, ask


def told(*documents: Document, url: str = "http://a.io/", **more: object) -> list[str]:
    found = ask(*documents, url=url, **more)
    assert found.answer.status == 404
    return [str(one) for one in found.misses]


def test_the_rule_that_lacks_least_comes_first() -> None:
    near = {"path": {"value": "/cart"}, "method": "POST"}
    farther = near | {"headers": [{"name": "x", "value": "1"}]}
    other = {"path": {"value": "/x"}}
    found = told(
        WEB,
        route("a", rules=[{"matches": [other, farther]}]),
        route("b", rules=[{"matches": [farther]}, {"matches": [near]}]),
        route("c", rules=[{"matches": [other]}]),
        url="http://a.io/cart/1",
    )
    assert found == [
        "HTTPRoute default/b rules[1].matches[0]: method is POST, request has GET",
        "HTTPRoute default/a rules[0].matches[1]: method is POST, request has GET",
        "HTTPRoute default/c rules[0].matches[0]: path begins with /x, request has /cart/1",
    ]


@pytest.mark.parametrize(
    ("written", "asked"), [("/Cart", "/cart"), ("/carts", "/cart"), ("/api/v1/cart", "/api/v1/card")]
)
def test_paths_that_are_alike_come_before_others(written: str, asked: str) -> None:
    found = told(WEB, route("a", rules=[rule("/zzz")]), route("b", rules=[rule(written)]), url=f"http://a.io{asked}")
    assert found[0].startswith("HTTPRoute default/b ")


def test_a_route_that_is_not_attached_says_why() -> None:
    (found,) = told(WEB, route("r", namespace="other"))
    assert found == (
        "HTTPRoute other/r parentRefs: not attached: NotAllowedByListeners: listeners web do not allow HTTPRoutes from"
        " namespace other"
    )


def test_a_route_of_another_listener() -> None:
    two = gateway("gw", listener("web"), listener("narrow", hostname="*.io"), listener("alt", 81))
    made = route("r")
    made["spec"]["parentRefs"][0]["sectionName"] = "narrow"
    assert told(two, made, url="http://a.com/") == [
        "HTTPRoute default/r parentRefs: it is attached to listener narrow, whose hostname *.io does not cover a.com"
    ]
    made["spec"]["parentRefs"][0]["sectionName"] = "alt"
    assert told(two, made, url="http://a.com/") == [
        "HTTPRoute default/r parentRefs: it is attached to listener alt of port 81, and the request comes to listener web"
    ]


def test_what_is_of_the_port_and_host_comes_before_what_is_not() -> None:
    two = gateway("gw", listener("web"), listener("alt", 81))
    other = route("a", rules=[rule("/cart")])
    other["spec"]["parentRefs"][0]["sectionName"] = "alt"
    mine = [route(name, rules=[rule("/zzz")]) for name in "bcd"]
    for one in mine:
        one["spec"]["parentRefs"][0]["sectionName"] = "web"
    found = told(two, other, *mine, url="http://a.io/cart")
    assert [one.split()[1] for one in found] == ["default/b", "default/c", "default/a"]
    assert found[-1].endswith("attached to listener alt of port 81, and the request comes to listener web")


def test_a_route_of_another_gateway_that_would_take_it_is_told() -> None:
    found = told(
        WEB, route("b", hosts=["b.io"]), route("a", gateway="other"), route("c", hosts=["c.io"], gateway="other")
    )
    assert found == [
        "HTTPRoute default/a parentRefs: it has no parent at Gateway default/gw: parentRefs name Gateway default/other",
        "HTTPRoute default/b hostnames: b.io does not cover a.io",
    ]


def test_hostnames_that_are_alike_come_first_and_many_are_cut_short() -> None:
    many = [f"x{index}.com" for index in range(5)]
    found = told(WEB, route("a", hosts=many), route("b", hosts=["shop.example.org"]), url="http://shop.example.com/")
    assert found == [
        "HTTPRoute default/b hostnames: shop.example.org does not cover shop.example.com",
        "HTTPRoute default/a hostnames: x0.com, x1.com, x2.com and 2 more do not cover shop.example.com",
    ]


def test_a_match_that_was_dropped_is_told() -> None:
    broken = {"path": {"type": "RegularExpression", "value": "/("}}
    (found,) = told(WEB, route("r", rules=[{"matches": [broken, {"path": {"value": "/zzz"}}]}]), url="http://a.io/x")
    assert found.startswith("HTTPRoute default/r: rules[0].matches[0].path.value: regular expression '/('")


def test_at_most_three_and_quickly() -> None:
    routes = [route(f"r{index:04}", hosts=[f"h{index}.io"], rules=[rule(f"/p{index}")]) for index in range(2_000)]
    before = time.process_time()
    assert len(told(WEB, *routes, url="http://h1999.io/p1998")) == 3
    assert time.process_time() - before < 10
