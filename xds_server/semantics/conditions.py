"""Every condition, made in one place. Types and reasons are the API's constants; `observedGeneration` is added when
a status is put together.

Source: Gateway API v1.7 `GatewayClassConditionType`, `GatewayConditionType`, `ListenerConditionType`,
`RouteConditionType` and their reasons.
"""

from collections.abc import Iterable, Sequence

from xds_server.model.meta import Condition

_TRUE, _FALSE = "True", "False"
NONE_COMES_UP = "No Envoy of this Gateway comes up"
SOME_DO_NOT_COME_UP = "Some Envoys of this Gateway do not come up"
"""Behind them and a colon are the words of Kubernetes."""


def _condition(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message)


def observed(found: Iterable[Condition], generation: int) -> tuple[Condition, ...]:
    """The conditions as they are said of that generation of the object."""
    return tuple(
        Condition(
            type=condition.type,
            status=condition.status,
            reason=condition.reason,
            message=condition.message,
            observed_generation=generation,
        )
        for condition in found
    )


def accepted(message: str = "") -> Condition:
    """Accepted=True."""
    return _condition("Accepted", _TRUE, "Accepted", message)


def not_accepted(reason: str, message: str) -> Condition:
    """Accepted=False for a stated reason."""
    return _condition("Accepted", _FALSE, reason, message)


def resolved(note: str = "") -> Condition:
    """ResolvedRefs=True; a note is on what is odd, but not wrong."""
    message = "All references are resolved." + (f" {note}" if note else "")
    return _condition("ResolvedRefs", _TRUE, "ResolvedRefs", message)


def not_resolved(reason: str, message: str) -> Condition:
    """ResolvedRefs=False for a stated reason."""
    return _condition("ResolvedRefs", _FALSE, reason, message)


def not_resolved_for(found: Sequence[Condition]) -> Condition:
    """One ResolvedRefs=False for all that are False, with the reason of the first and the messages of all."""
    problems = [condition for condition in found if condition.status == _FALSE]
    return not_resolved(problems[0].reason, _messages(problems))


def not_accepted_for(found: Sequence[Condition]) -> Condition:
    """One Accepted=False for several, with the reason of the first and the messages of all."""
    return not_accepted(found[0].reason, _messages(found))


def _messages(found: Sequence[Condition]) -> str:
    return "; ".join(dict.fromkeys(one.message for one in found))


def programmed(message: str = "") -> Condition:
    """Programmed=True: Envoy said so."""
    return _condition("Programmed", _TRUE, "Programmed", message)


def not_programmed(reason: str, message: str) -> Condition:
    """Programmed=False for a stated reason."""
    return _condition("Programmed", _FALSE, reason, message)


def none_comes_up(reason: str, why: str) -> Condition:
    """Programmed=False: there is no Envoy to program, as Kubernetes says."""
    return not_programmed(reason, f"{NONE_COMES_UP}: {why}")


def some_do_not_come_up(programmed_: Condition, why: str) -> Condition:
    """Programmed as it is, with what Kubernetes says of the Envoys that are missing."""
    message = f"{programmed_.message.rstrip('.')}. {SOME_DO_NOT_COME_UP}: {why}"
    return _condition(programmed_.type, programmed_.status, programmed_.reason, message)


def ready_like(condition: Condition) -> Condition:
    """The older Ready condition, which says what Programmed says."""
    reason = {"Programmed": "Ready", "Pending": "ListenersNotReady", "Invalid": "ListenersNotValid"}
    return _condition("Ready", condition.status, reason.get(condition.reason, condition.reason), condition.message)


def conflicted(reason: str, message: str) -> Condition:
    """Conflicted=True with HostnameConflict or ProtocolConflict."""
    return _condition("Conflicted", _TRUE, reason, message)


def overlapping(reason: str, message: str) -> Condition:
    """OverlappingTLSConfig=True with OverlappingHostnames or OverlappingCertificates; never written as False."""
    return _condition("OverlappingTLSConfig", _TRUE, reason, message)


