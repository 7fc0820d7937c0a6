"""Envoy's secrets: a certificate and its key, or authorities to trust."""

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as api

from xds_server.envoy import kit, names
from xds_server.routing.secret import SecretId
from xds_server.wire.construct import fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part

Secret = fast(api.Secret)
TlsCertificate = fast(api.TlsCertificate)
CertificateValidationContext = fast(api.CertificateValidationContext)

_ACCEPT_UNTRUSTED = api.CertificateValidationContextTrustChainVerification.ACCEPT_UNTRUSTED


def certificate(id_: SecretId, chain: bytes, private_key: bytes) -> Part:
    """A certificate to show; `chain` and `private_key` are PEM."""
    message = Secret(
        name=names.secret(id_),
        tls_certificate=TlsCertificate(
            certificate_chain=kit.DataSource(inline_bytes=chain),
            private_key=kit.DataSource(inline_bytes=private_key),
        ),
    )
    return _part(id_, message)


def authorities(id_: SecretId, pem: bytes, path: str = "", *, accept_untrusted: bool = False) -> Part:
    """Authorities to trust: certificates in PEM or, without any, a file of the proxy's.

    With `accept_untrusted` the peer is asked for a certificate that they issued, and accepted without.
    """
    source: core.DataSource = kit.DataSource(inline_bytes=pem) if pem else kit.DataSource(filename=path)
    context = CertificateValidationContext(trusted_ca=source)
    if accept_untrusted:
        context.trust_chain_verification = _ACCEPT_UNTRUSTED
    return _part(id_, Secret(name=names.secret(id_), validation_context=context))


def _part(id_: SecretId, message: api.Secret) -> Part:
    return Part(names.secret(id_), encode(message), owners=(Owner(id_.kind, *id_.key, id_.field),))
