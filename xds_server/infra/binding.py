"""Local addresses: where each Gateway's ports are served when the machine itself is the data plane.

In: the Gateways that want ports, what each had so far, and a probe that says why a socket cannot be had.
Out: one `Binding` per Gateway, with sentences for whatever differs from what was asked. Pure and
deterministic; probing is the caller's. The rules:

- A port below 1024 is moved up by an offset. If it then meets another of the same Gateway it moves on
  by 1,000.
- A Gateway is served on a loopback address of its own `spec.addresses`, else on 127.0.0.1. Where another
  Gateway has one of its ports there, it gets the next address as a whole: 127.0.0.2, 127.0.0.3 …
- What a Gateway has, it keeps while it lives. A port that it gains and that is taken moves on by 1,000.
- What something else on the machine holds is not served and a problem of that Gateway alone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from xds_server.model.meta import Key

STEP: Final = 1_000
"""How far a port moves on when it is taken."""
_PRIVILEGED: Final = 1_024
_HIGHEST: Final = 65_535
_DEFAULT: Final = "127.0.0.1"
_CANDIDATES: Final = tuple(f"127.0.0.{host}" for host in range(1, 255))


class Port(NamedTuple):
    """A listener's port as the Gateway spells it; `protocol` is "TCP" or "UDP", which never meet."""

    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"port {self.number}" if self.protocol == "TCP" else f"{self.protocol} port {self.number}"


class Socket(NamedTuple):
    """Something that a listener binds."""

    address: str
    port: Port

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        suffix = "" if self.port.protocol == "TCP" else f"/{self.port.protocol.lower()}"
        return f"{host}:{self.port.number}{suffix}"


class Unavailable(Enum):
    """Why the machine does not grant a socket."""

    IN_USE = "in use"
    NO_ADDRESS = "no such address"
    NOT_PERMITTED = "not permitted"