def insecure_frontend(message: str) -> Condition:
    """InsecureFrontendValidationMode=True; left out otherwise."""
    return _condition("InsecureFrontendValidationMode", _TRUE, "ConfigurationChanged", message)


def gateway_accepted(accepting: int, valid: int, total: int, note: str = "") -> Condition:
    """The Gateway's Accepted from the number of its listeners that are accepted, and of those of them that are valid;
    a note is on what is odd, but not wrong.
    """
    if valid == total:
        return accepted(f"The Gateway is accepted, but: {note}." if note else "The Gateway is accepted.")
    beside = f" Besides: {note}." if note else ""
    if accepting:
        message = f"{total - valid} of {total} listeners are not valid.{beside}"
        return _condition("Accepted", _TRUE, "ListenersNotValid", message)
    return not_accepted("ListenersNotValid", f"None of the listeners is valid.{beside}")


def supported_version(bundle_version: str, *, known: bool) -> Condition:
    """SupportedVersion, of the CRDs that a class is of."""
    if known:
        message = f"CRDs of gateway-api {bundle_version} are supported."
        return _condition("SupportedVersion", _TRUE, "SupportedVersion", message)
    message = f"CRDs of gateway-api {bundle_version} are not known here; what is known of them is served."
    return _condition("SupportedVersion", _FALSE, "UnsupportedVersion", message)


def addresses_assigned() -> Condition:
    """AddressesAssigned=True (GEP-5093)."""
    return _condition("AddressesAssigned", _TRUE, "AddressesAssigned", "Every address is assigned.")


def addresses_not_assigned(reason: str, message: str) -> Condition:
    """AddressesAssigned=False: PartiallyAssigned or NotAssigned."""
    return _condition("AddressesAssigned", _FALSE, reason, message)


def default_gateway(scope: str) -> Condition:
    """DefaultGateway=True; the API gives it no reason of its own (GEP-3793)."""
    return _condition("DefaultGateway", _TRUE, "DefaultGateway", f"The Gateway has default scope {scope}.")


def set_accepted(valid: int, total: int) -> Condition:
    """The ListenerSet's Accepted from the number of its valid listeners."""
    if valid == total:
        return accepted("The ListenerSet is accepted.")
    if valid:
        message = f"{total - valid} of {total} listeners are not valid."
        return _condition("Accepted", _TRUE, "ListenersNotValid", message)
    return not_accepted("ListenersNotValid", "None of the listeners is valid.")


def partially_invalid(message: str) -> Condition:
    """PartiallyInvalid=True; the API wants the message to begin with "Dropped Rule" or "Fall Back"."""
    return _condition("PartiallyInvalid", _TRUE, "UnsupportedValue", message)


def no_matching_parent(message: str) -> Condition:
    """No listener of that name or port."""
    return not_accepted("NoMatchingParent", message)


def not_allowed_by_listeners(message: str) -> Condition:
    """Listeners exist but do not allow this route."""
    return not_accepted("NotAllowedByListeners", message)


def no_matching_hostname(message: str) -> Condition:
    """Listeners allow the route but none has a hostname in common with it."""
    return not_accepted("NoMatchingListenerHostname", message)


_BAD_WHEN_TRUE = ("PartiallyInvalid", "Conflicted")
_WAITING = ("Pending", "ListenersNotReady")


def is_bad(condition: Condition) -> bool:
    """Does the condition say that something is wrong? Only waiting for an Envoy is not."""
    if condition.type == "Programmed" and condition.status == _TRUE:
        return f" {SOME_DO_NOT_COME_UP}: " in condition.message
    return condition.status == (_TRUE if condition.type in _BAD_WHEN_TRUE else _FALSE) and not waits(condition)


def waits(condition: Condition) -> bool:
    """Is it False only since no Envoy has answered yet?"""
    return waiting(condition.status, condition.reason)


def waiting(status: str, reason: str) -> bool:
    """The same of a condition's status and reason."""
    return status != _TRUE and reason in _WAITING
