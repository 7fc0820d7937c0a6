"""What to write of an object's status: ours put into what the API server has, all else as it is.

In: a status as the API server has it and the one that we want, both as JSON values, and the time. Out: the status to
write, or none where nothing differs. Conditions are ours by type, listeners by name, entries of lists by controller.

Source: Gateway API, the comments of `Gateway.status`, `RouteStatus` and `PolicyStatus`, and of the limits in their
CRDs; Kubernetes' `metav1.Condition`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from xds_server.model.kinds import GATEWAY_GROUP, ROUTE_KINDS
from xds_server.semantics.conditions import waiting

Json = Mapping[str, Any]

MOST_CONDITIONS: Final = 8
MOST_MESSAGE: Final = 32768
_CUT: Final = " …"
_ON_PROGRESS: Final = ("Programmed", "Ready")
_UNKNOWN: Final = "Unknown"
"""What only a status that is given up says."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What of a kind's status is ours. Types of conditions are in order of their worth: where there is no room, the
    last go first.
    """

    conditions: tuple[str, ...] = ()
    """Of the object itself."""
    listeners: tuple[str, ...] = ()
    """Of its listeners, if it has any."""
    fields: Mapping[str, int] = field(default_factory=dict)
    """Lists and numbers that are ours as a whole; the most entries that the API allows."""
    entries: str = ""
    """The list with an entry for each parent and controller, and the name of the parent in it."""
    reference: str = ""
    most: int = 0
    entry_conditions: tuple[str, ...] = ()

    @property
    def shared(self) -> bool:
        """Has every controller its own entries? Otherwise the whole object is one controller's."""
        return bool(self.entries)


_LISTENER: Final = ("Accepted", "ResolvedRefs", "Programmed", "Conflicted", "OverlappingTLSConfig", "Ready")
_ROUTE: Final = Layout(
    entries="parents",
    reference="parentRef",
    most=32,
    entry_conditions=("Accepted", "ResolvedRefs", "PartiallyInvalid"),
)
_POLICY: Final = Layout(
    entries="ancestors", reference="ancestorRef", most=16, entry_conditions=("Accepted", "ResolvedRefs")
)
LAYOUTS: Final[Mapping[str, Layout]] = {
    "GatewayClass": Layout(conditions=("Accepted", "SupportedVersion"), fields={"supportedFeatures": 64}),
    "Gateway": Layout(
        conditions=(
            "Accepted",
            "Programmed",
            "ResolvedRefs",
            "AddressesAssigned",
            "InsecureFrontendValidationMode",
            "DefaultGateway",
            "Ready",
        ),
        listeners=_LISTENER,
        fields={"addresses": 16, "attachedListenerSets": 0},
    ),
    "ListenerSet": Layout(conditions=("Accepted", "Programmed", "Ready"), listeners=_LISTENER),
    **dict.fromkeys(ROUTE_KINDS, _ROUTE),
    "BackendTLSPolicy": _POLICY,
    "XBackend": Layout(
        entries="ancestors", reference="ancestorRef", most=32, entry_conditions=("Accepted", "ResolvedRefs")
    ),
    "XBackendTrafficPolicy": _POLICY,
    "XTelemetryPolicy": _POLICY,
}
"""By kind."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who writes, of an object in which namespace, and when (RFC 3339, seconds, UTC)."""

    controller_name: str
    namespace: str
    now: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What to write, None where nothing differs; and what the API's limits left no room for."""

    status: Json | None
    left_out: tuple[str, ...] = ()


