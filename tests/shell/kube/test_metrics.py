"""Metrics of the cluster mode, and their documentation."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from tests.shell.test_metrics import DOCUMENT, OURS, ROW
from xds_server.model.kinds import KINDS
from xds_server.model.meta import Key
from xds_server.shell.kube import leader
from xds_server.shell.kube.authority import ServerIdentity
from xds_server.shell.kube.contest import Contests
from xds_server.shell.kube.metrics import KubeMetrics, ProvisionMetrics, StatusMetrics
from xds_server.shell.kube.security_metrics import SecurityMetrics
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.kube.status_queue import StatusQueue
from xds_server.shell.kube.work_queue import WorkQueue
from xds_server.shell.metrics import exposition
from xds_server.shell.pki import new_authority


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def source(registry: CollectorRegistry) -> KubeSource:
    client: Any = None  # nothing is asked before it runs
    source = KubeSource(client, lambda _: None)
    KubeMetrics(registry, source)
    StatusMetrics(registry)
    ProvisionMetrics(registry)
    leader.measure(registry, leader.Alone("me"))
    identity = ServerIdentity(client, "xds-system", "xds-server", ("xds-server.xds-system.svc",))
    identity.adopt(new_authority("xds-server", datetime.now(UTC)))
    SecurityMetrics(registry, identity).refused({"shop"})
    return source


def test_the_document_lists_exactly_what_is_scraped(registry: CollectorRegistry, source: KubeSource) -> None:
    found = {}
    for metric in text_string_to_metric_families(exposition(registry).decode()):
        labels = {name for sample in metric.samples for name in sample.labels} - {"le"}
        suffix = "_total" if metric.type == "counter" else ""
        found[metric.name + suffix] = (metric.type, labels, metric.documentation)
    documented = {
        row["name"]: (row["type"], set(re.findall(r"`(\w+)`", row["labels"])), row["help"])
        for row in ROW.finditer(DOCUMENT.read_text().partition("## In a cluster")[2])
    }
    assert documented == found
    assert list(documented) == sorted(documented)


def test_every_kind_has_a_sample_from_the_start(registry: CollectorRegistry, source: KubeSource) -> None:
    for row in KINDS:
        for sample in ("kube_lists_total", "kube_events_total", "kube_disturbed"):
            assert registry.get_sample_value(OURS + sample, {"kind": row.kind}) == 0
    source.heard("HTTPRoute")
    source.relisted("HTTPRoute")
    source.decoded(0.002)
    assert registry.get_sample_value(f"{OURS}kube_events_total", {"kind": "HTTPRoute"}) == 1
    assert registry.get_sample_value(f"{OURS}kube_lists_total", {"kind": "HTTPRoute"}) == 1
    assert registry.get_sample_value(f"{OURS}kube_decode_seconds_sum") == 0.002


def test_statuses_are_counted(registry: CollectorRegistry) -> None:
    metrics, queue = StatusMetrics(registry), StatusQueue()
    contests = Contests[Key]()
    metrics.wait(queue, contests)
    for _ in range(4):
        contests.wrote(Key("a", "b"), b"")
    metrics.wrote("Gateway", "written", 0.03)
    metrics.wrote("Gateway", "conflict", 5.0)
    queue.put(("Gateway", Key("a", "b")))
    for result, count in (("written", 1), ("conflict", 1), ("refused", 0)):
        labels = {"kind": "Gateway", "result": result}
        assert registry.get_sample_value(f"{OURS}status_writes_total", labels) == count
    assert registry.get_sample_value(f"{OURS}status_write_seconds_count") == 1
    assert registry.get_sample_value(f"{OURS}status_waiting") == 1
    assert registry.get_sample_value(f"{OURS}status_contended") == 1


def test_what_is_deployed_is_counted(registry: CollectorRegistry) -> None:
    metrics, queue = ProvisionMetrics(registry), WorkQueue[Key]()
    problems: dict[Key, str] = {}
    contests = Contests[Key]()
    metrics.wait(queue, problems, contests)
    for _ in range(4):
        contests.wrote(Key("a", "b"), b"")
    metrics.wrote("Service", "applied")
    queue.put(Key("a", "b"))
    problems[Key("a", "c")] = "taken"
    for result, count in (("applied", 1), ("unchanged", 0), ("refused", 0), ("deleted", 0)):
        labels = {"kind": "Service", "result": result}
        assert registry.get_sample_value(f"{OURS}provision_writes_total", labels) == count
    assert registry.get_sample_value(f"{OURS}provision_waiting") == 1
    assert registry.get_sample_value(f"{OURS}provision_contended") == 1
    assert registry.get_sample_value(f"{OURS}undeployed_gateways") == 1


def test_namespaces_without_the_authority_are_counted(registry: CollectorRegistry, source: KubeSource) -> None:
    assert registry.get_sample_value(f"{OURS}authority_unpublished") == 1
