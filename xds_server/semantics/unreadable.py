"""The status of an object that cannot be read: its kind's schema is other than the one that is known here.

In: the object as it is, what is wrong with it, and the status of what was read of it last, if anything was. Out: that
status with Accepted=False and the field named, in all of our entries.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.meta import Key
from xds_server.semantics import conditions
from xds_server.semantics.status_merge import Json, Layout

_REASONS = {"GatewayClass": "Unsupported", "Gateway": "Invalid", "ListenerSet": "Invalid"}


def unreadable(layout: Layout, found: Json, problem: str, known: Json | None, ours: "Ours") -> Json | None:
    """What to say of `found`; None where it is nobody's of ours, as far as can be seen."""
    generation = (found.get("metadata") or {}).get("generation") or 0
    kept = " What was read of it last is served on." if known is not None else ""
    reason = _REASONS.get(found.get("kind", ""), "UnsupportedValue" if layout.entries == "parents" else "Invalid")
    accepted = conditions.observed([conditions.not_accepted(reason, f"{problem}.{kept}")], generation)
    told: list[Any] = msgspec.json.decode(msgspec.json.encode(accepted))
    if not layout.shared:
        if known is None:
            return {"conditions": told} if ours.has(found) else None
        return {**known, "conditions": _instead(known["conditions"], told)}
    if known is not None:
        entries = [{**one, "conditions": _instead(one["conditions"], told)} for one in known[layout.entries]]
    else:
        entries = [
            {layout.reference: one, "controllerName": ours.controller_name, "conditions": told}
            for one in ours.parents(found)
        ]
    return {layout.entries: entries} if entries else None


def _instead(found: list[Any], told: list[Any]) -> list[Any]:
    types = {one["type"] for one in told}
    return [*told, *(one for one in found if one["type"] not in types)]


class Ours:
    """Which objects are ours, seen without reading them: by what they name."""

    def __init__(self, controller_name: str, classes: Collection[Key], gateways: Collection[Key]) -> None:
        self.controller_name = controller_name
        self._classes = classes
        self._gateways = gateways

    def has(self, found: Json) -> bool:
        """Is this a GatewayClass, Gateway or ListenerSet of ours?"""
        spec = _mapping(found.get("spec"))
        match found.get("kind"):
            case "GatewayClass":
                return spec.get("controllerName") == self.controller_name
            case "Gateway":
                return Key("", str(spec.get("gatewayClassName"))) in self._classes
            case _:
                return self._is_ours(found, _mapping(spec.get("parentRef")))

    def parents(self, found: Json) -> list[Json]:
        """The parentRefs of a route that name Gateways of ours."""
        given = _mapping(found.get("spec")).get("parentRefs")
        return [one for one in (given if isinstance(given, list) else ()) if self._is_ours(found, _mapping(one))]

    def _is_ours(self, found: Json, reference: Mapping[str, Any]) -> bool:
        group, kind = reference.get("group", GATEWAY_GROUP), reference.get("kind", "Gateway")
        namespace = reference.get("namespace") or found["metadata"].get("namespace", "")
        return (group, kind) == (GATEWAY_GROUP, "Gateway") and Key(namespace, str(reference.get("name"))) in (
            self._gateways
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
