"""Backends: where traffic may go, and what is told about those that cannot be reached."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from xds_server.model.meta import Key

Protocol = Literal["auto", "http1", "http2", "grpc", "tcp", "tls", "udp"]
"""What is spoken to a backend: `auto` follows the client (HTTP/1.1 for HTTP routes), others force it."""


class EndpointsId(NamedTuple):
    """Whose addresses: one port of one Service (or XBackend). Shared by all backends that differ in protocol alone."""

    service: Key
    port: int
    transport: Literal["tcp", "udp"] = "tcp"
    kind: str = "Service"


class Backend(NamedTuple):
    """One port of one Service, and how it is spoken to. The identity of a cluster; ordered, since it is a key.

    `tls` names the policy by which the connection is secured (`NAMESPACE/NAME`), empty where it is not. `kind` is that
    of the object called `service`: Service or XBackend.
    """

    service: Key
    port: int
    protocol: Protocol = "auto"
    tls: str = ""
    kind: str = "Service"

    @property
    def endpoints(self) -> EndpointsId:
        """Where it is."""
        return EndpointsId(self.service, self.port, "udp" if self.protocol == "udp" else "tcp", self.kind)


@dataclass(frozen=True, slots=True)
class InvalidBackend:
    """A reference that cannot be used: its share of the traffic is answered with 500.

    `reason` is a reason of the Route's ResolvedRefs condition.
    """

    reason: str
    message: str


def located(found: Backend | InvalidBackend, field: str) -> Backend | InvalidBackend:
    """What a reference came to; where it cannot be used, told with the field that refers."""
    return found if isinstance(found, Backend) else InvalidBackend(found.reason, f"{field}: {found.message}")
