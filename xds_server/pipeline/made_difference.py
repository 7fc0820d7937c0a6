"""What two translations differ in of the objects that are made for Gateways in a cluster.

In: rows of `desired` of two settled pipelines. Out: plain values for people and programs: paths of fields as Kubernetes
spells them, never what a field holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from xds_server.infra.desired import Desired
from xds_server.model.meta import Key
from xds_server.wire.changed import Change, change_of

_DEPLOYMENT: Final = "Deployment"
_TEMPLATE: Final = "spec.template"


@dataclass(frozen=True, slots=True)
class MadeChange:
    """An object that is made for a Gateway. `replaces`: the pods of its Envoys are replaced, or end."""

    kind: str
    name: str
    change: Change
    fields: tuple[str, ...] = ()
    replaces: bool = False


def made_changes(old: Mapping[Key, Desired], new: Mapping[Key, Desired]) -> dict[Key, tuple[MadeChange, ...]]:
    """By Gateway that is there before and after, where what is made for it is known both times."""
    found = {}
    for key, row in new.items():
        before = old.get(key)
        if before is not None and before.objects is not None and row.objects is not None:
            changes = tuple(_changes(_by_id(before.objects), _by_id(row.objects)))
            if changes:
                found[key] = changes
    return found


def _by_id(objects: tuple[Mapping[str, Any], ...]) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def _changes(
    old: Mapping[tuple[str, str], Mapping[str, Any]], new: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[MadeChange]:
    for kind, name in {**old, **new}:
        before, after = old.get((kind, name)), new.get((kind, name))
        fields = tuple(_fields(before, after)) if before and after else ()
        if before and after and not fields:
            continue
        replaces = kind == _DEPLOYMENT and (after is None or any(one.startswith(_TEMPLATE) for one in fields))
        yield MadeChange(kind, name, change_of(before, after), fields, replaces)


def _fields(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths of what differs; of a whole list where its items have other names than before."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            plain = f"{path}.{key}" if path else key
            yield from _fields(old.get(key), new.get(key), plain if key.isidentifier() else f"{path}[{key}]")
        return
    before, after = _named(old), _named(new)
    if before is not None and after is not None and list(before) == list(after):
        for name, one in before.items():
            yield from _fields(one, after[name], f"{path}[{name}]")
        return
    yield path


def _named(items: Any) -> dict[str, Any] | None:
    """The items of a list by their names, where each has one."""
    if not isinstance(items, list) or not all(isinstance(one, dict) and "name" in one for one in items):
        return None
    return {one["name"]: one for one in items}
