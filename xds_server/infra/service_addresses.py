"""Where a Gateway is that is reached through Services: their addresses, as answers to spec.addresses.

A Service of type LoadBalancer is where its load balancer says, in every family; others are where they are inside the
cluster, and all are at their external IPs. Node ports are no addresses: no listener's port is reached there. Inside the
cluster an address has routability `Cluster`, whether that was asked for or not; nothing else stands in for it.
Source: Gateway API `GatewaySpec.addresses`, GEP-5093.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xds_server.infra.binding import parsed
from xds_server.infra.manual import Reference
from xds_server.infra.target_ports import Port
from xds_server.model.core import Service
from xds_server.model.gateway import GatewayAddress
from xds_server.model.meta import Key
from xds_server.semantics.addresses import CLUSTER, SENTINEL, Answer, GatewayStatusAddress, Placement, Unmet


@dataclass(frozen=True, slots=True)
class Reached:
    """A Service and the addresses that it is reached at. `name` is its DNS name; `pending` while its load balancer has
    given none; `wanted` is the one that it asks of it.
    """

    key: Key
    type: str
    name: str
    outside: tuple[GatewayStatusAddress, ...]
    inside: tuple[GatewayStatusAddress, ...]
    pending: bool = False
    wanted: str = ""
    unserved: Mapping[Port, str] = field(default_factory=dict)
    """Ports that the load balancer says that it does not serve, and why."""

    @property
    def default(self) -> tuple[GatewayStatusAddress, ...]:
        """What is given where nothing certain is asked for."""
        if self.type == "LoadBalancer":
            return self.outside
        return self.outside + self.inside

    @property
    def named(self) -> GatewayStatusAddress:
        """Its name in the cluster's DNS."""
        return GatewayStatusAddress("Hostname", self.name, CLUSTER)


def reached(key: Key, service: Service, cluster_domain: str) -> Reached:
    """Where a Service is. One without an IP address of its own is at those of its pods, by its name."""
    spec = service.spec
    ingress = service.status.load_balancer.ingress or () if spec.type == "LoadBalancer" else ()
    given = [_ip(one.ip) if one.ip else GatewayStatusAddress("Hostname", one.hostname or "", "") for one in ingress]
    outside = tuple(dict.fromkeys([*(one for one in given if one.value), *map(_ip, spec.external_ips)]))
    ips = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
    name = f"{key.name}.{key.namespace}.svc.{cluster_domain}"
    inside = tuple(GatewayStatusAddress("IPAddress", ip, CLUSTER) for ip in ips if ip != "None")
    if "None" in ips:
        inside = (GatewayStatusAddress("Hostname", name, CLUSTER),)
    unserved = {
        Port("udp" if port.protocol == "UDP" else "tcp", port.port): (
            f"the load balancer does not serve port {port.port} at {one.ip or one.hostname}: {port.error}"
        )
        for one in ingress
        for port in one.ports or ()
        if port.error
    }
    pending = spec.type == "LoadBalancer" and not outside
    return Reached(key, spec.type, name, outside, inside, pending, spec.load_balancer_ip or "", unserved)


def place(
    asked: tuple[GatewayAddress, ...],
    services: Mapping[Key, Reached],
    references: Sequence[Reference] = (),
    problems: Mapping[Key, str] | None = None,
) -> Placement:
    """What the entries came to. `services` are those that the Gateway is reached through; hostnames are the
    `references`, in their order; `problems` are what is wrong with Services, or keeps a Gateway from one.

    Entries with a value come first: what they get is not there for others.
    """
    problems = problems or {}
    if not asked:
        return Placement(asked, (_chosen(services, problems),))
    named = iter(references)
    by_index = {
        index: next(named)
        for index, entry in enumerate(asked)
        if entry.type == "Hostname" and entry.value and references
    }
    given: dict[int, Answer] = {}
    taken: set[tuple[str, str]] = set()
    for index in sorted(range(len(asked)), key=lambda index: not asked[index].value):
        entry = asked[index]
        if (refused := _refused(entry)) is not None:
            given[index] = Answer(problem=refused)
        elif index in by_index:
            given[index] = _behind(by_index[index], entry, services, problems)
        else:
            given[index] = _give(entry, tuple(services.values()), taken, problems, made_for=() if references else asked)
        taken.update(_id(one) for one in given[index].addresses)
    return Placement(asked, tuple(given[index] for index in range(len(asked))))


def _chosen(services: Mapping[Key, Reached], problems: Mapping[Key, str]) -> Answer:
    """Where nothing is asked for: all there is."""
    found = [one for service in services.values() for one in service.default]
    if found:
        return Answer(tuple(found), _unusable(problems.values()))
    return Answer(problem=_not_yet(services.values(), problems))


def _behind(
    reference: Reference, entry: GatewayAddress, services: Mapping[Key, Reached], problems: Mapping[Key, str]
) -> Answer:
    """What a hostname comes to that names a Service: where that is reached from outside, else the name itself."""
    if reference.service is None or reference.service not in services:
        known = problems.get(reference.service, "") if reference.service is not None else ""
        return Answer(problem=Unmet("AddressNotUsable", reference.problem or known))
    service = services[reference.service]
    problem = _unusable([problems[service.key]] if service.key in problems else [])
    if entry.routability == CLUSTER or (service.type != "LoadBalancer" and not service.outside):
        return Answer((GatewayStatusAddress("Hostname", entry.value, entry.routability or CLUSTER),), problem)
    if service.pending:
        return Answer(problem=problem or _not_yet([service], {}))
    return Answer(tuple(_as_asked(one, entry) for one in service.outside), problem)


