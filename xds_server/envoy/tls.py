"""Downstream TLS: certificates by SDS, TLS 1.2 and up, HTTP/2 and HTTP/1.1 by ALPN."""

from collections.abc import Iterable
from datetime import timedelta

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as api

from xds_server.envoy import kit, names
from xds_server.routing.secret import SecretId
from xds_server.wire.construct import any_of, fast

DownstreamTlsContext = fast(api.DownstreamTlsContext)
CommonTlsContext = fast(api.CommonTlsContext)
TlsParameters = fast(api.TlsParameters)
SdsSecretConfig = fast(api.SdsSecretConfig)

ALPN = ("h2", "http/1.1")
HANDSHAKE = timedelta(seconds=15)
"""How long a client may take for its handshake; Envoy's default is for ever."""


def terminate(certificates: Iterable[SecretId], alpn: Iterable[str] = ALPN) -> core.TransportSocket:
    """Terminates TLS with these certificates; waits for them, so a listener never opens without."""
    context = CommonTlsContext(
        tls_params=TlsParameters(tls_minimum_protocol_version=api.TlsParametersTlsProtocol.TLSv1_2),
        tls_certificate_sds_secret_configs=[
            SdsSecretConfig(name=names.secret(id_), sds_config=kit.ads(wait=True)) for id_ in certificates
        ],
        alpn_protocols=list(alpn),
    )
    return kit.TransportSocket(
        name="envoy.transport_sockets.tls",
        typed_config=any_of(DownstreamTlsContext(common_tls_context=context)),
    )
