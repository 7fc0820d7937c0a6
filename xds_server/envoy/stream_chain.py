"""Filter chains that hand on connections: one per server name of a TLS listener, one for all of a TCP listener.

A share of connections whose backend cannot be used is closed, as is every connection where no route is: Envoy ends
it by FIN or RST, before it has answered to a TLS handshake that it would have had to end itself.
"""

from collections.abc import Iterable
from datetime import timedelta

from envoy_data_plane.envoy.config.listener import v3 as api
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy import v3 as tcp_proxy

from xds_server.envoy import access_log, names, tls
from xds_server.routing.backend import Backend
from xds_server.routing.hostname import ANY
from xds_server.routing.listener import Listener
from xds_server.routing.rule import Rule, WeightedBackend
from xds_server.wire.construct import any_of, fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part
from xds_server.wire.splice import splice

FilterChain = fast(api.FilterChain)
FilterChainMatch = fast(api.FilterChainMatch)
Filter = fast(api.Filter)
TcpProxy = fast(tcp_proxy.TcpProxy)
WeightedCluster = fast(tcp_proxy.TcpProxyWeightedCluster)
ClusterWeight = fast(tcp_proxy.TcpProxyWeightedClusterClusterWeight)

IDLE = timedelta(hours=1)
"""After so long without a byte in either direction a connection is closed; HTTP connections have the same."""


def build(listener: Listener, hostname: str, rule: Rule, owners: tuple[Owner, ...]) -> Part:
    """The chain of one server name ("*" for all), as the bytes of a Listener.filter_chains entry."""
    return Part(
        names.connections(listener, hostname),
        _chain(listener, hostname, rule),
        owners=owners,
        fallback=lambda _: closed(listener, hostname, owners),
    )


def closed(listener: Listener, hostname: str, owners: tuple[Owner, ...]) -> Part:
    """The chain that closes every connection: no route takes them, or Envoy rejected the one that does."""
    return Part(names.connections(listener, hostname), _chain(listener, hostname, None), owners=owners)


def _chain(listener: Listener, hostname: str, rule: Rule | None) -> bytes:
    clusters = _clusters(rule.action.backends) if rule else []
    proxy = _proxy(listener, hostname, names.rule(rule.id) if rule else "")
    secure = listener.protocol == "tls"
    if {one.name for one in clusters} <= {names.MISSING_CLUSTER}:
        proxy.cluster, secure = names.MISSING_CLUSTER, False
    elif len(clusters) == 1:
        proxy.cluster = clusters[0].name
    else:
        proxy.weighted_clusters = WeightedCluster(clusters=clusters)
    chain = FilterChain(
        name=names.filter_chain(hostname),
        filter_chain_match=FilterChainMatch(server_names=[hostname]) if hostname != ANY else None,
        filters=[Filter(name="envoy.filters.network.tcp_proxy", typed_config=any_of(proxy))],
        # The protocol inside is the backend's affair, so none is agreed on.
        transport_socket=tls.terminate(listener, alpn=()) if secure else None,
        transport_socket_connect_timeout=tls.HANDSHAKE if secure else None,
    )
    return splice(api.Listener, "filter_chains", [encode(chain)])


def _proxy(listener: Listener, hostname: str, route: str) -> tcp_proxy.TcpProxy:
    name = names.connections(listener, hostname)
    log = access_log.of_connections(names.gateway_node_cluster(listener.id.gateway), name, route)
    return TcpProxy(stat_prefix=name, idle_timeout=IDLE, access_log=[log])


def _clusters(backends: Iterable[WeightedBackend]) -> list[tcp_proxy.TcpProxyWeightedClusterClusterWeight]:
    return [
        ClusterWeight(
            name=names.cluster(one.backend) if isinstance(one.backend, Backend) else names.MISSING_CLUSTER,
            weight=one.weight,
        )
        for one in backends
        if one.weight > 0
    ]
