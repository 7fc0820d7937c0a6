"""Certificates for tests, made when asked for: `${cert:NAME}` and `${key:NAME}` in a scenario's documents.

NAME is one DNS name or several with commas; one key and certificate for each NAME in a test run. `${cert:…}` of one
name beside `${key:…}` of another is a pair that does not match.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_PLACEHOLDER = re.compile(r"\$\{(cert|key):([^}]+)\}")
_START = datetime(2020, 1, 1, tzinfo=UTC)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def key(names: str) -> ec.EllipticCurvePrivateKey:
    """The key that belongs to these names."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(private: Any, *, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    """A private key as PEM, not encrypted."""
    pem: bytes = private.private_bytes(Encoding.PEM, form, NoEncryption())
    return pem


def certificate_pem(names: str, private: Any, *, hash_: Any = SHA256) -> bytes:
    """A self-signed certificate for the names (with commas), valid for a hundred years from 2020."""
    hosts = names.split(",")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_START)
        .not_valid_after(_START + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
    )
    return builder.sign(private, hash_() if hash_ else None).public_bytes(Encoding.PEM)


@cache
def pem(what: str, names: str) -> str:
    """The text that a placeholder stands for."""
    made = key_pem(key(names)) if what == "key" else certificate_pem(names, key(names))
    return made.decode()


def filled_in(value: Any) -> Any:
    """A document with every placeholder replaced."""
    if isinstance(value, dict):
        return {name: filled_in(child) for name, child in value.items()}
    if isinstance(value, list):
        return [filled_in(child) for child in value]
    if isinstance(value, str) and "${" in value:
        return _PLACEHOLDER.sub(lambda found: pem(found[1], found[2]), value)
    return value


def names_of(chain: bytes) -> list[str]:
    """The DNS names of the first certificate of a PEM chain."""
    leaf = x509.load_pem_x509_certificates(chain)[0]
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return san.get_values_for_type(x509.DNSName)


def subjects_of(bundle: bytes) -> list[str]:
    """The common names of the certificates of a PEM bundle."""
    found = x509.load_pem_x509_certificates(bundle)
    return [str(one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value) for one in found]
