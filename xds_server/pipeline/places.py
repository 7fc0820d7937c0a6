"""Where Gateways are in a cluster, and which pods serve them, as rows: binds, addresses, proxies.

A Gateway is reached through the Service that is made for it, or through those that it names. A pod's change costs the
row of that pod, and what is bound only where a Service leads to a port by its name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from xds_server.flow.graph import Graph, Settled
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Table
from xds_server.infra import manual, names, proxies, service_addresses, target_ports, troubles
from xds_server.infra.manual import Manual
from xds_server.infra.proxies import NamedService, Proxy
from xds_server.infra.service_addresses import Reached
from xds_server.infra.target_ports import Port, Ports
from xds_server.model.core import Pod, Service
from xds_server.model.gateway import Gateway
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.routing.listener import Bind, ListenerId
from xds_server.semantics.addresses import Placement
from xds_server.semantics.listeners import AttachPoint
from xds_server.semantics.statuses import Trouble


@dataclass(frozen=True, slots=True)
class Alone:
    """What a Gateway would bind if it were alone on its proxies. `services` are those that it is reached through, with
    what is wrong with them and with others; `listeners` are the names of its listeners by port.
    """

    ports: Ports
    services: Mapping[Key, Reached]
    problems: Mapping[Key, str]
    listeners: Mapping[Port, tuple[str, ...]]
    rank: tuple[bool, tuple[str, Key]]
    """Gateways of lower rank go before; a Gateway on its own proxies before all others."""

    @property
    def gateway(self) -> Key:
        """The Gateway."""
        return self.rank[1][1]


@dataclass(frozen=True, slots=True)
class _Taken:
    """Of the Gateways that name a Service: the first that would bind a port, and a place on the proxies."""

    gateways: frozenset[Key]
    ports: Mapping[Port, Key]
    places: Mapping[tuple[str, int], Key]

    def rivals(self, ports: Ports) -> set[Key]:
        """Who may go before a Gateway with these ports, itself among them."""
        found = {self.ports.get(port) for port in ports.bound}
        found |= {self.places.get((port.transport, number)) for port, number in ports.bound.items()}
        return {one for one in found if one is not None}


@dataclass(frozen=True, slots=True)
class Place:
    """What a Gateway binds, none of its own where every port is bound as it is; why ports of listeners are not bound;
    and where it is.
    """

    bind: Bind | None
    unbound: Mapping[Port, str]
    placement: Placement


@dataclass(frozen=True, slots=True)
class Places:
    """`unbound` and `proxies`, by Gateway and by pod, are there in clusters alone."""

    binds: Table[Key, Bind]
    placements: Table[Key, Placement]
    places: Table[Key, Place] | None = None
    proxies: Table[Key, Proxy] | None = None
    proxies_by_gateway: Index[Key, Key, Proxy] | None = None
    troubles: Table[Key, Trouble] | None = None
    """By Gateway: what keeps its pods from coming up."""
    rollouts: Table[Key, Trouble] | None = None
    named: Table[Key, NamedService] | None = None
    """The Services that Gateways name, and may."""

    def namespaces(self) -> set[str]:
        """Where there may be proxies that nobody here deploys."""
        return {key.namespace for key in self.named} if self.named is not None else set()

    def settles(self, gateway: Key) -> bool:
        """Is a Gateway just being given the addresses that it asks for, as far as one can tell?"""
        row = self.placements.get(gateway)
        return row is not None and row.settles

    def ready(self, gateway: Key) -> bool:
        """Is a pod of the Gateway ready? Where there are none, its Envoys are no pods, and nobody waits for them."""
        rows = self.proxies_by_gateway.rows(gateway) if self.proxies_by_gateway is not None else ()
        return not rows or any(row.ready for row in rows)

    def moved(self, settled: Settled) -> set[Key]:
        """Gateways whose pods have changed."""
        if self.proxies is None:
            return set()
        rows = (self.proxies.get(pod) for pod in settled.keys(self.proxies))
        return {gateway for row in rows if row is not None for gateway in row.gateways}

    def trouble(self, gateway: Key, look: Lookup) -> Trouble | None:
        """What keeps Envoys of a Gateway from coming up."""
        if self.troubles is None or self.rollouts is None:
            return None
        return look.get(self.troubles, gateway) or look.get(self.rollouts, gateway)

    def unbound(self, gateway: Key, look: Lookup) -> Mapping[Port, str]:
        """Why ports of a Gateway's listeners are not bound, as far as that is known here."""
        row = look.get(self.places, gateway) if self.places is not None else None
        return row.unbound if row is not None else {}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What rows are made from."""

    gateways: Table[Key, Gateway]
    services: Table[Key, Service]
    named: Table[Key, Manual]
    by_service: Index[Key, Key, Manual]
    listeners: Index[Key, ListenerId, AttachPoint]
    domain: str


def build(graph: Graph, inputs: Inputs, tables: GatewayTables, options: Options) -> Places:
    """Creates the tables; outside clusters they are inputs."""
    if not options.deployed:
        return Places(inputs.binds, inputs.placements)
    kinds = inputs.kinds
    gateways = kinds["Gateway"]

    def read(key: Key, _: bool, look: Lookup) -> Iterable[tuple[Key, Manual]]:
        gateway = look.get(gateways, key)
        found = manual.read(gateway, options.cluster_domain, look, tables.world) if gateway is not None else None
        return [] if found is None else [(key, found)]

    named = graph.derive("gateways.manual", tables.ours, read)
    by_service = named.by("service", _services, order=lambda _, row: row.rank)
    asked = _Asked(gateways, kinds["Service"], named, by_service, tables.listeners_by_gateway, options.cluster_domain)
    chosen = graph.group("services.named", by_service, partial(_named, asked=asked))
    by_label = gateways.by("label", lambda key, _: ((key.namespace, names.label(key.name)),))
    by_namespace = chosen.by("namespace", lambda key, _: (key.namespace,))
    pods = graph.derive("proxies", kinds["Pod"], partial(_proxy, by_label=by_label, by_namespace=by_namespace))
    of_service = pods.by("service", lambda _, row: row.services)
    of_gateway = pods.by("gateway", lambda _, row: row.gateways)
    together = graph.group("gateways.together", of_gateway, _together)
    troubled = graph.group("gateways.troubles", of_gateway, partial(_trouble, pods=of_gateway, inputs=inputs))
    alone = graph.derive("gateways.alone", tables.ours, partial(_alone, asked=asked, pods=of_service))
    behind = alone.by("service", lambda _, row: row.services if row.rank[0] else (), order=lambda _, row: row.rank)
    taken = graph.group("services.taken", behind, _taken)
    found = graph.derive("places", alone, partial(_place, asked=asked, alone=alone, together=together, taken=taken))
    return Places(
        binds=graph.derive("binds.deployed", found, lambda key, row, _: [(key, row.bind)] if row.bind else []),
        placements=graph.derive("placements.deployed", found, lambda key, row, _: [(key, row.placement)]),
        places=found,
        proxies=pods,
        proxies_by_gateway=of_gateway,
        troubles=troubled,
        rollouts=inputs.rollouts,
        named=chosen,
    )


def _services(_: Key, row: Manual) -> Iterable[Key]:
    return dict.fromkeys(one.service for one in row.references if one.service is not None)


def _named(key: Key, rows: Sequence[Manual], look: Lookup, asked: _Asked) -> NamedService | None:
    """What pods need to know of a Service: no more than that, so that its status is nothing to them."""
    service = look.get(asked.services, key)
    if service is None or manual.unusable(key, service):
        return None
    return NamedService(key, tuple(row.gateway for row in rows), service.spec.selector or {})


def _proxy(
    key: Key,
    pod: Pod,
    look: Lookup,
    by_label: Index[tuple[str, str], Key, Gateway],
    by_namespace: Index[str, Key, NamedService],
) -> Iterable[tuple[Key, Proxy]]:
    label = proxies.made_for(pod)
    made = look.keys(by_label, label) if label is not None else ()
    found = proxies.proxy(pod, made, look.rows(by_namespace, key.namespace))
    return [] if found is None else [(key, found)]


def _together(gateway: Key, rows: Sequence[Proxy], _: Lookup) -> frozenset[Key] | None:
    """The other Gateways on a Gateway's proxies."""
    return frozenset().union(*(row.gateways for row in rows)) - {gateway} or None


