"""HTTPRoute rules to routing rules.

In: one HTTPRoute and what its rules refer to. Out: a Rule per match, and a verdict on references and values.
A bad match is dropped, a bad filter turns its rule into a 500, a bad backend keeps its share as 500; the rest of the
route serves on (Gateway API `PartiallyInvalid`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xds_server.flow.lookup import Lookup
from xds_server.model import httproute as api
from xds_server.model.meta import Condition, Key
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Applied, Feature, Refused, Surroundings
from xds_server.routing.match import Match, PathKind, PathMatch, ValueMatch
from xds_server.routing.rule import Action, Fault, Rule, RuleId, Timeouts, WeightedBackend
from xds_server.semantics import backends, conditions, durations, patterns
from xds_server.semantics.grants import Referrer
from xds_server.semantics.world import World

KIND = "HTTPRoute"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
PATH_KINDS = {"Exact": PathKind.EXACT, "PathPrefix": PathKind.PREFIX, "RegularExpression": PathKind.REGEX}
Features = Mapping[str, Feature[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class RouteRules:
    """The rules of one route, and every backend that they need a cluster for."""

    rules: tuple[Rule, ...]
    backends: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class RulesVerdict:
    """What the status says of a route's contents. `rejected` is set when no rule can be served."""

    resolved: Condition
    rejected: Condition | None = None
    partial: Condition | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _RuleOutcome:
    action: Action
    matches: tuple[tuple[int, Match], ...]
    problems: tuple[str, ...]
    reason: str
    unresolved: tuple[InvalidBackend, ...]
    backends: tuple[Backend, ...]


def translate(
    key: Key, route: api.HTTPRoute, features: Features, look: Lookup, world: World
) -> tuple[RouteRules, RulesVerdict]:
    """The route's rules and what is wrong with them."""
    referrer = Referrer(KIND, key.namespace)

    def resolve(reference: api.BackendObjectReference) -> Backend | InvalidBackend:
        return backends.resolve(reference, referrer, look, world)

    outcomes = [_rule(f"rules[{i}]", rule, features, resolve, world) for i, rule in enumerate(route.spec.rules)]
    created = route.metadata.creation_timestamp
    rules = tuple(
        Rule(RuleId(KIND, key, i, j, rule.name or ""), match, outcome.action, created)
        for i, (rule, outcome) in enumerate(zip(route.spec.rules, outcomes, strict=True))
        for j, match in outcome.matches
    )
    needed = dict.fromkeys(backend for outcome in outcomes for backend in outcome.backends)
    return RouteRules(rules, tuple(needed)), _verdict(outcomes)


def _verdict(outcomes: list[_RuleOutcome]) -> RulesVerdict:
    unresolved = [backend for outcome in outcomes for backend in outcome.unresolved]
    resolved = conditions.resolved()
    if unresolved:
        message = "; ".join(dict.fromkeys(backend.message for backend in unresolved))
        resolved = conditions.not_resolved(unresolved[0].reason, message)
    problems = tuple(problem for outcome in outcomes for problem in outcome.problems)
    if not problems:
        return RulesVerdict(resolved)
    if all(outcome.reason and (not outcome.matches or outcome.action.fault) for outcome in outcomes):
        reason = next(outcome.reason for outcome in outcomes if outcome.reason)
        return RulesVerdict(resolved, rejected=conditions.not_accepted(reason, "; ".join(problems)), problems=problems)
    return RulesVerdict(
        resolved,
        partial=conditions.partially_invalid(f"Dropped Rule: {'; '.join(problems)}"),
        problems=problems,
    )


def _rule(
    place: str,
    rule: api.HTTPRouteRule,
    features: Features,
    resolve: Callable[[api.BackendObjectReference], Backend | InvalidBackend],
    world: World,
) -> _RuleOutcome:
    matches, problems = _matches(place, rule, world)
    reason = "UnsupportedValue" if problems else ""
    around = Surroundings(resolve, tuple(match for _, match in matches))
    applied, refusals = _filters(f"{place}.filters", rule.filters, features, around)
    weighted, more = _weighted(place, rule, features, around)
    refusals += [*_incompatible(place, applied, features), *more]
    timeouts = _timeouts(place, rule.timeouts)
    if isinstance(timeouts, Refused):
        refusals.append(timeouts)
        timeouts = Timeouts()
    problems += [_told(refused) for refused in refusals]
    extra = [
        backend
        for filter_ in (*applied, *(f for entry in weighted for f in entry.filters))
        for backend in features[filter_.type].backends(filter_.config)
    ]
    targets = [entry.backend for entry in weighted] + extra
    action = Action(applied, weighted, timeouts, _fault(refusals, applied, weighted, features))
    return _RuleOutcome(
        action=action,
        matches=tuple(matches),
        problems=tuple(problems),
        reason=refusals[0].reason if refusals else reason,
        unresolved=tuple(target for target in targets if isinstance(target, InvalidBackend)),
        backends=() if action.fault else tuple(target for target in targets if isinstance(target, Backend)),
    )


def _told(refused: Refused) -> str:
    """PartiallyInvalid has one reason for everything, so another one goes into its message."""
    return refused.message if refused.reason == "UnsupportedValue" else f"{refused.message} ({refused.reason})"


