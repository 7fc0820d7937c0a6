"""Which fields differ in two messages, both as the JSON of `decode`.

In: two JSON values. Out: paths of fields, in the .proto's names, with the keys of maps and the names or places of items
in brackets. What the fields hold is not told.
"""

import re
from enum import StrEnum
from typing import Any


class Change(StrEnum):
    """What happens to something. `renamed` does the same under another name."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    RENAMED = "renamed"


def change_of(old: object, new: object) -> Change:
    """From what there was before and what there is then, None for nothing."""
    return Change.ADDED if old is None else Change.REMOVED if new is None else Change.CHANGED


def changed_fields(old: Any, new: Any, path: str = "") -> list[str]:
    """The paths, in the .proto's names, of what differs in two messages as JSON; those of whole lists where their
    items are not each other's.
    """
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict) and old.get("@type") == new.get("@type"):
        pairs = ((_below(path, key), old.get(key), new.get(key)) for key in {**old, **new})
    elif isinstance(old, list) and isinstance(new, list) and (matched := _matched(old, new)) is not None:
        pairs = ((f"{path}[{name}]", one, other) for name, one, other in matched)
    else:
        return [path]
    return [found for below, one, other in pairs for found in changed_fields(one, other, below)]


def _below(path: str, key: str) -> str:
    if not key.isidentifier():
        return f"{path}[{key}]"
    name = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()
    return f"{path}.{name}" if path else name


def _matched(old: list[Any], new: list[Any]) -> list[tuple[str, Any, Any]] | None:
    """Items that belong together: those of a name where all have one, else those of a place."""
    named, named_now = _named(old), _named(new)
    if named is not None and named_now is not None:
        stay, stay_now = [name for name in named if name in named_now], [name for name in named_now if name in named]
        if stay != stay_now:
            return None
        return [(name, named.get(name), named_now.get(name)) for name in {**named, **named_now}]
    if len(old) != len(new):
        return None
    return [(str(index), one, other) for index, (one, other) in enumerate(zip(old, new, strict=True))]


def _named(items: list[Any]) -> dict[str, Any] | None:
    found = {item["name"]: item for item in items if isinstance(item, dict) and isinstance(item.get("name"), str)}
    return found if len(found) == len(items) else None
