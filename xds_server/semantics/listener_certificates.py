"""certificateRefs of a listener: the usable Secrets, and why others are not.

Permission is asked before existence, so that a status tells nothing about foreign namespaces.
"""

from xds_server.flow.lookup import Lookup
from xds_server.model import gateway as api
from xds_server.model.meta import Condition, Key
from xds_server.routing.listener import ListenerId
from xds_server.semantics import conditions
from xds_server.semantics.certificates import Certificate, Unusable
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import World


def resolve(
    id_: ListenerId, listener: api.Listener, look: Lookup, world: World
) -> tuple[tuple[Key, ...], Condition | None]:
    """The usable Secrets of a listener that ends TLS and, if any of its references is not usable, why."""
    tls = listener.tls
    if listener.protocol == "TLS" and (tls is None or tls.mode != "Terminate"):
        return (), None
    if listener.protocol not in ("HTTPS", "TLS"):
        return (), None
    if tls is None or not tls.certificate_refs:
        message = f"tls.certificateRefs: a listener of protocol {listener.protocol} needs one"
        return (), conditions.not_resolved("InvalidCertificateRef", message)
    if tls.mode != "Terminate":
        return (), conditions.not_resolved("InvalidCertificateRef", f"tls.mode {tls.mode}: HTTPS terminates TLS")
    usable: dict[Key, str] = {}
    problem: Condition | None = None
    for index, reference in enumerate(tls.certificate_refs):
        field = f"tls.certificateRefs[{index}]"
        found = certificate(Referrer.of(id_.owner), reference, field, look, world)
        if isinstance(found, Key):
            usable.setdefault(found, field)
        else:
            problem = problem or found
    for secret, field in usable.items():
        row = look.get(world.certificates, secret)
        if isinstance(row, Certificate) and row.problem:
            problem = problem or conditions.not_resolved(
                "InvalidCertificateRef",
                f"{field}: Secret {secret}: {row.problem}; its last good certificate stays in service",
            )
    return tuple(usable), problem


def certificate(
    referrer: Referrer, reference: api.SecretObjectReference, field: str, look: Lookup, world: World
) -> Key | Condition:
    """The Secret that is referred to, or the ResolvedRefs condition that says why it cannot be used."""
    target = Key(reference.namespace or referrer.namespace, reference.name)
    if (reference.group, reference.kind) != ("", "Secret"):
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        return conditions.not_resolved("InvalidCertificateRef", f"{field}: {what} is not a Secret")
    if not permitted(referrer, "Secret", target, look, world):
        return conditions.not_resolved(
            "RefNotPermitted",
            f"{field}: Secret {target}: no ReferenceGrant in {target.namespace} allows {referrer.kind}s of"
            f" {referrer.namespace}",
        )
    row = look.get(world.certificates, target)
    if row is None:
        return conditions.not_resolved("InvalidCertificateRef", f"{field}: Secret {target} does not exist")
    if isinstance(row, Unusable):
        return conditions.not_resolved("InvalidCertificateRef", f"{field}: Secret {target}: {row.reason}")
    return target
