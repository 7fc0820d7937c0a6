"""What two RouteConfigurations differ in: virtual hosts, and in them routes by the rules that made them.

In: their parts, as `resources` makes them. Out: plain values; of fields their paths, not what they hold.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xds_server.envoy.virtual_host import FILTERS_PREFIX, HEADER_PREFIX, MISDIRECTED
from xds_server.routing.hostname import ancestors
from xds_server.wire.changed import Change, change_of, changed_fields
from xds_server.wire.decode import to_json
from xds_server.wire.part import Part, leaves

_VIRTUAL_HOST = "type.googleapis.com/envoy.config.route.v3.VirtualHost"
_SETTINGS = (HEADER_PREFIX, FILTERS_PREFIX)
"""Leaves of what a virtual host has besides routes."""
_WORDS = 5
"""How many words the id of a rule's leaf has: kind, namespace, name, rule, match."""


@dataclass(frozen=True, slots=True)
class RouteChange:
    """One match of one rule. `rule` and `match` count from 0, None where the leaf is not that of a rule."""

    change: Change
    leaf: str
    object: str = ""
    """Kind, namespace/name of the route."""
    rule: int | None = None
    match: int | None = None
    fields: tuple[str, ...] = ()
    was: str = ""
    """The leaf's id before, where it was another; a renamed one's is its own where only the rule has a new name."""


@dataclass(frozen=True, slots=True)
class HostChange:
    """A virtual host. The routes of one that is added or removed are compared with those of `instead`."""

    host: str
    change: Change
    instead: str = ""
    """The wider virtual host that had the host's requests before, or gets them from now on; empty where none does."""
    reordered: bool = False
    """Are routes that stay tried in another order?"""
    fields: tuple[str, ...] = ()
    routes: tuple[RouteChange, ...] = ()


def host_changes(old: Part | None, new: Part | None) -> Iterator[HostChange]:
    """Every virtual host with a difference, sorted; None for a RouteConfiguration that is not there."""
    before = {part.id: part for part in old.parts} if old else {}
    after = {part.id: part for part in new.parts} if new else {}
    for host in sorted({*before, *after}):
        one, other = before.get(host), after.get(host)
        if one is not None and other is not None and one.data == other.data:
            continue
        wider, wider_now = (
            _wider(host, side) if own is None else None for side, own in ((before, one), (after, other))
        )
        was, now = _routes_of(one or wider), _routes_of(other or wider_now)
        stay = [id_ for id_ in was if id_ in now]
        yield HostChange(
            host,
            change_of(one, other),
            instead=found.id if (found := wider or wider_now) else "",
            reordered=stay != [id_ for id_ in now if id_ in was],
            fields=_settings(one, other),
            routes=tuple(_routes(was, now)),
        )


def _wider(host: str, hosts: Mapping[str, Part]) -> Part | None:
    """The virtual host that has the requests of a host without one."""
    if host == MISDIRECTED:
        return None
    return next((hosts[pattern] for pattern in ancestors(host) if pattern in hosts), None)


def _routes_of(host: Part | None) -> dict[str, Part]:
    """The leaves of rules by id, in order; of one that comes again, with a wider host's, the first is tried."""
    found: dict[str, Part] = {}
    for leaf in leaves(host) if host else ():
        if not leaf.id.startswith(_SETTINGS):
            found.setdefault(leaf.id, leaf)
    return found


def _settings(old: Part | None, new: Part | None) -> tuple[str, ...]:
    """The fields that differ in what a virtual host has besides routes."""
    if old is None or new is None:
        return ()
    tops = ([leaf for leaf in leaves(side) if leaf.id.startswith(_SETTINGS)] for side in (old, new))
    one, other = (to_json(_VIRTUAL_HOST, b"".join(leaf.data for leaf in top)) for top in tops)
    return tuple(changed_fields(one, other))


def _routes(old: Mapping[str, Part], new: Mapping[str, Part]) -> Iterator[RouteChange]:
    """Leaves that differ. Rules have numbers, so one that is put before others renames those: what belongs together is
    told by what routes do, then by what they match, and only then by number.
    """
    gone = {id_: part for id_, part in old.items() if id_ not in new or new[id_].data != part.data}
    come = {id_: part for id_, part in new.items() if id_ not in old or old[id_].data != part.data}
    same = _paired(gone, come, lambda leaf: repr(_entries(leaf)))
    alike = _paired(gone, come, lambda leaf: repr([route.get("match") for route in _entries(leaf)]), same)
    edited = alike | _paired(gone, come, lambda leaf: leaf.id, same | alike)
    for id_, part in come.items():
        if id_ in same:
            yield _route(Change.RENAMED, id_, was=same[id_])
        elif id_ in edited:
            was = edited[id_]
            yield _route(Change.CHANGED, id_, _route_fields(gone[was], part), was if was != id_ else "")
        else:
            yield _route(Change.ADDED, id_)
    stay = {*same.values(), *edited.values()}
    for id_ in gone:
        if id_ not in stay:
            yield _route(Change.REMOVED, id_)


def _paired(
    gone: Mapping[str, Part], come: Mapping[str, Part], key: Callable[[Part], str], known: Mapping[str, str] = {}
) -> dict[str, str]:
    """New ids, each with the old id that has its key and is of its object; those of `known` are taken."""
    taken = set(known.values())
    found: dict[tuple[str, str], list[str]] = {}
    for id_, part in gone.items():
        if id_ not in taken:
            found.setdefault((_object(id_), key(part)), []).append(id_)
    pairs = {}
    for id_, part in come.items():
        if id_ not in known and (ids := found.get((_object(id_), key(part)))):
            pairs[id_] = ids.pop(ids.index(id_) if id_ in ids else 0)
    return pairs


def _entries(part: Part) -> list[dict[str, Any]]:
    """The Envoy routes of a leaf, without their names, which say its number."""
    found: list[Any] = to_json(_VIRTUAL_HOST, part.data).get("routes", [])  # type: ignore[assignment]
    return [{name: value for name, value in route.items() if name != "name"} for route in found]


def _route_fields(old: Part, new: Part) -> tuple[str, ...]:
    before, after = _entries(old), _entries(new)
    if len(before) == len(after) == 1:
        return tuple(changed_fields(before[0], after[0]))
    return tuple(changed_fields(before, after, "routes"))


def _route(change: Change, leaf: str, fields: tuple[str, ...] = (), was: str = "") -> RouteChange:
    rule, match = _place(leaf)
    return RouteChange(change, leaf, _object(leaf), rule, match, fields, was)


def _object(leaf: str) -> str:
    """Kind and namespace/name of the route that a leaf is of, by its id; empty for a leaf of something else."""
    words = leaf.partition("@")[0].split("/")
    return f"{words[0]} {words[1]}/{words[2]}" if len(words) == _WORDS else ""


def _place(leaf: str) -> tuple[int | None, int | None]:
    words = leaf.partition("@")[0].split("/")
    rule, match = words[3:] if len(words) == _WORDS else ("", "")
    return int(rule) if rule.isdigit() else None, int(match) if match.isdigit() else None
