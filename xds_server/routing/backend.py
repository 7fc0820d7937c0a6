"""Backends: where traffic may go, and what is told about those that cannot be reached."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from xds_server.model.meta import Key

Protocol = Literal["auto", "http1", "http2", "grpc", "tcp", "tls", "udp"]
"""What is spoken to a backend: `auto` follows the client (HTTP/1.1 for HTTP routes), others force it."""


class Backend(NamedTuple):
    """One port of one Service, and the protocol spoken to it. The identity of a cluster; ordered, since it is a key."""

    service: Key
    port: int
    protocol: Protocol = "auto"


@dataclass(frozen=True, slots=True)
class InvalidBackend:
    """A reference that cannot be used: its share of the traffic is answered with 500.

    `reason` is a reason of the Route's ResolvedRefs condition.
    """

    reason: str
    message: str
