"""Listeners as traffic sees them."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from xds_server.model.meta import Key, ObjectRef
from xds_server.routing.feature import Applied
from xds_server.routing.secret import SecretId

Protocol = Literal["http", "https", "tls", "passthrough", "tcp", "udp"]
"""What a listener does with a connection: `tls` ends TLS and hands on the bytes, `passthrough` hands on TLS itself."""
Transport = Literal["tcp", "udp"]
NO_SET = Key("", "")
BY_SERVER_NAME: tuple[Protocol, ...] = ("https", "tls", "passthrough")
"""Where a connection says by SNI which listener it is for."""
CONNECTIONS: tuple[Protocol, ...] = ("tls", "passthrough", "tcp")
"""Where routes take whole connections."""


class ListenerId(NamedTuple):
    """A listener of a Gateway; `set` is the ListenerSet that it comes from, NO_SET for the Gateway's own."""

    gateway: Key
    name: str
    set: Key = NO_SET

    @property
    def owner(self) -> ObjectRef:
        """The object in which it is written."""
        return ObjectRef("Gateway", *self.gateway) if self.set == NO_SET else ObjectRef("ListenerSet", *self.set)


class Socket(NamedTuple):
    """What is bound: a port of a Gateway."""

    gateway: Key
    transport: Transport
    port: int


class Scope(NamedTuple):
    """The hosts that are looked up together, one RouteConfiguration: all HTTP listeners of a port, or one HTTPS one.

    `hostname` is empty for plain HTTP.
    """

    gateway: Key
    port: int
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """Clients are asked for a certificate that these authorities issued. Unless it is `required`, those without, or
    with another, are let in all the same.
    """

    authorities: SecretId
    required: bool = True


@dataclass(frozen=True, slots=True)
class Listener:
    """A served listener. `hostname` is normalised, "*" for all. `certificates` are usable, if it ends TLS; `clients`
    is None where they need no certificate.
    """

    id: ListenerId
    port: int
    protocol: Protocol
    hostname: str
    certificates: tuple[SecretId, ...] = ()
    server_name: str = "envoy"
    clients: ClientCertificates | None = None
    filters: tuple[Applied, ...] = ()
    """What requests meet before a route is chosen."""

    @property
    def socket(self) -> Socket:
        """What it is bound to, together with others."""
        return Socket(self.id.gateway, "udp" if self.protocol == "udp" else "tcp", self.port)

    @property
    def secrets(self) -> tuple[SecretId, ...]:
        """Every secret that its filter chain names."""
        return self.certificates + ((self.clients.authorities,) if self.clients else ())

    def for_routes(self) -> "Listener":
        """Without what is nothing to its routes: a change of that reaches none of them."""
        return replace(self, certificates=(), clients=None, filters=())

    @property
    def scope(self) -> Scope | None:
        """Which RouteConfiguration holds its hosts; None where no HTTP is spoken."""
        if self.protocol not in ("http", "https"):
            return None
        return Scope(self.id.gateway, self.port, self.hostname if self.protocol == "https" else "")


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a Gateway's listeners are bound: an address for all, and ports that differ from those written.

    Ports of UDP are others than those of TCP with the same numbers.
    """

    address: str = "::"
    ports: tuple[tuple[int, int], ...] = ()
    udp_ports: tuple[tuple[int, int], ...] = ()
    unavailable: frozenset[int] = frozenset()
    """Ports of listeners that cannot be bound now: something else holds them."""
    udp_unavailable: frozenset[int] = frozenset()
    placed_only: bool = False
    """Serve only the ports that are named: others have no place yet (local mode)."""
    share_port: bool = True
    """False where two processes must never split connections silently (local mode)."""

    def port(self, port: int, transport: Transport = "tcp") -> int:
        """The port to bind for a listener's port."""
        return self._placed(transport).get(port, port)

    def serves(self, port: int, transport: Transport = "tcp") -> bool:
        """Can a listener of that port be bound now?"""
        return not self.lacks(port, transport) and (not self.placed_only or port in self._placed(transport))

    def lacks(self, port: int, transport: Transport = "tcp") -> bool:
        """Does something else hold the port? One that has no place yet only waits for it."""
        return port in (self.udp_unavailable if transport == "udp" else self.unavailable)

    def _placed(self, transport: Transport) -> dict[int, int]:
        return dict(self.udp_ports if transport == "udp" else self.ports)
