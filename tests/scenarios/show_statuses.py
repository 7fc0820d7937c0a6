"""Statuses in short: `Accepted: true`, or `False/NoMatchingParent: why` for anything but plain good news.

A value is `true` when the condition's reason is the one that goes without saying. Conditions that every status has in
the same way are checked here and not shown: `Ready` says what `Programmed` says, and `observedGeneration` is the
object's own.
"""

from collections.abc import Iterable
from typing import Any

from xds_server.model.meta import Condition
from xds_server.semantics.addresses import GatewayStatusAddress
from xds_server.semantics.policy_statuses import PolicyStatus
from xds_server.semantics.statuses import (
    GatewayClassStatus,
    GatewayStatus,
    ListenerSetStatus,
    ListenerStatus,
    RouteStatus,
)

DEFAULT_KINDS = ["HTTPRoute", "GRPCRoute"]
READY_REASONS = {"Programmed": "Ready", "Pending": "ListenersNotReady", "Invalid": "ListenersNotValid"}

PLAIN = {
    "The class is served.",
    "The Gateway is accepted.",
    "The listener is accepted.",
    "The Gateway has default scope All.",
    "Every address is assigned.",
    "The ListenerSet is accepted.",
    "The route is accepted.",
    "All references are resolved.",
    "The backend is accepted.",
    "The policy is accepted.",
    "Every connected Envoy has acknowledged this generation.",
}
"""What a condition says that has nothing to say."""

REASONS = {
    ("GatewayClass", "Accepted", "True"): {"Accepted"},
    ("GatewayClass", "Accepted", "False"): {"InvalidParameters", "Unsupported", "UnsupportedVersion"},
    ("GatewayClass", "SupportedVersion", "True"): {"SupportedVersion"},
    ("GatewayClass", "SupportedVersion", "False"): {"UnsupportedVersion"},
    ("Gateway", "Accepted", "True"): {"Accepted", "ListenersNotValid"},
    ("Gateway", "Accepted", "False"): {"ListenersNotValid", "Invalid", "InvalidParameters", "UnsupportedAddress"},
    ("Gateway", "Programmed", "True"): {"Programmed"},
    ("Gateway", "Programmed", "False"): {"Invalid", "Pending", "NoResources", "AddressNotAssigned", "AddressNotUsable"},
    ("Gateway", "AddressesAssigned", "True"): {"AddressesAssigned"},
    ("Gateway", "AddressesAssigned", "False"): {"PartiallyAssigned", "NotAssigned"},
    ("Gateway", "DefaultGateway", "True"): {"DefaultGateway"},
    ("Gateway", "ResolvedRefs", "True"): {"ResolvedRefs"},
    ("Gateway", "ResolvedRefs", "False"): {"RefNotPermitted", "InvalidClientCertificateRef", "ListenersNotResolved"},
    ("BackendTLSPolicy", "Accepted", "True"): {"Accepted"},
    ("BackendTLSPolicy", "Accepted", "False"): {"Conflicted", "Invalid", "TargetNotFound", "NoValidCACertificate"},
    ("XBackendTrafficPolicy", "Accepted", "True"): {"Accepted"},
    ("XBackendTrafficPolicy", "Accepted", "False"): {"Conflicted", "Invalid", "TargetNotFound"},
    ("BackendTLSPolicy", "ResolvedRefs", "True"): {"ResolvedRefs"},
    ("BackendTLSPolicy", "ResolvedRefs", "False"): {"InvalidCACertificateRef", "InvalidKind"},
    ("XTelemetryPolicy", "Accepted", "True"): {"Accepted"},
    ("XTelemetryPolicy", "Accepted", "False"): {"Conflicted", "Invalid", "TargetNotFound"},
    ("XTelemetryPolicy", "ResolvedRefs", "True"): {"ResolvedRefs"},
    ("XTelemetryPolicy", "ResolvedRefs", "False"): {"BackendNotFound", "InvalidKind", "RefNotPermitted"},
    ("Gateway", "InsecureFrontendValidationMode", "True"): {"ConfigurationChanged"},
    ("XBackend", "Accepted", "True"): {"Accepted"},
    # The API names no reasons for False.
    ("XBackend", "Accepted", "False"): {
        "Invalid",
        "NoValidCACertificate",
        "InvalidClientCertificateRef",
        "RefNotPermitted",
    },
    ("ListenerSet", "Accepted", "True"): {"Accepted", "ListenersNotValid"},
    ("ListenerSet", "Accepted", "False"): {"NotAllowed", "ParentNotAccepted", "ListenersNotValid", "Invalid"},
    ("ListenerSet", "Programmed", "True"): {"Programmed"},
    ("ListenerSet", "Programmed", "False"): {
        "NotAllowed",
        "ListenersNotValid",
        "ParentNotProgrammed",
        "Invalid",
        "Pending",
    },
    ("Listener", "Accepted", "True"): {"Accepted"},
    ("Listener", "Accepted", "False"): {
        "InvalidListenerFilter",
        "PortUnavailable",
        "UnsupportedProtocol",
        "UnsupportedValue",
        "NoValidCACertificate",
        "HostnameConflict",
        "ProtocolConflict",
    },
    ("Listener", "ResolvedRefs", "True"): {"ResolvedRefs"},
    ("Listener", "ResolvedRefs", "False"): {
        "InvalidCertificateRef",
        "InvalidListenerFilterRef",
        "InvalidRouteKinds",
        "RefNotPermitted",
        "InvalidCACertificateRef",
        "InvalidCACertificateKind",
    },
    ("Listener", "Programmed", "True"): {"Programmed"},
    ("Listener", "Programmed", "False"): {
        "Invalid",
        "InvalidTLSConfig",
        "Pending",
        "HostnameConflict",
        "ProtocolConflict",
    },
    ("Listener", "OverlappingTLSConfig", "True"): {"OverlappingHostnames", "OverlappingCertificates"},
    ("Listener", "Conflicted", "True"): {"HostnameConflict", "ProtocolConflict"},
    ("Route", "Accepted", "True"): {"Accepted"},
    ("Route", "Accepted", "False"): {
        "NotAllowedByListeners",
        "NoMatchingListenerHostname",
        "NoMatchingParent",
        "UnsupportedValue",
        "IncompatibleFilters",
        "Pending",
    },
    ("Route", "ResolvedRefs", "True"): {"ResolvedRefs"},
    ("Route", "ResolvedRefs", "False"): {
        "RefNotPermitted",
        "InvalidKind",
        "BackendNotFound",
        "UnsupportedProtocol",
    },
    ("Route", "PartiallyInvalid", "True"): {"UnsupportedValue"},
}
"""What the API knows: (object, type, status) -> reasons. Source: Gateway API v1.7, constants of each condition."""


