"""Authorities that issue certificates, for tests in which somebody is verified."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.scenarios.certificates import key_pem

_START = datetime(2020, 1, 1, tzinfo=UTC)
EXPIRED = datetime(2021, 1, 1, tzinfo=UTC)
_END = _START + timedelta(days=36_500)


@dataclass(frozen=True)
class Pair:
    """A certificate, with those of the authorities between it and the root after it, and its key; all PEM."""

    certificate: str
    key: str

    @property
    def alone(self) -> "Pair":
        """Without the authorities between."""
        end = "-----END CERTIFICATE-----\n"
        return Pair(self.certificate.partition(end)[0] + end, self.key)

    def secret(self, name: str) -> str:
        """A Secret that holds it."""
        crt, key = (text.replace("\n", "\\n") for text in (self.certificate, self.key))
        return (
            f"kind: Secret\nmetadata: {{name: {name}}}\ntype: kubernetes.io/tls\n"
            f'stringData: {{tls.crt: "{crt}", tls.key: "{key}"}}\n---\n'
        )


class Authority:
    """An authority, signed by itself or by its `parent`; `pem` is what others trust, `subject` its name in DER. One
    without a name has no common name, nor has what it issues for nobody.
    """

    def __init__(self, name: str, parent: "Authority | None" = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _called(name)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = (parent or self)._made(self._name, self._key).add_extension(constraints, critical=True)
        self.pem = made.sign((parent or self)._key, SHA256()).public_bytes(Encoding.PEM).decode()
        self.subject = self._name.public_bytes()
        self._between: str = "" if parent is None else self.pem + parent._between

    def issue(
        self, *names: str, private: CertificateIssuerPrivateKeyTypes | None = None, until: datetime = _END
    ) -> Pair:
        """A certificate for DNS names, URIs (with `://`) and IP addresses."""
        key = private or ec.generate_private_key(ec.SECP256R1())
        made = self._made(_called("issued" if names else ""), key, until)
        if names:
            alternative = x509.SubjectAlternativeName([_general(name) for name in names])
            made = made.add_extension(alternative, critical=False)
        certificate = made.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        return Pair(certificate.decode() + self._between, key_pem(key).decode())

    def _made(
        self, subject: x509.Name, key: CertificateIssuerPrivateKeyTypes, until: datetime = _END
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_START)
            .not_valid_after(until)
        )


def _called(name: str) -> x509.Name:
    kind = NameOID.COMMON_NAME if name else NameOID.ORGANIZATION_NAME
    return x509.Name([x509.NameAttribute(kind, name or "nobody")])


def _general(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
