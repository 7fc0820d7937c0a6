"""Secrets to certificates: what is usable, why another one is not, and what stays in service."""

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
