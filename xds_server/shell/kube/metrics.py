"""Prometheus metrics of what the API server says; docs/metrics.md lists them."""

from collections.abc import Iterator, Sized
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from xds_server.model.kinds import KINDS
from xds_server.semantics.status_merge import LAYOUTS
from xds_server.shell.kube.provisioned import MADE
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.metrics import PREFIX

DISTURBED: Final = "Kinds of which nothing is heard now (1): the watch is lost, or the cluster does not serve them."
PROVISION_CONTENDED: Final = "Objects made for Gateways that somebody else changes back again and again."
PROVISIONED: Final = "Writes of objects that are made for Gateways, those that changed nothing and were refused too."
PROVISION_WAITING: Final = "Gateways that wait to be deployed, or are being deployed."
UNDEPLOYED: Final = "Gateways that cannot be deployed as they are wanted."
STATUS_CONTENDED: Final = "Objects whose status somebody else writes over again and again."
WRITES: Final = "Statuses written, and those that were not: changed meanwhile, refused by the API server, or failed."
SECONDS: Final = "Time from a change until the status that it led to was written."
WAITING: Final = "Objects whose status waits to be looked at and written."
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


class StatusMetrics:
    """Counts what becomes of statuses."""

    RESULTS: Final = ("written", "conflict", "refused", "failed")
    SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

    def __init__(self, registry: CollectorRegistry) -> None:
        self._writes = Counter("status_writes", WRITES, ["kind", "result"], namespace=PREFIX, registry=registry)
        self._seconds = Histogram(
            "status_write_seconds", SECONDS, namespace=PREFIX, registry=registry, buckets=self.SECONDS
        )
        self._waiting = Gauge("status_waiting", WAITING, namespace=PREFIX, registry=registry)
        self._contended = Gauge("status_contended", STATUS_CONTENDED, namespace=PREFIX, registry=registry)
        for kind in LAYOUTS:
            for result in self.RESULTS:
                self._writes.labels(kind, result)

    def wait(self, queue: Sized, contests: Sized) -> None:
        """Whose lengths say how many wait, and how many are contended."""
        self._waiting.set_function(lambda: float(len(queue)))
        self._contended.set_function(lambda: float(len(contests)))

    def wrote(self, kind: str, result: str, seconds: float) -> None:
        """One was tried."""
        self._writes.labels(kind, result).inc()
        if result == "written":
            self._seconds.observe(seconds)


class ProvisionMetrics:
    """Counts what becomes of objects that are made for Gateways."""

    RESULTS: Final = ("applied", "unchanged", "deleted", "refused")

    def __init__(self, registry: CollectorRegistry) -> None:
        self._writes = Counter("provision_writes", PROVISIONED, ["kind", "result"], namespace=PREFIX, registry=registry)
        self._waiting = Gauge("provision_waiting", PROVISION_WAITING, namespace=PREFIX, registry=registry)
        self._contended = Gauge("provision_contended", PROVISION_CONTENDED, namespace=PREFIX, registry=registry)
        self._undeployed = Gauge("undeployed_gateways", UNDEPLOYED, namespace=PREFIX, registry=registry)
        for kind in MADE:
            for result in self.RESULTS:
                self._writes.labels(kind, result)

    def wait(self, queue: Sized, problems: Sized, contests: Sized) -> None:
        """Whose lengths say how many Gateways wait, how many have problems, and how many objects are contended."""
        self._contended.set_function(lambda: float(len(contests)))
        self._waiting.set_function(lambda: float(len(queue)))
        self._undeployed.set_function(lambda: float(len(problems)))

    def wrote(self, kind: str, result: str) -> None:
        """One was tried."""
        self._writes.labels(kind, result).inc()


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
