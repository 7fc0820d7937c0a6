"""Prometheus metrics of who is refused, and of certificates; docs/metrics.md lists them."""

from collections.abc import Iterator, Sized
from datetime import datetime
from typing import Final

from cryptography import x509
from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from xds_server.shell.kube.authority import ServerIdentity
from xds_server.shell.metrics import PREFIX

DENIED: Final = "Streams that were refused, by gRPC status."
EXPIRY: Final = "When a certificate of the server ends, in seconds since 1970: its authority's, and the one it shows."
UNPUBLISHED: Final = "Namespaces whose ConfigMap for proxies is somebody else's: proxies there cannot connect."
CODES: Final = ("UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE")


class SecurityMetrics:
    """Counts refusals by gRPC status."""

    def __init__(self, registry: CollectorRegistry, identity: ServerIdentity) -> None:
        self._denied = Counter("streams_denied", DENIED, ["code"], namespace=PREFIX, registry=registry)
        for code in CODES:
            self._denied.labels(code)
        self._unpublished = Gauge("authority_unpublished", UNPUBLISHED, namespace=PREFIX, registry=registry)
        registry.register(_Expiry(identity))

    def refused(self, namespaces: Sized) -> None:
        """Whose length says how many they are."""
        self._unpublished.set_function(lambda: float(len(namespaces)))

    def denied(self, code: str) -> None:
        """A stream was refused with this status."""
        self._denied.labels(code).inc()


class _Expiry(Collector):
    def __init__(self, identity: ServerIdentity) -> None:
        self._identity = identity

    def collect(self) -> Iterator[Metric]:
        """Both, once there are any."""
        family = GaugeMetricFamily(f"{PREFIX}_certificate_expiry_timestamp_seconds", EXPIRY, labels=["certificate"])
        authority, leaf = self._identity.authority, self._identity.leaf
        if authority is not None:
            family.add_metric(["authority"], _end(authority.current.certificate).timestamp())
        if leaf is not None:
            family.add_metric(["server"], _end(leaf.certificate).timestamp())
        yield family


def _end(certificate: bytes) -> datetime:
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
