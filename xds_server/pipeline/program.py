"""The whole pipeline, built: inputs, derived tables, what to publish, statuses.

In: changed objects. Out: after `settle`, changes for the catalog and rows of statuses. Everything between is tables.
"""

from dataclasses import dataclass

from xds_server.flow.graph import Graph, Settled
from xds_server.model.meta import Key
from xds_server.pipeline import gateway, inputs, resources, statuses
from xds_server.pipeline.gateway import GatewayTables
from xds_server.pipeline.holds import HoldId
from xds_server.pipeline.inputs import Inputs
from xds_server.pipeline.options import Options
from xds_server.pipeline.resources import Output, Publisher
from xds_server.pipeline.statuses import Statuses
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

    def settle(self) -> Settled:
        """Brings every table up to date."""
        return self.graph.settle()

    def leaf(self, id_: HoldId) -> Part | None:
        """The leaf of that id as the tables make it now, before any hold; None when there is none."""
        if id_.type is ResourceType.ROUTE and not id_.leaf.startswith("host "):
            rows = self.tables.placed_by_leaf.rows((id_.gateway, id_.leaf))
            return next((leaf for row in rows for _, leaf in row.leaves if leaf.id == id_.leaf), None)
        for output in self.outputs:
            if output.type is id_.type:
                return _find(output, id_)
        return None

    def gateways(self) -> list[Key]:
        """The Gateways that are ours to serve."""
        return [key for key, verdict in self.tables.gateway_verdicts.items() if verdict.ours]


def _find(output: Output, id_: HoldId) -> Part | None:
    for key, row in output.table.items():
        if output.gateway(key) != id_.gateway:
            continue
        inner = (child for part in row.base.parts for child in part.parts)
        for part in (row.base, *row.base.parts, *inner):
            if part.id == id_.leaf:
                return part
    return None


def build(options: Options) -> Pipeline:
    """Builds the pipeline. Creation order is running order."""
    graph = Graph(strict=options.strict)
    all_inputs = inputs.build(graph)
    tables = gateway.build(graph, all_inputs, options)
    outputs = resources.build(graph, all_inputs, tables, options)
    return Pipeline(
        graph=graph,
        inputs=all_inputs,
        tables=tables,
        outputs=outputs,
        publisher=Publisher(outputs),
        statuses=statuses.build(graph, all_inputs, tables),
    )
