"""What the ConfigMaps say that Gateways and classes name as their parameters, as rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Input, Table
from xds_server.infra.desired import samples
from xds_server.infra.parameters import read
from xds_server.model.core import ConfigMap
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.meta import Key
from xds_server.pipeline.options import Options
from xds_server.semantics import infrastructure
from xds_server.semantics.world import Parameters


def build(graph: Graph, kinds: Mapping[str, Input[Key, Any]], options: Options) -> Table[Key, Parameters]:
    """Creates the table, by ConfigMap."""
    namespace = options.installation.namespace
    users = graph.union("parametrised", {kind: kinds[kind] for kind in ("Gateway", "GatewayClass")})
    by_config_map = users.by("config map", lambda _, row: _named(row, namespace))

    def function(key: Key, _: Sequence[Gateway | GatewayClass], look: Lookup) -> Parameters | None:
        found: ConfigMap | None = look.get(kinds["ConfigMap"], key)
        return None if found is None else read(found, samples())

    return graph.group("parameters", by_config_map, function)


def _named(row: Gateway | GatewayClass, namespace: str) -> Iterable[Key]:
    if isinstance(row, GatewayClass):
        return infrastructure.named_by_class(row)
    return dict.fromkeys(infrastructure.named(row, namespace))
