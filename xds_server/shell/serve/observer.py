"""Who is told what happens on the streams. Called in the event loop, one call at a time, and never awaited."""

from typing import Protocol

from xds_server.xds.events import Event
from xds_server.xds.node import Node
from xds_server.xds.stream import Response


class Observer(Protocol):
    """`stream` is a number that no other stream of this process ever has.

    For each stream: `opened` once, then any number of `sent`, `event`, `synced` and `regrouped`, then `closed` once,
    each with the node as it is then. A client that never said who it is is not reported.
    """

    def opened(self, stream: int, node: Node) -> None:
        """A client connected and said who it is."""

    def sent(self, stream: int, node: Node, response: Response) -> None:
        """A response was handed to gRPC."""

    def event(self, stream: int, node: Node, event: Event) -> None:
        """The client subscribed, accepted or rejected."""

    def synced(self, stream: int, node: Node, serial: int) -> None:
        """The client has accepted all that it sees of the catalog up to `serial`, in every type."""

    def regrouped(self, stream: int, before: Node, node: Node) -> None:
        """The client serves other Gateways from now on, or drains; `synced` begins anew."""

    def closed(self, stream: int, node: Node) -> None:
        """The stream ended, for whatever reason."""
