"""One Envoy listener per bind port. Listener-level fields are constant: a change of one drains every connection."""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.listener import v3 as api
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector import v3 as tls_inspector

from xds_server.envoy import filter_chain, kit, names
from xds_server.routing.listener import Bind, Listener
from xds_server.wire.construct import any_of, fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Part

ListenerMessage = fast(api.Listener)
ListenerFilter = fast(api.ListenerFilter)
TlsInspector = fast(tls_inspector.TlsInspector)

BUFFER_LIMIT_BYTES = 32_768


def header(listener: Listener, bind: Bind, sharing: tuple[Listener, ...]) -> Part:
    """The leaf with everything but the chains; without it there is no listener. `sharing` are all on the port."""
    port = bind.port(listener.port)
    name = names.listener(port)
    message = ListenerMessage(
        name=name,
        stat_prefix=name,
        address=kit.tcp(bind.address, port),
        per_connection_buffer_limit_bytes=BUFFER_LIMIT_BYTES,
        enable_reuse_port=bind.share_port,
    )
    if listener.protocol == "https":
        message.listener_filters.append(
            ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=any_of(TlsInspector()))
        )
    return Part(f"listener {name}", encode(message), owners=tuple(map(filter_chain.owner, sharing)))


def join(top: Part, chains: Iterable[Part]) -> Part:
    """The listener that holds `chains`, in their order."""
    parts = (top, *chains)
    return Part(top.id.removeprefix("listener "), b"".join([part.data for part in parts]), parts=parts)
