"""Certificates in PEM, read from what people paste and written anew.

Envoy reads more strictly than most tools: it takes no line that is indented and no byte order mark, and refuses a
bundle that ends within a certificate. What does no harm is left out here; what is cut off is told.
"""

import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_BEGIN = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")


def certificates(text: bytes) -> tuple[x509.Certificate, ...] | str:
    """Every certificate of a bundle, at least one; or why it cannot be used."""
    try:
        found = tuple(x509.load_pem_x509_certificates(text))
    except (ValueError, x509.InvalidVersion):
        return "does not parse as certificates in PEM"
    begun = len(_BEGIN.findall(text))
    if len(found) < begun:
        return f"begins {begun} certificates in PEM, of which {len(found)} can be read; is it cut off?"
    return found


def written(found: Iterable[x509.Certificate]) -> Iterable[bytes]:
    """Each certificate in PEM, and nothing else."""
    return (certificate.public_bytes(Encoding.PEM) for certificate in found)
