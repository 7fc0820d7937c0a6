"""tls.frontend of a Gateway: on which ports clients are asked for a certificate, issued by whom, and what if they have
none.

It concerns every listener that ends TLS on such a port, those of ListenerSets too, and no other. Source: Gateway API
`FrontendTLSConfig` (GEP-91); what is told for a port replaces the default.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table
from xds_server.model.gateway import FrontendTLSValidation, Gateway
from xds_server.model.meta import Condition, Key
from xds_server.routing.listener import ClientCertificates
from xds_server.routing.secret import SecretId
from xds_server.semantics import conditions
from xds_server.semantics.authorities import Asked, Authorities
from xds_server.semantics.grants import Referrer

DEFAULT = "default"
_FALLBACK = "AllowInsecureFallback"


@dataclass(frozen=True, slots=True)
class Validation:
    """One `validation`, its field, and the name by which its authorities are asked for; `value` None for a port whose
    clients are not asked for a certificate.
    """

    field: str
    id: SecretId
    value: FrontendTLSValidation | None

    @property
    def insecure(self) -> bool:
        """Are clients without a valid certificate let in?"""
        return self.value is not None and self.value.mode == _FALLBACK


@dataclass(frozen=True, slots=True)
class Check:
    """What clients of a listener are asked for. `problem` is its ResolvedRefs if some reference is not usable;
    without any that is, clients is None and the listener cannot be served.
    """

    clients: ClientCertificates | None
    problem: Condition | None = None


def asked(key: Key, gateway: Gateway) -> Iterable[tuple[SecretId, Asked]]:
    """Whom a Gateway tells to trust, by port and by default."""
    for one in _validations(key, gateway).values():
        if one.value is not None:
            yield (
                one.id,
                Asked(
                    Referrer("Gateway", key.namespace),
                    one.value.ca_certificate_refs,
                    accept_untrusted=one.insecure,
                    wrong_kind="InvalidCACertificateKind",
                ),
            )


def told(gateway: Gateway) -> list[Condition]:
    """InsecureFrontendValidationMode, while some port lets clients in without a valid certificate."""
    fields = [one.field for one in _validations(gateway.metadata.key, gateway).values() if one.insecure]
    if not fields:
        return []
    return [conditions.insecure_frontend(f"{', '.join(fields)}: clients without a valid certificate are let in.")]


class Checks:
    """What the clients of a Gateway are asked for; asks for the authorities of a port when first asked about it."""

    def __init__(self, key: Key, gateway: Gateway, look: Lookup, authorities: Table[SecretId, Authorities]) -> None:
        self._validations: Mapping[str, Validation] = _validations(key, gateway)
        self._look = look
        self._authorities = authorities

    def of(self, port: int) -> Check | None:
        """Of a port; None where clients need no certificate."""
        one = self._validations.get(str(port)) or self._validations.get(DEFAULT)
        if one is None or one.value is None:
            return None
        row = self._look.get(self._authorities, one.id) or Authorities()
        reason, message = row.reason, row.message
        if not row.usable and not reason:
            reason, message = "InvalidCACertificateRef", "caCertificateRefs is empty"
        problem = conditions.not_resolved(reason, f"{one.field} of the Gateway: {message}") if reason else None
        return Check(ClientCertificates(one.id, required=not one.insecure) if row.usable else None, problem)


def _validations(key: Key, gateway: Gateway) -> dict[str, Validation]:
    """By port in digits, and DEFAULT."""
    frontend = gateway.spec.tls.frontend if gateway.spec.tls else None
    if frontend is None:
        return {}
    told = {DEFAULT: ("tls.frontend.default", frontend.default)}
    told |= {str(one.port): (f"tls.frontend.perPort[{i}].tls", one.tls) for i, one in enumerate(frontend.per_port)}
    return {
        part: Validation(f"{field}.validation", SecretId("Gateway", key, part), config.validation)
        for part, (field, config) in told.items()
    }
