"""Every condition, made in one place. Types and reasons are the API's constants; `observedGeneration` is added when
a status is put together.

Source: Gateway API v1.7 `GatewayClassConditionType`, `GatewayConditionType`, `ListenerConditionType`,
`RouteConditionType` and their reasons.
"""

from xds_server.model.meta import Condition


def _condition(type_: str, status: bool | None, reason: str, message: str) -> Condition:
    word = {True: "True", False: "False", None: "Unknown"}[status]
    return Condition(type=type_, status=word, reason=reason, message=message)


def accepted(message: str = "") -> Condition:
    """Accepted=True."""
    return _condition("Accepted", True, "Accepted", message)


def not_accepted(reason: str, message: str) -> Condition:
    """Accepted=False for a stated reason."""
    return _condition("Accepted", False, reason, message)


def resolved() -> Condition:
    """ResolvedRefs=True."""
    return _condition("ResolvedRefs", True, "ResolvedRefs", "All references are resolved.")


def not_resolved(reason: str, message: str) -> Condition:
    """ResolvedRefs=False for a stated reason."""
    return _condition("ResolvedRefs", False, reason, message)


def resolved_with_warning(message: str) -> Condition:
    """ResolvedRefs=False for a certificate that went bad while its last good state still serves."""
    return _condition("ResolvedRefs", False, "InvalidCertificateRef", message)


def programmed(message: str = "") -> Condition:
    """Programmed=True: Envoy said so."""
    return _condition("Programmed", True, "Programmed", message)


def not_programmed(reason: str, message: str) -> Condition:
    """Programmed=False for a stated reason."""
    return _condition("Programmed", False, reason, message)


def ready_like(condition: Condition) -> Condition:
    """The older Ready condition, which says what Programmed says."""
    reason = {"Programmed": "Ready", "Pending": "ListenersNotReady", "Invalid": "ListenersNotValid"}
    return _condition(
        "Ready", condition.status == "True", reason.get(condition.reason, condition.reason), condition.message
    )


def conflicted(reason: str, message: str) -> Condition:
    """Conflicted=True with HostnameConflict or ProtocolConflict."""
    return _condition("Conflicted", True, reason, message)


def gateway_accepted(valid: int, total: int) -> Condition:
    """The Gateway's Accepted from the number of its valid listeners."""
    if valid == total:
        return accepted("The Gateway is accepted.")
    if valid:
        return _condition("Accepted", True, "ListenersNotValid", f"{total - valid} of {total} listeners are not valid.")
    return not_accepted("ListenersNotValid", "None of the listeners is valid.")


def partially_invalid(message: str) -> Condition:
    """PartiallyInvalid=True; the API wants the message to begin with "Dropped Rule" or "Fall Back"."""
    return _condition("PartiallyInvalid", True, "UnsupportedValue", message)


def no_matching_parent(message: str) -> Condition:
    """No listener of that name or port."""
    return not_accepted("NoMatchingParent", message)


def not_allowed_by_listeners(message: str) -> Condition:
    """Listeners exist but do not allow this route."""
    return not_accepted("NotAllowedByListeners", message)


def no_matching_hostname(message: str) -> Condition:
    """Listeners allow the route but none has a hostname in common with it."""
    return not_accepted("NoMatchingListenerHostname", message)
