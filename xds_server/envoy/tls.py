"""TLS to clients and to backends: certificates and authorities by SDS, TLS 1.2 and up, protocols by ALPN."""

from collections.abc import Iterable
from datetime import timedelta

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as api

from xds_server.envoy import kit, names
from xds_server.routing.backend import NO_CERTIFICATE, Backend, Verification
from xds_server.routing.listener import Listener
from xds_server.routing.secret import SecretId
from xds_server.wire.construct import any_of, fast

DownstreamTlsContext = fast(api.DownstreamTlsContext)
UpstreamTlsContext = fast(api.UpstreamTlsContext)
CommonTlsContext = fast(api.CommonTlsContext)
CombinedValidationContext = fast(api.CommonTlsContextCombinedCertificateValidationContext)
ValidationContext = fast(api.CertificateValidationContext)
SubjectAltNameMatcher = fast(api.SubjectAltNameMatcher)
TlsParameters = fast(api.TlsParameters)
SdsSecretConfig = fast(api.SdsSecretConfig)

SOCKET = "envoy.transport_sockets.tls"
ALPN = ("h2", "http/1.1")
HANDSHAKE = timedelta(seconds=15)
"""How long a client may take for its handshake; Envoy's default is for ever."""
_SanType = api.SubjectAltNameMatcherSanType
_Version = api.TlsParametersTlsProtocol


def terminate(listener: Listener, alpn: Iterable[str] = ALPN) -> core.TransportSocket:
    """Terminates TLS with the listener's certificates, and asks clients for theirs where it says so.

    Waits for all secrets that it names: a listener never opens without its certificates, or before it knows whom to
    trust. An authority's own secret says whether clients that it does not know are let in.
    """
    context = CommonTlsContext(
        tls_params=TlsParameters(tls_minimum_protocol_version=_Version.TLSv1_2),
        tls_certificate_sds_secret_configs=[
            SdsSecretConfig(name=names.secret(id_), sds_config=kit.ads(wait=True)) for id_ in listener.certificates
        ],
        alpn_protocols=list(alpn),
    )
    message = DownstreamTlsContext(common_tls_context=context)
    if (clients := listener.clients) is not None:
        context.validation_context_sds_secret_config = SdsSecretConfig(
            name=names.secret(clients.authorities), sds_config=kit.ads(wait=True)
        )
        message.require_client_certificate = clients.required  # said either way: Envoy warns of its own default
    return kit.TransportSocket(name=SOCKET, typed_config=any_of(message))


def originate(backend: Backend, verification: Verification) -> core.TransportSocket:
    """TLS to a backend that shows a certificate of one of its authorities, with one of the names.

    Envoy offers the protocol of the cluster's HTTP options by ALPN, and nothing newer than TLS 1.2 unless told. It
    waits for secrets only for a time, since a cluster that waits keeps the answer to all clusters waiting; without
    authorities it connects to nobody.
    """
    assert backend.authorities is not None
    names_ = [(_SanType.DNS, host) for host in verification.hostnames]
    names_ += [(_SanType.URI, uri) for uri in verification.uris]
    matchers = [SubjectAltNameMatcher(san_type=type_, matcher=kit.StringMatcher(exact=name)) for type_, name in names_]
    context = CommonTlsContext(
        tls_params=TlsParameters(
            tls_minimum_protocol_version=_Version.TLSv1_2, tls_maximum_protocol_version=_Version.TLSv1_3
        ),
        combined_validation_context=CombinedValidationContext(
            default_validation_context=ValidationContext(match_typed_subject_alt_names=matchers),
            validation_context_sds_secret_config=_asked(backend.authorities),
        ),
    )
    if backend.certificate != NO_CERTIFICATE:
        context.tls_certificate_sds_secret_configs = [_asked(SecretId.certificate(backend.certificate))]
    message = UpstreamTlsContext(common_tls_context=context, sni=verification.server_name)
    return kit.TransportSocket(name=SOCKET, typed_config=any_of(message))


def _asked(id_: SecretId) -> api.SdsSecretConfig:
    return SdsSecretConfig(name=names.secret(id_), sds_config=kit.ads(wait=False))
