"""Gateways in a cluster: what a change of a pod, a Service or an endpoint costs, and what proxies that are shared get."""

from collections import Counter, defaultdict

import pytest

from tests.pipeline.documents import (
    Document,
    backend,
    document,
    gateway,
    listener,
    policy,
    put,
    route,
    rule,
    secret,
    service,
    slice_,
)
from tests.scenarios.certificates import filled_in
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.routing.audience import ForGateway

PODS = 200
PORTS = [{"name": "http", "port": 80, "targetPort": "web"}, {"name": "https", "port": 443, "targetPort": 8443}]


def named(name: str, *listeners: Document, by: str = "ingress", **metadata: str) -> Document:
    made = gateway(name, *listeners, **metadata)
    return made | {"spec": made["spec"] | {"addresses": [{"type": "Hostname", "value": by}]}}


def ingress(status: str = "192.0.2.1", **spec: object) -> Document:
    made = document("Service", "ingress", {"type": "LoadBalancer", "selector": {"app": "envoy"}, "ports": PORTS} | spec)
    return made | {"status": {"loadBalancer": {"ingress": [{"ip": status}]}}}


def pod(name: str, app: str, port: int = 8080, phase: str = "Running", **metadata: str) -> Document:
    spec = {"serviceAccountName": "edge", "containers": [{"ports": [{"name": "web", "containerPort": port}]}]}
    return document("Pod", name, spec, labels={"app": app}, **metadata) | {"status": {"phase": phase}}


@pytest.fixture
def pipeline() -> Pipeline:
    built = program.build(Options(any_class=True, strict=True, deployed=True))
    put(
        built,
        named("gw", listener("http")),
        gateway("made", listener("http"), uid="1"),
        service("made", ownerReferences=[{"kind": "Gateway", "uid": "1"}]),
        service("cart"),
        service("idle"),
        ingress(),
        route("r", rules=[rule("/", backend("cart"))]),
        *(pod(f"p{number}", "shop") for number in range(PODS)),
        pod("e0", "envoy"),
        pod("e1", "envoy"),
    )
    built.settle()
    return built


def costs(pipeline: Pipeline, *documents: Document) -> Counter[str]:
    put(pipeline, *documents)
    return pipeline.settle().calls


def test_endpoints_of_services_that_no_route_names_cost_nothing(pipeline: Pipeline) -> None:
    for of in ("idle", "ingress", "made"):
        assert costs(pipeline, slice_(f"{of}-1", "10.0.0.1", "10.0.0.2", of=of)) == {}
    assert costs(pipeline, slice_("cart-1", "10.0.0.3", of="cart"))["assignments"] == 1


def test_a_pod_that_serves_nobody_costs_itself(pipeline: Pipeline) -> None:
    assert costs(pipeline, pod("p1", "shop", phase="Failed")) == {"pods.served": 1, "proxies": 1}
    assert costs(pipeline, pod("p1", "shop", phase="Running")) == {"pods.served": 1, "proxies": 1}


def test_a_proxy_that_comes_costs_its_gateways_place_and_no_resource(pipeline: Pipeline) -> None:
    calls = costs(pipeline, pod("e2", "envoy"))
    assert calls == {"pods.served": 1, "proxies": 1, "gateways.together": 1, "gateways.alone": 1}
    assert costs(pipeline, pod("e2", "envoy", deletionTimestamp="2026-01-01T00:00:00Z"))["gateway.listeners"] == 0