def _trouble(
    gateway: Key, rows: Sequence[Proxy], look: Lookup, pods: Index[Key, Key, Proxy], inputs: Inputs
) -> Trouble | None:
    """What its pods and its Deployment say, where they say anything."""
    keys = look.keys(pods, gateway)
    found = [
        (key.name, row.trouble) for key, row in zip(keys, rows, strict=True) if row.trouble and not row.terminating
    ]
    serving = any(row.ready and not row.terminating for row in rows)
    return troubles.joined(found, look.get(inputs.rollouts, gateway), serving=serving)


def _alone(key: Key, _: bool, look: Lookup, asked: _Asked, pods: Index[Key, Key, Proxy]) -> Iterable[tuple[Key, Alone]]:
    gateway = look.get(asked.gateways, key)
    if gateway is None:
        return
    listeners = target_ports.by_port(look.rows(asked.listeners, key))
    row = look.get(asked.named, key)
    if row is None:
        name = Key(key.namespace, names.child(key.name))
        service = look.get(asked.services, name)
        problem = manual.not_made_for(gateway, name, service)
        usable = {} if service is None or problem else {name: service}
        ports = target_ports.own(listeners, usable.get(name))
        problems = {name: problem} if problem else {}
        rank = (False, ("", key))
    else:
        found = {name: look.get(asked.services, name) for name in _services(key, row)}
        problems = {name: why for name, one in found.items() if (why := manual.unusable(name, one))}
        usable = {name: one for name, one in found.items() if one is not None and name not in problems}
        behind = {name: look.rows(pods, name) for name, one in usable.items() if target_ports.by_name(one)}
        otherwise = "; ".join((*(one.problem for one in row.references if one.problem), *problems.values()))
        ports = target_ports.shared(listeners, usable, behind, otherwise)
        rank = (True, row.rank)
    services = {name: service_addresses.reached(name, one, asked.domain) for name, one in usable.items()}
    yield key, Alone(ports, services, problems, listeners, rank)


