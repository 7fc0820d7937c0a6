"""What is to be there for Gateways in a cluster, as rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Index, Input, Table
from xds_server.infra import names, service
from xds_server.infra.desired import AS_IT_IS, Desired, Installation, Provision, desired
from xds_server.infra.service import Port
from xds_server.infra.target_ports import OWN_PORTS
from xds_server.model.gateway import Gateway
from xds_server.model.meta import Condition, Key
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.routing.listener import ListenerId
from xds_server.semantics import addresses, conditions
from xds_server.semantics.listeners import AttachPoint, GatewayVerdict
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class Deployments:
    """`desired` has a row for every Gateway but those of other controllers."""

    desired: Table[Key, Desired]
    provisions: Input[Key, Provision]

    def problem(self, gateway: Key, look: Lookup) -> Condition | None:
        """What keeps an accepted Gateway from being deployed as it is."""
        row = look.get(self.desired, gateway)
        if row is not None and row.problem:
            return conditions.not_programmed("Invalid", row.problem)
        found = look.get(self.provisions, gateway)
        return None if found is None else conditions.not_programmed(found.reason, found.message)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What rows of `desired` are made from."""

    verdicts: Table[Key, GatewayVerdict]
    listeners: Index[Key, ListenerId, AttachPoint]
    world: World
    installation: Installation


def build(graph: Graph, inputs: Inputs, tables: GatewayTables, options: Options) -> Deployments:
    """Creates the table of what is wanted."""
    asked = _Asked(tables.gateway_verdicts, tables.listeners_by_gateway, tables.world, options.installation)
    wanted = graph.derive("desired", inputs.kinds["Gateway"], partial(_desired, asked=asked))
    return Deployments(wanted, inputs.provisions)


def _desired(key: Key, gateway: Gateway, look: Lookup, asked: _Asked) -> Iterable[tuple[Key, Desired]]:
    if look.get(asked.world.classes, Key("", gateway.spec.gateway_class_name)) is None:
        return [(key, AS_IT_IS)]  # it may be back soon; a class of another controller says that the Gateway is not ours
    verdict = look.get(asked.verdicts, key)
    if verdict is None or verdict.accepted is None:
        return []
    if verdict.accepted.status != "True" or gateway.metadata.deletion_timestamp:
        return [(key, AS_IT_IS)]
    if addresses.services(gateway):
        return [(key, Desired((), uid=gateway.metadata.uid))]
    ports = _ports(key, verdict, look, asked)
    return [(key, desired(gateway, verdict.infrastructure, ports, asked.installation))]


def _ports(key: Key, verdict: GatewayVerdict, look: Lookup, asked: _Asked) -> Mapping[Port, str]:
    """The ports of listeners that could be served, own ones first, and their names."""
    points = {point.id: point for point in look.rows(asked.listeners, key) if _could_be_bound(point)}
    sets = (verdict.sets or {}).values()
    ordered = [*verdict.listeners, *(listener for one in sets for listener in one.listeners)]
    found = [points[listener.id] for listener in ordered if listener.id in points]
    known = look.get(asked.world.services, Key(key.namespace, names.child(key.name)))
    kept = {Port(port.port, port.protocol): port.name for port in known.ports} if known is not None else {}
    return service.named(((Port(one.port, one.transport.upper()), one.id.name) for one in found), kept)


def _could_be_bound(point: AttachPoint) -> bool:
    """A port that Envoy itself uses is not led to: what is there is for the cluster alone."""
    return point.owns_hosts and not (point.transport == "tcp" and point.port in OWN_PORTS)