def test_it_is_known_whether_a_pod_of_a_gateway_is_ready(pipeline: Pipeline) -> None:
    places, gateway_ = pipeline.places, Key("default", "gw")
    assert not places.ready(gateway_)
    assert places.ready(Key("default", "made")), "it has no pods, so its Envoys are no pods"
    ready = pod("e0", "envoy") | {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    put(pipeline, ready)
    assert places.moved(pipeline.settle()) == {gateway_}
    assert places.ready(gateway_)
    put(pipeline, pod("p0", "shop"))
    assert places.moved(pipeline.settle()) == set()


def test_a_named_port_that_moves_moves_the_listener(pipeline: Pipeline) -> None:
    newer = pod("e2", "envoy", port=8081, creationTimestamp="2026-01-01T00:00:00Z")
    assert costs(pipeline, newer)["gateway.listeners"] == 1
    bind = pipeline.places.binds.get(Key("default", "gw"))
    assert bind is not None
    assert bind.ports == ((80, 8081),)


def test_a_services_address_is_nothing_to_pods_and_listeners(pipeline: Pipeline) -> None:
    calls = costs(pipeline, ingress("192.0.2.2"))
    assert (calls["proxies"], calls["gateway.listeners"], calls["statuses.gateways"]) == (0, 0, 1)
    placement = pipeline.places.placements.get(Key("default", "gw"))
    assert placement is not None
    assert [one.value for one in placement.addresses] == ["192.0.2.2"]


def test_a_services_selector_asks_the_pods_of_its_namespace(pipeline: Pipeline) -> None:
    assert costs(pipeline, ingress(selector={"app": "shop"}))["proxies"] == PODS + 2
    assert pipeline.places.proxies_by_gateway is not None
    assert len(pipeline.places.proxies_by_gateway.rows(Key("default", "gw"))) == PODS


def test_a_gateway_of_its_own_binds_its_ports_as_they_are(pipeline: Pipeline) -> None:
    assert pipeline.places.binds.get(Key("default", "made")) is None
    assert costs(pipeline, pod("m", "made"))["gateways.alone"] == 0


def test_local_mode_has_neither_pods_nor_places() -> None:
    built = program.build(Options(any_class=True, strict=True))
    assert (built.places.binds, built.places.placements) == (built.inputs.binds, built.inputs.placements)
    assert built.places.proxies is None


def test_gateways_on_one_proxy_share_no_name_with_two_contents() -> None:
    """Two Gateways with every kind of listener, by two Services that lead the same ports elsewhere, for the same pods,
    and with backends, policies and certificates in common.
    """
    built = program.build(Options(any_class=True, strict=True, deployed=True))
    tls = {"tls": {"certificateRefs": [{"name": "cert"}]}}
    kinds = [
        {"name": "http", "protocol": "HTTP"},
        {"name": "https", "protocol": "HTTPS", "hostname": "a.example.com", **tls},
        {"name": "tls", "protocol": "TLS", "hostname": "b.example.com", "tls": {"mode": "Passthrough"}},
        {"name": "tcp", "protocol": "TCP"},
        {"name": "udp", "protocol": "UDP"},
    ]
    first = [{**one, "port": 80 + index} for index, one in enumerate(kinds)]
    # the first three ports are those of the other Gateway, the others its own, which lead to places of the other
    second = [{**one, "port": 80 + index if index < 3 else 180 + index} for index, one in enumerate(kinds)]
    others = [{**one, "name": f"{one['name']}-own", "port": 280 + index} for index, one in enumerate(kinds)]
    parents = [{"name": "old"}, {"name": "young"}]
    put(
        built,
        named("old", *first, by="one", creationTimestamp="2026-01-01T00:00:00Z"),
        named("young", *second, *others, by="two", creationTimestamp="2026-01-02T00:00:00Z"),
        _service("one", {80 + index: 1080 + index for index in range(5)}),
        _service(
            "two",
            {80 + index: 2080 + index for index in range(3)}
            | {180 + index: 1080 + index for index in range(3, 5)}
            | {280 + index: 3080 + index for index in range(5)},
        ),
        pod("e", "envoy"),
        secret("cert", "a.example.com"),
        service("cart"),
        slice_("cart-1", "10.0.0.1", of="cart"),
        filled_in(document("ConfigMap", "ca") | {"data": {"ca.crt": "${cert:ca}"}}),
        policy("verified", "cart"),
        document(
            "XBackendTrafficPolicy",
            "sticky",
            {
                "targetRefs": [{"group": "", "kind": "Service", "name": "cart"}],
                "sessionPersistence": {"sessionName": "s"},
            },
        ),
        *(
            document(kind, kind.lower(), {"parentRefs": parents, "rules": [{"backendRefs": [backend("cart")]}], **more})
            for kind, more in {
                "HTTPRoute": {},
                "TLSRoute": {"hostnames": ["b.example.com"]},
                "TCPRoute": {},
                "UDPRoute": {},
            }.items()
        ),
    )
    contents: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (audience, type_, name), resource in built.publisher.changes(built.settle()).items():
        assert isinstance(audience, ForGateway)
        assert resource is not None
        contents[type_.value, name][resource.version].add(audience.name)
    assert {name: dict(found) for name, found in contents.items() if len(found) > 1} == {}
    both = {name for name, found in contents.items() for of in found.values() if of == {"old", "young"}}
    assert {type_ for type_, _ in both} == {"clusters", "endpoints", "secrets"}, "what they have in common is the same"
    listeners = {name: of for (type_, name), found in contents.items() if type_ == "listeners" for of in found.values()}
    assert listeners == {
        **{f"{'udp' if index == 4 else 'tcp'}-{1080 + index}": {"old"} for index in range(5)},
        **{f"{'udp' if index == 4 else 'tcp'}-{3080 + index}": {"young"} for index in range(5)},
    }


def _service(name: str, ports: dict[int, int]) -> Document:
    made = [
        {"name": f"p{port}", "port": port, "targetPort": target, "protocol": "UDP" if port % 100 == 84 else "TCP"}
        for port, target in ports.items()
    ]
    return document("Service", name, {"selector": {"app": "envoy"}, "ports": made})
