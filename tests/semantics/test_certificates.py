"""Secrets to certificates: what is usable, why another one is not, and what stays in service."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.scenarios.certificates import certificate_pem, key_pem
from xds_server.model.core import Secret
from xds_server.model.meta import Metadata
from xds_server.semantics.certificates import Certificate, KeptSecret, Unusable, keep, parse, serve

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
DATES = datetime(2019, 1, 1, tzinfo=UTC), datetime(2119, 1, 1, tzinfo=UTC)
CHAIN = certificate_pem("a.example.com,*.b.example.com", KEY)


def secret(chain: bytes = CHAIN, key: bytes = key_pem(KEY), **data: bytes) -> Secret:
    return Secret(metadata=Metadata(name="one"), data={"tls.crt": chain, "tls.key": key, **data})


def of_key(private: Any, *, form: PrivateFormat = PrivateFormat.PKCS8, hashed: bool = True) -> Certificate | Unusable:
    chain = certificate_pem("a.example.com", private, **({} if hashed else {"hash_": None}))
    return parse(secret(chain, key_pem(private, form=form)))


def test_a_pair_is_usable_and_read() -> None:
    found = parse(secret())
    assert isinstance(found, Certificate)
    assert found.names == ("a.example.com", "*.b.example.com")
    assert (found.chain, found.key, found.problem) == (CHAIN, key_pem(KEY), "")
    assert found.not_after.year == 2119


def test_a_chain_is_judged_by_its_first_certificate() -> None:
    issuer = certificate_pem("issuer.example.com", OTHER)
    assert isinstance(parse(secret(CHAIN + issuer)), Certificate)
    assert parse(secret(issuer + CHAIN)) == Unusable("tls.key does not belong to the first certificate of tls.crt")


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
    ],
)
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_keys_that_envoy_takes_in_both_spellings(make: Callable[[], Any], form: PrivateFormat) -> None:
    assert isinstance(of_key(make(), form=form), Certificate)


def test_ed25519() -> None:
    assert isinstance(of_key(ed25519.Ed25519PrivateKey.generate(), hashed=False), Certificate)


@pytest.mark.parametrize(
    ("make", "hashed", "reason"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), True, "an RSA key of 1024 bits is refused by Envoy"),
        (lambda: ec.generate_private_key(ec.SECP224R1()), True, "a key on curve secp224r1 is refused by Envoy"),
        (lambda: ec.generate_private_key(ec.SECP256K1()), True, "a key on curve secp256k1 is refused by Envoy"),
        (lambda: ed448.Ed448PrivateKey.generate(), False, "the key is neither RSA nor ECDSA nor Ed25519"),
        (lambda: dsa.generate_private_key(1024), True, "the key is neither RSA nor ECDSA nor Ed25519"),
    ],
)
def test_keys_that_envoy_refuses(make: Callable[[], Any], hashed: bool, reason: str) -> None:
    found = of_key(make(), hashed=hashed)
    assert isinstance(found, Unusable)
    assert found.reason.startswith(reason)


def damaged(old: bytes, new: bytes, *, alternative: bool = True) -> bytes:
    """A certificate that a faulty program wrote: some of its bytes are others."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.com")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, *DATES)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example.com")]), critical=False)
    der = builder.sign(KEY, SHA256()).public_bytes(Encoding.DER)
    assert old in der
    text = b64encode(der.replace(old, new)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()


def test_what_cannot_be_read_of_a_certificate_is_told_or_does_not_matter() -> None:
    of_version_19 = damaged(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x12")
    assert parse(secret(of_version_19)) == Unusable("tls.crt does not parse as certificates in PEM")
    nameless = damaged(b"\x0c\x0da.example.com", b"\x0c\x0d\xff.example.com", alternative=False)
    assert parse(secret(nameless)) == Unusable(
        "tls.crt does not parse as certificates in PEM: whom the first one names cannot be read"
    )
    of_x400 = damaged(b"\x82\x0da.example.com", b"\xa3\x0da.example.com")
    found = parse(secret(of_x400))
    assert isinstance(found, Certificate)
    assert found.names == ()


def test_an_extension_that_stands_there_twice_does_not_matter() -> None:
    constraints, alternative_names = b"\x55\x1d\x13", b"\x55\x1d\x11"
    found = parse(secret(damaged(alternative_names, constraints)))
    assert isinstance(found, Certificate)
    assert found.names == ()


@pytest.mark.parametrize(
    ("names", "common", "usable"),
    [
        ([], "shop", True),
        ([], "", False),
        ([x509.RFC822Name("shop@example.com")], "", False),
        ([x509.RFC822Name("shop@example.com"), x509.UniformResourceIdentifier("spiffe://shop")], "", True),
        ([x509.IPAddress(ip_address("10.0.0.1"))], "", True),
    ],
)
def test_certificates_that_name_nobody(names: list[x509.GeneralName], common: str, usable: bool) -> None:
    kind = NameOID.COMMON_NAME if common else NameOID.ORGANIZATION_NAME
    subject = x509.Name([x509.NameAttribute(kind, common or "example")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(subject, subject, KEY.public_key(), 1, start, start + timedelta(days=1))
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    found = parse(secret(made.sign(KEY, SHA256()).public_bytes(Encoding.PEM)))
    assert isinstance(found, Certificate) is usable
    assert usable or found.reason.startswith("the certificate names nobody")  # type: ignore[union-attr]


ENCRYPTED = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("chain", "key", "reason"),
    [
        (b"", key_pem(KEY), "it has no tls.crt"),
        (CHAIN, b"", "it has no tls.key"),
        (b"Hello world", key_pem(KEY), "tls.crt does not parse"),
        (CHAIN, b"Hello world", "tls.key does not parse"),
        (CHAIN, CHAIN, "tls.key does not parse"),
        (key_pem(KEY), key_pem(KEY), "tls.crt does not parse"),
        (CHAIN.replace(b"M", b"N"), key_pem(KEY), "tls.crt does not parse"),
        (CHAIN, ENCRYPTED, "tls.key does not parse"),
        (CHAIN, key_pem(OTHER), "tls.key does not belong"),
    ],
)
def test_pairs_that_are_none(chain: bytes, key: bytes, reason: str) -> None:
    found = parse(secret(chain, key))
    assert isinstance(found, Unusable)
    assert found.reason.startswith(reason)


def row(*states: Secret) -> KeptSecret:
    """What the input table holds after these states."""
    kept: KeptSecret | None = None
    for state in states:
        kept = keep(kept, KeptSecret(state, None))
    assert kept is not None
    return kept


def test_the_last_good_state_stays_in_service_with_the_problem_told() -> None:
    bad = secret(key=key_pem(OTHER))
    found = serve(row(secret(), bad, secret(b"", b"")))
    assert isinstance(found, Certificate)
    assert found.chain == CHAIN
    assert found.problem == "it has no tls.crt"


def test_a_secret_that_never_was_good_is_not_served() -> None:
    assert serve(row(secret(b""), secret(key=key_pem(OTHER)))) == Unusable(
        "tls.key does not belong to the first certificate of tls.crt"
    )


def test_a_good_state_replaces_what_was_kept() -> None:
    newer = certificate_pem("new.example.com", OTHER)
    found = serve(row(secret(), secret(b""), secret(newer, key_pem(OTHER))))
    assert isinstance(found, Certificate)
    assert (found.chain, found.problem) == (newer, "")
