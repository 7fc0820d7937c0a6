"""certificateRefs of a listener: the usable Secrets, and why others are not.

Permission is asked before existence, so that a status tells nothing about foreign namespaces.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.model import gateway as api
from xds_server.model.meta import Condition, Key
from xds_server.routing.hostname import normalise
from xds_server.routing.listener import ListenerId
from xds_server.semantics import conditions
from xds_server.semantics.certificate_names import fits, normal, told
from xds_server.semantics.certificates import Certificate, Unusable
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class ListenerCertificates:
    """What a listener that ends TLS shows to clients: usable Secrets, and the DNS names of their certificates.

    `problem` is ResolvedRefs when some reference is not usable, `note` is on certificates that clients will refuse.
    """

    secrets: tuple[Key, ...] = ()
    names: tuple[str, ...] = ()
    problem: Condition | None = None
    note: str = ""
    configured: bool = True
    """False where the listener does not say how to end TLS."""


def resolve(id_: ListenerId, listener: api.Listener, look: Lookup, world: World) -> ListenerCertificates:
    """The usable Secrets of a listener, none for one that does not end TLS."""
    tls = listener.tls
    if listener.protocol not in ("HTTPS", "TLS"):
        return ListenerCertificates()
    if listener.protocol == "TLS" and (tls is None or tls.mode != "Terminate"):
        return ListenerCertificates()
    if tls is None or not tls.certificate_refs:
        message = f"tls.certificateRefs: a listener of protocol {listener.protocol} needs one"
        return _unconfigured(message)
    if tls.mode != "Terminate":
        return _unconfigured(f"tls.mode {tls.mode}: HTTPS terminates TLS")
    usable: dict[Key, Certificate] = {}
    problems: list[Condition] = []
    for index, reference in enumerate(tls.certificate_refs):
        field = f"tls.certificateRefs[{index}]"
        found = certificate(Referrer.of(id_.owner), reference, field, look, world)
        if isinstance(found, Condition):
            problems.append(found)
        elif found not in usable and isinstance(row := look.get(world.certificates, found), Certificate):
            usable[found] = row
            if row.problem:
                message = f"{field}: Secret {found}: {row.problem}; its last good certificate stays in service"
                problems.append(conditions.not_resolved("InvalidCertificateRef", message))
    return ListenerCertificates(
        secrets=tuple(usable),
        names=normal(name for row in usable.values() for name in row.names),
        problem=conditions.not_resolved_for(problems) if problems else None,
        note=" ".join(_notes(normalise(listener.hostname), usable, look, world)),
    )


def _unconfigured(message: str) -> ListenerCertificates:
    return ListenerCertificates(problem=conditions.not_resolved("InvalidCertificateRef", message), configured=False)


def _notes(hostname: str, usable: Mapping[Key, Certificate], look: Lookup, world: World) -> Iterator[str]:
    if usable and not any(fits(name, hostname) for row in usable.values() for name in normal(row.names)):
        names = "; ".join(f"Secret {secret} is for {told(row.names)}" for secret, row in usable.items())
        yield f"Clients will refuse the certificate, none is for {hostname} ({names})."
    for secret in usable:
        if (lapse := look.get(world.lapses, secret)) is not None:
            yield f"Clients will refuse the certificate of Secret {secret}: {lapse}."


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
