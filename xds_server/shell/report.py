"""Reporter: what happens on streams, told to the loop and counted.

In: what sessions report. Out: calls of the next observer (the loop), and metrics.
"""

from collections.abc import Callable
from time import monotonic

from xds_server.shell.metrics import Metrics
from xds_server.shell.serve.observer import Observer
from xds_server.xds.events import Acknowledged, Event, Rejected
from xds_server.xds.node import GATEWAY, Node
from xds_server.xds.resource import ResourceType
from xds_server.xds.stream import Response


class Reporter:
    """An observer in front of another one."""

    def __init__(self, loop: Observer, metrics: Metrics, *, clock: Callable[[], float] = monotonic) -> None:
        self._loop = loop
        self._metrics = metrics
        self._clock = clock
        self._sent: dict[tuple[int, ResourceType], float] = {}

    def opened(self, stream: int, node: Node) -> None:
        """A client connected and said who it is."""
        self._count(node, 1)
        self._loop.opened(stream, node)

    def sent(self, stream: int, node: Node, response: Response) -> None:
        """A response was handed to gRPC."""
        self._sent[stream, response.type] = self._clock()
        self._metrics.pushed(response.type, len(response.data))
        self._metrics.changes.sent(stream)
        self._loop.sent(stream, node, response)

    def event(self, stream: int, node: Node, event: Event) -> None:
        """The client subscribed, accepted or rejected."""
        if isinstance(event, Acknowledged | Rejected):
            sent = self._sent.pop((stream, event.type), None)
            if isinstance(event, Rejected):
                self._metrics.rejected(event.type)
            elif sent is not None:
                self._metrics.acknowledged(event.type, self._clock() - sent)
        self._loop.event(stream, node, event)

    def synced(self, stream: int, node: Node, serial: int) -> None:
        """The client has accepted all that it sees of the catalog up to `serial`."""
        self._metrics.changes.synced(stream, serial)
        self._loop.synced(stream, node, serial)

    def regrouped(self, stream: int, before: Node, node: Node) -> None:
        """The client serves other Gateways from now on."""
        self._count(before, -1)
        self._count(node, 1)
        self._loop.regrouped(stream, before, node)

    def closed(self, stream: int, node: Node) -> None:
        """The stream ended."""
        self._count(node, -1)
        for type_ in ResourceType:
            self._sent.pop((stream, type_), None)
        self._metrics.changes.closed(stream)
        self._loop.closed(stream, node)

    def _count(self, node: Node, delta: int) -> None:
        """An Envoy of several Gateways is one of each."""
        for name in map(str, node.serves) if node.kind == GATEWAY else (node.cluster,):
            self._metrics.connected(name, delta)
