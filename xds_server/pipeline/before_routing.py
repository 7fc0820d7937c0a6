"""What requests of a listener meet before a route is chosen: the leaf of it, and who is asked."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from xds_server.envoy import filter_chain, listener_filters, virtual_host
from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table
from xds_server.pipeline.backends import Secured
from xds_server.pipeline.options import Options
from xds_server.routing.backend import Backend
from xds_server.routing.feature import Applied, Feature
from xds_server.routing.listener import Listener, ListenerId
from xds_server.semantics.listeners import AttachPoint
from xds_server.wire.part import Part


def build(
    graph: Graph, points: Table[ListenerId, AttachPoint], secured: Secured, options: Options
) -> Table[ListenerId, Part]:
    """Creates the table of leaves with a listener's own filters, for listeners that have any."""
    return graph.derive("listener_filters", points, partial(_leaf, secured=secured, options=options))


def _leaf(
    id_: ListenerId, point: AttachPoint, look: Lookup, secured: Secured, options: Options
) -> Iterable[tuple[ListenerId, Part]]:
    if point.served is None or not point.served.filters:
        return
    messages = []
    for feature, one in _filters(point.served, look, secured, options):
        assert feature.before_routing is not None, "semantics lets no other pass"
        messages.append(feature.before_routing(one.config))
    yield id_, virtual_host.filters_leaf(listener_filters.settings(messages), filter_chain.owner(point.served))


def backends(listener: Listener | None, look: Lookup, secured: Secured, options: Options) -> Iterable[Backend]:
    """Who is asked by the filters of a listener; none where it is not served."""
    for feature, one in _filters(listener, look, secured, options) if listener else ():
        yield from (backend for backend in feature.backends(one.config) if isinstance(backend, Backend))


def _filters(
    listener: Listener, look: Lookup, secured: Secured, options: Options
) -> Iterable[tuple[Feature[Any, Any, Any], Applied]]:
    """In their order, as the Gateway reaches their backends."""
    if listener.filters:
        shown = secured.certificate(listener.id.gateway, look)
        for one in listener.filters:
            yield options.features[one.type], one.reached(shown)
