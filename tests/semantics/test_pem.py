"""What is read of a bundle, and what is wrong with one."""

import pytest

from tests.scenarios.certificates import key, pem
from xds_server.semantics.pem import certificates, written

ONE, TWO = (pem("cert", name).encode() for name in ("a.example.com", "b.example.com"))
INDENTED = b"".join(b"\t" + line for line in ONE.splitlines(keepends=True))


@pytest.mark.parametrize(
    "text",
    [
        ONE + TWO,
        ONE.rstrip() + b"\r\n\r\n# the other one\n" + TWO,
        b"\xef\xbb\xbf" + INDENTED + TWO.rstrip(),
        ONE + pem("key", "a.example.com").encode() + TWO + b"-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n",
    ],
)
def test_certificates_are_written_without_what_is_around_them(text: bytes) -> None:
    found = certificates(text)
    assert not isinstance(found, str)
    assert list(written(found)) == [ONE, TWO]
    assert found[0].public_key() == key("a.example.com").public_key()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "does not parse"),
        (b"none", "does not parse"),
        (ONE[:-1].replace(b"-----END", b"END"), "does not parse"),
        (ONE + TWO[:-30], "begins 2 certificates in PEM, of which 1 can be read"),
        (ONE + b"-----BEGIN CERTIFICATE-----\n", "begins 2"),
        (ONE + TWO.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), "begins 2"),
        (ONE + b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n", "does not parse"),
    ],
)
def test_every_certificate_that_begins_has_to_be_one(text: bytes, problem: str) -> None:
    found = certificates(text)
    assert isinstance(found, str)
    assert found.startswith(problem)
