"""Which matches leave nothing for those tried after them.

A match covers another when every request that the other takes is one that it takes too. What is found is certain; what
would need to know what regular expressions mean is not looked for, but for those that are a literal and then anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from xds_server.routing.match import Match, PathKind, ValueMatch

T = TypeVar("T")
Condition = tuple[str, ValueMatch | str]
"""What a match asks besides its path."""
Place = tuple[str, str]
"""Where a match is kept: `exact`, `prefix`, `regex`, or `open` for a literal that anything may follow, and its text."""
_OPEN = re.compile(r"\^?([A-Za-z0-9/_~%-]*)\.\*\$?")
_NO_CONDITION: Condition = ("", "")
_GRPC: Condition = ("grpc", "")


@dataclass(slots=True)
class Coverage(Generic[T]):
    """Matches in the order in which they are tried, each with a value of the caller's.

    They are found by path, then by the rarest of the conditions of a match, so that thousands of matches that differ
    in a path or in a header cost no more than each alone.
    """

    _by_place: dict[Place, dict[Condition, list[tuple[frozenset[Condition], T]]]] = field(default_factory=dict)

    def covering(self, match: Match) -> T | None:
        """The value of an earlier match that takes every request of this one."""
        asked = _conditions(match)
        for place in _wider(_place(match)):
            rows = self._by_place.get(place)
            if rows is None:
                continue
            for condition in (_NO_CONDITION, *asked):
                for conditions, value in rows.get(condition, ()):
                    if conditions <= asked:
                        return value
        return None

    def add(self, match: Match, value: T) -> None:
        """Adds a match that is tried after all others. One that is covered need not be added: it covers no more."""
        conditions = _conditions(match)
        rows = self._by_place.setdefault(_place(match), {})
        rarest = min(conditions, key=lambda one: len(rows.get(one, ())), default=_NO_CONDITION)
        rows.setdefault(rarest, []).append((conditions, value))


def _conditions(match: Match) -> frozenset[Condition]:
    found: list[Condition] = [("header", one) for one in match.headers]
    found += [("query", one) for one in match.query]
    if match.method is not None:
        found.append(("method", match.method))
    if match.rpc is not None:
        found.append(_GRPC)
    return frozenset(found)


def _place(match: Match) -> Place:
    kind, value = match.path.kind, match.path.value
    if kind is PathKind.REGEX and (found := _OPEN.fullmatch(value)):
        return "open", found[1]
    return kind.name.lower(), value


def _wider(place: Place) -> Iterator[Place]:
    """Where all is kept that takes every path of this place: prefixes by whole elements, literals letter by letter."""
    kind, value = place
    yield place
    if kind == "exact":
        yield "prefix", value
    if kind in ("exact", "prefix"):
        yield "prefix", "/"
        for index, character in enumerate(value):
            if character == "/" and index:
                yield "prefix", value[:index]
    if kind != "regex":
        for length in range(len(value) + 1):
            yield "open", value[:length]