def gateway_class(status: GatewayClassStatus | None, generation: int) -> Any:
    """None is a class of someone else, which has no status from here."""
    return None if status is None else _conditions("GatewayClass", status.conditions, generation)


def gateway(status: GatewayStatus | ListenerSetStatus | None, generation: int) -> Any:
    """Conditions, the number of ListenerSets and addresses where there are any, then each listener."""
    if status is None:
        return None
    what = "Gateway" if isinstance(status, GatewayStatus) else "ListenerSet"
    shown = _conditions(what, status.conditions, generation)
    if isinstance(status, GatewayStatus) and status.attached_listener_sets:
        shown["sets"] = status.attached_listener_sets
    if isinstance(status, GatewayStatus) and status.addresses:
        shown["addresses"] = [_address(one) for one in status.addresses]
    return shown | {"listeners": {one.name: _listener(one, generation) for one in status.listeners}}


def _address(one: GatewayStatusAddress) -> str:
    """`127.0.0.1`, `Hostname localhost`, `127.0.0.1 of example.com/routability`."""
    type_ = "" if one.type == "IPAddress" else f"{one.type} "
    return f"{type_}{one.value}{f' of {one.routability}' if one.routability else ''}"


def _listener(status: ListenerStatus, generation: int) -> dict[str, Any]:
    kinds = [entry.kind for entry in status.supported_kinds]
    shown = {"routes": status.attached_routes} | ({} if kinds == DEFAULT_KINDS else {"kinds": kinds})
    return shown | _conditions("Listener", status.conditions, generation)


def route(status: RouteStatus | None, generation: int) -> Any:
    """By parent: `infra/public`, with `#section` and `:port` where the reference names them."""
    if status is None:
        return None
    shown = {}
    for parent in status.parents:
        reference = parent.parent_ref
        name = f"{reference.namespace}/{reference.name}" if reference.namespace else reference.name
        name += f"#{reference.section_name}" if reference.section_name else ""
        name += f":{reference.port}" if reference.port else ""
        assert name not in shown, "one entry for each parentRef"
        shown[name] = _conditions("Route", parent.conditions, generation)
    return shown


def policy(kind: str, status: PolicyStatus, generation: int) -> Any:
    """By Gateway that it has to do with."""
    shown = {}
    for ancestor in status.ancestors:
        reference = ancestor.ancestor_ref
        assert (reference.group, reference.kind) == ("gateway.networking.k8s.io", "Gateway")
        assert ancestor.controller_name == "xds-server.dev/gateway-controller"
        shown[f"{reference.namespace}/{reference.name}"] = _conditions(kind, ancestor.conditions, generation)
    return shown


def _conditions(what: str, conditions: Iterable[Condition], generation: int) -> dict[str, Any]:
    by_type = {}
    for condition in conditions:
        assert condition.type not in by_type, "one condition of each type"
        assert condition.observed_generation == generation
        assert condition.message
        by_type[condition.type] = condition
    _check_ready(by_type.pop("Ready", None), by_type.get("Programmed"))
    said: list[str] = []
    return {type_: _short(what, condition, said) for type_, condition in by_type.items()}


def _check_ready(ready: Condition | None, programmed: Condition | None) -> None:
    if programmed is None:
        assert ready is None
        return
    assert ready is not None
    assert (ready.status, ready.message) == (programmed.status, programmed.message)
    assert ready.reason == READY_REASONS.get(programmed.reason, programmed.reason)


def _short(what: str, condition: Condition, said: list[str]) -> Any:
    assert condition.reason in REASONS[what, condition.type, condition.status], condition
    if condition.type == "PartiallyInvalid":
        assert condition.message.startswith(("Dropped Rule", "Fall Back"))
    if condition.status == "True" and condition.reason == condition.type:
        return True if condition.message in PLAIN else f"True: {condition.message}"
    text = f"{condition.status}/{condition.reason}"
    if condition.message in said:
        return text
    said.append(condition.message)
    return f"{text}: {condition.message}"
