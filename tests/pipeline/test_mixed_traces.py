"""What a change costs in a world of all kinds (tests/bench/mixed_world.py): what is called, and what is sent."""

from collections import Counter

import pytest

from tests.bench import mixed_world as world
from tests.bench.worlds import Document, backend
from tests.pipeline.documents import put
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.publisher import Change

ROUTES = 200
VERSIONS: dict[Change, str] = {}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    built = program.build(Options(any_class=True, strict=True))
    put(built, *world.documents(ROUTES))
    settle(built)
    return built


def settle(pipeline: Pipeline) -> tuple[Counter[str], list[str]]:
    """The calls, and the resources that have another version: only those are sent."""
    settled = pipeline.settle()
    sent = []
    for change, one in pipeline.publisher.changes(settled).items():
        version = one.version if one is not None else ""
        if VERSIONS.get(change) != version:
            VERSIONS[change] = version
            sent.append(f"{change[1].value} {change[2]}")
    return settled.calls, sorted(sent)


def edited(pipeline: Pipeline, before: Document, after: Document) -> tuple[Counter[str], list[str]]:
    put(pipeline, before)
    settle(pipeline)
    put(pipeline, after)
    return settle(pipeline)


def test_an_endpoint_is_one_assignment(pipeline: Pipeline) -> None:
    *_, moved = backend(11)
    moved["endpoints"] = [{"addresses": ["127.2.0.1"]}]
    put(pipeline, moved)
    calls, sent = settle(pipeline)
    assert calls == Counter({"assignments": 1, "gateway.endpoints": 1})
    assert sent == ["endpoints bench/backend-11:80"]


def test_a_certificate_is_one_secret(pipeline: Pipeline) -> None:
    put(pipeline, world.secret(7, 1))
    calls, sent = settle(pipeline)
    assert sent == ["secrets secret/bench/cert-7"]
    assert calls.total() <= 8
    assert not calls.keys() & {"claims", "rules", "gateway.listeners", "gateway.routes"}


ROUTE = Counter({"claims": 1, "rules": 1, "placed": 1, "statuses.routes": 1})
HOSTS = dict.fromkeys(("entries", "segments", "virtual_hosts", "gateway.routes", "uses"), 3)
"""A host is served on three ports, each with a RouteConfiguration; the uses are those of the three."""
EDITS = {
    "HTTPRoute": (Counter(HOSTS), ["routes http-80", "routes http-8080", "routes https-443/*.d1.example.com"]),
    "GRPCRoute": (Counter(HOSTS), ["routes http-80", "routes http-8080", "routes https-443/*.d21.example.com"]),
    "TLSRoute": (Counter({"streams.connections": 1, "gateway.listeners": 1}), ["listeners tcp-8443"]),
    "TCPRoute": (
        Counter({"streams.connections": 2, "chains.closed": 2, "gateway.listeners": 2}),
        ["listeners tcp-9000", "listeners tcp-9001"],
    ),
    "UDPRoute": (
        Counter({"streams.datagrams": 1, "assignments": 1, "gateway.endpoints": 1}),
        ["endpoints gateway/bench/gateway:53/udp"],
    ),
}
"""What follows from an edited route of each kind, beside ROUTE, and what is sent."""


@pytest.mark.parametrize("kind", EDITS)
def test_an_edited_route(pipeline: Pipeline, kind: str) -> None:
    more, resources = EDITS[kind]
    index = world.examples(ROUTES)[kind]
    calls, sent = edited(pipeline, world.route(kind, index, "v1"), world.route(kind, index, "v2"))
    assert calls == ROUTE + more
    assert sent == resources


def test_a_limit_of_retries_is_one_cluster(pipeline: Pipeline) -> None:
    calls, sent = edited(pipeline, world.traffic_policy(12), world.traffic_policy(12, 21))
    assert sent == ["clusters bench/backend-12:80/auto"]
    assert calls["clusters"] == calls["gateway.clusters"] == 1
    assert not calls.keys() & {"rules", "placed"}


def test_another_name_of_a_backend_is_one_cluster(pipeline: Pipeline) -> None:
    put(pipeline, world.policy(25, "v1"))
    calls, sent = settle(pipeline)
    assert sent == ["clusters bench/backend-25:80/auto/tls/bench/policy-25"]
    assert not calls.keys() & {"rules", "placed"}


def test_other_authorities_are_secrets_and_their_clusters(pipeline: Pipeline) -> None:
    put(pipeline, world.authorities(1))
    calls, sent = settle(pipeline)
    policies = len(range(0, ROUTES, 25))
    assert sum(one.startswith("secrets ca/") for one in sent) == policies
    assert sum(one.startswith("clusters bench/") for one in sent) == len(sent) - policies == policies
    assert calls["authorities"] == calls["secrets.parts"] == policies
    assert not calls.keys() & {"rules", "placed"}


def test_a_listener_is_looked_at_by_routes_that_share_its_hosts(pipeline: Pipeline) -> None:
    """Those without hostnames do; among the others one has the name."""
    more = {"name": "more", "port": 80, "protocol": "HTTP"}
    anywhere = sum(kind in ("TCPRoute", "UDPRoute") for kind in world.kinds(ROUTES))
    put(pipeline, world.gateway(more | {"hostname": "elsewhere.example.org"}))
    calls, sent = settle(pipeline)
    assert calls["claims"] == anywhere
    assert sent == ["routes http-80"]
    put(pipeline, world.gateway(more | {"hostname": "h3.d3.example.com"}))
    assert settle(pipeline)[0]["claims"] == anywhere + 1
