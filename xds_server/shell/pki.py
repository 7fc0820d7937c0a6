"""The server's own certificate authority: made, turned over with overlap, and the leaves that it signs.

Everything here is a function of what is given and of the time; where it is kept is `kube.authority`'s. An authority is
trusted well before the first leaf of it is shown, and until after the last: proxies get what they trust by a ConfigMap,
which takes a minute or two to reach them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS: Final = timedelta(days=730)
TURN_BEFORE: Final = timedelta(days=240)
"""How long before its end an authority gets a successor."""
PUBLISHED: Final = timedelta(days=1)
"""How long a successor is trusted before it signs."""
LEAF_DAYS: Final = timedelta(days=2)
RENEW_BEFORE: Final = timedelta(days=1)
"""How long before its end a leaf is replaced."""
_BACKDATED: Final = timedelta(hours=1)
"""Clocks differ."""

_NOW, _NEXT, _BEFORE = ("tls.crt", "tls.key"), ("next.crt", "next.key"), "previous.crt"


class UnusableAuthorityError(Exception):
    """What was kept is no authority; the text says why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes

    @property
    def not_before(self) -> datetime:
        """When it was made, but for the allowance for clocks."""
        return _parsed(self.certificate).not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """When it ends."""
        return _parsed(self.certificate).not_valid_after_utc


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority that signs, the one that will, and the certificate of the one that did."""

    current: Pair
    successor: Pair | None = None
    previous: bytes = b""

    @property
    def bundle(self) -> bytes:
        """All that is trusted, PEM."""
        parts = (self.current.certificate, self.successor.certificate if self.successor else b"", self.previous)
        return b"".join(part.strip() + b"\n" for part in parts if part)

    def data(self) -> dict[str, bytes]:
        """As it is kept in a Secret."""
        kept = dict(zip(_NOW, (self.current.certificate, self.current.key), strict=True))
        if self.successor:
            kept |= zip(_NEXT, (self.successor.certificate, self.successor.key), strict=True)
        return kept | ({_BEFORE: self.previous} if self.previous else {})


def new_authority(name: str, now: datetime) -> Authority:
    """A first authority."""
    return Authority(_authority_pair(name, now))


def read(data: Mapping[str, bytes]) -> Authority:
    """An authority as it was kept; UnusableAuthorityError when it is none."""
    try:
        current = _kept(data, _NOW)
        successor = _kept(data, _NEXT) if _NEXT[0] in data else None
        previous = data.get(_BEFORE, b"")
        if previous:
            _parsed(previous)
    except (KeyError, ValueError, TypeError) as error:
        raise UnusableAuthorityError(f"{type(error).__name__}: {error}") from error
    return Authority(current, successor, previous)


def turned(authority: Authority, name: str, now: datetime, *, at_once: bool = False) -> Authority:
    """The authority as it is to be now: the same, or with the next step of a turnover done. `at_once`: begin one."""
    current, successor, previous = authority.current, authority.successor, authority.previous
    if now >= current.not_after:  # nobody led for years: what it signs nobody trusts any more
        alive = successor is not None and now < successor.not_after
        return Authority(successor if successor and alive else _authority_pair(name, now))
    if successor is not None and now >= successor.not_before + _BACKDATED + PUBLISHED:
        return Authority(successor, None, current.certificate)
    if successor is None and (at_once or now >= current.not_after - TURN_BEFORE):
        return Authority(current, _authority_pair(name, now), previous)
    if previous and successor is None and now >= current.not_before + _BACKDATED + PUBLISHED + LEAF_DAYS:
        return Authority(current)
    return authority


def leaf(authority: Authority, names: Iterable[str], now: datetime) -> Pair:
    """A certificate for a server with these DNS names and addresses, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = _parsed(authority.current.certificate)
    signer = load_pem_private_key(authority.current.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    subjects = [_subject(name) for name in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(min(now + LEAF_DAYS, issuer.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName(subjects), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return _pair(certificate, key)


def _authority_pair(name: str, now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()  # in its name too: of two with one name verifiers may try the wrong one
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name[:40]} authority {serial:x}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(certificate.public_bytes(Encoding.PEM), private)


def _kept(data: Mapping[str, bytes], names: tuple[str, str]) -> Pair:
    """A pair that fits together; ValueError for one that does not."""
    certificate, key = data[names[0]], data[names[1]]
    parsed, signer = _parsed(certificate), load_pem_private_key(key, None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey) or signer.public_key() != parsed.public_key():
        raise ValueError(f"{names[1]} is not the key of {names[0]}")
    return Pair(certificate, key)


def _parsed(certificate: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate)


def _subject(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
