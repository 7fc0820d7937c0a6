"""One Envoy listener per socket. Listener-level fields are constant: a change of one drains every connection."""

from collections.abc import Iterable
from datetime import timedelta

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as api
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector import v3 as tls_inspector
from envoy_data_plane.envoy.extensions.filters.udp.udp_proxy import v3 as udp_proxy
from envoy_data_plane.xds.core import v3 as xds_core
from envoy_data_plane.xds.type.matcher import v3 as xds_matcher

from xds_server.envoy import access_log, filter_chain, kit, names
from xds_server.routing.backend import of_port
from xds_server.routing.listener import BY_SERVER_NAME, Bind, Listener
from xds_server.wire.construct import any_of, fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Part

ListenerMessage = fast(api.Listener)
ListenerFilter = fast(api.ListenerFilter)
TlsInspector = fast(tls_inspector.TlsInspector)
UdpListenerConfig = fast(api.UdpListenerConfig)
UdpSocketConfig = fast(core.UdpSocketConfig)
UdpProxyConfig = fast(udp_proxy.UdpProxyConfig)
UdpRoute = fast(udp_proxy.Route)
Matcher = fast(xds_matcher.Matcher)
OnMatch = fast(xds_matcher.MatcherOnMatch)
TypedExtensionConfig = fast(xds_core.TypedExtensionConfig)

BUFFER_LIMIT_BYTES = 32_768
LARGEST_DATAGRAM = 65_535
"""Bytes; no datagram is larger. Envoy's default, 1,500, drops the larger ones that networks carry in fragments."""
SESSION_IDLE = timedelta(minutes=1)
"""After so long without a datagram in either direction a session is over: its client may come to another backend."""


def header(listener: Listener, bind: Bind, sharing: tuple[Listener, ...]) -> Part:
    """The leaf with everything but the chains; without it there is no listener. `sharing` are all on the port.

    The server name is looked for only where one is awaited: where the server speaks first, nothing would come.
    """
    port = bind.port(listener.port)
    name = names.listener(port)
    message = ListenerMessage(
        name=name,
        stat_prefix=name,
        address=kit.tcp(bind.address, port),
        per_connection_buffer_limit_bytes=BUFFER_LIMIT_BYTES,
        enable_reuse_port=bind.share_port,
    )
    if listener.protocol in BY_SERVER_NAME:
        message.listener_filters.append(
            ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=any_of(TlsInspector()))
        )
    return Part(f"listener {name}", encode(message), owners=tuple(map(filter_chain.owner, sharing)))


def datagrams(listener: Listener, bind: Bind) -> Part:
    """The listener of a UDP port. All its sessions go on in new ones when it changes, so it never does: what it
    hands on to is decided by the endpoints of its cluster.
    """
    port = bind.port(listener.port, "udp")
    name, inner = names.listener(port, "udp"), names.datagrams(listener.port)
    cluster = names.cluster(of_port(listener.id.gateway, listener.port))
    action = TypedExtensionConfig(name="route", typed_config=any_of(UdpRoute(cluster=cluster)))
    proxy = UdpProxyConfig(
        stat_prefix=inner,
        matcher=Matcher(on_no_match=OnMatch(action=action)),
        idle_timeout=SESSION_IDLE,
        access_log=[access_log.of_sessions(names.gateway_node_cluster(listener.id.gateway), inner)],
        upstream_socket_config=UdpSocketConfig(max_rx_datagram_size=LARGEST_DATAGRAM),
    )
    message = ListenerMessage(
        name=name,
        stat_prefix=name,
        address=kit.udp(bind.address, port),
        udp_listener_config=UdpListenerConfig(
            downstream_socket_config=UdpSocketConfig(max_rx_datagram_size=LARGEST_DATAGRAM)
        ),
        listener_filters=[ListenerFilter(name="envoy.filters.udp_listener.udp_proxy", typed_config=any_of(proxy))],
        enable_reuse_port=True,  # Envoy's workers each need a socket of their own
    )
    return Part(name, encode(message), owners=(filter_chain.owner(listener),))


def join(top: Part, chains: Iterable[Part]) -> Part:
    """The listener that holds `chains`, in their order."""
    parts = (top, *chains)
    return Part(top.id.removeprefix("listener "), b"".join([part.data for part in parts]), parts=parts)
