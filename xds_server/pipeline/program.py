"""The whole pipeline, built: inputs, derived tables, what to publish, statuses.

In: changed objects. Out: after `settle`, changes for the catalog and rows of statuses. Everything between is tables.
"""

from dataclasses import dataclass

from xds_server.envoy.virtual_host import HEADER_PREFIX
from xds_server.flow.graph import Graph, Settled
from xds_server.model.meta import Key
from xds_server.pipeline import deployments, gateway, inputs, places, resources, statuses
from xds_server.pipeline.deployments import Deployments
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.holds import HoldId
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.pipeline.places import Places
from xds_server.pipeline.publisher import Output, Publisher
from xds_server.pipeline.route_configurations import HOST_HEADERS
from xds_server.pipeline.statuses import Statuses
from xds_server.routing.audience import ForGateway
from xds_server.wire.part import Part
from xds_server.xds.resource import ResourceType


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One graph and the handles on it."""

    graph: Graph
    inputs: Inputs
    tables: GatewayTables
    outputs: tuple[Output, ...]
    publisher: Publisher
    statuses: Statuses
    places: Places
    deployments: Deployments | None = None
    """What is to be there in a cluster."""

    def settle(self) -> Settled:
        """Brings every table up to date."""
        return self.graph.settle()

    def leaf(self, id_: HoldId) -> Part | None:
        """The leaf of that id as the tables make it now, before any hold; None when there is none."""
        if id_.type is ResourceType.ROUTE:
            for placed in self.tables.placed_by_leaf.rows((id_.gateway, id_.leaf)):
                return next(leaf for _, leaf in placed.leaves if leaf.id == id_.leaf)
            if (header := self._host_header(id_)) is not None:
                return header
        audience = ForGateway(id_.gateway.namespace, id_.gateway.name)
        if (row_of := self.publisher.row_of((audience, id_.type, id_.leaf))) is not None:
            table, key = row_of
            row = self.graph.tables[table].get(key)
            if row is not None and not row.base.parts:
                part: Part = row.of(id_.build).unheld or row.base
                return part
        return next((_find(output, id_) for output in self.outputs if output.type is id_.type), None)

    def _host_header(self, id_: HoldId) -> Part | None:
        headers = self.graph.tables[HOST_HEADERS]
        host = id_.leaf.removeprefix(HEADER_PREFIX)
        points = self.tables.listeners_by_gateway.rows(id_.gateway)
        for scope in {point.served.scope for point in points if point.served and point.served.scope}:
            if (row := headers.get((scope, host))) is not None and row.header.id == id_.leaf:
                header: Part = row.header
                return header
        return None

    def gateways(self) -> list[Key]:
        """The Gateways that are ours to serve."""
        return [key for key, verdict in self.tables.gateway_verdicts.items() if verdict.ours]


def _find(output: Output, id_: HoldId) -> Part | None:
    for key, row in output.table.items():
        if output.gateway(key) != id_.gateway:
            continue
        whole = row.of(id_.build).unheld or row.base
        inner = (child for part in whole.parts for child in part.parts)
        for part in (whole, *whole.parts, *inner):
            if part.id == id_.leaf:
                return part
    return None


def build(options: Options) -> Pipeline:
    """Builds the pipeline. Creation order is running order."""
    graph = Graph(strict=options.strict)
    all_inputs = inputs.build(graph, checks=options.checks)
    tables = gateway.build(graph, all_inputs, options)
    where = places.build(graph, all_inputs, tables, options)
    outputs = resources.build(graph, all_inputs, tables, where, options=options)
    deployed = deployments.build(graph, all_inputs, tables, options) if options.deployed else None
    return Pipeline(
        graph=graph,
        inputs=all_inputs,
        tables=tables,
        outputs=outputs,
        publisher=Publisher(outputs),
        statuses=statuses.build(graph, all_inputs, tables, options, where=where, deployments=deployed),
        places=where,
        deployments=deployed,
    )
