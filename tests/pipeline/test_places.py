"""Gateways in a cluster: what a change of a pod, a Service or an endpoint costs, and what proxies that are shared get."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.documents import (
    Document,
    backend,
    document,
    gateway,
    grant,
    listener,
    policy,
    put,
    remove,
    route,
    rule,
    secret,
    service,
    slice_,
)
from tests.scenarios.certificates import filled_in
from xds_server.flow.explain import explain
from xds_server.infra.proxies import Proxy
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.routing.audience import ForGateway
from xds_server.routing.listener import Bind
from xds_server.semantics.statuses import Trouble

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
    once = ("pods.served", "proxies", "gateways.together", "gateways.troubles", "gateways.alone")
    assert calls == dict.fromkeys(once, 1)
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


def test_what_keeps_a_pod_from_coming_up_costs_the_status_of_its_gateway(pipeline: Pipeline) -> None:
    def of(reason: str, *, ready: bool = False, restarts: int = 0) -> Document:
        containers = [{"name": "e", "restartCount": restarts, "state": {"waiting": {"reason": reason}}}]
        conditions = [{"type": "Ready", "status": str(ready)}]
        return pod("e0", "envoy") | {"status": {"conditions": conditions, "containerStatuses": containers}}

    calls = costs(pipeline, of("ErrImagePull"))
    assert (calls["gateways.troubles"], calls["statuses.gateways"], calls["gateway.listeners"]) == (1, 1, 0)
    assert costs(pipeline, of("ErrImagePull")) == {}
    calls = costs(pipeline, of("ErrImagePull", restarts=1))
    assert (calls["proxies"], calls["gateways.troubles"], calls["statuses.gateways"]) == (1, 0, 0)
    assert costs(pipeline, of("", ready=True))["statuses.gateways"] == 1
    assert costs(pipeline, of("", ready=True, restarts=9)) == {}


def test_what_a_deployment_says_is_in_the_status_with_pods_and_without(pipeline: Pipeline) -> None:
    def told(gateway_: str) -> str:
        status = pipeline.statuses.gateways.get(Key("default", gateway_))
        assert status is not None
        return next(one.message for one in status.conditions if one.type == "Programmed")

    for name in ("gw", "made"):
        pipeline.inputs.rollouts.put(Key("default", name), Trouble("NoResources", "Deployment d has 0 replicas"))
    pipeline.settle()
    assert {told("gw"), told("made")} == {"No Envoy of this Gateway comes up: Deployment d has 0 replicas"}
    pipeline.inputs.rollouts.remove(Key("default", "gw"))
    pipeline.settle()
    assert told("gw") == "No Envoy of this Gateway is connected."


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


def test_a_gateway_among_hundreds_asks_for_those_alone_that_have_its_ports() -> None:
    built = program.build(Options(any_class=True, strict=True, deployed=True))
    ports = [{"name": f"p{number}", "port": number, "targetPort": 10_000 + number} for number in range(1000, 1200)]
    many = [named(f"gw{number}", listener("http", port=number)) for number in range(1000, 1199)]
    put(built, ingress(ports=ports), *many, named("other", listener("http", port=1100)), pod("one", "envoy"))
    built.settle()
    reads = explain(built.graph, "places", Key("default", "other")).reads
    assert [read.key.name for read in reads if read.table == "gateways.alone"] == ["gw1100"]
    assert built.places.places is not None
    place = built.places.places.get(Key("default", "other"))
    assert place is not None
    assert list(place.unbound.values()) == ["port 1100 is that of Gateway default/gw1100, which goes before"]


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


_NAMES = st.sampled_from(["a", "b"])
_NAMESPACES = st.sampled_from(["default", "other"])
_TIMES = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
_ASKED = st.lists(
    st.sampled_from(
        [
            {"type": "Hostname", "value": "a"},
            {"type": "Hostname", "value": "b.other.svc"},
            {"value": "192.0.2.1"},
            {"routability": "Cluster"},
        ]
    ),
    max_size=2,
    unique_by=str,
)
_GATEWAYS = st.builds(
    lambda name, ns, created, asked, ports: document(
        "Gateway",
        name,
        {
            "gatewayClassName": "any",
            "addresses": asked,
            "listeners": [listener(f"l{port}", port) for port in ports],
        },
        ns,
        uid=f"{ns}/{name}",
        creationTimestamp=created,
    ),
    _NAMES,
    _NAMESPACES,
    _TIMES,
    _ASKED,
    st.lists(st.sampled_from([80, 81, 15021]), min_size=1, max_size=2, unique=True),
)
_SERVICES = st.builds(
    lambda name, ns, owner, selector, targets, ip: (
        document(
            "Service",
            name,
            {
                "type": "LoadBalancer",
                "selector": selector,
                "clusterIP": "10.96.0.1",
                "ports": [
                    {"name": f"p{80 + index}", "port": 80 + index, "targetPort": target}
                    for index, target in enumerate(targets)
                ],
            },
            ns,
            ownerReferences=[{"kind": "Gateway", "uid": owner}],
        )
        | {"status": {"loadBalancer": {"ingress": [{"ip": ip}] if ip else []}}}
    ),
    _NAMES,
    _NAMESPACES,
    st.sampled_from(["default/a", "other/b"]),
    st.sampled_from([{}, {"app": "envoy"}, {"app": "shop"}]),
    st.lists(st.sampled_from([8080, 8081, "web"]), min_size=1, max_size=2),
    st.sampled_from(["", "192.0.2.1", "192.0.2.2"]),
)
_PODS = st.builds(
    lambda name, ns, app, made, port, phase, created: (
        document(
            "Pod",
            name,
            {"serviceAccountName": made, "containers": [{"ports": [{"name": "web", "containerPort": port}]}]},
            ns,
            labels={
                "app": app,
                "gateway.networking.k8s.io/gateway-name": made,
                "app.kubernetes.io/managed-by": "xds-server",
            },
            creationTimestamp=created,
        )
        | {"status": {"phase": phase}}
    ),
    _NAMES,
    _NAMESPACES,
    st.sampled_from(["envoy", "shop"]),
    _NAMES,
    st.sampled_from([8080, 9090]),
    st.sampled_from(["Running", "Failed"]),
    _TIMES,
)
_GRANTS = st.sampled_from([grant("g", "Gateway"), grant("g", "HTTPRoute")])
_STEPS = st.one_of(_GATEWAYS, _GATEWAYS, _SERVICES, _SERVICES, _PODS, _GRANTS, st.integers(0, 20), st.just("settle"))


BASE = (
    named("a", listener("l80"), by="a", creationTimestamp="2026-01-02T00:00:00Z"),
    named("b", listener("l80"), listener("l81", 81), by="b", creationTimestamp="2026-01-01T00:00:00Z"),
    document("Service", "a", {"selector": {"app": "envoy"}, "ports": [{"port": 80, "targetPort": 8080}]}),
    document("Service", "b", {"selector": {"app": "envoy"}, "ports": PORTS}),
    pod("a", "envoy"),
)
"""Where histories begin: two Gateways on one pod."""


@settings(max_examples=150, deadline=None)
@given(st.lists(_STEPS, min_size=4, max_size=25))
def test_whatever_came_and_went_places_are_those_of_what_is_there(steps: list[Document | int | str]) -> None:
    one = program.build(Options(any_class=True, strict=True, deployed=True))
    known: dict[tuple[str, str, str], Document] = {}
    for step in (*BASE, *steps):
        if isinstance(step, dict):
            put(one, step)
            known[step["kind"], step["metadata"]["name"], step["metadata"]["namespace"]] = step
        elif isinstance(step, int) and known:
            gone = list(known)[step % len(known)]
            remove(one, *gone)
            del known[gone]
        elif step == "settle":
            one.settle()
    other = program.build(Options(any_class=True, strict=True, deployed=True))
    put(other, *known.values())
    assert outcome(one) == outcome(other)
    bound = Counter(
        (pod_, transport, target)
        for pod_, row in proxies(one).items()
        for gateway_ in row.gateways
        for transport, target in targets(one, gateway_)
    )
    assert {place: count for place, count in bound.items() if count > 1} == {}, "a port of a proxy is bound once"


def proxies(pipeline: Pipeline) -> dict[Key, Proxy]:
    assert pipeline.places.proxies is not None
    return dict(pipeline.places.proxies.items())


def targets(pipeline: Pipeline, gateway_: Key) -> set[tuple[str, int]]:
    """What a Gateway has bound, as it is published."""
    table = pipeline.graph.tables["gateway.listeners"]
    bind = pipeline.places.binds.get(gateway_) or Bind()
    return {(key.transport, bind.port(key.port, key.transport)) for key in table if key.gateway == gateway_}


def outcome(pipeline: Pipeline) -> tuple[object, ...]:
    pipeline.settle()
    places = pipeline.places
    assert places.places is not None
    tables = (places.places, places.binds, places.placements, pipeline.statuses.gateways)
    return (proxies(pipeline), places.namespaces(), *(dict(table.items()) for table in tables))
