"""The cluster by which an Envoy reaches its control plane: TLS that it checks, and a token that says who it is.

Both are files of the pod that change while it runs: see `file_secrets`. The token goes with each new stream.
Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_filters/credential_injector_filter
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
    UpstreamConnectionOptions,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    ApiVersion,
    ConfigSource,
    Http2ProtocolOptions,
    KeepaliveSettings,
    PathConfigSource,
    SocketAddress,
    TcpKeepalive,
    TransportSocket,
    TypedExtensionConfig,
    WatchedDirectory,
)
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.extensions.filters.http.credential_injector.v3 import CredentialInjector
from envoy_data_plane.envoy.extensions.filters.http.upstream_codec.v3 import UpstreamCodec
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.http.injected_credentials.generic.v3 import Generic
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    CommonTlsContextCombinedCertificateValidationContext,
    SdsSecretConfig,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    TlsParameters,
    TlsParametersTlsProtocol,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds_server.envoy import file_secrets
from xds_server.model.rules.syntax import is_ip
from xds_server.wire.construct import any_of

ADS_CLUSTER: Final = "xds-server"
"""The cluster of the control plane; no served cluster has this name, since theirs contain slashes."""
_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class Security:
    """Where an Envoy finds the documents of `file_secrets`: a folder that is watched. `server_name` is what the control
    plane's certificate must be for: a DNS name or an address.
    """

    folder: str
    server_name: str


def control_plane(host: str, port: int, security: Security | None) -> Cluster:
    """The control plane's cluster; pings notice within 15 s that it went away without a word.

    All addresses of a name are tried: `localhost` may mean ::1 where the control plane listens on 127.0.0.1.
    """
    endpoint = LbEndpoint(endpoint=Endpoint(address=_address(host, port)))
    return Cluster(
        name=ADS_CLUSTER,
        type=ClusterDiscoveryType.STATIC if is_ip(host) else ClusterDiscoveryType.STRICT_DNS,
        dns_lookup_family=ClusterDnsLookupFamily.ALL,
        connect_timeout=timedelta(seconds=5),
        load_assignment=ClusterLoadAssignment(
            cluster_name=ADS_CLUSTER, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]
        ),
        typed_extension_protocol_options={_OPTIONS: any_of(_protocol(security))},
        transport_socket=_tls(security) if security else None,
        upstream_connection_options=UpstreamConnectionOptions(tcp_keepalive=TcpKeepalive()),
    )


def _protocol(security: Security | None) -> HttpProtocolOptions:
    keepalive = KeepaliveSettings(interval=timedelta(seconds=10), timeout=timedelta(seconds=5))
    return HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(
            http2_protocol_options=Http2ProtocolOptions(connection_keepalive=keepalive)
        ),
        http_filters=[_token(security), _codec()] if security else [],
    )


def _token(security: Security) -> HttpFilter:
    """Authorization: Bearer, from the secret; nothing is sent before there is one."""
    generic = Generic(
        credential=_secret(security, file_secrets.TOKEN, file_secrets.TOKEN_DOCUMENT),
        header="authorization",
        header_value_prefix="Bearer ",
    )
    injector = CredentialInjector(
        overwrite=True,
        credential=TypedExtensionConfig(name="envoy.http.injected_credentials.generic", typed_config=any_of(generic)),
    )
    return HttpFilter(name="envoy.filters.http.credential_injector", typed_config=any_of(injector))


def _codec() -> HttpFilter:
    return HttpFilter(name="envoy.filters.http.upstream_codec", typed_config=any_of(UpstreamCodec()))


def _tls(security: Security) -> TransportSocket:
    """Trusts the authority alone, and it only for this name."""
    name = security.server_name
    kind = SubjectAltNameMatcherSanType.IP_ADDRESS if is_ip(name) else SubjectAltNameMatcherSanType.DNS
    expected = CertificateValidationContext(
        match_typed_subject_alt_names=[SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=name))]
    )
    context = UpstreamTlsContext(
        sni="" if is_ip(name) else name,
        common_tls_context=CommonTlsContext(
            alpn_protocols=["h2"],
            tls_params=TlsParameters(tls_minimum_protocol_version=TlsParametersTlsProtocol.TLSv1_2),
            combined_validation_context=CommonTlsContextCombinedCertificateValidationContext(
                default_validation_context=expected,
                validation_context_sds_secret_config=_secret(
                    security, file_secrets.AUTHORITY, file_secrets.AUTHORITY_DOCUMENT
                ),
            ),
        ),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=any_of(context))


def _secret(security: Security, name: str, document: str) -> SdsSecretConfig:
    source = PathConfigSource(
        path=f"{security.folder}/{document}", watched_directory=WatchedDirectory(path=security.folder)
    )
    config = ConfigSource(path_config_source=source, resource_api_version=ApiVersion.V3)
    return SdsSecretConfig(name=name, sds_config=config)


def _address(host: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=host, port_value=port))