def merged(layout: Layout, live: Json, desired: Json | None, told: Told) -> Merged:
    """What to write over `live` so that it says what is `desired`. Without a desired status, entries of ours go, and
    conditions stay as they are: whose they are is nothing that an object says (see `released`).

    Nothing is written over what was said of a later generation. What waits for Envoys takes back no Programmed=True of
    the same generation: it was true, and a server that has just started does not know better.
    """
    if (desired is None and not layout.shared) or _is_newer(layout, live, desired, told):
        return Merged(None)
    wanted = desired or {}
    status = dict(live)
    left_out: list[str] = []
    if layout.conditions:
        found = live.get("conditions") or []
        status["conditions"] = _conditions(found, wanted.get("conditions") or [], layout.conditions, told.now, left_out)
    if layout.listeners:
        status["listeners"] = _listeners(layout, live, wanted, told.now, left_out)
    for name, most in layout.fields.items():
        _replace(status, name, wanted.get(name), most, left_out)
    if layout.entries:
        entries = _entries(layout, live, wanted, told, left_out)
        if entries or layout.entries in live:
            status[layout.entries] = entries
    return Merged(None if status == live else status, tuple(left_out))


def released(layout: Layout, live: Json, generation: int, told: Told) -> Merged:
    """What to write over the status of an object that was ours and is nobody's now: as if no controller had seen it,
    but for what others said.
    """
    waiting_ = {"status": _UNKNOWN, "reason": "Pending", "message": "Waiting for controller"}
    types = [one for one in ("Accepted", "Programmed") if one in layout.conditions]
    listeners = [
        {"name": one.get("name"), "supportedKinds": [], "attachedRoutes": 0, "conditions": []}
        for one in live.get("listeners") or []
        if any(condition.get("type") not in layout.listeners for condition in one.get("conditions") or [])
    ]
    desired = {
        "conditions": [{"type": one, **waiting_, "observedGeneration": generation} for one in types],
        "listeners": listeners,
    }
    return merged(layout, live, desired, told)


def manager(controller_name: str) -> str:
    """The field manager that writes statuses: ours alone, whatever installations are called; as long as one may be."""
    return controller_name[:128]


def is_written_by(managed_fields: Iterable[Json], name: str) -> bool:
    """Do an object's metadata.managedFields say that this manager wrote its Accepted condition as it is now?"""
    for entry in managed_fields:
        if entry.get("manager") == name and entry.get("subresource") == "status":
            conditions = ((entry.get("fieldsV1") or {}).get("f:status") or {}).get("f:conditions") or {}
            if 'k:{"type":"Accepted"}' in conditions:
                return True
    return False


def _is_newer(layout: Layout, live: Json, desired: Json | None, told: Told) -> bool:
    """Was any of our conditions there made from a later generation than those that are wanted?"""
    now = max(_generations(desired or {}, layout, None), default=None)
    return now is not None and any(then > now for then in _generations(live, layout, told.controller_name))


def _generations(status: Json, layout: Layout, controller: str | None) -> list[int]:
    parts: list[tuple[Json, Sequence[str]]] = [(status, layout.conditions)]
    parts += [(one, layout.listeners) for one in status.get("listeners") or []] if layout.listeners else []
    if layout.entries:
        entries = status.get(layout.entries) or []
        parts += [(one, layout.entry_conditions) for one in entries if controller in (None, one.get("controllerName"))]
    return [
        condition.get("observedGeneration") or 0
        for part, own in parts
        for condition in part.get("conditions") or []
        if condition.get("type") in own
    ]


def _conditions(
    live: Sequence[Json], desired: Sequence[Json], own: Sequence[str], now: str, left_out: list[str]
) -> list[Json]:
    foreign = sum(one.get("type") not in own for one in live)
    kept, dropped = _fitting(desired, own, MOST_CONDITIONS - foreign)
    wanted = {one["type"]: one for one in kept}
    if dropped:
        left_out.append(f"conditions, of which the API allows {MOST_CONDITIONS}: {', '.join(dropped)}")
    found: list[Json] = []
    for one in live:
        type_ = one.get("type")
        if type_ in wanted:
            found.append(_stamped(wanted.pop(type_), one, now))
        elif type_ not in own:
            found.append(one)
    return found + [_stamped(one, {}, now) for one in wanted.values()]