def _taken(_: Key, rows: Sequence[Alone], __: Lookup) -> _Taken:
    """The rows are in the order of their ranks."""
    ports: dict[Port, Key] = {}
    places: dict[tuple[str, int], Key] = {}
    for row in rows:
        for port, number in row.ports.bound.items():
            ports.setdefault(port, row.gateway)
            places.setdefault((port.transport, number), row.gateway)
    return _Taken(frozenset(row.gateway for row in rows), ports, places)


def _place(
    key: Key,
    row: Alone,
    look: Lookup,
    *,
    asked: _Asked,
    alone: Table[Key, Alone],
    together: Table[Key, frozenset[Key]],
    taken: Table[Key, _Taken],
) -> Iterable[tuple[Key, Place]]:
    gateway, named = look.get(asked.gateways, key), look.get(asked.named, key)
    if gateway is None:
        return
    ports = row.ports
    if named is not None:
        behind = [one for service in row.services if (one := look.get(taken, service)) is not None]
        others = (look.get(together, key) or frozenset()).difference(*(one.gateways for one in behind))
        others = others.union(*(one.rivals(ports) for one in behind))
        known = {one: found for one in others - {key} if (found := look.get(alone, one)) is not None}
        older = sorted((one for one in known if known[one].rank < row.rank), key=lambda one: known[one].rank)
        ports = target_ports.without_taken(ports, [(one, known[one].ports) for one in older])
    problems = dict(row.problems)
    for name, service in row.services.items():
        whys = {**service.unserved, **ports.lacking.get(name, {})}
        if told := target_ports.told(whys, row.listeners):
            problems[name] = told
    references = named.references if named is not None else ()
    yield (
        key,
        Place(
            bind=ports.bind() if named is not None or not ports.as_they_are else None,
            unbound=ports.unbound,
            placement=service_addresses.place(gateway.spec.addresses, row.services, references, problems),
        ),
    )
