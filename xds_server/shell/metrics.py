"""Prometheus metrics, in a registry that is passed in; docs/metrics.md lists them.

In: what happened, told by small calls; what is, read from the pipeline when somebody scrapes. Out: samples. Names
follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from platform import python_version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from xds_server import __version__
from xds_server.control import Round
from xds_server.pipeline.program import Pipeline
from xds_server.shell.change_times import ChangeTimes
from xds_server.xds.resource import ResourceType

PREFIX: Final = "xds_server"
ACK_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SETTLE_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SETTLE_CALLS: Final = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


class Metrics:
    """What others tell. Types are given as ResourceType, Gateways as NAMESPACE/NAME."""

    def __init__(self, registry: CollectorRegistry, pipeline: Pipeline, faults: Callable[[], Sized] = tuple) -> None:
        self._connected: dict[str, int] = {}
        self._pushes = _by_type(
            Counter("pushes", "Responses sent to Envoys.", ["type"], namespace=PREFIX, registry=registry)
        )
        self._bytes = _by_type(
            Counter("pushed_bytes", "Bytes of responses sent to Envoys.", ["type"], namespace=PREFIX, registry=registry)
        )
        self._rejections = _by_type(
            Counter("nacks", "Responses that Envoys rejected.", ["type"], namespace=PREFIX, registry=registry)
        )
        acknowledged = Histogram(
            "push_ack_seconds",
            "Time from sending a response until the Envoy accepted it.",
            ["type"],
            namespace=PREFIX,
            registry=registry,
            buckets=ACK_SECONDS,
        )
        self._seconds = {type_: acknowledged.labels(type_.value) for type_ in ResourceType}
        self._settle_seconds = Histogram(
            "settle_seconds",
            "Time to bring all tables up to date after a batch of changes, pauses for other tasks included.",
            namespace=PREFIX,
            registry=registry,
            buckets=SETTLE_SECONDS,
        )
        self._settle_calls = Histogram(
            "settle_calls",
            "Function calls that a batch of changes took.",
            namespace=PREFIX,
            registry=registry,
            buckets=SETTLE_CALLS,
        )
        self.changes = ChangeTimes(registry, PREFIX)
        registry.register(_Now(pipeline, faults, self._connected))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def settled(self, round_: Round) -> None:
        """A settle ended."""
        self._settle_seconds.observe(round_.seconds)
        self._settle_calls.observe(round_.settled.calls.total())
        self.changes.settled(round_)

    def pushed(self, type_: ResourceType, size: int) -> None:
        """A response of `size` bytes was sent."""
        self._pushes[type_].inc()
        self._bytes[type_].inc(size)

    def acknowledged(self, type_: ResourceType, seconds: float) -> None:
        """An Envoy accepted a response, so long after it was sent."""
        self._seconds[type_].observe(seconds)

    def rejected(self, type_: ResourceType) -> None:
        """An Envoy rejected a response."""
        self._rejections[type_].inc()

    def connected(self, gateway: str, delta: int) -> None:
        """Envoys connected (1) or left (-1)."""
        count = self._connected.get(gateway, 0) + delta
        if count > 0:
            self._connected[gateway] = count
        else:
            self._connected.pop(gateway, None)


def _by_type(counter: Counter) -> dict[ResourceType, Counter]:
    """All children, so that those that nothing happened to read 0."""
    return {type_: counter.labels(type_.value) for type_ in ResourceType}


def exposition(registry: CollectorRegistry) -> bytes:
    """The text format 0.0.4, without the time at which each counter was made."""
    return generate_latest(_Lean(registry))


class _Lean(Collector):
    """A registry without the `_created` samples, which would double the number of series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class _Now(Collector):
    """What is, read when it is asked for."""

    def __init__(self, pipeline: Pipeline, faults: Callable[[], Sized], connected: dict[str, int]) -> None:
        self._pipeline = pipeline
        self._faults = faults
        self._connected = connected

    def collect(self) -> Iterator[Metric]:
        """All of them, in the event loop."""
        pipeline, tables = self._pipeline, self._pipeline.graph.tables.values()
        ours = [str(key) for key in pipeline.gateways()]
        yield _gauge(
            "connected_clients",
            "Connected Envoys.",
            "gateway",
            {**dict.fromkeys(ours, 0), **self._connected}.items(),
        )
        held = dict.fromkeys(ours, 0)
        for id_, hold in pipeline.inputs.holds.store.rows.items():
            if hold.rejected:
                held[str(id_.gateway)] = held.get(str(id_.gateway), 0) + 1
        yield _gauge(
            "quarantined_parts",
            "Parts of resources that are left out or replaced since an Envoy rejected them.",
            "gateway",
            held.items(),
        )
        kinds = ((kind, len(table)) for kind, table in pipeline.inputs.kinds.items())
        yield _gauge("objects", "Objects read.", "kind", kinds)
        resources = ((output.type.value, len(output.table)) for output in pipeline.outputs)
        yield _gauge("resources", "Resources served, of all Gateways.", "type", resources)
        yield GaugeMetricFamily(f"{PREFIX}_faults", "Things wrong with the input.", len(self._faults()))
        failing = ((table.name, len(table.failures)) for table in tables)
        yield _gauge("table_failures", "Keys whose function failed, and whose last good rows stand.", "table", failing)
        calls = CounterMetricFamily(f"{PREFIX}_table_calls", "Calls of the function behind a table.", labels=["table"])
        for table in tables:
            calls.add_metric([table.name], table.calls)
        yield calls
        build = GaugeMetricFamily(f"{PREFIX}_build_info", "Always 1.", labels=["version", "python"])
        build.add_metric([__version__, python_version()], 1)
        yield build


def _gauge(name: str, about: str, label: str, values: Iterable[tuple[str, int]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", about, labels=[label])
    for value, count in values:
        family.add_metric([value], count)
    return family
