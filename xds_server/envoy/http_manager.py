"""The HTTP connection manager of a listener. Everything here is part of a filter chain: a change drains connections.

Values follow Envoy's guide for edge proxies (docs: configuration/best_practices/edge) where they do not change what
the Gateway API promises: paths are normalised, but slashes are neither merged nor unescaped, since both change which
route matches. The final dot of a host is taken off, or no virtual host would have it but that for all hosts, which
may be another listener's. No address is internal: behind source NAT every client has a private one, and internal
clients may set time-outs and retries by x-envoy-* headers.
"""

from collections.abc import Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as api

from xds_server.envoy import access_log, kit, listener_filters, names, session, tracing
from xds_server.routing.listener import Listener, Scope
from xds_server.routing.tracing import Tracing
from xds_server.wire.construct import any_of, fast

HttpConnectionManager = fast(api.HttpConnectionManager)
Rds = fast(api.Rds)
HttpFilter = fast(api.HttpFilter)
UpgradeConfig = fast(api.HttpConnectionManagerUpgradeConfig)
InternalAddressConfig = fast(api.HttpConnectionManagerInternalAddressConfig)
CommonOptions = fast(core.HttpProtocolOptions)
Http2Options = fast(core.Http2ProtocolOptions)
CidrRange = fast(core.CidrRange)
Router = fast(router.Router)

CONNECTION_IDLE = timedelta(hours=1)
STREAM_IDLE = timedelta(minutes=5)
REQUEST_HEADERS = timedelta(seconds=15)
"""How long a client may take to send its request headers (slow header attacks)."""
MAX_HEADERS_KB = 60
MAX_STREAMS = 100
STREAM_WINDOW_BYTES = 64 * 1024
CONNECTION_WINDOW_BYTES = 1024 * 1024
NOBODY = CidrRange(address_prefix="0.0.0.0", prefix_len=32)
"""No connection comes from there; with an empty list Envoy would take all private addresses."""

_ROUTER = HttpFilter(name="envoy.filters.http.router", typed_config=any_of(Router()))


def build(
    listener: Listener, scope: Scope, http_filters: Sequence[api.HttpFilter], traced: Tracing | None = None
) -> api.HttpConnectionManager:
    """The connection manager of one HTTPS listener, or of all HTTP listeners of a port; the router comes last."""
    name = names.route_configuration(scope)
    gateway = listener.id.gateway
    return HttpConnectionManager(
        codec_type=api.HttpConnectionManagerCodecType.AUTO,
        stat_prefix=name,
        rds=Rds(config_source=kit.ads(wait=True), route_config_name=name),
        http_filters=[listener_filters.IDLE, *http_filters, *session.FILTERS, _ROUTER],
        server_name=listener.server_name,
        use_remote_address=True,
        internal_address_config=InternalAddressConfig(cidr_ranges=[NOBODY]),
        forward_client_cert_details=api.HttpConnectionManagerForwardClientCertDetails.SANITIZE,
        strip_trailing_host_dot=True,
        normalize_path=True,
        merge_slashes=False,
        path_with_escaped_slashes_action=api.HttpConnectionManagerPathWithEscapedSlashesAction.KEEP_UNCHANGED,
        max_request_headers_kb=MAX_HEADERS_KB,
        request_headers_timeout=REQUEST_HEADERS,
        stream_idle_timeout=STREAM_IDLE,
        common_http_protocol_options=CommonOptions(
            idle_timeout=CONNECTION_IDLE,
            headers_with_underscores_action=core.HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=Http2Options(
            max_concurrent_streams=MAX_STREAMS,
            initial_stream_window_size=STREAM_WINDOW_BYTES,
            initial_connection_window_size=CONNECTION_WINDOW_BYTES,
        ),
        upgrade_configs=[UpgradeConfig(upgrade_type="websocket")],
        tracing=tracing.build(traced) if traced else None,
        access_log=[access_log.to_stdout(names.gateway_node_cluster(gateway), name)],
    )
