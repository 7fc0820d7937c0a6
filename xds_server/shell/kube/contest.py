"""What somebody else writes, too: a brake for both, and who it is.

Having to write the same again means that another wrote over it. The other is left alone ever longer, up to a minute,
and a person is told; a while of peace ends it.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Generic, TypeVar

import msgspec

from xds_server.model.wording import some
from xds_server.shell.kube.provisioned import Json, applied

K = TypeVar("K", bound=Hashable)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_DOUBLINGS: Final = 10
"""More than it takes from the first pause to the longest."""
_TOLD: Final = 3
"""How often in a row the same has to be written again until a person is told."""
_PEACE_SECONDS: Final = 1200.0
"""How long nothing has to be written again until a contest is over: tools come every three to ten minutes."""
_AGAIN_SECONDS: Final = 3000.0
"""How often a contest that goes on is told: Events are forgotten after an hour."""
_SHOWN: Final = 3
_NOTHING: Final = object()


@dataclass(slots=True)
class _Wrote:
    """What was written last, and how often it had to be written again."""

    wanted: Hashable
    at: float
    times: int = 0
    told: float = float("-inf")


class Contests(Generic[K]):
    """By id, what was written there."""

    def __init__(self) -> None:
        self._wrote: dict[K, _Wrote] = {}

    def __len__(self) -> int:
        """How many are contended now."""
        now = monotonic()
        return sum(one.times >= _TOLD and now - one.at < _PEACE_SECONDS for one in self._wrote.values())

    def pause(self, id_: K, wanted: Hashable) -> float:
        """How long to leave the other one alone before this is written once more; 0 or less for no longer."""
        before = self._before(id_, wanted)
        if before is None:
            return 0.0
        doublings = min(before.times, _DOUBLINGS)  # those of a day would be no float any more
        pause: float = min(_FIRST_PAUSE * 2**doublings, _LONGEST_PAUSE)
        return before.at + pause - monotonic()

    def is_news(self, id_: K, wanted: Hashable) -> bool:
        """Is a person to be told, once this has to be written once more?"""
        before = self._before(id_, wanted)
        return before is not None and before.times + 1 >= _TOLD and monotonic() - before.told > _AGAIN_SECONDS

    def wrote(self, id_: K, wanted: Hashable) -> bool:
        """It was written. True when a person is to be told: see `is_news`."""
        before, news = self._before(id_, wanted), self.is_news(id_, wanted)
        now = monotonic()
        if before is None:
            self._wrote[id_] = _Wrote(wanted, now)
        else:
            self._wrote[id_] = _Wrote(wanted, now, before.times + 1, now if news else before.told)
        return news

    def forget(self, id_: K) -> None:
        """It is gone."""
        self._wrote.pop(id_, None)

    def clear(self) -> None:
        """Forgets all of them."""
        self._wrote.clear()

    def _before(self, id_: K, wanted: Hashable) -> _Wrote | None:
        before = self._wrote.get(id_)
        return before if before and before.wanted == wanted and monotonic() - before.at < _PEACE_SECONDS else None


def told_contenders(live: Json | None, wanted: Json, manager: str) -> str:
    """Who takes what from us, in words, by the API server's own record; `live` is None where it is gone."""
    if live is None:
        return "somebody deletes it"
    found = [f"{name} writes {some(fields, _SHOWN)}" for name, fields in contenders(live, wanted, manager).items()]
    return "; ".join(found) or "somebody changes it whom metadata.managedFields does not name"


def contenders(live: Json, wanted: Json, manager: str) -> dict[str, list[str]]:
    """Field managers that have fields of what is wanted that `manager` applied and has no longer, each with these.

    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management; fieldsV1 is a tree whose
    steps are f:NAME, k:KEYS of a list's element as JSON, v:VALUE of a set's, and "." for the place itself.
    """
    ours = applied(live, manager) or {}
    found: dict[str, list[str]] = {}
    for entry in live["metadata"].get("managedFields") or ():
        name = entry.get("manager") or "unknown"
        if entry.get("subresource") or (name, entry.get("operation")) == (manager, "Apply"):
            continue
        if lost := list(_lost(entry.get("fieldsV1") or {}, ours, wanted, "")):
            found.setdefault(name, []).extend(lost)
    return found


def _lost(theirs: Json, ours: Json, wanted: Any, at: str) -> Iterator[str]:
    for step, below in theirs.items():
        name, value = _step(step, wanted)
        if value is _NOTHING:
            continue
        place = f"{at}{name}" if name.startswith("[") else f"{at}.{name}".lstrip(".")
        if below:
            yield from _lost(below, ours.get(step) or {}, value, place)
        elif step not in ours:
            yield place


def _step(step: str, value: Any) -> tuple[str, Any]:
    """A step in words, and what is wanted there."""
    kind, _, rest = step.partition(":")
    if kind == "f" and isinstance(value, Mapping):
        return rest, value.get(rest, _NOTHING)
    if kind == "k" and isinstance(value, list):
        keys = msgspec.json.decode(rest)
        maps = (one for one in value if isinstance(one, Mapping))
        alike = (one for one in maps if all(one.get(name, key) == key for name, key in keys.items()))
        return f"[{','.join(map(str, keys.values()))}]", next(alike, _NOTHING)
    if kind == "v" and isinstance(value, list):
        one = msgspec.json.decode(rest)
        return f"[{one}]", one if one in value else _NOTHING
    return "", _NOTHING
