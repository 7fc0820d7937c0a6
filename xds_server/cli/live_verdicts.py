"""What statuses in a cluster say beyond what follows from the objects: what Envoys rejected, addresses that were not
to be had, names that were taken, and that nobody has said anything yet.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from xds_server.app.offline import Offline
from xds_server.cli.verdicts import Row
from xds_server.flow.table import Table
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.semantics.conditions import is_bad, waiting, waits
from xds_server.semantics.status_merge import LAYOUTS
from xds_server.shell.kube.live import Live, LiveObjects

Json = Mapping[str, Any]
PATIENCE = timedelta(seconds=60)
"""How long something may be waited for before it is told."""


def rows(world: Offline, live: LiveObjects, told: Iterable[Row], now: datetime) -> Iterator[Row]:
    """The bad conditions of the statuses that we are to write which are not among those told already."""
    statuses = world.pipeline.statuses
    whole: Mapping[str, Table[Key, Any]] = {
        "GatewayClass": statuses.classes,
        "Gateway": statuses.gateways,
        "ListenerSet": statuses.listener_sets,
    }
    known = {(row.ref, _part(row.part), row.condition) for row in told if not row.good}
    for (kind, key), found in sorted(live.items(), key=lambda item: item[0]):
        if kind in whole and whole[kind].get(key) is None:
            continue
        for row, since in of_object(kind, key, found, world.pipeline.tables.world.controller_name):
            lasts = not waiting(row.status, row.reason) or _is_old(since, now)
            repeats = row.condition == "Ready" or (row.ref, row.part, row.condition) in known
            if not row.good and lasts and not repeats:
                yield row


def of_object(kind: str, key: Key, found: Live, controller_name: str) -> Iterator[tuple[Row, str]]:
    """Every condition of ours that is of the object as it is now, and when it turned."""
    layout = LAYOUTS.get(kind)
    if layout is None:
        return
    ref = ObjectRef(kind, *key)
    status: Json = msgspec.json.decode(found.status)
    yield from _conditions(ref, "", status, found, layout.conditions)
    for listener in status.get("listeners") or ():
        yield from _conditions(ref, f"listener {listener.get('name')}", listener, found, layout.listeners)
    for entry in status.get(layout.entries) or () if layout.entries else ():
        if entry.get("controllerName") == controller_name:
            part = part_of(entry.get(layout.reference) or {}, layout.reference, key)
            yield from _conditions(ref, part, entry, found, layout.entry_conditions)


def part_of(reference: Json, name: str, key: Key) -> str:
    """What verdicts call the part of a status that is about a parent or an ancestor."""
    word = name.removesuffix("Ref")
    return f"{word} {reference.get('namespace') or key.namespace}/{reference.get('name')}"


def _conditions(ref: ObjectRef, part: str, of: Json, found: Live, types: Iterable[str]) -> Iterator[tuple[Row, str]]:
    for one in of.get("conditions") or ():
        current = one.get("observedGeneration", found.generation) >= found.generation
        if current and one.get("type") in types:
            type_, status, reason, message = (one.get(name, "") for name in ("type", "status", "reason", "message"))
            condition = Condition(type_, status, reason, message)
            good = not is_bad(condition) and not waits(condition)
            yield Row(ref, part, "", type_, status, reason, message, good), one.get("lastTransitionTime", "")


def _part(text: str) -> str:
    """Without the number of a listener's routes."""
    return text.partition(" (")[0]


def _is_old(since: str, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(since) > PATIENCE
    except (TypeError, ValueError):
        return True
