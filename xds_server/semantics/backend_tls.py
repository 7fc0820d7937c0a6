"""BackendTLSPolicy: which one secures the connections to a port of a Service.

Source: Gateway API BackendTLSPolicy (GEP-1897).
"""

from collections.abc import Iterable

from xds_server.model.gateway import ObjectReference
from xds_server.model.meta import Key
from xds_server.model.policy import BackendTLSPolicy, BackendTLSPolicyValidation
from xds_server.routing.secret import SecretId
from xds_server.semantics.authorities import Asked
from xds_server.semantics.grants import Referrer


def asked(key: Key, policy: BackendTLSPolicy) -> Iterable[tuple[SecretId, Asked]]:
    """Whom the policy tells to trust."""
    return [(SecretId("BackendTLSPolicy", key), asked_by("BackendTLSPolicy", key, policy.spec.validation))]


def asked_by(kind: str, key: Key, validation: BackendTLSPolicyValidation) -> Asked:
    """Whom an object with such a `validation` tells to trust. Its references are to its own namespace."""
    references = tuple(
        ObjectReference(name=one.name, group=one.group, kind=one.kind) for one in validation.ca_certificate_refs
    )
    system = not references and validation.well_known_ca_certificates == "System"
    return Asked(Referrer(kind, key.namespace), references, system=system)
