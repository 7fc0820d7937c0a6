"""Tracing: which requests of a Gateway are told of in spans, what is in them, and to whom they go."""

from dataclasses import dataclass, replace
from typing import Literal

from xds_server.model.meta import Key
from xds_server.routing.backend import Backend

ALL = 1_000_000
"""Shares are in millionths."""


@dataclass(frozen=True, slots=True)
class Tag:
    """What a span says beside what every span says: a request's header, a text, or an OpenTelemetry attribute."""

    name: str
    source: Literal["header", "literal", "attribute"]
    value: str


@dataclass(frozen=True, slots=True)
class Tracing:
    """`sampled` is the share of the requests that begin a trace; `of_sampled` that of requests whose caller sampled
    them, None where what callers decided does not count. `span_name` is empty for the usual one.
    """

    collector: Backend
    headers: tuple[tuple[str, str], ...]
    sampled: int
    of_sampled: int | None
    service_name: str
    span_name: str = ""
    tags: tuple[Tag, ...] = ()

    @property
    def backends(self) -> tuple[Backend, ...]:
        """What needs a cluster."""
        return (self.collector,)

    def reached(self, certificate: Key) -> "Tracing":
        """As a Gateway with that certificate sends spans (`Backend.reached`)."""
        return replace(self, collector=self.collector.reached(certificate))
