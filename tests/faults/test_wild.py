"""Whatever the schemas let pass: translation never raises, and Envoy accepts all of it."""

from collections.abc import Iterable
from dataclasses import replace

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.wild import identity, objects
from tests.ports import free_port
from tests.scenarios.certificates import filled_in
from tests.scenarios.test_real_envoy import PROXY, Name, proxy
from tests.traffic.harness import service
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import BY_KIND, ROUTE_KINDS, kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.routing.listener import Bind
from xds_server.xds.resource import Resource

PORTS = (80, 81, 443, 444, 8080, 65535)
POLICIES = ("BackendTLSPolicy", "XBackend", "XBackendTrafficPolicy", "XTelemetryPolicy")
WILD_KINDS = ("Gateway", "ListenerSet", *POLICIES, *ROUTE_KINDS, *ROUTE_KINDS, *ROUTE_KINDS)
"""Kinds of generated objects; routes are the more frequent ones."""


def fixed() -> list[Object]:
    """What there is beside wild objects: a Gateway of all protocols, Services with endpoints, a certificate, a grant."""
    secret = """
kind: Secret
metadata: {name: NAME}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:NAME.example.com}", tls.key: "${key:NAME.example.com}"}
---
"""
    gateway = """
kind: Gateway
metadata: {name: a, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  gatewayClassName: any
  defaultScope: All
  allowedListeners: {namespaces: {from: All}}
  listeners:
  - {name: one, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - {name: two, port: 80, protocol: HTTP, hostname: "*.example.com", allowedRoutes: {namespaces: {from: All}}}
  - name: three
    port: 443
    protocol: HTTPS
    tls: {certificateRefs: [{name: a}]}
    allowedRoutes: {namespaces: {from: All}}
  - {name: tls, port: 444, protocol: TLS, tls: {mode: Passthrough}, allowedRoutes: {namespaces: {from: All}}}
  - {name: tcp, port: 8080, protocol: TCP, allowedRoutes: {namespaces: {from: All}}}
  - {name: udp, port: 8080, protocol: UDP, allowedRoutes: {namespaces: {from: All}}}
---
"""
    authorities = """
kind: ConfigMap
metadata: {name: a}
data: {ca.crt: "${cert:ca.example.com}"}
---
"""
    grant = """
kind: ReferenceGrant
metadata: {name: all, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: "", kind: Service}]
"""
    text = (
        "".join(service(name, ["127.0.0.1:9"]) for name in ("a", "b"))
        + secret.replace("NAME", "a")
        + gateway
        + authorities
        + grant
    )
    return [_object(one) for one in yaml.safe_load_all(text) if one]


def _object(document: dict[str, object]) -> Object:
    kind = str(document["kind"])
    value = parse(filled_in({"apiVersion": BY_KIND[kind].api_version, **document}))
    assert not isinstance(value, Fault | Ignored), value
    return value


@st.composite
def worlds(draw: st.DrawFn) -> list[Object]:
    """Objects that have to do with each other and with what is fixed, more or less."""
    kinds = draw(st.lists(st.sampled_from(WILD_KINDS), min_size=1, max_size=12))
    wild = [draw(objects(kind)) for kind in kinds]
    return list({identity(value): value for value in wild}.values())


def built(values: Iterable[Object], bind: Bind | None = None) -> Pipeline:
    pipeline = program.build(Options(any_class=True, strict=True))
    for value in (*FIXED, *values):
        kind, key = kind_of(value).kind, value.metadata.key
        pipeline.inputs.put(kind, key, value)
        if bind is not None and kind == "Gateway":
            pipeline.inputs.binds.put(key, bind)
    return pipeline


FIXED = fixed()


@settings(max_examples=400, deadline=None)
@given(worlds())
def test_translation_never_raises(values: list[Object]) -> None:
    """Also: every route of ours has a verdict, and every condition says something."""
    pipeline = built(values)
    settled = pipeline.settle()
    assert not settled.failures
    for key in pipeline.tables.parent_verdicts:
        status = pipeline.statuses.routes.get(key)
        for parent in status.parents if status else ():
            assert {one.type for one in parent.conditions} >= {"Accepted", "ResolvedRefs"}
            assert all(one.message for one in parent.conditions)


async def test_envoy_accepts_all_of_it() -> None:
    """One Envoy for all examples: each in turn is what it is to have."""
    found: list[list[Object]] = []

    @settings(max_examples=200, deadline=None, database=None)
    @given(worlds())
    def collect(values: list[Object]) -> None:
        found.append(values)

    collect()
    bind = Bind(address="127.0.0.1", ports=tuple((port, free_port()) for port in PORTS))
    problems = {}
    async with proxy() as envoy:
        for values in found:
            pipeline = built(values, bind)
            changes = pipeline.publisher.changes(pipeline.settle())
            for gateway in pipeline.gateways():
                if wrong := await envoy.given(_of(gateway, changes.values())):
                    problems[str(gateway)] = (wrong, values)
                    await envoy.given({})
    assert not problems


def _of(gateway: Key, resources: Iterable[Resource | None]) -> dict[Name, Resource]:
    """A Gateway's resources, as the one proxy is to have them."""
    return {
        (one.type, one.name): replace(one, audience=PROXY)
        for one in resources
        if one is not None and one.audience[:2] == gateway
    }
