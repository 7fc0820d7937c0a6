"""A certificate and its key to an Envoy secret."""

from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as api

from xds_server.envoy import kit, names
from xds_server.model.meta import Key
from xds_server.wire.construct import fast
from xds_server.wire.encode import encode
from xds_server.wire.part import Owner, Part

Secret = fast(api.Secret)
TlsCertificate = fast(api.TlsCertificate)


def certificate(key: Key, chain: bytes, private_key: bytes) -> Part:
    """The secret that HTTPS listeners name; `chain` and `private_key` are PEM."""
    message = Secret(
        name=names.secret(key),
        tls_certificate=TlsCertificate(
            certificate_chain=kit.DataSource(inline_bytes=chain),
            private_key=kit.DataSource(inline_bytes=private_key),
        ),
    )
    return Part(names.secret(key), encode(message), owners=(Owner("Secret", key.namespace, key.name),))
