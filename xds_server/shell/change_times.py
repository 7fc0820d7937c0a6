"""How long changes take, stage by stage: from their being read until an Envoy has accepted what follows from them.

In: settles of the loop, and what sessions report. Out: a histogram. A stream that sees nothing of a change counts
nothing for it; one that is sent several changes at once counts the oldest.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from xds_server.control import Round

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
STAGES: Final = ("collect", "settle", "send", "acknowledge")
"""Until the batch is closed; until its resources are published; until the first response is sent; until the Envoy has
accepted the last."""
_REMEMBERED: Final = 256
"""Settles; an Envoy that is further behind counts nothing."""


@dataclass(frozen=True, slots=True)
class _Published:
    serial: int
    at: float
    waited: float
    settled: float


class ChangeTimes:
    """The histogram `change_seconds`; `clock` is in seconds."""

    def __init__(self, registry: CollectorRegistry, namespace: str, *, clock: Callable[[], float] = monotonic) -> None:
        histogram = Histogram(
            "change_seconds",
            "Time of a change, from its being read until an Envoy accepted what follows, by stage.",
            ["stage"],
            namespace=namespace,
            registry=registry,
            buckets=SECONDS,
        )
        self._stages = [histogram.labels(stage) for stage in STAGES]
        self._clock = clock
        self._published: deque[_Published] = deque(maxlen=_REMEMBERED)
        self._sent: dict[int, tuple[float, _Published]] = {}
        self._synced: dict[int, int] = {}

    def settled(self, round_: Round) -> None:
        """A settle ended."""
        if round_.resources:
            self._published.append(_Published(round_.serial, self._clock(), round_.waited, round_.seconds))

    def sent(self, stream: int) -> None:
        """A response was handed to gRPC."""
        has = self._synced.get(stream)
        if stream in self._sent or has is None:
            return
        oldest = next((one for one in self._published if one.serial > has), None)
        if oldest is not None:
            self._sent[stream] = (self._clock(), oldest)

    def synced(self, stream: int, serial: int) -> None:
        """The stream's Envoy has everything up to this serial."""
        self._synced[stream] = serial
        sent, published = self._sent.pop(stream, (0.0, None))
        if published is None:
            return
        took = (published.waited, published.settled, sent - published.at, self._clock() - sent)
        for stage, seconds in zip(self._stages, took, strict=True):
            stage.observe(max(0.0, seconds))

    def closed(self, stream: int) -> None:
        """The stream ended."""
        self._sent.pop(stream, None)
        self._synced.pop(stream, None)
