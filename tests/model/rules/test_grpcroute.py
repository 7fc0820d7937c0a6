import pytest

from tests.model.documents import backend, grpc_route
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


def within_rule(rule):
    found = fields(grpc_route(rule))
    assert all(field.startswith("spec.rules[0].") for field in found), found
    return [field.removeprefix("spec.rules[0].") for field in found]


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ({"service": "shop.v1.Cart", "method": "Add"}, []),
        ({"service": "Cart"}, []),
        ({"service": ".Cart_2"}, []),
        ({"method": "_add1"}, []),
        ({"type": "Exact"}, []),
        ({}, ["service"]),
        ({"type": "RegularExpression"}, []),
        ({"type": "RegularExpression", "headers": []}, ["service"]),
        ({"service": ""}, ["service"]),
        ({"service": "/shop"}, ["service"]),
        ({"service": "shop..Cart"}, ["service"]),
        ({"service": "shöp.Cart"}, ["service"]),
        ({"method": "a.b"}, ["method"]),
        ({"method": "1a"}, ["method"]),
        ({"type": "RegularExpression", "service": "(a|b)/.*"}, []),
        ({"type": "RegularExpression", "method": ""}, []),
        ({"service": "a" * 1024}, []),
        ({"service": "a" * 1025, "method": "a" * 1025}, ["service", "method"]),
        ({"type": "RegularExpression", "service": "a" * 1025}, ["service"]),
    ],
)
def test_methods(method, wrong):
    """A method of nothing but a type, an old default, is none."""
    assert within_rule({"matches": [{"method": method}]}) == [f"matches[0].method.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ([{"name": "a", "value": "b"}, {"name": "A", "value": "b"}], []),
        ([{"name": "a", "value": "b"}] * 2, ["[1].name"]),
        ([{"name": "", "value": ""}], ["[0].name", "[0].value"]),
        ([{"name": f"n{i}", "value": "b"} for i in range(17)], [""]),
    ],
)
def test_headers(headers, wrong):
    assert within_rule({"matches": [{"headers": headers}]}) == [f"matches[0].headers{place}" for place in wrong]


def test_numbers_of_rules_and_matches():
    named = {"method": {"service": "a"}}
    assert fields(grpc_route(*[{}] * 16)) == []
    assert fields(grpc_route(*[{}] * 17)) == ["spec.rules"]
    assert fields(grpc_route(rules=[])) == []
    assert fields(grpc_route({"matches": [named] * 64}, {"matches": [named] * 64}, {}, {"matches": []})) == []
    assert fields(grpc_route({"matches": [named] * 65})) == ["spec.rules[0].matches"]
    assert fields(grpc_route({"matches": [named] * 64}, {"matches": [named] * 64}, {"matches": [named]})) == [
        "spec.rules"
    ]


def test_rule_names():
    assert fields(grpc_route({"name": "a"}, {"name": "b"}, {})) == []
    assert fields(grpc_route({"name": "a"}, {}, {"name": "a"})) == ["spec.rules[0].name", "spec.rules[2].name"]


def headers(**payload):
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": payload}


MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": backend()}}


@pytest.mark.parametrize(
    ("filters", "wrong"),
    [
        ([headers(), MIRROR, MIRROR], []),
        ([headers(), headers()], ["[1].type"]),
        ([{"type": "ResponseHeaderModifier"}], ["[0].responseHeaderModifier"]),
        ([headers() | {"requestMirror": MIRROR["requestMirror"]}], ["[0].requestMirror"]),
        ([MIRROR] * 17, [""]),
    ],
)
def test_filters(filters, wrong):
    assert within_rule({"filters": filters}) == [f"filters{place}" for place in wrong]
    found = within_rule({"backendRefs": [backend(filters=filters)]})
    assert found == [f"backendRefs[0].filters{place}" for place in wrong]