def _fault(
    refusals: list[Refused],
    applied: tuple[Applied, ...],
    weighted: tuple[WeightedBackend, ...],
    features: Features,
) -> Fault | None:
    if refusals:
        return Fault(500, refusals[0].message)
    if any(features[filter_.type].answers for filter_ in applied):
        return None
    serving = [entry for entry in weighted if entry.weight > 0]
    if not serving:
        return Fault(500, "the rule has no backend" if not weighted else "all backends have weight 0")
    if all(isinstance(entry.backend, InvalidBackend) for entry in serving):
        return Fault(500, "no backend of the rule can be used")
    return None


def _matches(place: str, rule: api.HTTPRouteRule, world: World) -> tuple[list[tuple[int, Match]], list[str]]:
    good: list[tuple[int, Match]] = []
    problems: list[str] = []
    for index, spec in enumerate(rule.matches or (api.HTTPRouteMatch(),)):
        match = _match(spec, world)
        if isinstance(match, Match):
            good.append((index, match))
        else:
            problems.append(f"{place}.matches[{index}].{match}")
    return good, problems


def _match(spec: api.HTTPRouteMatch, world: World) -> Match | str:
    """The match, or what is wrong with it."""
    if spec.path.type not in PATH_KINDS:
        return f"path.type: {spec.path.type} is not supported"
    kind = PATH_KINDS[spec.path.type]
    value = spec.path.value
    if kind is PathKind.PREFIX:
        value = value.rstrip("/") or "/"
    if kind is PathKind.REGEX and world.checks and (problem := patterns.problem(value)):
        return f"path.value: {problem}"
    if spec.method is not None and spec.method not in METHODS:
        return f"method: {spec.method} is not supported"
    headers = _values("headers", spec.headers, world, lower=True)
    query = _values("queryParams", spec.query_params, world, lower=False)
    for found in (headers, query):
        if isinstance(found, str):
            return found
    assert isinstance(headers, tuple)
    assert isinstance(query, tuple)
    return Match(PathMatch(kind, value), headers, query, spec.method)


def _values(field: str, specs: Iterable[api.NamedMatch], world: World, *, lower: bool) -> tuple[ValueMatch, ...] | str:
    """Of several entries with one name only the first counts."""
    found: dict[str, ValueMatch] = {}
    for index, spec in enumerate(specs):
        name = spec.name.lower() if lower else spec.name
        if name in found:
            continue
        if spec.type not in ("Exact", "RegularExpression"):
            return f"{field}[{index}].type: {spec.type} is not supported"
        regex = spec.type == "RegularExpression"
        if regex and world.checks and (problem := patterns.problem(spec.value)):
            return f"{field}[{index}].value: {problem}"
        found[name] = ValueMatch(name, spec.value, regex)
    return tuple(found.values())


def _filters(
    place: str, specs: Iterable[api.HTTPRouteFilter], features: Features, around: Surroundings[Any]
) -> tuple[tuple[Applied, ...], list[Refused]]:
    applied, refusals = [], []
    for index, spec in enumerate(specs):
        at = f"{place}[{index}]"
        feature = features.get(spec.type)
        if feature is None or (around.on_backend and not feature.on_backends):
            refusals.append(Refused("UnsupportedValue", f"{at}: filter {spec.type} is not supported here"))
            continue
        config = feature.parse(spec, around)
        if isinstance(config, Refused):
            refusals.append(Refused(config.reason, f"{at}: {config.message}"))
        else:
            applied.append(Applied(spec.type, config))
    return tuple(applied), refusals


def _incompatible(place: str, applied: Iterable[Applied], features: Features) -> list[Refused]:
    answering = next((one.type for one in applied if features[one.type].answers), None)
    lost = [one.type for one in applied if features[one.type].forwards] if answering else []
    return [Refused("IncompatibleFilters", f"{place}.filters: {type_} does not go with {answering}") for type_ in lost]


def _weighted(
    place: str, rule: api.HTTPRouteRule, features: Features, around: Surroundings[Any]
) -> tuple[tuple[WeightedBackend, ...], list[Refused]]:
    here = Surroundings(around.resolve, around.matches, on_backend=True)
    weighted, refusals = [], []
    for index, reference in enumerate(rule.backend_refs):
        filters, refused = _filters(f"{place}.backendRefs[{index}].filters", reference.filters, features, here)
        refusals += refused
        weighted.append(WeightedBackend(around.resolve(reference), reference.weight, filters))
    return tuple(weighted), refusals


def _timeouts(place: str, spec: api.HTTPRouteTimeouts | None) -> Timeouts | Refused:
    if spec is None:
        return Timeouts()
    try:
        request = None if spec.request is None else durations.milliseconds(spec.request)
        backend = None if spec.backend_request is None else durations.milliseconds(spec.backend_request)
    except ValueError as error:
        return Refused("UnsupportedValue", f"{place}.timeouts: {error}")
    if request and backend and backend > request:
        message = f"{place}.timeouts: backendRequest {spec.backend_request} is longer than request {spec.request}"
        return Refused("UnsupportedValue", message)
    return Timeouts(request, backend)
