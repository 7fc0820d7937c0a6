"""Authorities that an object tells to trust: a bundle of certificates that Envoy will accept, or the reason why not.

Sources: Gateway API `caCertificateRefs`: a ConfigMap with `ca.crt`, a ClusterTrustBundle (GEP-5075), and, as its own
choice, a Secret with `ca.crt`. Several are put together. Of each source only the certificates are taken, written anew:
Envoy would take a CRL beside them as one that every authority has to have.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import ObjectReference
from xds_server.model.meta import Key
from xds_server.semantics import pem
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import World

FIELD = "ca.crt"
KINDS = {
    ("", "ConfigMap"): "ConfigMap",
    ("", "Secret"): "Secret",
    ("certificates.k8s.io", "ClusterTrustBundle"): "ClusterTrustBundle",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What an object says of whom it trusts. `system`: those of the machine that the proxy runs on.

    `accept_untrusted`: peers are asked for a certificate that they issued, and accepted without. `wrong_kind` is the
    reason that its API has for a reference of another kind.
    """

    referrer: Referrer
    references: tuple[ObjectReference, ...] = ()
    system: bool = False
    accept_untrusted: bool = False
    wrong_kind: str = "InvalidKind"


@dataclass(frozen=True, slots=True)
class Authorities:
    """Certificates in PEM, or the file of the proxy's that holds them; none where nothing can be used.

    `reason` is that of the first reference that cannot be used, `message` tells of all, also beside others that can.
    """

    pem: bytes = b""
    path: str = ""
    accept_untrusted: bool = False
    reason: str = ""
    message: str = ""

    @property
    def usable(self) -> bool:
        """Is there anyone to trust?"""
        return bool(self.pem or self.path)


def resolve(asked: Asked, look: Lookup, world: World) -> Authorities:
    """The authorities that are asked for."""
    if asked.system:
        return Authorities(path=world.system_authorities, accept_untrusted=asked.accept_untrusted)
    found: dict[bytes, None] = {}
    problems: list[_Problem] = []
    for index, reference in enumerate(asked.references):
        bundle = _source(reference, asked, look, world)
        if isinstance(bundle, _Problem):
            problems.append(_Problem(bundle.reason, f"caCertificateRefs[{index}]: {bundle.message}"))
            continue
        found.update(dict.fromkeys(bundle))
    reason = problems[0].reason if problems else ""
    message = "; ".join(problem.message for problem in problems)
    return Authorities(b"".join(found), "", asked.accept_untrusted, reason, message)


@dataclass(frozen=True, slots=True)
class _Problem:
    reason: str
    message: str


def _source(reference: ObjectReference, asked: Asked, look: Lookup, world: World) -> tuple[bytes, ...] | _Problem:
    """The certificates behind one reference. Permission is asked before existence."""
    kind = KINDS.get((reference.group, reference.kind))
    if kind is None:
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        return _Problem(asked.wrong_kind, f"{what} is not a source of authorities; {', '.join(KINDS.values())} are")
    if kind == "ClusterTrustBundle":
        bundle = look.get(world.trust_bundles, Key("", reference.name))
        text = None if bundle is None else bundle.spec.trust_bundle.encode()
        return _certificates(f"ClusterTrustBundle {reference.name}", "trustBundle", text)
    target = Key(reference.namespace or asked.referrer.namespace, reference.name)
    if not permitted(asked.referrer, kind, target, look, world):
        message = (
            f"{kind} {target}: no ReferenceGrant in {target.namespace} allows {asked.referrer.kind}s of"
            f" {asked.referrer.namespace}"
        )
        return _Problem("RefNotPermitted", message)
    if kind == "Secret":
        secret = look.get(world.secrets, target)
        data: Mapping[str, bytes | str] | None = None if secret is None else secret.current.data
    else:
        map_ = look.get(world.config_maps, target)
        data = None if map_ is None else {**map_.binary_data, **map_.data}
    return _certificates(f"{kind} {target}", FIELD, None if data is None else _bytes(data.get(FIELD, b"")))


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _certificates(source: str, field: str, text: bytes | None) -> tuple[bytes, ...] | _Problem:
    """Every certificate of a bundle. Envoy refuses a bundle of which one does not parse, so all have to."""
    reason = "InvalidCACertificateRef"
    if text is None:
        return _Problem(reason, f"{source} does not exist")
    if not text.strip():
        return _Problem(reason, f"{source} has no {field}")
    found = pem.certificates(text)
    return _Problem(reason, f"{source}: {field} {found}") if isinstance(found, str) else tuple(pem.written(found))
