"""Which port a proxy binds for a listener: the one that a Service leads the listener's port to.

A port has one place on a proxy: of two listeners that come to the same, or that are of Gateways on the same proxies
and have the same port, one is served. Source: Kubernetes `Service.spec.ports[].targetPort`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xds_server.infra import names
from xds_server.infra.proxies import Proxy
from xds_server.model.core import Service, ServicePort
from xds_server.model.meta import Key
from xds_server.routing.listener import NO_SET, Bind, Transport
from xds_server.semantics.listeners import AttachPoint

OWN_PORTS = (names.ADMIN_PORT, names.STATUS_PORT)


class Port(NamedTuple):
    """A port of a listener, and of the Services that lead to it."""

    transport: Transport
    number: int

    def __str__(self) -> str:
        return f"{self.number}/UDP" if self.transport == "udp" else str(self.number)


@dataclass(frozen=True, slots=True)
class Ports:
    """Of a Gateway: the port to bind for each, and why others have none. `lacking` are those that a Service does not
    lead to its proxies, by Service.
    """

    bound: Mapping[Port, int] = field(default_factory=dict)
    unbound: Mapping[Port, str] = field(default_factory=dict)
    lacking: Mapping[Key, Mapping[Port, str]] = field(default_factory=dict)

    @property
    def as_they_are(self) -> bool:
        """Is every port bound as it is written?"""
        return not self.unbound and all(port.number == number for port, number in self.bound.items())

    def bind(self) -> Bind:
        """The same as what is to be bound; ports that are not here have no place."""
        of = {
            transport: tuple(
                (port.number, target) for port, target in self.bound.items() if port.transport == transport
            )
            for transport in ("tcp", "udp")
        }
        without = {
            transport: frozenset(port.number for port in self.unbound if port.transport == transport)
            for transport in ("tcp", "udp")
        }
        return Bind(
            ports=of["tcp"],
            udp_ports=of["udp"],
            unavailable=without["tcp"],
            udp_unavailable=without["udp"],
            placed_only=True,
        )


def by_port(points: Iterable[AttachPoint]) -> dict[Port, tuple[str, ...]]:
    """The ports of listeners that could be served, in order, and the names of the listeners of each."""
    found: dict[Port, list[str]] = {}
    for point in points:
        if point.owns_hosts:
            where = "" if point.id.set == NO_SET else f" of ListenerSet {point.id.set}"
            found.setdefault(Port(point.transport, point.port), []).append(f"{point.id.name}{where}")
    return {port: tuple(found[port]) for port in sorted(found)}


def told(whys: Mapping[Port, str], listeners: Mapping[Port, Sequence[str]]) -> str:
    """Why ports are not reached, with the listeners that this concerns; of ports of no listener nothing is said."""
    return "; ".join(
        f"{why} (listener {', '.join(listeners[port])})" for port, why in sorted(whys.items()) if port in listeners
    )


def by_name(service: Service) -> bool:
    """Does a Service lead any of its ports to one that containers name?"""
    return any(isinstance(port.target_port, str) for port in service.spec.ports)


def own(wanted: Iterable[Port], service: Service | None) -> Ports:
    """Of a Gateway with proxies of its own: its ports as they are, unless its parameters lead its Service elsewhere."""
    places = _Places()
    for port in wanted:
        found = _find(service, port) if service is not None else None
        target = found.target_port if found is not None else None
        number = target if isinstance(target, int) and target else port.number
        places.bind(port, number, f"port {port}")
    return Ports(places.bound, places.unbound)


def shared(
    wanted: Iterable[Port], services: Mapping[Key, Service], pods: Mapping[Key, Sequence[Proxy]], otherwise: str = ""
) -> Ports:
    """Of a Gateway that names Services: their target ports. The first Service that has a port says what it comes to;
    `otherwise` is why there is no Service at all. Pods need be given of Services with `by_name`.
    """
    places = _Places()
    lacking: dict[Key, dict[Port, str]] = {key: {} for key in services}
    for port in wanted:
        whys: dict[Key, str] = {}
        targets: dict[Key, int] = {}
        for key, service in services.items():
            target = _target(key, service, port, pods.get(key, ()))
            if isinstance(target, int):
                targets[key] = target
            else:
                whys[key] = target
        for key, target in targets.items():
            first = next(iter(targets))
            if target != targets[first]:
                whys[key] = f"Service {key} leads port {port} to {target}, and Service {first} to {targets[first]}"
        if targets:
            key, number = next(iter(targets.items()))
            places.bind(port, number, f"port {port} of Service {key} leads to port {number}, which")
            if port in places.unbound:
                whys[key] = places.unbound[port]
        else:
            places.unbound[port] = "; ".join(whys.values()) or otherwise
        for key, why in whys.items():
            lacking[key][port] = why
    return Ports(places.bound, places.unbound, lacking)


def without_taken(ports: Ports, older: Iterable[tuple[Key, Ports]]) -> Ports:
    """What is left of a Gateway's ports beside Gateways on the same proxies that go before it."""
    taken: dict[Port, str] = {}
    for gateway, theirs in older:
        places = {(port.transport, number): port for port, number in theirs.bound.items()}
        for port, number in ports.bound.items():
            if port in theirs.bound:
                taken.setdefault(port, f"is that of Gateway {gateway}, which goes before")
            elif (other := places.get((port.transport, number))) is not None:
                why = f"leads to {number}, as does port {other} of Gateway {gateway}, which goes before"
                taken.setdefault(port, why)
    if not taken:
        return ports
    return Ports(
        bound={port: number for port, number in ports.bound.items() if port not in taken},
        unbound={**ports.unbound, **{port: f"port {port} {why}" for port, why in taken.items()}},
        lacking={
            key: {**{port: f"port {port} of Service {key} {why}" for port, why in taken.items()}, **whys}
            for key, whys in ports.lacking.items()
        },
    )


@dataclass(slots=True)
class _Places:
    """Ports that are given their places on a proxy, one after the other."""

    bound: dict[Port, int] = field(default_factory=dict)
    unbound: dict[Port, str] = field(default_factory=dict)
    _by_place: dict[tuple[Transport, int], Port] = field(default_factory=dict)

    def bind(self, port: Port, number: int, what: str) -> None:
        """Gives a port a place, unless Envoy or another one has it. `what` is what is told of it then."""
        if number in OWN_PORTS and port.transport == "tcp":
            self.unbound[port] = f"{what} is one that Envoy itself uses here"
        elif (other := self._by_place.setdefault((port.transport, number), port)) != port:
            self.unbound[port] = f"{what} is where port {other} leads already"
        else:
            self.bound[port] = number


def _find(service: Service, port: Port) -> ServicePort | None:
    transport = port.transport.upper()
    return next((one for one in service.spec.ports if (one.port, one.protocol) == (port.number, transport)), None)


def _target(key: Key, service: Service, port: Port, pods: Sequence[Proxy]) -> int | str:
    """What a Service leads a port to, or why to nothing. Of pods that differ in a named port the newest says it."""
    found = _find(service, port)
    if found is None:
        return f"Service {key} has no port {port}"
    if not isinstance(found.target_port, str):
        return found.target_port or port.number
    name = found.target_port
    numbers = [
        number
        for pod in sorted(pods, key=lambda one: one.created, reverse=True)
        if (number := pod.port(name, found.protocol)) is not None
    ]
    if not numbers:
        return f"port {port} of Service {key} leads to the container port {name}, which none of its pods has"
    return numbers[0]
