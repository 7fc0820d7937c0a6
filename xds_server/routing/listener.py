"""Listeners as traffic sees them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from xds_server.model.meta import Key

Scheme = Literal["http", "https"]


class ListenerId(NamedTuple):
    """A listener of a Gateway."""

    gateway: Key
    name: str


class Scope(NamedTuple):
    """The hosts that are looked up together, one RouteConfiguration: all HTTP listeners of a port, or one HTTPS one.

    `hostname` is empty for plain HTTP.
    """

    gateway: Key
    port: int
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """A served listener. `hostname` is normalised, "*" for all. `secrets` are usable certificates, HTTPS only."""

    id: ListenerId
    port: int
    scheme: Scheme
    hostname: str
    secrets: tuple[Key, ...] = ()
    server_name: str = "envoy"

    @property
    def scope(self) -> Scope:
        """Which RouteConfiguration holds its hosts."""
        return Scope(self.id.gateway, self.port, self.hostname if self.scheme == "https" else "")


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a Gateway's listeners are bound: an address for all, and ports that differ from those written."""

    address: str = "::"
    ports: tuple[tuple[int, int], ...] = ()
    unavailable: frozenset[int] = frozenset()
    """Ports of listeners that cannot be bound now: something else holds them."""
    placed_only: bool = False
    """Serve only the ports in `ports`: others have no place yet (local mode)."""
    share_port: bool = True
    """False where two processes must never split connections silently (local mode)."""

    def port(self, port: int) -> int:
        """The port to bind for a listener's port."""
        return dict(self.ports).get(port, port)

    def serves(self, port: int) -> bool:
        """Can a listener of that port be bound now?"""
        return port not in self.unavailable and (not self.placed_only or port in dict(self.ports))
