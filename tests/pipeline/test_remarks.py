from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from tests.pipeline.documents import (
    Document,
    backend,
    document,
    gateway,
    listener,
    route,
    rule,
    secret,
    service,
    slice_,
)
from tests.scenarios.certificates import filled_in
from xds_server.model.document import Fault, Ignored
from xds_server.model.kinds import kind_of
from xds_server.model.parse import parse
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.pipeline.remarks import SOON, remarks

NOW = datetime(2026, 12, 1, tzinfo=UTC)
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=36_500)
"""Between these the certificates of tests are valid."""


def told(documents: Iterable[Document], now: datetime = NOW) -> list[tuple[str, str, str]]:
    return [(code, object_, field) for code, object_, field, _ in everything(documents, now)]


def everything(documents: Iterable[Document], now: datetime = NOW) -> list[tuple[str, str, str, str]]:
    pipeline = build(Options(any_class=True, strict=True))
    for one in documents:
        value = parse(filled_in(one))
        assert not isinstance(value, Fault | Ignored), value
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
    pipeline.settle()
    return [(one.code, str(one.object), one.field, one.message) for one in remarks(pipeline, now)]


def https(name: str, hostname: str = "shop.e.com", port: int = 443, certificate: str = "c") -> Document:
    tls = {"certificateRefs": [{"name": certificate}]}
    return listener(name, port, protocol="HTTPS", hostname=hostname, tls=tls)


S1 = [service("s1"), slice_("s1", "10.0.0.1")]


def test_nothing_to_remark() -> None:
    assert told([gateway("gw", listener("http")), route("a", rules=[rule("/", backend("s1"))]), *S1]) == []


def test_matches_that_can_never_match() -> None:
    rules = [rule("/a", backend("s1")), rule("/a", backend("s1"))]
    found = told([gateway("gw", listener("http")), route("a", rules=rules), *S1])
    assert found == [("XDS1010", "HTTPRoute default/a", "spec.rules[1].matches[0]")]


def test_rules_that_have_nobody_to_answer() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}
    two = [{"path": {"value": "/two"}}, {"path": {"value": "/three"}}]
    rules = [
        rule("/none"),
        rule("/redirect", filters=[redirect]),
        rule("/zero", backend("s1", weight=0), backend("s1", weight=0)),
        rule("/some", backend("s1", weight=0), backend("s1")),
        {"matches": two},
    ]
    found = told([gateway("gw", listener("http")), route("a", rules=rules), *S1])
    assert found == [
        ("XDS1011", "HTTPRoute default/a", "spec.rules[0]"),
        ("XDS1012", "HTTPRoute default/a", "spec.rules[2].backendRefs"),
        ("XDS1011", "HTTPRoute default/a", "spec.rules[4]"),
    ]


def test_connections_that_go_nowhere() -> None:
    spec = {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [backend("s1", weight=0)]}]}
    found = told([gateway("gw", listener("tcp", protocol="TCP")), document("TCPRoute", "t", spec), *S1])
    assert found == [("XDS1012", "TCPRoute default/t", "spec.rules[0].backendRefs")]


def test_a_backend_without_endpoints() -> None:
    rules = [rule("/a", backend("s1"), backend("s2")), rule("/b", backend("s2", weight=0), backend("s1"))]
    given = [gateway("gw", listener("http")), route("a", rules=rules), *S1, service("s2")]
    assert told(given) == [("XDS1013", "HTTPRoute default/a", "spec.rules[0].backendRefs[1]")]
    assert told([*given, slice_("s2", "10.0.0.2")]) == []


def test_a_route_that_is_served_nowhere_needs_no_endpoints() -> None:
    rules = [rule("/a", backend("s2"))]
    lost = route("a", gateway="nowhere", rules=rules)
    kept = route("b", rules=[rule("/", backend("s1"))])
    assert told([gateway("gw", listener("http")), lost, kept, *S1, service("s2")]) == []


def test_where_files_hold_no_endpoints_at_all_the_cluster_makes_them() -> None:
    assert told([gateway("gw", listener("http")), route("a", rules=[rule("/", backend("s1"))]), service("s1")]) == []


def test_a_listener_without_routes() -> None:
    kinds = {"kinds": [{"kind": "TCPRoute"}]}
    set_ = document("ListenerSet", "more", {"parentRef": {"name": "gw"}, "listeners": [listener("idle", 84)]})
    one = gateway("gw", listener("http"), listener("idle", 81), listener("wrong", 82, allowedRoutes=kinds))
    one["spec"]["allowedListeners"] = {"namespaces": {"from": "Same"}}
    parents = {"parentRefs": [{"name": "gw", "sectionName": "http"}], "rules": [rule("/", backend("s1"))]}
    assert told([one, set_, document("HTTPRoute", "a", parents), *S1]) == [
        ("XDS1014", "Gateway default/gw", "spec.listeners[1]"),
        ("XDS1014", "ListenerSet default/more", "spec.listeners[0]"),
    ]


def test_a_listener_that_is_not_served_is_not_idle() -> None:
    plug = gateway("gw", listener("http"))
    plug["spec"]["addresses"] = [{"type": "example.com/plug", "value": "a"}]
    assert told([plug]) == []


