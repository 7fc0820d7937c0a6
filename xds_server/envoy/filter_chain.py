"""One filter chain per HTTPS listener hostname, one for all HTTP listeners of a port."""

from collections.abc import Sequence

from envoy_data_plane.envoy.config.listener import v3 as api
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter

from xds_server.envoy import http_manager, names, tls
from xds_server.routing.hostname import ANY
from xds_server.routing.listener import Listener
from xds_server.routing.tracing import Tracing
from xds_server.wire.construct import any_of, fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part
from xds_server.wire.splice import splice

FilterChain = fast(api.FilterChain)
FilterChainMatch = fast(api.FilterChainMatch)
Filter = fast(api.Filter)


def build(
    listener: Listener,
    owners: tuple[Listener, ...],
    http_filters: Sequence[HttpFilter] = (),
    tracing: Tracing | None = None,
) -> Part:
    """The chain, as the bytes of a Listener.filter_chains entry. `owners` are all listeners that share it."""
    scope = listener.scope
    assert scope is not None
    secure = listener.protocol == "https"
    hostname = listener.hostname if secure else ANY
    match = FilterChainMatch(server_names=[hostname]) if hostname != ANY else None
    manager = Filter(
        name="envoy.filters.network.http_connection_manager",
        typed_config=any_of(http_manager.build(listener, scope, http_filters, tracing)),
    )
    chain = FilterChain(
        name=names.filter_chain(hostname),
        filter_chain_match=match,
        filters=[manager],
        transport_socket=tls.terminate(listener) if secure else None,
        transport_socket_connect_timeout=tls.HANDSHAKE if secure else None,
    )
    data = splice(api.Listener, "filter_chains", [encode(chain)])
    return Part(names.route_configuration(scope), data, owners=tuple(map(owner, owners)))


def owner(listener: Listener) -> Owner:
    """The listener as the one who answers for what is made of it."""
    return Owner(*listener.id.owner, f"listeners[{listener.id.name}]")