def _fitting(desired: Sequence[Json], own: Sequence[str], room: int) -> tuple[list[Json], list[str]]:
    """The most worthy ones, in the order in which they came, and the types of the others."""
    by_worth = sorted((one["type"] for one in desired), key=lambda type_: own.index(type_) if type_ in own else -1)
    dropped = by_worth[max(room, 0) :]
    return [one for one in desired if one["type"] not in dropped], dropped


def _stamped(wanted: Json, live: Json, now: str) -> Json:
    """A condition with the time since when it has its status."""
    released_ = wanted["status"] == _UNKNOWN
    waits = wanted["type"] in _ON_PROGRESS and waiting(wanted["status"], wanted["reason"]) and not released_
    same_generation = wanted.get("observedGeneration", 0) == live.get("observedGeneration", 0)
    if waits and same_generation and live.get("status") == "True":
        return live
    since = live.get("lastTransitionTime") if live.get("status") == wanted["status"] else None
    message = wanted.get("message", "")
    if len(message.encode()) > MOST_MESSAGE:
        message = message.encode()[: MOST_MESSAGE - len(_CUT.encode())].decode(errors="ignore") + _CUT
    return {**wanted, "message": message, "lastTransitionTime": since or now}


def _listeners(layout: Layout, live: Json, desired: Json, now: str, left_out: list[str]) -> list[Json]:
    """In the order of the spec; an entry keeps the conditions, and the fields, that are not ours."""
    known = {one.get("name"): one for one in live.get("listeners") or []}
    found: list[Json] = []
    for one in desired.get("listeners") or []:
        before = known.get(one["name"]) or {}
        conditions = _conditions(before.get("conditions") or [], one["conditions"], layout.listeners, now, left_out)
        found.append({**before, **one, "conditions": conditions})
    return found


def _replace(status: dict[str, Any], name: str, value: Any, most: int, left_out: list[str]) -> None:
    if value is None:
        status.pop(name, None)
        return
    if most and len(value) > most:
        left_out.append(f"{name}, of which the API allows {most}: {len(value) - most}")
        value = value[:most]
    status[name] = value


def _entries(layout: Layout, live: Json, desired: Json, told: Told, left_out: list[str]) -> list[Json]:
    """Others' entries are where they were; ours keep their places, new ones follow."""
    wanted = {_identity(one[layout.reference], told.namespace): one for one in desired.get(layout.entries) or []}
    before: Sequence[Json] = live.get(layout.entries) or []
    room = max(layout.most - sum(one.get("controllerName") != told.controller_name for one in before), 0)
    if len(wanted) > room:
        left_out.append(f"{layout.entries}, of which the API allows {layout.most}: {len(wanted) - room}")
        wanted = dict(list(wanted.items())[:room])
    found: list[Json] = []
    for one in before:
        if one.get("controllerName") != told.controller_name:
            found.append(one)
        elif (entry := wanted.pop(_identity(one.get(layout.reference) or {}, told.namespace), None)) is not None:
            found.append(_entry(layout, one, entry, told.now, left_out))
    return found + [_entry(layout, {}, entry, told.now, left_out) for entry in wanted.values()]


def _entry(layout: Layout, live: Json, wanted: Json, now: str, left_out: list[str]) -> Json:
    conditions = _conditions(live.get("conditions") or [], wanted["conditions"], layout.entry_conditions, now, left_out)
    reference = {"group": GATEWAY_GROUP, "kind": "Gateway", **wanted[layout.reference]}
    return {**live, **wanted, layout.reference: reference, "conditions": conditions}


def _identity(reference: Json, namespace: str) -> tuple[Any, ...]:
    return (
        reference.get("group", GATEWAY_GROUP),
        reference.get("kind", "Gateway"),
        reference.get("namespace") or namespace,
        reference.get("name"),
        reference.get("sectionName"),
        reference.get("port"),
    )
