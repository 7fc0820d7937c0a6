"""The bootstrap of a Gateway's Envoy: who it is, where its control plane is, what it may use.

In: a `BootstrapOptions`. Out: the `Bootstrap` message, and its proto3 JSON for `envoy -c`. Everything else
that such an Envoy does comes over ADS.
Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto and
https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/best_practices/edge
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapDynamicResources,
    BootstrapStaticResources,
    LayeredRuntime,
    RuntimeLayer,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    AggregatedConfigSource,
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    BackoffStrategy,
    ConfigSource,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    Node,
    RetryPolicy,
    SocketAddress,
)
from envoy_data_plane.envoy.config.overload.v3 import (
    OverloadAction,
    OverloadManager,
    ResourceMonitor,
    ThresholdTrigger,
    Trigger,
)
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import (
    DownstreamConnectionsConfig,
)
from envoy_data_plane.envoy.extensions.resource_monitors.fixed_heap.v3 import FixedHeapConfig
from envoy_data_plane.google.protobuf import Struct, Value

from xds_server.envoy.control_plane import ADS_CLUSTER, Security, control_plane
from xds_server.envoy.status_listener import status_clusters, status_listeners
from xds_server.model.meta import Key
from xds_server.wire import decode
from xds_server.wire.construct import any_of
from xds_server.wire.encode import encode

RE2_MAX_PROGRAM_SIZE: Final = 32_768
"""The largest compiled regular expression that Envoy accepts; its default of 100 refuses everyday ones."""
_FIXED_HEAP: Final = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS: Final = "envoy.resource_monitors.global_downstream_max_connections"


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapOptions:
    """What distinguishes one gateway's bootstrap from another's."""

    gateway: Key
    """The Gateway that the Envoy serves; becomes node.cluster `NAMESPACE/NAME`."""
    pod: str
    """The pod's name, or another name that no second Envoy of the same namespace has."""
    pod_namespace: str = ""
    """The pod's namespace; empty means the Gateway's own."""
    ads_host: str
    """An IP address or a host name."""
    ads_port: int
    admin_address: str = "127.0.0.1"
    admin_port: int = 0
    """0 lets the kernel choose; `envoy --admin-address-path` tells which."""
    security: Security | None = None
    """None: plaintext, for loopback and tests."""
    status_port: int = 0
    """Where kubelet and Prometheus find the proxy (see `status_listener`); 0: nowhere."""
    status_address: str = "::"
    """The address of `status_port`, which is served on loopback as well; `::`: all of both families."""
    drain_seconds: int = 20
    """The longest that its `/drain` takes."""
    max_connections: int = 50_000
    """Downstream connections in all, admin excepted; further ones are refused."""
    max_heap_bytes: int | None = 1 << 30
    """At 95 % Envoy returns memory to the system, at 98 % it answers 503; None means no limit."""


def node_id(options: BootstrapOptions) -> str:
    """`gateway~POD.NAMESPACE`, by which the control plane tells Envoys apart."""
    return f"gateway~{options.pod}.{options.pod_namespace or options.gateway.namespace}"


def bootstrap(options: BootstrapOptions) -> Bootstrap:
    """The bootstrap message: delta ADS for everything, limits as Envoy's guide for edge proxies advises."""
    return Bootstrap(
        node=Node(id=node_id(options), cluster=str(options.gateway)),
        admin=_admin(options),
        dynamic_resources=_dynamic_resources(),
        static_resources=_static_resources(options),
        layered_runtime=_layered_runtime(),
        overload_manager=_overload_manager(options),
        stats_flush_interval=timedelta(seconds=5),
    )


def to_json(message: Bootstrap) -> dict[str, Any]:
    """Proto3 JSON of a bootstrap, as `envoy -c` reads it."""
    return decode.to_json(Bootstrap, encode(message))


def _admin(options: BootstrapOptions) -> Admin:
    """The admin endpoint stays reachable when the connection limit is hit: that is when it is needed."""
    return Admin(
        address=_address(options.admin_address, options.admin_port),
        ignore_global_conn_limit=True,
    )


def _dynamic_resources() -> BootstrapDynamicResources:
    """Listeners and clusters over delta ADS.

    The node is some 60 KB, so it is sent with a stream's first request only. An Envoy that had an
    `initial_fetch_timeout` would, while its control plane is not ready, call itself ready and serve nothing.
    """
    over_ads = ConfigSource(
        ads=AggregatedConfigSource(),
        resource_api_version=ApiVersion.V3,
        initial_fetch_timeout=timedelta(0),
    )
    back_off = BackoffStrategy(base_interval=timedelta(milliseconds=500), max_interval=timedelta(seconds=5))
    service = GrpcService(
        envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=ADS_CLUSTER, retry_policy=RetryPolicy(retry_back_off=back_off))
    )
    return BootstrapDynamicResources(
        ads_config=ApiConfigSource(
            api_type=ApiConfigSourceApiType.DELTA_GRPC,
            transport_api_version=ApiVersion.V3,
            set_node_on_first_message_only=True,
            grpc_services=[service],
        ),
        cds_config=over_ads,
        lds_config=over_ads,
    )


def _static_resources(options: BootstrapOptions) -> BootstrapStaticResources:
    clusters = [control_plane(options.ads_host, options.ads_port, options.security)]
    if not options.status_port:
        return BootstrapStaticResources(clusters=clusters)
    return BootstrapStaticResources(
        listeners=status_listeners(options.status_port, options.drain_seconds, options.status_address),
        clusters=[*clusters, *status_clusters(options.admin_address, options.admin_port, options.status_port)],
    )


def _layered_runtime() -> LayeredRuntime:
    limit = Value(number_value=float(RE2_MAX_PROGRAM_SIZE))
    layer = Struct(fields={"re2.max_program_size.error_level": limit, "re2.max_program_size.warn_level": limit})
    return LayeredRuntime(layers=[RuntimeLayer(name="xds-server", static_layer=layer)])


def _overload_manager(options: BootstrapOptions) -> OverloadManager:
    """Connections are limited by their monitor alone; the heap's monitor triggers the actions."""
    connections = DownstreamConnectionsConfig(max_active_downstream_connections=options.max_connections)
    monitors = [ResourceMonitor(name=_CONNECTIONS, typed_config=any_of(connections))]
    actions: list[OverloadAction] = []
    if options.max_heap_bytes is not None:
        heap = FixedHeapConfig(max_heap_size_bytes=options.max_heap_bytes)
        monitors.append(ResourceMonitor(name=_FIXED_HEAP, typed_config=any_of(heap)))
        actions = [
            _at_heap("envoy.overload_actions.shrink_heap", 0.95),
            _at_heap("envoy.overload_actions.stop_accepting_requests", 0.98),
        ]
    return OverloadManager(refresh_interval=timedelta(milliseconds=250), resource_monitors=monitors, actions=actions)


def _at_heap(action: str, share: float) -> OverloadAction:
    trigger = Trigger(name=_FIXED_HEAP, threshold=ThresholdTrigger(value=share))
    return OverloadAction(name=action, triggers=[trigger])


def _address(host: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=host, port_value=port))
