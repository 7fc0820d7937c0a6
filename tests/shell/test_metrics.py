"""Metrics as they are scraped, and their documentation."""

import re
from collections.abc import Iterator
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.shell.debug_world import GATEWAY, World
from xds_server.control import Round
from xds_server.model.document import Fault
from xds_server.model.meta import Key
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.shell.metrics import Metrics, exposition
from xds_server.xds.resource import ResourceType

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<type>\w+) \|(?P<labels>[^|]*)\| (?P<help>[^|]+) \|$", re.MULTILINE)
OURS = "xds_server_"


@pytest.fixture(scope="module")
def untouched() -> World:
    """A world that tests only look at."""
    return World()


@pytest.fixture
def world() -> World:
    return World()


def scraped(world: World) -> Iterator[Metric]:
    return text_string_to_metric_families(exposition(world.registry).decode())


def value(world: World, sample: str, **labels: str) -> float | None:
    return world.registry.get_sample_value(OURS + sample, labels)


def test_the_document_lists_exactly_what_is_scraped(untouched: World) -> None:
    found = {}
    for metric in scraped(untouched):
        if metric.name.startswith(OURS):
            labels = {name for sample in metric.samples for name in sample.labels} - {"le"}
            suffix = "_total" if metric.type == "counter" else ""
            found[metric.name + suffix] = (metric.type, labels, metric.documentation)
    documented = {
        row["name"]: (row["type"], set(re.findall(r"`(\w+)`", row["labels"])), row["help"])
        for row in ROW.finditer(DOCUMENT.read_text().partition("## In a cluster")[0])
    }
    assert documented == found
    assert list(documented) == sorted(documented)


def test_names_follow_the_conventions(untouched: World) -> None:
    for metric in scraped(untouched):
        if metric.name.startswith(OURS):
            assert metric.documentation.endswith(".")
            assert not metric.name.endswith(("_ms", "_milliseconds", "_count", "_created"))


def test_process_metrics_are_there_and_nothing_is_global(untouched: World) -> None:
    names = {metric.name for metric in scraped(untouched)}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names
    globally = {metric.name for metric in prometheus_client.REGISTRY.collect()}
    assert not any(name.startswith(OURS) for name in globally)
    Metrics(CollectorRegistry(), untouched.pipeline)


def test_everything_reads_zero_before_anything_happened(world: World) -> None:
    for type_ in ResourceType:
        for sample in ("pushes_total", "pushed_bytes_total", "nacks_total", "push_ack_seconds_count"):
            assert value(world, sample, type=type_.value) == 0
    assert value(world, "connected_clients", gateway=GATEWAY) == 0
    assert value(world, "quarantined_parts", gateway=GATEWAY) == 0


def test_pushes_and_answers(world: World) -> None:
    world.metrics.pushed(ResourceType.ROUTE, 100)
    world.metrics.pushed(ResourceType.ROUTE, 50)
    world.metrics.acknowledged(ResourceType.ROUTE, 0.02)
    world.metrics.rejected(ResourceType.ROUTE)
    assert value(world, "pushes_total", type="routes") == 2
    assert value(world, "pushed_bytes_total", type="routes") == 150
    assert value(world, "nacks_total", type="routes") == 1
    assert value(world, "push_ack_seconds_bucket", type="routes", le="0.01") == 0
    assert value(world, "push_ack_seconds_bucket", type="routes", le="0.025") == 1
    assert value(world, "pushes_total", type="clusters") == 0


def test_settles(world: World) -> None:
    settled = world.pipeline.graph.last
    assert settled.calls.total() > 20
    world.metrics.settled(Round(settled, 0.003, 1, 0))
    assert value(world, "settle_seconds_sum") == 0.003
    assert value(world, "settle_calls_sum") == settled.calls.total()


def test_connected_clients_by_gateway(world: World) -> None:
    for gateway, delta in ((GATEWAY, 1), (GATEWAY, 1), (GATEWAY, -1), ("gone/gone", 1)):
        world.metrics.connected(gateway, delta)
    assert value(world, "connected_clients", gateway=GATEWAY) == 1
    assert value(world, "connected_clients", gateway="gone/gone") == 1
    world.metrics.connected(GATEWAY, -1)
    world.metrics.connected("gone/gone", -1)
    assert value(world, "connected_clients", gateway=GATEWAY) == 0, "a Gateway that nothing serves is seen"
    assert value(world, "connected_clients", gateway="gone/gone") is None, "and one that is gone is not kept"


def test_the_pipeline_is_read_when_scraped(world: World) -> None:
    assert value(world, "objects", kind="HTTPRoute") == 2
    assert value(world, "objects", kind="GatewayClass") == 0
    assert value(world, "resources", type="listeners") == 2
    assert value(world, "resources", type="secrets") == 1
    assert value(world, "table_calls_total", table="rules") == 2
    world.pipeline.inputs.remove("HTTPRoute", Key("default", "http"))
    world.settle()
    assert value(world, "objects", kind="HTTPRoute") == 1
    world.faults.append(Fault(reason="x"))
    assert value(world, "faults") == 1


def test_quarantined_parts(world: World) -> None:
    def hold(leaf: str, **what: object) -> None:
        id_ = HoldId(Key("shop", "secure"), "1.40.0", ResourceType.ROUTE, leaf)
        world.pipeline.inputs.holds.put(id_, Hold(**what))  # type: ignore[arg-type]

    hold("a", rejected=frozenset({"1"}))
    hold("b", rejected=frozenset({"1"}))
    hold("c", suspected="1")
    world.settle()
    assert value(world, "quarantined_parts", gateway="shop/secure") == 2
    assert value(world, "quarantined_parts", gateway=GATEWAY) == 0


def test_counters_are_scraped_without_the_time_they_were_made(untouched: World) -> None:
    text = exposition(untouched.registry).decode()
    assert "_created" not in text
    assert 'xds_server_pushes_total{type="clusters"} 0.0' in text
