"""BackendTLSPolicy: which one secures the connections to a port of a Service, and whom it wants there.

Source: Gateway API BackendTLSPolicy (GEP-1897). All of `targetRefs` are honoured, each on its own; those that are no
Services are not. `options` have no effect: the API defines none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import ObjectReference
from xds_server.model.meta import Condition, Key
from xds_server.model.policy import BackendTLSPolicy, BackendTLSPolicyValidation
from xds_server.routing.backend import NOT_SECURED, Verification
from xds_server.routing.secret import SecretId
from xds_server.semantics import conditions
from xds_server.semantics.authorities import Asked, Authorities
from xds_server.semantics.grants import Referrer
from xds_server.semantics.world import World


class TargetId(NamedTuple):
    """A policy's claim on a Service: on one of its ports, by the port's name, or on all of them."""

    service: Key
    section: str
    policy: Key


SYSTEM = "System"
"""The one value of wellKnownCACertificates: what the machine trusts."""


@dataclass(frozen=True, slots=True)
class Target:
    """When the policy was made: the oldest has what several claim."""

    id: TargetId
    created: str

    @property
    def rank(self) -> tuple[str, str]:
        """Smaller wins."""
        return (self.created, str(self.id.policy))


def targets(key: Key, policy: BackendTLSPolicy) -> Iterable[tuple[TargetId, Target]]:
    """What the policy claims."""
    for reference in policy.spec.target_refs:
        if (reference.group, reference.kind) == ("", "Service"):
            id_ = TargetId(Key(key.namespace, reference.name), reference.section_name or "", key)
            yield id_, Target(id_, policy.metadata.creation_timestamp)


def policy_of(service: Key, port_name: str, look: Lookup, world: World) -> Key:
    """The policy of a port of a Service, NOT_SECURED without one: one that names the port before those that do not,
    then the oldest, then the first by name. Whether it can be used does not matter: a port that is meant to be secured
    is never spoken to without.
    """
    found = look.rows(world.tls_targets, service)
    named = [one for one in found if one.id.section == port_name] if port_name else []
    winners = named or [one for one in found if not one.id.section]
    return min(winners, key=lambda one: one.rank).id.policy if winners else NOT_SECURED


def rival(target: TargetId, look: Lookup, world: World) -> Key | None:
    """The policy that has what this one claims; None where it has it itself."""
    claims = [one for one in look.rows(world.tls_targets, target.service) if one.id.section == target.section]
    first = min(claims, key=lambda one: one.rank, default=None)
    return None if first is None or first.id.policy == target.policy else first.id.policy


def verification(validation: BackendTLSPolicyValidation) -> Verification | str:
    """Who a backend has to be, or what is wrong with the names. Alternative names replace the hostname there; it is
    the server name asked for in any case.
    """
    hostnames, uris = [], []
    for index, name in enumerate(validation.subject_alt_names):
        match name.type:
            case "Hostname" if name.hostname:
                hostnames.append(name.hostname)
            case "URI" if name.uri:
                uris.append(name.uri)
            case _:
                return f"validation.subjectAltNames[{index}]: has no name of type {name.type}, of Hostname and URI"
    if not validation.hostname:
        return "validation.hostname: is empty"
    if (known := validation.well_known_ca_certificates) not in (None, SYSTEM):
        return f"validation.wellKnownCACertificates: {known} is not supported (supported: {SYSTEM})"
    if not validation.subject_alt_names:
        hostnames = [validation.hostname]
    return Verification(validation.hostname, tuple(hostnames), tuple(uris))


def asked(key: Key, policy: BackendTLSPolicy) -> Iterable[tuple[SecretId, Asked]]:
    """Whom the policy tells to trust."""
    return [(SecretId("BackendTLSPolicy", key), asked_by("BackendTLSPolicy", key, policy.spec.validation))]


def asked_by(kind: str, key: Key, validation: BackendTLSPolicyValidation) -> Asked:
    """Whom an object with such a `validation` tells to trust. Its references are to its own namespace."""
    references = tuple(
        ObjectReference(name=one.name, group=one.group, kind=one.kind) for one in validation.ca_certificate_refs
    )
    system = not references and validation.well_known_ca_certificates == SYSTEM
    return Asked(Referrer(kind, key.namespace), references, system=system)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim of a policy at a Gateway that reaches the Service: what of it is not there, in words that follow its
    name, and who else has it.
    """

    target: TargetId
    missing: str = ""
    rival: Key | None = None

    @property
    def problem(self) -> tuple[str, str] | None:
        """Reason and message where the policy has no effect there."""
        where = f"Service {self.target.service}"
        if self.missing:
            return "TargetNotFound", f"{where} {self.missing}"
        where += f", port {self.target.section}," if self.target.section else ""
        if self.rival is not None:
            return "Conflicted", f"{where} has BackendTLSPolicy {self.rival} already, which comes first"
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to say of a policy: how it verifies, whom it trusts, and what Envoys of a Gateway rejected."""

    verification: Verification | str
    authorities: Authorities
    rejected: tuple[str, ...] = ()


def judge(policy: BackendTLSPolicy, claims: Iterable[Claimed], found: Found) -> tuple[Condition, ...]:
    """The conditions of a policy at one Gateway that reaches one of its targets."""
    trusted = found.authorities
    resolved = conditions.not_resolved(trusted.reason, _at(trusted)) if trusted.reason else conditions.resolved()
    problems = [claim.problem for claim in claims]
    lost = [problem for problem in problems if problem is not None]
    if len(lost) == len(problems):
        return conditions.not_accepted(*lost[0]), resolved
    if isinstance(found.verification, str):
        return conditions.not_accepted("Invalid", found.verification), resolved
    if not trusted.usable:
        message = f"Nobody is trusted, so nobody is connected to: {_at(trusted)}"
        return conditions.not_accepted("NoValidCACertificate", message), resolved
    if found.rejected:
        return conditions.not_accepted("Invalid", f"Envoy rejected it: {'; '.join(found.rejected)}"), resolved
    notes = [message for _, message in lost]
    if policy.spec.options:
        notes.append("options have no effect")
    message = f"The policy is accepted, but: {'; '.join(notes)}" if notes else "The policy is accepted."
    return conditions.accepted(message), resolved


def _at(authorities: Authorities) -> str:
    return f"validation.{authorities.message}" if authorities.message else "validation names no authorities"
