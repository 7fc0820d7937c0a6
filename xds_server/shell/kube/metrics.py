"""Prometheus metrics of what the API server says; docs/metrics.md lists them."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from xds_server.model.kinds import KINDS
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.metrics import PREFIX

DISTURBED: Final = "Kinds of which nothing is heard now (1): the watch is lost, or the cluster does not serve them."


_DECODE_SECONDS: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1)


class KubeMetrics:
    """Counts what a source is told, and says what it does not hear."""

    def __init__(self, registry: CollectorRegistry, source: KubeSource) -> None:
        self._lists = Counter("kube_lists", "Lists of a kind.", ["kind"], namespace=PREFIX, registry=registry)
        self._events = Counter("kube_events", "Events of watches.", ["kind"], namespace=PREFIX, registry=registry)
        self._decoding = Histogram(
            "kube_decode_seconds",
            "Time to read an object that a watch brought.",
            namespace=PREFIX,
            registry=registry,
            buckets=_DECODE_SECONDS,
        )
        for row in KINDS:
            self._lists.labels(row.kind)
            self._events.labels(row.kind)
        source.relisted = lambda kind: self._lists.labels(kind).inc()
        source.heard = lambda kind: self._events.labels(kind).inc()
        source.decoded = self._decoding.observe
        registry.register(_Disturbed(source))


class _Disturbed(Collector):
    def __init__(self, source: KubeSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """One sample per kind."""
        disturbed = self._source.disturbed()
        family = GaugeMetricFamily(f"{PREFIX}_kube_disturbed", DISTURBED, labels=["kind"])
        for row in KINDS:
            family.add_metric([row.kind], float(row.plural in disturbed))
        yield family