def _give(
    entry: GatewayAddress,
    services: Sequence[Reached],
    taken: set[tuple[str, str]],
    problems: Mapping[Key, str],
    *,
    made_for: Sequence[GatewayAddress],
) -> Answer:
    """What an entry comes to that names no Service. The Service is made as the entries `made_for` ask, if any."""
    pool = [one for service in services for one in _pool(service, entry) if one.type == entry.type]
    if entry.value:
        found = [one for one in pool if _same(one.value, entry.value)]
        if found:
            return Answer((_as_asked(GatewayStatusAddress(entry.type, entry.value, found[0].routability), entry),))
        return Answer(problem=_not_given(entry, services, problems, made_for=made_for))
    free = [one for one in pool if _id(one) not in taken]
    if free:
        return Answer((_as_asked(free[0], entry),))
    if pool:
        values = ", ".join(one.value for one in pool)
        return Answer(problem=Unmet("AddressNotAssigned", f"there is no {entry.type} but {values}, given already"))
    return Answer(problem=_not_yet(services, problems, entry.type))


def _pool(service: Reached, entry: GatewayAddress) -> tuple[GatewayStatusAddress, ...]:
    """The addresses that could be given to an entry."""
    if entry.routability == CLUSTER:
        return (*service.inside, service.named)
    if entry.value:
        return (*service.outside, *service.inside, service.named)
    return service.default if service.type == "LoadBalancer" else (*service.default, service.named)


def _refused(entry: GatewayAddress) -> Unmet | None:
    """Why an entry cannot be had by anybody."""
    if entry.routability not in ("", SENTINEL, CLUSTER):
        return Unmet("AddressNotAssigned", f"routability {entry.routability} cannot be had here ({CLUSTER} can)")
    if entry.type == "IPAddress" and entry.value and parsed(entry.value) is None:
        return Unmet(_reason(entry), f"{entry.value} is no IP address")
    return None


def _not_given(
    entry: GatewayAddress,
    services: Sequence[Reached],
    problems: Mapping[Key, str],
    *,
    made_for: Sequence[GatewayAddress],
) -> Unmet:
    """Why a value was not given."""
    if not services:
        return _not_yet(services, problems)
    first = services[0]
    if not made_for or entry.routability == CLUSTER or first.type != "LoadBalancer":
        there = ", ".join(one.value for one in (*first.outside, *first.inside)) or "no address"
        return Unmet(_reason(entry), f"{entry.value} is not where Service {first.key} is ({there})")
    gave = ", ".join(one.value for one in first.outside)
    instead = f"; it gave {gave}" if gave else ""
    if not any(_same(first.wanted, one.value) for one in made_for if first.wanted and one.value):
        message = f"Service {first.key} does not ask for {entry.value} yet{instead}"
        return Unmet("AddressNotAssigned", message, soon=True)
    if not _same(first.wanted, entry.value):
        return Unmet(_reason(entry), f"a Service asks for one address, and {first.key} asks for {first.wanted}")
    message = f"the load balancer does not give {entry.value}, for which Service {first.key} asks{instead}"
    return Unmet(_reason(entry), message, soon=True)


def _not_yet(services: Iterable[Reached], problems: Mapping[Key, str], type_: str = "") -> Unmet:
    """Why there is nothing to give."""
    pending = [str(service.key) for service in services if service.pending]
    if pending:
        return Unmet(
            "AddressNotAssigned", f"no load balancer has given Service {' or '.join(pending)} an address yet", soon=True
        )
    known = [str(service.key) for service in services]
    if known and type_:
        return Unmet("AddressNotAssigned", f"Service {' or '.join(known)} has no {type_}")
    told = "; ".join(problems.values()) or f"Service {' or '.join(known)} has no address"
    return Unmet("AddressNotAssigned", told, soon=bool(problems))


def _unusable(problems: Iterable[str]) -> Unmet | None:
    told = "; ".join(problems)
    return Unmet("AddressNotUsable", told) if told else None


def _reason(entry: GatewayAddress) -> Literal["AddressNotUsable", "AddressNotAssigned"]:
    """A value is unusable; one of a routability was not assigned (GEP-5093)."""
    return "AddressNotAssigned" if entry.routability else "AddressNotUsable"


def _ip(value: str) -> GatewayStatusAddress:
    return GatewayStatusAddress("IPAddress", value, "")


def _as_asked(address: GatewayStatusAddress, entry: GatewayAddress) -> GatewayStatusAddress:
    """With the routability that was asked for, else with the one that it has."""
    return GatewayStatusAddress(address.type, address.value, entry.routability or address.routability)


def _id(address: GatewayStatusAddress) -> tuple[str, str]:
    """What tells an address from others, however it is spelled."""
    return address.type, str(parsed(address.value) or address.value)


def _same(one: str, other: str) -> bool:
    return one == other or (parsed(one) is not None and parsed(one) == parsed(other))
