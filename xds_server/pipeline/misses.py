"""What came closest to taking a request that nobody takes, and the first thing that did not hold.

The nearest are rules that lack the least; a route that would take the request if it were attached, or if its hostname
were another, is as near as a rule of which one condition does not hold.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import NamedTuple

from xds_server.envoy import arriving, matching
from xds_server.model.meta import Key
from xds_server.model.wording import some
from xds_server.pipeline.arrival import Arrival
from xds_server.pipeline.gateway import DIALECTS, RouteKey
from xds_server.pipeline.prediction import Miss, Source
from xds_server.pipeline.program import Pipeline
from xds_server.routing.hostname import covers, normalise
from xds_server.routing.listener import ListenerId
from xds_server.routing.request import Request
from xds_server.routing.rule import Rule
from xds_server.semantics.attach import ParentVerdict, Route
from xds_server.semantics.listeners import AttachPoint

MOST = 3
_LIKE, _UNLIKE = 2, 3
"""What a path counts that is similar to the request's, and one that is not, as a hostname that is not; everything else
that does not hold counts 1.
"""
_DROPPED = 2
_TOO_FAR = 6
_ALIKE = 0.8


class _Found(NamedTuple):
    """A miss, and how far it is; of equally far ones the first route. Those elsewhere are of another port or host."""

    elsewhere: bool
    distance: int
    order: int
    miss: Miss


class _Place(NamedTuple):
    """How far a route is from being asked at all, and why."""

    farther: int = 0
    why: Miss | None = None
    here: bool = True
    """Is it one of the request's port and host, or would it be if it were attached or its hostname well spelt?"""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked for. `alike` are hostnames that are similar to the request's; `path` compares with its path."""

    pipeline: Pipeline
    gateway: Key
    arrival: Arrival
    request: Request
    host: str
    alike: frozenset[str]
    path: "SequenceMatcher[str]"


def nearest(pipeline: Pipeline, gateway: Key, arrival: Arrival, request: Request) -> tuple[Miss, ...]:
    """The nearest misses, at most one of each route: of the request's own port and host first, and of other places one
    at least.
    """
    host = arriving.host(request.authority)
    routes = [(key, route) for key, route in pipeline.tables.routes.items() if key[0] in DIALECTS]
    names = {one for _, route in routes for one in _hostnames(route)}
    alike = frozenset(get_close_matches(host, sorted(names), n=MOST, cutoff=_ALIKE))
    path = SequenceMatcher(None, "", _folded(request.bare_path), autojunk=False)
    asked = _Asked(pipeline, gateway, arrival, request, host, alike, path)
    found = [one for index, (key, route) in enumerate(routes) for one in _of_route(asked, key, route, index)]
    found.sort()
    here, elsewhere = ([one.miss for one in found if one.elsewhere is other] for other in (False, True))
    return (*here[: MOST - bool(elsewhere)], *elsewhere)[:MOST]


def unattached(pipeline: Pipeline, point: AttachPoint) -> tuple[Miss, ...]:
    """Routes of the kinds that a listener for connections carries, and why they do not take one."""
    found = []
    for key, route in pipeline.tables.routes.items():
        verdicts = _verdicts(pipeline, key, point.id.gateway) if key[0] in point.kinds else []
        if verdicts and not any(point.id in one.listeners for one in verdicts):
            why = _why_not_at(pipeline, verdicts, point.id, "")
            found.append(Miss(_source(key, "parentRefs"), why))
        elif verdicts and (hostnames := _hostnames(route)):
            found.append(Miss(_source(key, "hostnames"), _not_covering(hostnames, "the server name")))
    return tuple(found[:MOST])


def _of_route(asked: _Asked, key: RouteKey, route: Route, order: int) -> Iterator[_Found]:
    """The nearest rule of one route, unless there is none that is near."""
    place = _place(asked, key, route)
    row = asked.pipeline.tables.rules.get(key)
    if place is None or row is None:
        return
    farther, why, here = place
    best: tuple[int, Miss] | None = None
    for rule in row.rules:
        distance, missed = _of_rule(rule, asked)
        if missed is not None and (best is None or distance < best[0]):
            best = (distance, Miss(Source(rule.id.owner, rule.id.place), missed))
        elif missed is None and why is not None:
            best = (0, why)
            break
    verdict = asked.pipeline.tables.rules_verdicts.get(key)
    if verdict is not None and verdict.problems and (best is None or best[0] > _DROPPED):
        best = (_DROPPED, Miss(_source(key), verdict.problems[0]))
    if best is not None and best[0] + farther < _TOO_FAR:
        yield _Found(not here, best[0] + farther, order, why or best[1])


def _of_rule(rule: Rule, asked: _Asked) -> tuple[int, str | None]:
    """How many things do not hold, and the first of them."""
    distance, first = 0, None
    for field, why in matching.misses(rule.match, asked.request):
        first = first or why
        if field != "path":
            distance += 1
        else:
            distance += _LIKE if _alike(rule.match.path.value, asked.path) else _UNLIKE
    return distance, first


def _folded(path: str) -> str:
    return path.lower().rstrip("/")


def _alike(value: str, path: "SequenceMatcher[str]") -> bool:
    """Do they differ in case, in a final slash or in a few letters? The quick ratios are never below the ratio."""
    path.set_seq1(_folded(value))
    return min(path.real_quick_ratio(), path.quick_ratio()) >= _ALIKE and path.ratio() >= _ALIKE


def _place(asked: _Asked, key: RouteKey, route: Route) -> _Place | None:
    """None for a route that has nothing to do with the request."""
    hostnames = _hostnames(route)
    covered = not hostnames or any(covers(one, asked.host) for one in hostnames)
    verdicts = _verdicts(asked.pipeline, key, asked.gateway)
    if not verdicts:
        why = f"it has no parent at Gateway {asked.gateway}: {_parents(key, route)}"
        return _Place(_UNLIKE, Miss(_source(key, "parentRefs"), why), here=False) if covered else None
    points = [asked.pipeline.tables.listeners.get(id_) for one in verdicts for id_ in one.listeners]
    near = not points or any(point is not None and point.port == asked.request.port for point in points)
    if not covered:
        why = _not_covering(hostnames, asked.host)
        alike = not asked.alike.isdisjoint(hostnames)
        return _Place(1 if alike else _UNLIKE + 1, Miss(_source(key, "hostnames"), why), near and alike)
    listener = asked.arrival.id
    if listener is None or not any(listener in one.listeners for one in verdicts):
        why = _why_not_at(asked.pipeline, verdicts, listener, asked.host)
        return _Place(1, Miss(_source(key, "parentRefs"), why), near)
    claims = asked.pipeline.tables.claims_by_route.rows(key)
    if any(claim.listener.id == listener and claim.host in asked.arrival.hosts for claim in claims):
        return _Place()
    return _Place(1, Miss(_source(key, "hostnames"), f"listener {listener.name} does not serve it under {asked.host}"))


def _why_not_at(pipeline: Pipeline, verdicts: Iterable[ParentVerdict], listener: ListenerId | None, host: str) -> str:
    """Why a route is not asked at a listener (None: no listener has the host), though it names its Gateway."""
    told = []
    for verdict in verdicts:
        if verdict.accepted.status != "True":
            told.append(f"not attached: {verdict.accepted.reason}: {verdict.accepted.message}")
            continue
        for id_ in verdict.listeners:
            point = pipeline.tables.listeners.get(id_)
            if point is not None and host and not covers(point.hostname, host):
                told.append(
                    f"it is attached to listener {id_.name}, whose hostname {point.hostname} does not cover {host}"
                )
            elif point is not None:
                asked = f", and the request comes to listener {listener.name}" if listener else ""
                told.append(f"it is attached to listener {id_.name} of port {point.port}{asked}")
    return "; ".join(dict.fromkeys(told))


def _verdicts(pipeline: Pipeline, key: RouteKey, gateway: Key) -> list[ParentVerdict]:
    return [one for one in pipeline.tables.parent_verdicts.get(key) or () if one.gateway == gateway]


def _hostnames(route: Route) -> list[str]:
    return [normalise(one) for one in getattr(route.spec, "hostnames", ())]


def _parents(key: RouteKey, route: Route) -> str:
    names = [f"{one.kind} {one.namespace or key[1].namespace}/{one.name}" for one in route.spec.parent_refs]
    return f"parentRefs name {', '.join(names)}" if names else "it has no parentRefs"


def _not_covering(hostnames: list[str], what: str) -> str:
    return f"{some(hostnames, MOST)} {'does' if len(hostnames) == 1 else 'do'} not cover {what}"


def _source(key: RouteKey, field: str = "") -> Source:
    return Source(f"{key[0]} {key[1]}", field)
