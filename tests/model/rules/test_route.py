"""Parents, hostnames, backends and sessions, wherever they occur."""

import pytest

from tests.model.documents import GROUP, X_GROUP, any_route, backend, grpc_route, route, traffic_policy, x_selector
from xds_server.model.kinds import ROUTE_KINDS
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


@pytest.mark.parametrize("kind", ROUTE_KINDS)
@pytest.mark.parametrize(
    ("refs", "wrong"),
    [
        ([{"name": "a"}, {"name": "a", "namespace": "other"}], []),
        ([{"name": "a"}, {"name": "a", "group": GROUP, "kind": "ListenerSet"}], []),
        ([{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "y"}], []),
        ([{"name": "a", "port": 80}, {"name": "a", "port": 81}], []),
        ([{"name": "a"}, {"name": "a"}], ["spec.parentRefs[1]"]),
        ([{"name": "a", "sectionName": "x"}, {"name": "a"}], ["spec.parentRefs[1]"]),
        ([{"name": "", "port": 0}], ["spec.parentRefs[0].name", "spec.parentRefs[0].port"]),
        ([{"name": f"p{i}"} for i in range(32)], []),
        ([{"name": f"p{i}"} for i in range(33)], ["spec.parentRefs"]),
    ],
)
def test_parents_of_every_route(kind, refs, wrong):
    assert fields(any_route(kind, parentRefs=refs)) == wrong


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "TLSRoute"])
@pytest.mark.parametrize(
    ("hostnames", "wrong"),
    [
        (["a.b", "*.c"], []),
        (["a", "*", "A.b"], ["spec.hostnames[1]", "spec.hostnames[2]"]),
        ([""], ["spec.hostnames[0]"]),
    ],
)
def test_hostnames(kind, hostnames, wrong):
    assert fields(any_route(kind, hostnames=hostnames)) == wrong


X_BACKEND = {"name": "shop", "group": X_GROUP, "kind": "XBackend"}


@pytest.mark.parametrize("kind", ROUTE_KINDS)
@pytest.mark.parametrize(
    ("ref", "wrong"),
    [
        (backend(), []),
        (backend(port=None), ["port"]),
        (backend(kind="Other", port=None), []),
        (X_BACKEND, []),
        (X_BACKEND | {"port": 80}, ["port"]),
        (X_BACKEND | {"group": "", "port": 80}, []),
        (backend(port=65536), ["port"]),
        (backend(namespace="A"), ["namespace"]),
        (backend(weight=1_000_001), ["weight"]),
        (backend(weight=0), []),
    ],
)
def test_backends_of_every_route(kind, ref, wrong):
    found = fields(any_route(kind, rules=[{"backendRefs": [ref]}]))
    assert found == [f"spec.rules[0].backendRefs[0].{field}" for field in wrong]


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_numbers_of_backends(kind):
    assert fields(any_route(kind, rules=[{"backendRefs": [backend()] * 16}])) == []
    assert fields(any_route(kind, rules=[{"backendRefs": [backend()] * 17}])) == ["spec.rules[0].backendRefs"]


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_names_of_rules(kind):
    assert fields(any_route(kind, rules=[{"name": "a", "backendRefs": [backend()]}])) == []
    assert fields(any_route(kind, rules=[{"name": "A", "backendRefs": [backend()]}])) == ["spec.rules[0].name"]


SESSIONS = [
    (lambda session: route({"sessionPersistence": session}), "spec.rules[0]"),
    (lambda session: grpc_route({"sessionPersistence": session}), "spec.rules[0]"),
    (lambda session: x_selector(sessionPersistence=session), "spec"),
    (lambda session: traffic_policy(sessionPersistence=session), "spec"),
]


@pytest.mark.parametrize(("place", "where"), SESSIONS)
@pytest.mark.parametrize(
    ("session", "wrong"),
    [
        ({"cookie": {}}, []),
        ({"cookie": {"name": "c", "path": "/a"}, "absoluteTimeout": "1h"}, []),
        ({"type": "Header", "header": {"name": "h"}}, []),
        ({}, ["cookie"]),
        ({"type": "Header"}, ["header"]),
        ({"type": "Header", "header": {"name": "h"}, "cookie": {}}, ["cookie"]),
        ({"cookie": {}, "header": {"name": "h"}}, ["header"]),
        ({"cookie": {"name": ""}}, ["cookie.name"]),
        ({"cookie": {"name": "a b"}}, ["cookie.name"]),
        ({"cookie": {"path": "x" * 1025}}, ["cookie.path"]),
        ({"type": "Header", "header": {"name": "a:b"}}, ["header.name"]),
        ({"cookie": {}, "absoluteTimeout": "1"}, ["absoluteTimeout"]),
        ({"cookie": {"lifetimeType": "Permanent"}}, ["absoluteTimeout"]),
        ({"cookie": {"lifetimeType": "Permanent"}, "absoluteTimeout": "1h"}, []),
    ],
)
def test_sessions(place, where, session, wrong):
    assert fields(place(session)) == [f"{where}.sessionPersistence.{field}" for field in wrong]
