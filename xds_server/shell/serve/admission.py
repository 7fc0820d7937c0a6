"""Who may have a stream: what a proxy has to show before it is served, and which Gateways it then serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from xds_server.model.meta import Key
from xds_server.xds.node import Node

Metadata = Sequence[tuple[str, str | bytes]]
"""What came with the call, names in lower case."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A proxy that is served. `gateways` are those that it serves: see `Node.gateways`."""

    gateways: tuple[Key, ...]
    until: float | None = None
    """When what it has shown is over, in seconds since 1970: then its stream ends. None for never."""
    draining: bool = False
    """Its pod is about to end."""


class Denied(Exception):  # noqa: N818  (what it is, not that something is wrong)
    """A proxy that is not served, with the status and the words that end its stream."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Admission(Protocol):
    """Decides once per stream, when the client has said who it is."""

    async def admit(self, node: Node, metadata: Metadata, /) -> Admitted:
        """Raises Denied. Which Gateways a pod serves is looked up last, with nothing awaited after it: what changes
        later is told by `Serving.regroup`.
        """


class OpenAdmission:
    """Everyone is who it says it is: for loopback and tests."""

    async def admit(self, node: Node, _: Metadata, /) -> Admitted:
        """The Gateway that the node names."""
        return Admitted(node.serves)
