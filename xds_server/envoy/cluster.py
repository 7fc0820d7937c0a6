"""One backend to one Envoy cluster: endpoints by EDS, the protocol it speaks, TLS where it is secured, breakers that
never trip by default.
"""

from datetime import timedelta
from functools import cache

from envoy_data_plane.envoy.config.cluster import v3 as api
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint_api
from envoy_data_plane.envoy.extensions.clusters.common.dns import v3 as common_dns
from envoy_data_plane.envoy.extensions.clusters.dns import v3 as dns
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as http
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.google import protobuf

from xds_server.envoy import kit, names, tls
from xds_server.routing.backend import Backend, Protocol, RetryBudget, Verification
from xds_server.wire.construct import any_of, fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part
from xds_server.wire.splice import field

Cluster = fast(api.Cluster)
ClusterLoadAssignment = fast(endpoint_api.ClusterLoadAssignment)
LocalityLbEndpoints = fast(endpoint_api.LocalityLbEndpoints)
LbEndpoint = fast(endpoint_api.LbEndpoint)
Endpoint = fast(endpoint_api.Endpoint)
EdsClusterConfig = fast(api.ClusterEdsClusterConfig)
CircuitBreakers = fast(api.CircuitBreakers)
Thresholds = fast(api.CircuitBreakersThresholds)
Budget = fast(api.CircuitBreakersThresholdsRetryBudget)
Percent = fast(type_v3.Percent)
HttpProtocolOptions = fast(http.HttpProtocolOptions)
ExplicitHttpConfig = fast(http.HttpProtocolOptionsExplicitHttpConfig)
Http1 = fast(core.Http1ProtocolOptions)
Http2 = fast(core.Http2ProtocolOptions)
Metadata = fast(core.Metadata)
Struct = fast(protobuf.Struct)
Value = fast(protobuf.Value)
CustomType = fast(api.ClusterCustomClusterType)
DnsCluster = fast(dns.DnsCluster)

CONNECT_TIMEOUT = timedelta(seconds=10)
UNLIMITED = 2**32 - 1
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
BUFFER_LIMIT_BYTES = 32_768
STREAM_WINDOW_BYTES = 64 * 1024
CONNECTION_WINDOW_BYTES = 1024 * 1024
"""What an HTTP/2 backend may send that no client has taken yet. Envoy has to keep it; its own default is 16 MiB for
each stream.
"""
_BYTES = ("tcp", "tls", "udp")
"""Protocols of which Envoy only moves the bytes."""
_EDS = kit.ads(wait=False)


def build(
    backend: Backend,
    verification: Verification | None = None,
    *,
    hostname: str | None = None,
    budget: RetryBudget | None = None,
) -> Part:
    """The cluster of one backend. Routes that name it answer 500 while it does not exist.

    With `verification` it is connected to over TLS, to whom the authorities of its secret vouch for alone. With
    `hostname` DNS tells where it is. With `budget` retries are limited.
    """
    if backend.kind == "Gateway":
        return _of_port(backend)
    name = names.cluster(backend)
    service_name = names.endpoints(backend.endpoints)
    if hostname is None:
        own = Cluster(name=name, eds_cluster_config=EdsClusterConfig(eds_config=_EDS, service_name=service_name))
    else:
        own = _found_by_dns(name, hostname, backend.port)
    discovery = api.ClusterDiscoveryType.EDS if hostname is None else None
    if verification is not None:
        own.transport_socket = tls.originate(backend, verification)
    rest = _shared(backend.protocol, discovery) if budget is None else _encoded(backend.protocol, discovery, budget)
    return Part(name, encode(own) + rest, owners=_owners(backend))


def _found_by_dns(name: str, hostname: str, port: int) -> api.Cluster:
    """Every address that DNS has for the name, asked for again when its time to live is over. The final dot makes
    the name a whole one: a resolver that searches domains would find Services of the cluster under short names. Names
    of one label, as localhost, are no whole ones anywhere.
    Without `wait_for_warm_on_init: false` a resolver that does not answer would keep Envoy from listening at all.
    """
    address = kit.tcp(f"{hostname}." if "." in hostname else hostname, port)
    endpoint = LocalityLbEndpoints(lb_endpoints=[LbEndpoint(endpoint=Endpoint(address=address))])
    return Cluster(
        name=name,
        load_assignment=ClusterLoadAssignment(cluster_name=name, endpoints=[endpoint]),
        cluster_type=CustomType(
            name="envoy.clusters.dns",
            typed_config=any_of(
                DnsCluster(respect_dns_ttl=True, dns_lookup_family=common_dns.DnsLookupFamily.V4_PREFERRED)
            ),
        ),
        wait_for_warm_on_init=False,
    )