SHOP = [gateway("gw", https("one")), route("a", rules=[rule("/", backend("s1"))]), *S1]


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (BEGIN - timedelta(seconds=1), "XDS1024"),
        (BEGIN, None),
        (END - SOON - timedelta(seconds=1), None),
        (END - SOON, "XDS1021"),
        (END - timedelta(seconds=1), "XDS1021"),
        (END, "XDS1020"),
        (END + SOON, "XDS1020"),
    ],
)
def test_certificates_have_their_time(now: datetime, code: str | None) -> None:
    found = told([*SHOP, secret("c", "shop.e.com")], now)
    assert found == ([(code, "Secret default/c", "data.tls.crt")] if code else [])


def test_a_certificate_of_several_listeners_is_told_once() -> None:
    two = gateway("gw", https("one"), https("two", port=8443))
    found = told([two, *SHOP[1:], secret("c", "shop.e.com")], END)
    assert [code for code, _, _ in found] == ["XDS1020"]


@pytest.mark.parametrize(
    ("names", "hostname", "covered"),
    [
        ("shop.e.com", "shop.e.com", True),
        ("Shop.E.com", "shop.e.com", True),
        ("*.e.com", "shop.e.com", True),
        ("*.e.com", "*.e.com", True),
        ("*.com", "shop.e.com", False),
        ("pay.e.com", "shop.e.com", False),
        ("pay.e.com,shop.e.com", "shop.e.com", True),
    ],
)
def test_names_of_certificates(names: str, hostname: str, covered: bool) -> None:
    found = told([gateway("gw", https("one", hostname)), *SHOP[1:], secret("c", names)])
    assert found == ([] if covered else [("XDS1022", "Gateway default/gw", "spec.listeners[0].tls.certificateRefs")])


def test_listeners_that_overlap() -> None:
    two = gateway("gw", https("one", "a.e.com"), https("two", "b.e.com"))
    assert told([two, *SHOP[1:], secret("c", "*.e.com")]) == [
        ("XDS1023", "Gateway default/gw", "spec.listeners[0]"),
        ("XDS1023", "Gateway default/gw", "spec.listeners[1]"),
    ]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("BackendTLSPolicy", {"validation": {"hostname": "s.e.com", "wellKnownCACertificates": "System"}}),
        ("XBackendTrafficPolicy", {"retryConstraint": {"budget": {"percent": 10, "interval": "5s"}}}),
    ],
)
def test_a_policy_that_applies_to_nothing(kind: str, spec: Document) -> None:
    def policy(name: str, target: str) -> Document:
        targets = [{"group": "", "kind": "Service", "name": target}]
        return document(kind, name, {"targetRefs": targets, **spec})

    given = [gateway("gw", listener("http")), route("a", rules=[rule("/", backend("s1"))]), *S1]
    found = told([*given, policy("used", "s1"), policy("unused", "s2")])
    assert found == [("XDS1030", f"{kind} default/unused", "spec.targetRefs")]


def messages(*documents: Document) -> list[tuple[str, str]]:
    """Field and text of what is told of routes and grants."""
    return [(field, text) for code, _, field, text in everything(documents) if code in ("XDS1015", "XDS1016")]


def test_routes_without_a_parent() -> None:
    lonely = route("a", rules=[rule("/", backend("s1"))])
    refs = lonely["spec"].pop("parentRefs")
    world = [gateway("gw", listener("http")), route("good", rules=[rule("/", backend("s1"))]), *S1]
    assert messages(*world, lonely) == [
        ("spec", "the route names no parent, neither in parentRefs nor by useDefaultGateways")
    ]
    service_ref, typo = {"group": "", "kind": "Service", "name": "s1"}, {"kind": "Gatway", "name": "gw"}
    lonely["spec"]["parentRefs"] = [service_ref, typo]
    assert messages(*world, lonely) == [
        ("spec.parentRefs[0]", "Service s1 is a parent in a mesh, and meshes are not served here"),
        (
            "spec.parentRefs[1]",
            "gateway.networking.k8s.io/Gatway is not a kind of parent that is served here; perhaps meant: Gateway",
        ),
    ]
    lonely["spec"]["parentRefs"] = [service_ref, *refs]
    assert messages(*world, lonely) == [], "a route may be for a mesh and for a Gateway"


def test_grants_for_kinds_that_nothing_is_called() -> None:
    group = "gateway.networking.k8s.io"
    from_ = [
        {"group": group, "kind": kind, "namespace": "web"}
        for kind in ("HTTPRoute", "HttpRoute", "Nothing", "XListenerSet")
    ]
    from_ += [{"group": "", "kind": "HTTPRoute", "namespace": "web"}]
    from_ += [{"group": "example.com", "kind": "HttpRoute", "namespace": "web"}]
    to = [{"group": "", "kind": kind} for kind in ("Service", "Secrets", "PersistentVolumeClaim")]
    assert messages(document("ReferenceGrant", "g", {"from": from_, "to": to})) == [
        ("spec.from[1].kind", f"{group}/HttpRoute is not a kind that is known; perhaps meant: HTTPRoute"),
        ("spec.from[2].kind", f"{group}/Nothing is not a kind that is known"),
        ("spec.from[3].kind", f"{group}/XListenerSet is not a kind that is known; perhaps meant: ListenerSet"),
        ("spec.from[4].kind", "HTTPRoute is not a kind that is known; perhaps meant: group gateway.networking.k8s.io"),
        ("spec.to[1].kind", "Secrets is not a kind that is known; perhaps meant: Secret"),
    ]
