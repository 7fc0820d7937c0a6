"""What is predicted of requests, with the objects behind each step."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipeline.documents import (
    Document,
    backend,
    document,
    gateway,
    grant,
    listener,
    policy,
    put,
    route,
    rule,
    secret,
    service,
    slice_,
)
from tests.scenarios.scenario import Scenario, load_all
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.predict import predict
from xds_server.pipeline.prediction import Answer, Prediction, Source
from xds_server.routing.request import Request
from xds_server.wire.decode import to_json
from xds_server.xds.resource import ResourceType

GW = Key("default", "gw")
WEB = gateway("gw", listener("web"))


def ask(*documents: Document, url: str = "http://a.io/", deployed: bool = False, **more: Any) -> Prediction:
    """The prediction for a URL without a port."""
    pipeline = program.build(Options(any_class=True, strict=True, deployed=deployed))
    put(pipeline, *documents)
    pipeline.settle()
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    ports = {"http": 80, "https": 443, "grpc": 80, "tls": 443, "tcp": 9000, "udp": 53}
    given: dict[str, Any] = {"port": ports[scheme], "path": f"{slash}{path}" or "/", "sni": ""}
    if scheme in ("https", "tls"):
        given["sni"] = authority
    return predict(pipeline, GW, Request(scheme=scheme, authority=authority, **(given | more)))  # type: ignore[arg-type]


def test_every_step_has_its_object() -> None:
    found = ask(
        WEB,
        route(
            "r", hosts=["*.io"], rules=[rule("/x"), rule("/", backend("s", weight=3), backend("t", namespace="other"))]
        ),
        service("s"),
        slice_("s-1", "10.0.0.1", "10.0.0.2", of="s"),
        slice_("s-2", of="s"),
        service("t", "other"),
        slice_("t-1", "10.0.0.3", namespace="other", of="t"),
        grant("allowed"),
    )
    assert found.listener is not None
    assert found.listener.source == Source("Gateway default/gw", "listeners[web]")
    assert found.host == "*.io"
    assert found.rule is not None
    assert found.rule.source == Source("HTTPRoute default/r", "rules[1].matches[0]")
    one, other = found.backends
    assert (one.object, one.share, one.endpoints, one.slices, one.grant) == (
        "Service default/s port 80", 75, ("10.0.0.1:3000", "10.0.0.2:3000"), ("default/s-1",), ""
    )  # fmt: skip
    assert (other.object, other.share, other.slices, other.grant) == (
        "Service other/t port 80", 25, ("other/t-1",), "other/allowed"
    )  # fmt: skip
    assert found.answer == Answer("backend")
    assert found.answer.good


def test_an_xbackend_has_a_name_or_pods() -> None:
    kind = {"group": "gateway.networking.x-k8s.io", "kind": "XBackend"}
    named = document("XBackend", "api", {
        "type": "ExternalHostname", "externalHostname": {"hostname": "api.io"}, "port": {"number": 8443},
    }, "other")  # fmt: skip
    allowed = document("ReferenceGrant", "g", {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "default"}], "to": [kind],
    }, "other")  # fmt: skip
    found = ask(WEB, route("r", rules=[rule("/", backend("api", namespace="other", **kind))]), named, allowed)
    assert (found.backends[0].object, found.backends[0].endpoints, found.backends[0].grant) == (
        "XBackend other/api port 8443", ("api.io:8443",), "other/g"
    )  # fmt: skip
    assert found.answer == Answer("backend")


@pytest.mark.parametrize("scenario", load_all(), ids=lambda scenario: scenario.name)
def test_every_scenario_can_be_asked(scenario: Scenario) -> None:
    """Wherever a route is served, for its host: the endpoints that are told are those that Envoy is sent."""
    outcome = scenario.run()
    pipeline = outcome.pipeline
    for id_, claim in pipeline.tables.claims.items():
        listener = claim.listener
        host = claim.host.replace("*", "any")
        secure = {"https": "https", "tls": "tls", "passthrough": "tls", "http": "http", "udp": "udp"}
        request = Request(secure.get(listener.protocol, "tcp"), host, listener.port, sni=host)  # type: ignore[arg-type]
        found = predict(pipeline, id_.listener.gateway, request)
        assert found.listener is not None
        sent = {
            f"[{one['address']}]:{one['portValue']}"
            if ":" in one["address"]
            else f"{one['address']}:{one['portValue']}"
            for resource in outcome.of(id_.listener.gateway, ResourceType.ENDPOINT).values()
            for one in _addresses(to_json(resource.type.url, resource.body))
        }
        told = {address for step in found.backends if step.share for address in step.endpoints}
        assert {one for one in told if one[0] in "[0123456789"} <= sent or found.answer.kind != "backend"


def _addresses(shown: Any) -> Iterator[dict[str, Any]]:
    if isinstance(shown, dict):
        if "portValue" in shown:
            yield shown
        for value in shown.values():
            yield from _addresses(value)
    for value in shown if isinstance(shown, list) else ():
        yield from _addresses(value)


def test_shares_that_fail_are_told() -> None:
    found = ask(
        WEB,
        route("r", rules=[rule("/", backend("s"), backend("t", weight=2), backend("empty"), backend("no", weight=0))]),
        *(service(name) for name in ("s", "empty")),
        slice_("s", "10.0.0.1"),
    )
    assert [(one.share, one.problem) for one in found.backends] == [
        (25, ""),
        (50, "rules[0].backendRefs[1]: Service default/t does not exist"),
        (25, "no endpoint takes traffic"),
        (0, "rules[0].backendRefs[3]: Service default/no does not exist"),
    ]
    assert found.answer == Answer("backend", why="50% of requests get 500, 25% of requests get 503")


def test_a_rule_that_cannot_be_served() -> None:
    found = ask(WEB, route("r", rules=[rule("/", backend("s"))]))
    assert found.answer == Answer("response", 500, why="no backend of the rule can be used")
    assert [one.problem for one in found.backends] == ["rules[0].backendRefs[0]: Service default/s does not exist"]
    assert not found.answer.good
    assert ask(WEB, route("r")).answer == Answer("response", 500, why="the rule has no backend")


def test_backends_without_endpoints() -> None:
    found = ask(WEB, route("r", rules=[rule("/", backend("s"))]), service("s"))
    assert found.answer == Answer("response", 503, why="no endpoint takes traffic")


def test_filters_and_settings_are_told_in_words() -> None:
    headers = {"set": [{"name": "X", "value": "1"}, {"name": "Host", "value": "h.io"}], "add": [], "remove": ["Y"]}
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": headers},
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/n"}}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "s", "port": 80}, "percent": 5}},
    ]
    found = ask(
        WEB,
        route(
            "r",
            rules=[rule("/", backend("s"), filters=filters, timeouts={"request": "1500ms", "backendRequest": "0s"})],
        ),
        service("s"),
    )
    assert found.rule is not None
    assert [(one.type, one.does) for one in found.rule.filters] == [
        ("RequestHeaderModifier", "sets x: 1, sets Host: h.io, removes y"),
        ("URLRewrite", "path /n"),
        ("RequestMirror", "a copy of 5 in 100 to Service default/s port 80"),
    ]
    assert found.rule.settings == ("timeouts.request 1.5 s", "timeouts.backendRequest without limit")


def test_retries_sessions_and_tls_are_told() -> None:
    policy = document("BackendTLSPolicy", "secured", {
        "targetRefs": [{"group": "", "kind": "Service", "name": "s"}],
        "validation": {"hostname": "s.io", "wellKnownCACertificates": "System"},
    })  # fmt: skip
    session = {"type": "Cookie", "cookie": {"name": "c"}, "absoluteTimeout": "1h"}
    made = rule("/", backend("s"), retry={"attempts": 2, "codes": [503], "backoff": "50ms"}, sessionPersistence=session)
    found = ask(WEB, route("r", rules=[made]), service("s"), slice_("s", "10.0.0.1"), policy)
    assert found.rule is not None
    assert found.rule.settings == ("retry 2 times after 503, 0.05 s apart",)
    assert (found.backends[0].tls, found.backends[0].session) == (
        "BackendTLSPolicy default/secured",
        "cookie c, 3600 s",
    )


def test_a_backend_that_nobody_can_vouch_for_is_not_reached() -> None:
    policy = document("BackendTLSPolicy", "secured", {
        "targetRefs": [{"group": "", "kind": "Service", "name": "s"}],
        "validation": {"hostname": "s.io", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]},
    })  # fmt: skip
    found = ask(WEB, route("r", rules=[rule("/", backend("s"))]), service("s"), slice_("s", "10.0.0.1"), policy)
    why = "BackendTLSPolicy default/secured trusts nobody: caCertificateRefs[0]: ConfigMap default/ca does not exist"
    assert found.answer == Answer("response", 503, why=why)


def test_preflights_are_answered_whatever_else_the_rule_asks_for() -> None:
    cors = {"type": "CORS", "cors": {"allowOrigins": ["https://a.io"], "allowMethods": ["POST"]}}
    matches = [{"path": {"value": "/x"}, "method": "POST"}]
    posts = route("r", rules=[{"matches": matches, "filters": [cors], "backendRefs": [backend("s")]}])
    asked = (("origin", "https://b.io"), ("access-control-request-method", "POST"))
    found = ask(WEB, posts, url="http://a.io/x/y", method="OPTIONS", headers=asked)
    assert found.answer == Answer("response", 200, why="CORS answers")
    assert found.answer.good
    assert found.rule is not None
    assert found.rule.filters[0].does == "origins https://a.io, methods POST, headers none"
    assert ask(WEB, posts, url="http://a.io/z", method="OPTIONS", headers=asked).answer.status == 404
    other = (asked[0], ("access-control-request-method", "PUT"))
    assert ask(WEB, posts, url="http://a.io/x", method="OPTIONS", headers=other).answer.status == 404


def test_who_is_asked_before_a_backend() -> None:
    def asking(name: str) -> Document:
        auth = {"protocol": "HTTP", "backendRef": {"name": name, "port": 80}, "http": {}}
        return route("r", rules=[rule("/", backend("s"), filters=[{"type": "ExternalAuth", "externalAuth": auth}])])

    given = (WEB, service("s"), slice_("s", "10.0.0.1"))
    found = ask(*given, asking("s"))
    assert found.rule is not None
    assert found.rule.filters[0].does == "Service default/s port 80 is asked over HTTP whether the request may pass"
    assert found.answer == Answer("backend")
    lost = ask(*given, asking("lost"))
    assert lost.answer.status == 403
    assert "Service default/lost does not exist" in lost.answer.why


def test_a_redirect() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    found = ask(WEB, route("r", rules=[rule("/", filters=[redirect])]), url="http://a.io/x/../y?q=1")
    assert found.answer == Answer("redirect", 301, "https://a.io/y?q=1")
    assert found.backends == ()
    assert found.rule is not None
    assert found.rule.filters[0].does == "301 to scheme https"


def test_calls_of_grpc_have_their_own_status() -> None:
    calls = document("GRPCRoute", "calls", {
        "parentRefs": [{"name": "gw"}],
        "rules": [{"matches": [{"method": {"service": "s.S"}}], "backendRefs": [backend("s")]}],
    })  # fmt: skip
    more: dict[str, Any] = {"method": "POST", "headers": (("content-type", "application/grpc"),)}
    found = ask(WEB, calls, url="grpc://a.io/s.S/M", **more)
    assert (found.answer.status, found.answer.grpc_status) == (503, 14)
    assert ask(WEB, calls, url="grpc://a.io/t.T/M", **more).answer.grpc_status == 12
    assert ask(WEB, calls, url="http://a.io/s.S/M").answer.status == 404


def test_a_port_without_listener() -> None:
    found = ask(WEB, url="https://a.io/")
    assert found.answer == Answer("closed", why="Gateway default/gw has no listener of TCP port 443 (it has: 80)")


def test_a_listener_that_is_not_served() -> None:
    https = listener("tls", 443, protocol="HTTPS", tls={"certificateRefs": [{"name": "c"}]})
    found = ask(gateway("gw", https), url="https://a.io/")
    assert found.answer == Answer(
        "closed",
        why="port 443 is not served (listener tls: InvalidCertificateRef: tls.certificateRefs[0]: Secret default/c does"
        " not exist)",
    )


def test_a_host_that_no_listener_has() -> None:
    narrow = gateway("gw", listener("a", hostname="a.io"), listener("b", hostname="*.b.io"))
    found = ask(narrow, route("r"), url="http://c.io/")
    assert found.answer == Answer("response", 404, why="no listener of port 80 has host c.io (they have: *.b.io, a.io)")
    (miss,) = found.misses
    assert str(miss) == (
        "HTTPRoute default/r parentRefs: it is attached to listener a, whose hostname a.io does not cover c.io; it is"
        " attached to listener b, whose hostname *.b.io does not cover c.io"
    )


def secure(name: str, hostname: str) -> Document:
    return listener(
        name, 443, protocol="HTTPS", hostname=hostname, tls={"certificateRefs": [{"name": "c", "namespace": "other"}]}
    )


def test_tls_goes_by_server_name_then_host() -> None:
    certificate = secret("c", "a.io", namespace="other")
    tls = gateway("gw", secure("a", "a.io"), secure("b", "*.b.io"))
    allowed = grant("g", "Gateway", "Secret")
    found = ask(tls, certificate, allowed, route("r"), url="https://a.io/")
    assert found.listener is not None
    assert (found.listener.certificates, found.listener.grants) == (("Secret other/c",), ("other/g",))
    assert found.answer.status == 500
    misdirected = ask(tls, certificate, allowed, route("r"), url="https://a.io/", sni="x.b.io")
    assert misdirected.answer == Answer(
        "response", 421, why="host a.io is that of listener a, the connection's server name led to b"
    )
    nobody = ask(tls, certificate, allowed, route("r"), url="https://c.io/", sni="A.io")
    assert nobody.answer == Answer("response", 404, why="no route has host c.io here")
    unknown = ask(tls, certificate, allowed, url="https://c.io/")
    assert unknown.answer == Answer(
        "closed", why="no listener of port 443 has server name c.io (they have: *.b.io, a.io)"
    )
    plain = ask(tls, certificate, allowed, url="http://a.io/", port=443)
    assert plain.answer == Answer("closed", why="port 443 speaks TLS, the request does not")


def test_certificates_of_clients_are_told() -> None:
    port = gateway("gw", listener("a", 443, protocol="HTTPS", tls={"certificateRefs": [{"name": "c"}]}))
    reference = {"group": "", "kind": "ConfigMap", "name": "ca"}
    port["spec"]["tls"] = {"frontend": {"default": {"validation": {"caCertificateRefs": [reference]}}}}
    authorities = document("ConfigMap", "ca") | {"data": {"ca.crt": "${cert:clients}"}}
    found = ask(port, secret("c", "a.io"), authorities, url="https://a.io/")
    assert found.listener is not None
    assert found.listener.client_certificates == "required"
    assert found.answer.status == 404


def test_tls_to_plain_http() -> None:
    found = ask(WEB, url="https://a.io/", port=80)
    assert found.answer == Answer("closed", why="port 80 speaks plain HTTP, the request comes over TLS")


def connections(kind: str, name: str, *backends: Document, **more: Any) -> Document:
    spec = {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": list(backends)}], **more}
    return document(kind, name, spec)


def test_connections() -> None:
    port = gateway("gw", listener("db", 9000, protocol="TCP"))
    found = ask(
        port, connections("TCPRoute", "r", backend("s")), service("s"), slice_("s", "10.0.0.1"), url="tcp://a.io"
    )
    assert found.rule is not None
    assert (found.rule.source, found.answer) == (Source("TCPRoute default/r", "rules[0]"), Answer("backend"))
    assert found.backends[0].endpoints == ("10.0.0.1:3000",)
    lost = ask(port, connections("TCPRoute", "r", backend("s")), url="tcp://a.io")
    assert lost.answer == Answer("closed", why="rules[0].backendRefs[0]: Service default/s does not exist")
    assert ask(port, url="tcp://a.io").answer == Answer("closed", why="no route takes it")


def test_connections_with_a_server_name() -> None:
    port = gateway("gw", listener("tls", 443, protocol="TLS", hostname="*.io", tls={"mode": "Passthrough"}))
    wide = connections("TLSRoute", "wide", backend("s"), hostnames=["*.io"])
    exact = connections("TLSRoute", "exact", backend("s"), hostnames=["a.io"])
    given = (port, wide, exact, service("s"), slice_("s", "10.0.0.1"))
    for name, taken in (("a.io", "exact"), ("b.io", "wide")):
        found = ask(*given, url=f"tls://{name}")
        assert found.rule is not None
        assert found.rule.source.object == f"TLSRoute default/{taken}"
    secured = ask(*given, policy("p", "s"), url="tls://a.io").backends[0]
    assert (secured.tls, secured.unused, secured.problem) == ("", "BackendTLSPolicy default/p", "")
    assert ask(*given, url="https://a.io/").answer == Answer("backend")
    missed = ask(port, exact, url="tls://b.io")
    assert [str(one) for one in missed.misses] == [
        "TLSRoute default/exact hostnames: a.io does not cover the server name"
    ]


def test_datagrams() -> None:
    port = gateway("gw", listener("dns", 53, protocol="UDP"))
    named = service("s") | {"spec": {"ports": [{"port": 80, "protocol": "UDP"}]}}
    found = ask(port, connections("UDPRoute", "r", backend("s")), named, slice_("s", "10.0.0.1"), url="udp://a.io")
    assert found.answer == Answer("backend")
    assert ask(port, url="tcp://a.io", port=53).answer.kind == "closed"


def test_cors_is_described_as_it_is_written() -> None:
    cors = {"allowOrigins": ["https://*.acme.test", "https://A.io:443"], "allowMethods": ["GET"]}
    made = rule("/", backend("s"), filters=[{"type": "CORS", "cors": cors}])
    found = ask(WEB, route("r", rules=[made]), service("s"), slice_("s", "10.0.0.1"))
    assert found.rule is not None
    assert found.rule.filters[0].does == "origins https://*.acme.test https://a.io, methods GET, headers none"


def test_a_port_that_the_service_of_a_gateway_lacks_is_not_served() -> None:
    """In a cluster: the listener is as it should be, and no Envoy binds it."""
    on_ingress = gateway("gw", listener("web"), listener("more", 81))
    on_ingress["spec"]["addresses"] = [{"type": "Hostname", "value": "ingress"}]
    ingress = document("Service", "ingress", {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": 8080}]})
    world = (on_ingress, ingress, route("r", rules=[rule("/", backend("s"))]), service("s"), slice_("s", "10.0.0.1"))
    assert ask(*world, deployed=True).answer.good
    found = ask(*world, deployed=True, port=81).answer
    assert (found.kind, found.why) == ("closed", "port 81 is not served (Service default/ingress has no port 81)")