def trusting(part: Part, authorities: str) -> Part:
    """The cluster while `authorities` is the hash of those that its secret has. It means nothing to Envoy but that the
    cluster is another one than under others: it goes on using connections that were made under those until then.
    """
    told = Metadata(filter_metadata={"xds-server": Struct(fields={"authorities": Value(string_value=authorities)})})
    return Part(part.id, part.data + field(api.Cluster, "metadata", encode(told)), owners=part.owners)


def closed(backend: Backend) -> Part:
    """In place of a cluster whose backend cannot be verified: one without endpoints, so that requests get 503 and
    connections are closed. Envoy has it at once, and gives up the connections that it still had.
    """
    name = names.cluster(backend)
    own = Cluster(name=name, type=api.ClusterDiscoveryType.STATIC, connect_timeout=CONNECT_TIMEOUT)
    return Part(name, encode(own), owners=_owners(backend))


def _owners(backend: Backend) -> tuple[Owner, ...]:
    """Who else than its routes answers for a cluster: whoever tells how its backend is verified."""
    secured = backend.authorities
    return () if secured is None else (Owner(secured.kind, *secured.key),)


def _of_port(backend: Backend) -> Part:
    """The cluster of a UDP listener's port. Its endpoints are those of all backends of the route that is served there,
    by weight, to which round robin keeps exactly.
    """
    name = names.cluster(backend)
    message = Cluster(
        name=name,
        type=api.ClusterDiscoveryType.EDS,
        eds_cluster_config=EdsClusterConfig(eds_config=_EDS, service_name=names.endpoints(backend.endpoints)),
        connect_timeout=CONNECT_TIMEOUT,
        lb_policy=api.ClusterLbPolicy.ROUND_ROBIN,
        circuit_breakers=CircuitBreakers(thresholds=[_no_limits()]),
    )
    return Part(name, encode(message))


def _no_limits() -> api.CircuitBreakersThresholds:
    return Thresholds(
        max_connections=UNLIMITED, max_pending_requests=UNLIMITED, max_requests=UNLIMITED, max_retries=UNLIMITED
    )


@cache
def _shared(protocol: Protocol, discovery: api.ClusterDiscoveryType | None = api.ClusterDiscoveryType.EDS) -> bytes:
    """What all clusters of a protocol have in common. Protobuf lets a message's fields be concatenated."""
    return _encoded(protocol, discovery, None)


def _encoded(protocol: Protocol, discovery: api.ClusterDiscoveryType | None, budget: RetryBudget | None) -> bytes:
    limits = _no_limits()
    if budget is not None:  # counts instead of max_retries
        limits.retry_budget = Budget(
            budget_percent=Percent(value=budget.percent),
            budget_interval=kit.milliseconds(budget.interval),
            min_retry_concurrency=budget.least,
        )
    return encode(
        Cluster(
            type=discovery,
            connect_timeout=CONNECT_TIMEOUT,
            per_connection_buffer_limit_bytes=BUFFER_LIMIT_BYTES,
            lb_policy=api.ClusterLbPolicy.LEAST_REQUEST,
            circuit_breakers=CircuitBreakers(thresholds=[limits]),
            typed_extension_protocol_options={}
            if protocol in _BYTES
            else {HTTP_OPTIONS: any_of(_http_options(protocol))},
        )
    )


def _http_options(protocol: Protocol) -> http.HttpProtocolOptions:
    if protocol in ("http2", "grpc"):
        windows = Http2(
            initial_stream_window_size=STREAM_WINDOW_BYTES, initial_connection_window_size=CONNECTION_WINDOW_BYTES
        )
        return HttpProtocolOptions(explicit_http_config=ExplicitHttpConfig(http2_protocol_options=windows))
    return HttpProtocolOptions(explicit_http_config=ExplicitHttpConfig(http_protocol_options=Http1()))
