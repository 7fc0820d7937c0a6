"""Secrets of type kubernetes.io/tls to certificates that Envoy will accept, or the reason why not.

A pair is parsed and matched here, before it is sent, and written anew: Envoy would reject the whole secret, and a
listener whose first certificate is rejected opens without one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtensionOID, NameOID

from xds_server.flow.lookup import Lookup
from xds_server.model.core import Secret
from xds_server.semantics import pem
from xds_server.semantics.clock import Clock, reached

LEAST_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")
_COUNTED = (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier, x509.OtherName)
"""Alternative names by which Envoy takes a certificate for somebody's."""
_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""Extensions are read when they are asked for, and so are names."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A usable pair, written in PEM. `problem` tells why the Secret is unusable now, if this is its last good state."""

    chain: bytes
    key: bytes
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a Secret cannot serve as a certificate."""

    reason: str


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A Secret as it is now, and the newest state of it that was usable."""

    current: Secret
    good: Secret | None


def keep(old: KeptSecret | None, new: KeptSecret, *, checks: bool = True) -> KeptSecret:
    """The row that follows `old`: a Secret that turns unusable keeps its last good state in service."""
    if isinstance(parse(new.current, checks=checks), Certificate):
        return KeptSecret(new.current, new.current)
    return KeptSecret(new.current, old.good if old else None)


def serve(kept: KeptSecret, *, checks: bool = True) -> Certificate | Unusable:
    """What listeners get: the current pair, else the last good one with the problem told, else the problem."""
    current = parse(kept.current, checks=checks)
    if isinstance(current, Certificate) or kept.good is None:
        return current
    good = parse(kept.good, checks=checks)
    if isinstance(good, Unusable):
        return current
    return replace(good, problem=current.reason)


def lapse(certificate: Certificate, look: Lookup, clock: Clock) -> str:
    """Why clients refuse a certificate now that is otherwise usable; empty if they do not."""
    if reached(certificate.not_before, look, clock) is False:
        return f"not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"
    if reached(certificate.not_after, look, clock):
        return f"expired on {certificate.not_after:%Y-%m-%d at %H:%M} UTC"
    return ""


def parse(secret: Secret, *, checks: bool = True) -> Certificate | Unusable:
    """The pair in `tls.crt` and `tls.key`; unencrypted RSA, ECDSA or Ed25519 keys that Envoy can serve.

    Without `checks` any key that can be read passes.
    """
    chain, key = secret.data.get("tls.crt", b""), secret.data.get("tls.key", b"")
    if not chain or not key:
        missing = "tls.crt" if not chain else "tls.key"
        return Unusable(f"it has no {missing}")
    certificates = pem.certificates(chain)
    if isinstance(certificates, str):
        return Unusable(f"tls.crt {certificates}")
    leaf = certificates[0]
    try:
        private = load_pem_private_key(key, password=None)
        of_leaf = leaf.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Unusable("tls.key does not parse as a private key in PEM, of a kind that is known and not encrypted")
    spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if of_leaf.public_bytes(*spki) != private.public_key().public_bytes(*spki):
        return Unusable("tls.key does not belong to the first certificate of tls.crt")
    if checks and (problem := _key_problem(private) or _names_problem(leaf)):
        return Unusable(problem)
    written = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    whole = b"".join(pem.written(certificates))
    return Certificate(whole, written, _names(leaf), leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def _key_problem(private: PrivateKeyTypes) -> str | None:
    """Why Envoy would refuse the key, or could not use it."""
    match private:
        case rsa.RSAPrivateKey() if private.key_size < LEAST_RSA_BITS:
            return f"an RSA key of {private.key_size} bits is refused by Envoy; at least {LEAST_RSA_BITS} are asked for"
        case ec.EllipticCurvePrivateKey() if private.curve.name not in CURVES:
            return f"a key on curve {private.curve.name} is refused by Envoy; known are {', '.join(CURVES)}"
        case rsa.RSAPrivateKey() | ec.EllipticCurvePrivateKey() | ed25519.Ed25519PrivateKey():
            return None
        case _:
            return "the key is neither RSA nor ECDSA nor Ed25519"


def _names_problem(leaf: x509.Certificate) -> str | None:
    """Why Envoy would refuse the certificate for whom it names."""
    if any(isinstance(name, _COUNTED) for name in _alternative_names(leaf)):
        return None
    try:
        if leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            return None
    except ValueError:
        return "tls.crt does not parse as certificates in PEM: whom the first one names cannot be read"
    return "the certificate names nobody: it has no common name, and no DNS name, IP address or URI"


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    return tuple(name.value for name in _alternative_names(leaf) if isinstance(name, x509.DNSName))


def _alternative_names(leaf: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        extension = leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return ()
    return extension if isinstance(extension, x509.SubjectAlternativeName) else ()
