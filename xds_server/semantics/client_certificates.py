"""The certificate that a Gateway shows to backends over TLS.

Source: Gateway API `tls.backend.clientCertificateRef`. Without one that can be used none is shown: the backend decides
what it thinks of that, and is verified all the same.
"""

from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import Gateway, SecretObjectReference
from xds_server.model.meta import Condition, Key
from xds_server.routing.backend import NO_CERTIFICATE
from xds_server.semantics import conditions
from xds_server.semantics.certificates import Certificate
from xds_server.semantics.grants import Referrer
from xds_server.semantics.listener_certificates import certificate
from xds_server.semantics.world import World

FIELD = "tls.backend.clientCertificateRef"
REASON = "InvalidClientCertificateRef"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The Secret, NO_CERTIFICATE where it cannot be used, and the ResolvedRefs condition of who refers to it."""

    secret: Key
    resolved: Condition


def of_gateway(key: Key, gateway: Gateway, look: Lookup, world: World) -> ClientCertificate | None:
    """A Gateway's; None where it asks for none."""
    backend = gateway.spec.tls.backend if gateway.spec.tls else None
    if backend is None or backend.client_certificate_ref is None:
        return None
    return resolve(Referrer("Gateway", key.namespace), backend.client_certificate_ref, FIELD, look, world)


def resolve(
    referrer: Referrer, reference: SecretObjectReference, field: str, look: Lookup, world: World
) -> ClientCertificate:
    """The Secret that is referred to. One that turned unusable keeps its last good certificate in service."""
    found = certificate(referrer, reference, field, look, world)
    if isinstance(found, Condition):
        reason = found.reason if found.reason == "RefNotPermitted" else REASON
        return ClientCertificate(NO_CERTIFICATE, conditions.not_resolved(reason, found.message))
    row = look.get(world.certificates, found)
    if isinstance(row, Certificate) and row.problem:
        message = f"{field}: Secret {found}: {row.problem}; its last good certificate stays in service"
        return ClientCertificate(found, conditions.not_resolved(REASON, message))
    return ClientCertificate(found, conditions.resolved())