Probe = Callable[[Socket], Unavailable | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a Gateway asks for: the ports of its listeners and the values of its `spec.addresses`."""

    gateway: Key
    ports: frozenset[Port]
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a Gateway is served.

    `ports` maps each served port to the bound one; `blocked` those that cannot be bound now, so that they
    come back to the same place. `notes` say what differs from the request, `problems` what is not served and
    what to do about it.
    """

    gateway: Key
    address: str
    ports: Mapping[Port, int]
    blocked: Mapping[Port, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def allocate(
    wanted: Sequence[Wanted], previous: Mapping[Key, Binding], probe: Probe, *, port_offset: int
) -> dict[Key, Binding]:
    """Binds every Gateway of `wanted`, which is ordered by precedence: older ones first.

    `previous` is the result of the last call; `probe` is not asked about sockets that it holds, since our own
    Envoys hold them. The result is in the order of `wanted`.
    """
    ours = {sock for binding in previous.values() for sock in _sockets(binding.address, binding.ports)}
    plan = _Plan(claims={}, probe=lambda sock: None if sock in ours else probe(sock), offset=port_offset)
    kept = {want.gateway: previous[want.gateway] for want in wanted if _keeps(want, previous)}
    for want in wanted:
        plan.keep(want, kept, lambda binding: binding.ports)
    for want in wanted:
        plan.keep(want, kept, lambda binding: binding.blocked)
    for want in wanted:
        if want.gateway in kept:
            plan.extend(want, kept[want.gateway].address)
    newcomers = [want for want in wanted if want.gateway not in kept]
    for want in sorted(newcomers, key=lambda want: not _loopbacks(want)):
        plan.place(want)
    return {want.gateway: plan.binding(want) for want in wanted}


def _sockets(address: str, ports: Mapping[Port, int]) -> Iterator[Socket]:
    for port, number in ports.items():
        yield Socket(address, Port(number, port.protocol))


def _keeps(want: Wanted, previous: Mapping[Key, Binding]) -> bool:
    """A Gateway keeps its address unless it now asks for others."""
    own = _loopbacks(want)
    return want.gateway in previous and (not own or previous[want.gateway].address in own)


def _loopbacks(want: Wanted) -> tuple[str, ...]:
    """The loopback addresses among `spec.addresses`, in canonical spelling."""
    found = (parsed(value) for value in want.addresses)
    return tuple(str(address) for address in found if address is not None and address.is_loopback)


def parsed(value: str) -> IPv4Address | IPv6Address | None:
    """An address, if it is one; an IPv4 address in the clothes of IPv6 is one of IPv4."""
    try:
        address = ip_address(value)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def shifted(ports: Iterable[Port], port_offset: int) -> dict[Port, int]:
    """Where each port goes on an address of its own: those below 1024 move up, and on by 1,000 until free.

    A result above 65535 means that there is no such port.
    """
    ordered = sorted(ports)
    placed = {port: port.number for port in ordered if port.number >= _PRIVILEGED}
    used = set(placed)
    meeting = []
    for port in ordered:
        if port.number < _PRIVILEGED:
            target = Port(port.number + port_offset, port.protocol)
            if target in used:
                meeting.append(port)
            else:
                placed[port] = target.number
                used.add(target)
    for port in meeting:
        target = _next_free(Port(port.number + port_offset, port.protocol), used.__contains__)
        placed[port] = target.number
        used.add(target)
    return placed


def _next_free(port: Port, taken: Callable[[Port], bool]) -> Port:
    while taken(port):
        port = port._replace(number=port.number + STEP)
    return port


@dataclass(slots=True)
class _Plan:
    """An allocation in the making: who has claimed which socket, and where each Gateway's ports are to be."""

    claims: dict[Socket, Key]
    probe: Probe
    offset: int
    addresses: dict[Key, str] = field(default_factory=dict)
    targets: dict[Key, dict[Port, int]] = field(default_factory=dict)

    def keep(self, want: Wanted, kept: Mapping[Key, Binding], part: Callable[[Binding], Mapping[Port, int]]) -> None:
        """Claims again what the Gateway still wants of a part of what it had."""
        if want.gateway not in kept:
            return
        binding = kept[want.gateway]
        for port, number in part(binding).items():
            if port in want.ports:
                self._claim(want.gateway, binding.address, port, number)

    def extend(self, want: Wanted, address: str) -> None:
        """Finds room, on the Gateway's own address, for the ports that it has gained."""
        self.addresses[want.gateway] = address
        known = self.targets.setdefault(want.gateway, {})
        for port, number in sorted(shifted(want.ports, self.offset).items()):
            if port in known:
                continue
            # On an address that was asked for, another Gateway's socket is a conflict, not a reason to move.
            yields_to = {want.gateway} if address in _loopbacks(want) else None
            free = _next_free(Port(number, port.protocol), partial(self._taken, address, yields_to))
            self._claim(want.gateway, address, port, free.number)
            known.setdefault(port, free.number)

    def _taken(self, address: str, owners: Collection[Key] | None, port: Port) -> bool:
        """Whether one of `owners` (None: anyone) has claimed the port."""
        owner = self.claims.get(Socket(address, port))
        return owner is not None and (owners is None or owner in owners)

    def place(self, want: Wanted) -> None:
        """Chooses a newcomer's address: the first on which no other Gateway has one of its ports."""
        targets = shifted(want.ports, self.offset)
        candidates = _loopbacks(want) or _CANDIDATES
        for address in candidates:
            sockets = tuple(_sockets(address, targets))
            if any(sock in self.claims for sock in sockets):
                continue
            if address != candidates[0] and Unavailable.NO_ADDRESS in map(self.probe, sockets):
                continue
            return self.extend(want, address)
        return self.extend(want, candidates[0])

    def _claim(self, gateway: Key, address: str, port: Port, number: int) -> None:
        """Gives a socket to a Gateway unless another one has it."""
        sock = Socket(address, Port(number, port.protocol))
        if self.claims.setdefault(sock, gateway) == gateway:
            self.targets.setdefault(gateway, {})[port] = number

    def binding(self, want: Wanted) -> Binding:
        """The Gateway's result: each of its ports is bound, or blocked with a sentence that says why."""
        address = self.addresses[want.gateway]
        ports: dict[Port, int] = {}
        blocked: dict[Port, int] = {}
        problems: list[str] = []
        for port, number in sorted(self.targets[want.gateway].items()):
            problem = self._problem(want.gateway, port, Socket(address, Port(number, port.protocol)))
            (blocked if problem else ports)[port] = number
            if problem:
                problems.append(problem)
        return Binding(want.gateway, address, ports, blocked, tuple(self._notes(want)), tuple(problems))

    def _problem(self, gateway: Key, port: Port, sock: Socket) -> str:
        """Why a planned socket cannot be served and what to do about it; empty if it can."""
        subject = f"Gateway {gateway}: {port} is not served: "
        if sock.port.number > _HIGHEST:
            return f"{subject}moved up it is beyond {_HIGHEST}; choose a smaller --port-offset"
        if (owner := self.claims.get(sock)) not in {None, gateway}:
            return (
                f"{subject}{sock} belongs to Gateway {owner}; "
                "give one of them another port, or another loopback address in spec.addresses"
            )
        match self.probe(sock):
            case None:
                return ""
            case Unavailable.IN_USE:
                other = "another --port-offset" if sock.port != port else "another port for the listener"
                return f"{subject}another program holds {sock}; stop that program or choose {other}"
            case Unavailable.NO_ADDRESS:
                return f"{subject}this machine has no address {sock.address}; use another in spec.addresses"
            case Unavailable.NOT_PERMITTED:
                return f"{subject}this user may not listen on {sock}; choose a --port-offset of 1024 or more"

    def _notes(self, want: Wanted) -> Iterator[str]:
        """What differs from the request although everything is served."""
        address = self.addresses[want.gateway]
        subject = f"Gateway {want.gateway}"
        for value in want.addresses:
            if (ip := parsed(value)) is None or not ip.is_loopback:
                yield f"{subject}: spec.addresses {value} is no loopback address; served on {address}"
        natural = shifted(want.ports, self.offset)
        if not _loopbacks(want) and address != _DEFAULT:
            yield f"{subject} is served on {address}{self._since(want.gateway, _sockets(_DEFAULT, natural))}"
        for port, number in sorted(self.targets[want.gateway].items()):
            plain = port.number + (self.offset if port.number < _PRIVILEGED else 0)
            if number != plain:
                since = self._since(want.gateway, [Socket(address, Port(plain, port.protocol))])
                yield f"{subject}: {port} is served on {number}{since}"

    def _since(self, gateway: Key, sockets: Iterable[Socket]) -> str:
        """The reason for a move, if it still holds: who has the socket that was the first choice."""
        for sock in sockets:
            if (owner := self.claims.get(sock)) is not None:
                return f", since {'it has' if owner == gateway else f'Gateway {owner} has'} {sock}"
        return ", where it has been so far"
