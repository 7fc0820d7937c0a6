"""References to certificates of authorities: which can be used, what is taken of them, why others cannot."""

from base64 import b64encode
from typing import Any

import pytest

from tests.scenarios.certificates import pem
from xds_server.model.gateway import ObjectReference
from xds_server.model.parse import parse
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.semantics import authorities
from xds_server.semantics.authorities import Asked, Authorities
from xds_server.semantics.grants import Referrer

A, B = (pem("cert", name) for name in ("a.example.com", "b.example.com"))
CRL = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n"


def resolved(*references: ObjectReference, **asked: Any) -> Authorities:
    """What the references of an object of namespace shop come to, with the sources below."""
    pipeline = program.build(Options(strict=True, system_authorities="/system.pem"))
    for document in SOURCES:
        value = parse({"apiVersion": "v1", **document})
        pipeline.inputs.put(document["kind"], value.metadata.key, value)  # type: ignore[union-attr]
    asking = pipeline.graph.input("asking")
    asking.put(1, Asked(Referrer("Gateway", "shop"), references, **asked))
    world = pipeline.tables.world
    table = pipeline.graph.derive("asked", asking, lambda _, row, look: [(1, authorities.resolve(row, look, world))])
    pipeline.settle()
    found = table.get(1)
    assert found is not None
    return found


def source(kind: str, name: str, namespace: str = "shop", **data: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, **data}


SOURCES = (
    source("ConfigMap", "a", data={"ca.crt": f"# the first\n{A}\n\n"}),
    source("ConfigMap", "both", data={"ca.crt": A + B}),
    source("ConfigMap", "binary", binaryData={"ca.crt": b64encode(B.encode()).decode()}),
    source("ConfigMap", "empty", data={"ca.crt": " \n"}),
    source("ConfigMap", "without"),
    source("ConfigMap", "broken", data={"ca.crt": A + A.replace("MII", "MMM")}),
    source("ConfigMap", "text", data={"ca.crt": "none"}),
    source("ConfigMap", "revoking", data={"ca.crt": A + CRL}),
    source("ConfigMap", "far", "other", data={"ca.crt": B}),
    source("ConfigMap", "granted", "other", data={"ca.crt": B}),
    source("Secret", "b", stringData={"ca.crt": B}),
    {
        "apiVersion": "certificates.k8s.io/v1beta1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": "example.com:b:v1"},
        "spec": {"trustBundle": B},
    },
    source(
        "ReferenceGrant",
        "granted",
        "other",
        apiVersion="gateway.networking.k8s.io/v1",
        spec={
            "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop"}],
            "to": [{"group": "", "kind": "ConfigMap", "name": "granted"}],
        },
    ),
)


def to(name: str, kind: str = "ConfigMap", group: str = "", namespace: str | None = None) -> ObjectReference:
    return ObjectReference(name=name, group=group, kind=kind, namespace=namespace)


@pytest.mark.parametrize(
    ("reference", "bundle"),
    [
        (to("a"), A),
        (to("both"), A + B),
        (to("binary"), B),
        (to("b", "Secret"), B),
        (to("example.com:b:v1", "ClusterTrustBundle", "certificates.k8s.io"), B),
        (to("granted", namespace="other"), B),
    ],
)
def test_sources(reference: ObjectReference, bundle: str) -> None:
    assert resolved(reference) == Authorities(bundle.encode())


def test_of_a_source_only_the_certificates_are_taken() -> None:
    assert resolved(to("revoking")) == Authorities(A.encode())


def test_several_are_put_together_each_certificate_once() -> None:
    assert resolved(to("a"), to("b", "Secret"), to("both")).pem == (A + B).encode()


@pytest.mark.parametrize(
    ("reference", "reason", "message"),
    [
        (to("none"), "InvalidCACertificateRef", "ConfigMap shop/none does not exist"),
        (to("without"), "InvalidCACertificateRef", "ConfigMap shop/without has no ca.crt"),
        (to("empty"), "InvalidCACertificateRef", "ConfigMap shop/empty has no ca.crt"),
        (to("text"), "InvalidCACertificateRef", "ConfigMap shop/text: ca.crt does not parse as certificates in PEM"),
        (to("broken"), "InvalidCACertificateRef", "ConfigMap shop/broken: ca.crt does not parse as certificates"),
        (to("a", "Secret"), "InvalidCACertificateRef", "Secret shop/a does not exist"),
        (to("a", "Service"), "Wrong", "Service is not a source of authorities; ConfigMap, Secret, ClusterTrustBundle"),
        (to("a", "ConfigMap", "x.org"), "Wrong", "x.org/ConfigMap is not a source"),
        (to("x", "ClusterTrustBundle", "certificates.k8s.io"), "InvalidCACertificateRef", "does not exist"),
        (to("far", namespace="other"), "RefNotPermitted", "no ReferenceGrant in other allows Gateways of shop"),
        (to("nowhere", namespace="other"), "RefNotPermitted", "no ReferenceGrant in other"),
    ],
)
def test_what_cannot_be_used(reference: ObjectReference, reason: str, message: str) -> None:
    found = resolved(reference, wrong_kind="Wrong")
    assert not found.usable
    assert found.reason == reason
    assert f"caCertificateRefs[0]: {message}" in found.message or message in found.message


def test_one_that_cannot_be_used_is_told_beside_one_that_can() -> None:
    found = resolved(to("a"), to("none"), to("text"))
    assert found.pem == A.encode()
    assert found.reason == "InvalidCACertificateRef"
    assert found.message.split("; ") == [
        "caCertificateRefs[1]: ConfigMap shop/none does not exist",
        "caCertificateRefs[2]: ConfigMap shop/text: ca.crt does not parse as certificates in PEM",
    ]


def test_those_of_the_system_are_a_file_of_the_proxys() -> None:
    assert resolved(system=True) == Authorities(path="/system.pem")


def test_nothing_is_asked_for() -> None:
    assert not resolved().usable


def test_who_is_not_trusted_may_be_accepted() -> None:
    assert resolved(to("a"), accept_untrusted=True) == Authorities(A.encode(), accept_untrusted=True)
