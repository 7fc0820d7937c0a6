"""Backends: where traffic may go, and what is told about those that cannot be reached."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from xds_server.model.meta import Key, ObjectRef
from xds_server.routing.secret import SecretId

Protocol = Literal["auto", "http1", "http2", "grpc", "tcp", "tls", "udp"]
"""What is spoken to a backend: `auto` follows the client (HTTP/1.1 for HTTP routes), others force it."""

NOT_SECURED = Key("", "")
NO_CERTIFICATE = Key("", "")


class EndpointsId(NamedTuple):
    """Whose addresses: one port of one Service (or XBackend). Shared by all backends that differ in protocol alone."""

    service: Key
    port: int
    transport: Literal["tcp", "udp"] = "tcp"
    kind: str = "Service"


class Backend(NamedTuple):
    """One port of one Service, and how it is spoken to. The identity of a cluster; ordered, since it is a key.

    `kind` is that of the object called `service`: Service, XBackend, or Gateway where it is all that takes datagrams of
    its port. `tls` is the object that tells how the connection is secured, NOT_SECURED where it is not: a
    BackendTLSPolicy, or the XBackend itself. `certificate` is the Secret with what is shown to it,
    NO_CERTIFICATE where nothing is.
    """

    service: Key
    port: int
    protocol: Protocol = "auto"
    tls: Key = NOT_SECURED
    kind: str = "Service"
    certificate: Key = NO_CERTIFICATE

    def reached(self, certificate: Key) -> "Backend":
        """The backend as a Gateway reaches it: with that Gateway's certificate where a policy secures the connection.
        An XBackend tells itself what it is shown.
        """
        if self.tls == NOT_SECURED or self.kind != "Service":
            return self
        return self._replace(certificate=certificate)

    @property
    def object(self) -> ObjectRef:
        """What it is a port of."""
        return ObjectRef(self.kind, *self.service)

    @property
    def endpoints(self) -> EndpointsId:
        """Where it is."""
        return EndpointsId(self.service, self.port, "udp" if self.protocol == "udp" else "tcp", self.kind)

    @property
    def authorities(self) -> SecretId | None:
        """Whom its certificate has to be issued by; None where it is not secured."""
        if self.tls == NOT_SECURED:
            return None
        return SecretId("BackendTLSPolicy" if self.kind == "Service" else self.kind, self.tls)

    @property
    def secrets(self) -> tuple[SecretId, ...]:
        """Every secret that its cluster names."""
        authorities = self.authorities
        shown = () if self.certificate == NO_CERTIFICATE else (SecretId.certificate(self.certificate),)
        return shown if authorities is None else (authorities, *shown)


@dataclass(frozen=True, slots=True)
class Verification:
    """Who a backend has to be: the server name that it is asked for, and the names of which its certificate has one."""

    server_name: str
    hostnames: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def of_port(gateway: Key, port: int) -> Backend:
    """All backends together that take the datagrams of a Gateway's port. They are changed by endpoints alone, since
    a listener for datagrams that changes loses its sessions.
    """
    return Backend(gateway, port, "udp", kind="Gateway")


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """How many retries a backend is sent at a time: `percent` of the requests of the last `interval` (milliseconds) and
    of those under way, but `least` in any case.
    """

    percent: int
    interval: int
    least: int


@dataclass(frozen=True, slots=True)
class InvalidBackend:
    """A reference that cannot be used: its share of the traffic is answered with a fault, or closed.

    `reason` is a reason of the Route's ResolvedRefs condition.
    """

    reason: str
    message: str
    missing: ObjectRef | None = None
    """The object that does not exist, where that is the reason."""


def located(found: Backend | InvalidBackend, field: str) -> Backend | InvalidBackend:
    """What a reference came to; where it cannot be used, told with the field that refers."""
    return found if isinstance(found, Backend) else replace(found, message=f"{field}: {found.message}")
