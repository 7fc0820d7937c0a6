"""What a change costs: the exact calls of functions, and the exact resources, among 500 routes.

The numbers are the promise: they depend on what a changed object reaches, not on how much else there is.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from tests.pipeline.documents import (
    Document,
    authorities,
    backend,
    document,
    gateway,
    grant,
    listener,
    namespace,
    policy,
    put,
    remove,
    route,
    rule,
    secret,
    service,
    slice_,
)
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.publisher import Change
from xds_server.routing.listener import Socket
from xds_server.semantics.statuses import Served
from xds_server.wire.part import Part

ROUTES = 500
SERVICES = 50
ALL = {"namespaces": {"from": "All"}}


class Trace(NamedTuple):
    """What one settle did. `published` are resources with another version; only those are sent."""

    calls: Counter[str]
    published: list[str]
    changed: set[str]


def told(number: int, path: str = "/", **more: object) -> Document:
    return route(
        f"r{number}", hosts=[f"h{number}.example.com"], rules=[rule(path, backend(f"s{number % SERVICES}"))], **more
    )


VERSIONS: dict[Change, str] = {}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    built = program.build(Options(any_class=True, strict=True))
    tls = {"protocol": "HTTPS", "hostname": "secure.example.org", "tls": {"certificateRefs": [{"name": "cert"}]}}
    put(
        built,
        gateway("gw", listener("http", allowedRoutes=ALL), listener("https", 443, **tls)),
        secret("cert", "secure.example.org"),
        namespace("default"),
        namespace("other", team="a"),
        *(service(f"s{number}") for number in range(SERVICES)),
        *(slice_(f"s{number}", f"10.0.0.{number}") for number in range(SERVICES)),
        service("far", "other"),
        grant("far"),
        route("near", hosts=["far.example.com"], rules=[rule("/", backend("far", namespace="other"))]),
        *(told(number) for number in range(ROUTES)),
    )
    settle(built)
    return built


def settle(pipeline: Pipeline) -> Trace:
    settled = pipeline.settle()
    published = []
    for change, one in pipeline.publisher.changes(settled).items():
        _, type_, name = change
        if one is None:
            published.append(f"{type_.value} {name} gone")
            del VERSIONS[change]
        elif VERSIONS.get(change) != one.version:
            published.append(f"{type_.value} {name}")
            VERSIONS[change] = one.version
    return Trace(settled.calls, sorted(published), set(settled.changed))


EDIT = Counter(
    {
        "claims": 1,
        "rules": 1,
        "placed": 1,
        "entries": 1,
        "segments": 1,
        "virtual_hosts": 1,
        "gateway.routes": 1,
        "uses": 1,
        "statuses.routes": 1,
    }
)
"""An edited rule: its own rows, its virtual host, the RouteConfiguration."""
USES = Counter({"clusters": 1, "gateway.clusters": 1, "assignments": 1, "gateway.endpoints": 1})
"""A Service port is used by more routes or by fewer."""


def test_an_edited_route(pipeline: Pipeline) -> None:
    put(pipeline, told(7, "/edited"))
    assert settle(pipeline) == Trace(
        EDIT,
        ["routes http-80"],
        {"httproutes", "routes", "rules", "placed", "users", "entries", "segments", "virtual_hosts", "gateway.routes"},
    )


def test_the_same_again(pipeline: Pipeline) -> None:
    put(pipeline, told(8))
    assert settle(pipeline) == Trace(Counter(), [], set())


def test_a_written_status_and_what_nobody_reads(pipeline: Pipeline) -> None:
    same = told(9) | {"status": {"parents": [{"controllerName": "x", "parentRef": {"name": "gw"}, "conditions": []}]}}
    same["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "ownerReferences": []}
    put(pipeline, same)
    assert settle(pipeline) == Trace(Counter(), [], set())


def test_a_new_resource_version_is_no_change(pipeline: Pipeline) -> None:
    """Every write of a status comes back with one."""
    put(pipeline, told(10, resourceVersion="77"))
    assert settle(pipeline) == Trace(Counter(), [], set())


def test_a_route_with_another_backend(pipeline: Pipeline) -> None:
    """Both clusters are there already, since others use them; who uses them is looked at."""
    put(pipeline, route("r11", hosts=["h11.example.com"], rules=[rule("/", backend("s12"))]))
    trace = settle(pipeline)
    assert trace.published == ["routes http-80"]
    assert trace.calls == EDIT + USES + USES


def test_a_route_comes_and_goes(pipeline: Pipeline) -> None:
    put(
        pipeline,
        told(ROUTES),
        service("new"),
        route("new", hosts=["new.example.com"], rules=[rule("/", backend("new"))]),
    )
    trace = settle(pipeline)
    assert trace.published == ["clusters default/new:80/auto", "endpoints default/new:80", "routes http-80"]
    assert trace.calls["claims"] == trace.calls["rules"] == trace.calls["placed"] == 2
    assert trace.calls["gateway.routes"] == 1
    remove(pipeline, "HTTPRoute", f"r{ROUTES}")
    remove(pipeline, "HTTPRoute", "new")
    trace = settle(pipeline)
    assert trace.published == ["clusters default/new:80/auto gone", "endpoints default/new:80 gone", "routes http-80"]
    assert trace.calls == Counter({"gateway.routes": 1, "statuses.gateways": 1, "attached": 1}) + USES


def test_a_route_of_one_more_hostname(pipeline: Pipeline) -> None:
    edited = told(13)
    edited["spec"]["hostnames"].append("more.example.com")
    put(pipeline, edited)
    trace = settle(pipeline)
    assert trace.published == ["routes http-80"]
    assert trace.calls["entries"] == trace.calls["segments"] == trace.calls["virtual_hosts.headers"] == 1
    assert trace.calls["virtual_hosts"] == 1


def test_a_wildcard_route_reaches_the_hosts_below_it(pipeline: Pipeline) -> None:
    """One segment, repeated: each of the 501 virtual hosts is joined anew, nothing else is built."""
    put(pipeline, route("wild", hosts=["*.example.com"], rules=[rule("/wild", backend("s1"))]))
    trace = settle(pipeline)
    assert trace.calls["entries"] == trace.calls["statuses.routes"] == trace.calls["virtual_hosts.headers"] == 1
    put(pipeline, route("wild", hosts=["*.example.com"], rules=[rule("/wilder", backend("s1"))]))
    trace = settle(pipeline)
    hosts = ROUTES + 3
    assert trace.calls == EDIT + Counter({"virtual_hosts": hosts - 1})
    assert trace.published == ["routes http-80"]
    remove(pipeline, "HTTPRoute", "wild")
    settle(pipeline)


def test_changed_endpoints(pipeline: Pipeline) -> None:
    put(pipeline, slice_("s3", "10.0.9.9"))
    assert settle(pipeline) == Trace(
        Counter({"assignments": 1, "gateway.endpoints": 1}),
        ["endpoints default/s3:80"],
        {"endpointslices", "assignments", "gateway.endpoints"},
    )


def test_endpoints_of_a_service_that_no_route_names(pipeline: Pipeline) -> None:
    put(pipeline, service("idle"))
    assert settle(pipeline).calls == Counter({"services.served": 1})
    put(pipeline, slice_("idle", "10.0.9.9"))
    assert settle(pipeline) == Trace(Counter(), [], {"endpointslices"})


def test_a_label_of_a_service(pipeline: Pipeline) -> None:
    put(pipeline, service("s4", labels={"a": "b"}))
    assert settle(pipeline) == Trace(Counter({"services.served": 1}), [], {"services"})


def test_a_service_goes_and_comes(pipeline: Pipeline) -> None:
    """Ten routes use it; each is looked at, and its cluster goes with the last use."""
    remove(pipeline, "Service", "s5")
    trace = settle(pipeline)
    uses = ROUTES // SERVICES
    assert trace.published == ["clusters default/s5:80/auto gone", "endpoints default/s5:80 gone", "routes http-80"]
    once = dict.fromkeys(("rules", "placed", "entries", "segments", "virtual_hosts", "uses", "statuses.routes"), uses)
    assert trace.calls == Counter({**once, "gateway.routes": 1})
    put(pipeline, service("s5"))
    trace = settle(pipeline)
    assert trace.published == ["clusters default/s5:80/auto", "endpoints default/s5:80", "routes http-80"]
    assert trace.calls["rules"] == uses


def traffic(spec: Document, **metadata: object) -> Document:
    """A policy for one Service that ten routes use."""
    targets = {"targetRefs": [{"group": "", "kind": "Service", "name": "s6"}]}
    return document("XBackendTrafficPolicy", "t", targets | spec, **metadata)


POLICY = Counter(
    {
        "trafficpolicies": 1,
        "trafficpolicies.winners": 1,
        "trafficpolicies.sessions": 1,
        "trafficpolicies.budgets": 1,
        "statuses.policies": 1,
    }
)


def test_a_limit_of_retries_is_one_cluster(pipeline: Pipeline) -> None:
    put(pipeline, traffic({"retryConstraint": {}}))
    trace = settle(pipeline)
    assert trace.calls == POLICY + Counter({"clusters": 1, "gateway.clusters": 1})
    assert trace.published == ["clusters default/s6:80/auto"]


def test_a_session_is_for_the_routes_that_lead_to_the_service(pipeline: Pipeline) -> None:
    """What the policy said of retries stays: its cluster is not looked at."""
    put(pipeline, traffic({"retryConstraint": {}, "sessionPersistence": {"cookie": {}}}))
    trace = settle(pipeline)
    uses = ROUTES // SERVICES
    once = dict.fromkeys(("rules", "placed", "entries", "segments", "virtual_hosts"), uses)
    assert trace.calls == POLICY + Counter({**once, "gateway.routes": 1}) + Counter(
        {"uses": uses, "statuses.routes": uses}
    )
    assert trace.published == ["routes http-80"]


def test_another_generation_of_a_policy_is_its_status_alone(pipeline: Pipeline) -> None:
    same = {"retryConstraint": {}, "sessionPersistence": {"cookie": {}}}
    put(pipeline, traffic(same, generation=2))
    trace = settle(pipeline)
    assert trace == Trace(
        Counter({"trafficpolicies": 1, "statuses.policies": 1}),
        [],
        {"xbackendtrafficpolicies", "policies", "statuses.policies"},
    )
    remove(pipeline, "XBackendTrafficPolicy", "t")
    assert settle(pipeline).published == ["clusters default/s6:80/auto", "routes http-80"]


def test_a_grant_goes_and_only_its_readers_run(pipeline: Pipeline) -> None:
    remove(pipeline, "ReferenceGrant", "far", "other")
    trace = settle(pipeline)
    assert trace.published == ["clusters other/far:80/auto gone", "endpoints other/far:80 gone", "routes http-80"]
    assert trace.calls == EDIT - Counter({"claims": 1})
    put(pipeline, grant("far"))
    assert settle(pipeline).calls["rules"] == 1


def test_a_grant_that_nobody_asked_for(pipeline: Pipeline) -> None:
    put(pipeline, grant("idle", namespace="nowhere"))
    assert settle(pipeline) == Trace(Counter(), [], {"referencegrants"})


def test_a_namespace_that_no_selector_asks_for(pipeline: Pipeline) -> None:
    put(pipeline, namespace("other", team="b"))
    assert settle(pipeline) == Trace(Counter(), [], {"namespaces"})


def test_a_config_map(pipeline: Pipeline) -> None:
    put(pipeline, document("ConfigMap", "any"))
    assert settle(pipeline) == Trace(Counter(), [], {"configmaps"})


def test_a_replaced_certificate_is_one_secret(pipeline: Pipeline) -> None:
    put(pipeline, secret("cert", "secure.example.org,second.example.org"))
    trace = settle(pipeline)
    assert trace.published == ["secrets secret/default/cert"]
    assert trace.calls["listeners"] == 1
    assert not trace.calls.keys() & {"claims", "rules", "gateway.listeners", "gateway.routes"}


def test_what_envoys_acknowledged_is_status_alone(pipeline: Pipeline) -> None:
    pipeline.inputs.served.put(Key("default", "gw"), Served(0, 1))
    assert settle(pipeline) == Trace(Counter({"statuses.gateways": 1}), [], {"served", "statuses.gateways"})


def test_a_second_gateway_is_no_business_of_the_routes_of_the_first(pipeline: Pipeline) -> None:
    put(pipeline, gateway("second", listener("http")))
    trace = settle(pipeline)
    assert trace.published == ["listeners tcp-80", "routes http-80"]
    assert not trace.calls.keys() & {"claims", "rules", "placed", "segments", "virtual_hosts"}


def test_a_listener_more_is_the_business_of_routes_that_have_its_hosts(pipeline: Pipeline) -> None:
    """Whether a route attaches may change, so each of those is asked, and no other."""
    tls = {"protocol": "HTTPS", "hostname": "secure.example.org", "tls": {"certificateRefs": [{"name": "cert"}]}}
    before = (listener("http", allowedRoutes=ALL), listener("https", 443, **tls))
    put(pipeline, gateway("gw", *before, listener("own", hostname="own.other.com")))
    trace = settle(pipeline)
    assert trace.published == ["routes http-80"]
    assert not trace.calls.keys() & {"claims", "rules", "placed", "entries", "segments", "virtual_hosts"}
    put(pipeline, gateway("gw", *before, listener("own", hostname="h20.example.com")))
    trace = settle(pipeline)
    assert trace.published == ["routes http-80"]
    assert trace.calls["claims"] == trace.calls["entries"] == trace.calls["virtual_hosts"] == 1
    assert "rules" not in trace.calls
    put(pipeline, gateway("gw", *before, listener("own", hostname="*.example.com")))
    trace = settle(pipeline)
    assert trace.calls["claims"] == ROUTES + 1
    assert "rules" not in trace.calls
    put(pipeline, gateway("gw", *before, listener("own", hostname="own.other.com")))
    assert settle(pipeline).calls["claims"] == ROUTES + 1


def test_what_a_listener_shows_to_clients_is_no_business_of_its_routes(pipeline: Pipeline) -> None:
    """Another certificate, and filters before a route is chosen: no route is asked whether it attaches."""
    own = listener("own", hostname="own.other.com")
    plain = listener("http", allowedRoutes=ALL)
    both = {"certificateRefs": [{"name": "cert"}, {"name": "second"}]}
    put(pipeline, secret("second", "secure.example.org"))
    settle(pipeline)
    tls = {"protocol": "HTTPS", "hostname": "secure.example.org"}
    put(pipeline, gateway("gw", plain, listener("https", 443, **tls, tls=both), own))
    trace = settle(pipeline)
    assert trace.published == ["listeners tcp-443", "secrets secret/default/second"]
    assert trace.calls["listeners.for_routes"] == 1
    assert not trace.calls.keys() & {"claims", "rules", "placed", "entries", "segments", "statuses.routes"}
    auth = {"protocol": "GRPC", "grpc": {}, "backendRef": {"name": "s0", "port": 80}}
    asked = plain | {"filters": {"requests": [{"type": "ExternalAuth", "externalAuth": auth}]}}
    put(pipeline, gateway("gw", asked, listener("https", 443, **tls, tls=both), own))
    trace = settle(pipeline)
    assert "routes http-80" in trace.published
    assert not trace.calls.keys() & {"claims", "rules", "placed", "entries", "segments", "statuses.routes"}
    put(pipeline, gateway("gw", plain, listener("https", 443, **tls, tls={"certificateRefs": [{"name": "cert"}]}), own))
    remove(pipeline, "Secret", "second")
    settle(pipeline)


def connections(number: int, to: str = "s1", **metadata: object) -> Document:
    spec = {
        "parentRefs": [{"name": "tls"}],
        "hostnames": [f"h{number}.example.com"],
        "rules": [{"backendRefs": [backend(to)]}],
    }
    return document("TLSRoute", f"t{number}", spec, **metadata)


@pytest.fixture(scope="module")
def connected(pipeline: Pipeline) -> Pipeline:
    """100 TLSRoutes on one port."""
    passthrough = {"protocol": "TLS", "hostname": "*.example.com", "tls": {"mode": "Passthrough"}}
    put(pipeline, gateway("tls", listener("tls", 443, **passthrough)), *map(connections, range(100)))
    settle(pipeline)
    return pipeline


def test_an_edited_tls_route_is_one_filter_chain(connected: Pipeline) -> None:
    before = chains(connected)
    put(connected, connections(7, "s2"))
    trace = settle(connected)
    once = dict.fromkeys(("rules", "claims", "placed", "streams.connections", "uses", "statuses.routes"), 1)
    assert trace.published == ["clusters default/s2:80/tcp", "endpoints default/s2:80", "listeners tcp-443"]
    assert trace.calls - USES - USES == Counter({**once, "gateway.listeners": 1})
    after = chains(connected)
    assert {host for host, chain in after.items() if before[host] != chain} == {"tls-443/h7.example.com"}


def test_a_tls_route_that_loses_its_name_touches_no_chain(connected: Pipeline) -> None:
    """It is younger than the one that has the name; who wins is looked at, and nothing is sent."""
    loser = connections(7, creationTimestamp="2025-01-01T00:00:00Z")
    loser["metadata"]["name"] = "loser"
    put(connected, loser)
    trace = settle(connected)
    assert trace.published == []
    assert trace.calls["streams.connections"] == 1
    assert "gateway.listeners" not in trace.calls


def chains(pipeline: Pipeline) -> dict[str, Part]:
    row = pipeline.graph.tables["gateway.listeners"].get(Socket(Key("default", "tls"), "tcp", 443))
    assert row is not None
    return {part.id: part for part in row.base.parts}


def test_a_udp_route_changes_endpoints_alone(pipeline: Pipeline) -> None:
    def datagrams(*weights: int) -> Document:
        backends = [backend(f"u{index}", weight=weight) for index, weight in enumerate(weights)]
        return document("UDPRoute", "dns", {"parentRefs": [{"name": "udp"}], "rules": [{"backendRefs": backends}]})

    ports = {"ports": [{"port": 80, "protocol": "UDP"}]}
    put(pipeline, gateway("udp", {"name": "dns", "port": 53, "protocol": "UDP"}), datagrams(1, 1))
    put(pipeline, *(document("Service", f"u{index}", ports) for index in range(2)))
    put(pipeline, *(slice_(f"u{index}", f"10.0.8.{index}") for index in range(2)))
    name = "gateway/default/udp:53/udp"
    assert settle(pipeline).published == [f"clusters {name}", f"endpoints {name}", "listeners udp-53"]
    put(pipeline, datagrams(3, 1))
    assert settle(pipeline).published == [f"endpoints {name}"]
    put(pipeline, slice_("u0", "10.0.9.8"))
    assert settle(pipeline) == Trace(
        Counter({"streams.datagrams": 1, "assignments": 1, "gateway.endpoints": 1}),
        [f"endpoints {name}"],
        {"endpointslices", "streams.datagrams", "assignments", "gateway.endpoints"},
    )


def test_a_minute_begins(pipeline: Pipeline) -> None:
    """It costs nothing but on the day on which a certificate expires; then the one that does."""
    expires = int(datetime(2119, 12, 8, tzinfo=UTC).timestamp()) // 60
    tell, day = pipeline.inputs.tell_time, 1_440
    tell(expires - 365 * day)
    assert settle(pipeline) == Trace(Counter({"certificates.lapses": 1}), [], {"clock"})
    tell(expires - 365 * day + 1)
    assert settle(pipeline) == Trace(Counter(), [], {"clock"})
    tell(expires - 1)
    settle(pipeline)
    tell(expires)
    expired = Counter({"certificates.lapses": 1, "listeners": 1, "gateways.ours": 1, "statuses.gateways": 1})
    assert settle(pipeline) == Trace(
        expired, [], {"clock", "certificates.lapses", "listeners.verdicts", "statuses.gateways"}
    )
    tell(expires + 1)
    assert settle(pipeline).calls == Counter({"certificates.lapses": 1})
    tell(expires + 32 * day)
    settle(pipeline)
    tell(expires + 32 * day + 1)
    assert settle(pipeline).calls == Counter()


def test_a_policy_is_another_cluster(pipeline: Pipeline) -> None:
    """Only routes to its Service are built again, and only if it is another policy than before."""
    put(pipeline, authorities("ca", "a.e.com"), policy("p", "s3"))
    trace = settle(pipeline)
    assert trace.published == [
        "clusters default/s3:80/auto gone",
        "clusters default/s3:80/auto/tls/default/p",
        "routes http-80",
        "secrets ca/backendtlspolicy/default/p",
    ]
    assert trace.calls["rules"] == trace.calls["placed"] == ROUTES // SERVICES


def test_a_changed_policy_is_one_cluster(pipeline: Pipeline) -> None:
    put(pipeline, policy("p", "s3", "b.e.com"))
    trace = settle(pipeline)
    assert trace.published == ["clusters default/s3:80/auto/tls/default/p"]
    assert trace.calls == Counter(
        {
            "backend_tls.targets": 1,
            "authorities": 1,
            "backends.verifications": 1,
            "clusters": 1,
            "gateway.clusters": 1,
            "statuses.policies": 1,
        }
    )


def test_other_authorities_are_a_secret_and_a_cluster(pipeline: Pipeline) -> None:
    """The cluster is another one, so that Envoy gives up connections that were made under those that went."""
    put(pipeline, authorities("ca", "b.e.com"))
    trace = settle(pipeline)
    assert trace.published == ["clusters default/s3:80/auto/tls/default/p", "secrets ca/backendtlspolicy/default/p"]
    assert trace.calls == Counter(
        {
            "authorities": 1,
            "clusters": 1,
            "secrets.parts": 1,
            "gateway.secrets": 1,
            "gateway.clusters": 1,
            "statuses.policies": 1,
        }
    )


def outside(**metadata: object) -> Document:
    """An XBackend with a client certificate, the one that the Gateway's listener has, too."""
    tls = {
        "mode": "ClientAndServer",
        "clientCertificateRef": {"name": "cert"},
        "validation": {"hostname": "x.e.com", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]},
    }
    pods = {"type": "EndpointSelector", "endpointSelector": {"matchLabels": {"app": "x"}}, "port": {"number": 8443}}
    return document("XBackend", "x", pods | {"tls": tls}, **metadata)


def test_what_routing_does_not_need_of_an_x_backend_is_no_business_of_its_routes(pipeline: Pipeline) -> None:
    named = {"group": "gateway.networking.x-k8s.io", "kind": "XBackend", "name": "x"}
    put(pipeline, outside(), route("to-x", hosts=["x.example.com"], rules=[{"backendRefs": [named]}]))
    settle(pipeline)
    unrelated = {"claims", "rules", "clusters", "assignments", "placed"}
    put(pipeline, outside(generation=2, labels={"a": "b"}))
    trace = settle(pipeline)
    assert trace.published == []
    assert not trace.calls.keys() & unrelated
    put(pipeline, secret("cert", "secure.example.org,third.example.org"))
    trace = settle(pipeline)
    assert trace.published == ["secrets secret/default/cert"]
    assert not trace.calls.keys() & unrelated
