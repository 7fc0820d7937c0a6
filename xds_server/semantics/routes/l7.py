"""Rules of HTTPRoute and GRPCRoute to routing rules: what both have in common.

In: one route and what its rules refer to. Out: a Rule per match, and a verdict on references and values.
A bad match is dropped, a bad filter turns its rule into a fault, a bad backend keeps its share as one; the rest of the
route serves on (Gateway API `PartiallyInvalid`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from xds_server.flow.lookup import Lookup
from xds_server.model import grpcroute
from xds_server.model import httproute as api
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.spelling import perhaps
from xds_server.routing.backend import Backend, InvalidBackend, located
from xds_server.routing.feature import Applied, Feature, Refused, Surroundings
from xds_server.routing.match import Match, ValueMatch
from xds_server.routing.rule import Action, Fault, Rule, RuleId, Session, WeightedBackend
from xds_server.semantics import backends, patterns, sessions
from xds_server.semantics.backends import Spoken
from xds_server.semantics.grants import Referrer
from xds_server.semantics.routes.rules import (
    RouteRules,
    RuleOutcome,
    RulesVerdict,
    judge,
    route_rules,
    weight_problems,
)
from xds_server.semantics.world import World

Features = Mapping[str, Feature[Any, Any, Any]]
Route = api.HTTPRoute | grpcroute.GRPCRoute
RouteRule = api.HTTPRouteRule | grpcroute.GRPCRouteRule
Resolve = Callable[[api.BackendObjectReference], Backend | InvalidBackend]
NO_BACKEND = "the rule has no backend"


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what the kinds of routes differ. `match` reads one entry of matches[], or says all that is wrong with it;
    `settings` reads what a rule says beside matches, filters and backends, for the action's own fields, and says all
    that is refused of it.

    `unusable` is the HTTP status for what cannot be served: 500 as HTTPRoute asks; 503 for gRPC, where it becomes the
    code UNAVAILABLE that GRPCRoute asks for.
    """

    kind: str
    spoken: Spoken
    unusable: int
    match: Callable[[Any, World], Match | list[str]]
    settings: Callable[[Any, str], tuple[dict[str, Any], list[Refused]]]


class _Translation(NamedTuple):
    route: ObjectRef
    dialect: Dialect
    features: Features
    world: World
    resolve: Resolve
    session: Callable[[Backend], Session | None]


def translate(
    dialect: Dialect, key: Key, route: Route, features: Features, *, look: Lookup, world: World
) -> tuple[RouteRules, RulesVerdict]:
    """The route's rules and what is wrong with them. `features` are those that its kind has."""
    referrer = Referrer(dialect.kind, key.namespace)

    def resolve(reference: api.BackendObjectReference) -> Backend | InvalidBackend:
        return backends.resolve(reference, referrer, dialect.spoken, look, world)

    written: tuple[RouteRule, ...] = route.spec.rules
    session = partial(sessions.of_backend, look=look, world=world)
    translation = _Translation(ObjectRef(dialect.kind, *key), dialect, features, world, resolve, session)
    outcomes = [_rule(f"rules[{i}]", rule, translation) for i, rule in enumerate(written)]
    created = route.metadata.creation_timestamp
    rules = tuple(
        Rule(RuleId(dialect.kind, key, i, j, rule.name or ""), match, outcome.action, created)
        for i, (rule, outcome) in enumerate(zip(written, outcomes, strict=True))
        for j, match in outcome.matches
    )
    return route_rules(rules, outcomes), judge(outcomes)


def _rule(place: str, rule: RouteRule, how: _Translation) -> RuleOutcome:
    features = how.features
    matches, problems = _matches(place, rule, how)
    reason = "UnsupportedValue" if problems else ""
    asked = tuple(match for _, match in matches)
    applied, refusals = _filters(f"{place}.filters", rule.filters, asked, how)
    weighted, more = _weighted(place, rule, asked, how)
    refusals += [*_incompatible(place, applied, features), *more]
    refusals += [Refused("UnsupportedValue", told) for told in weight_problems(place, rule.backend_refs, how.world)]
    session = sessions.parse(rule.session_persistence, f"{place}.sessionPersistence")
    if isinstance(session, Refused):
        refusals.append(session)
    else:
        weighted = tuple([_with_session(entry, session, rule.name or place, how) for entry in weighted])
    settings, more = how.dialect.settings(rule, place)
    refusals += more
    problems += [_told(refused) for refused in refusals]
    everywhere = [*applied, *[one for entry in weighted for one in entry.filters]]
    targets = [*[entry.backend for entry in weighted], *_backends(everywhere, features)]
    unusable = how.dialect.unusable
    fault = _fault(refusals, applied, weighted, features)
    action = Action(applied, weighted, fault=Fault(unusable, fault) if fault else None, unusable=unusable, **settings)
    needed = _backends([one for one in applied if features[one.type].guards], features) if fault else targets
    return RuleOutcome(
        action=action,
        matches=tuple(matches),
        problems=tuple(problems),
        reason=refusals[0].reason if refusals else reason,
        unresolved=tuple([target for target in targets if isinstance(target, InvalidBackend)]),
        backends=tuple([target for target in needed if isinstance(target, Backend)]),
    )


def _backends(filters: Iterable[Applied], features: Features) -> list[Backend | InvalidBackend]:
    return [backend for one in filters for backend in features[one.type].backends(one.config)]


def _with_session(entry: WeightedBackend, own: Session | None, rule: str, how: _Translation) -> WeightedBackend:
    """The rule's own session counts before that of a backend."""
    if isinstance(entry.backend, InvalidBackend):
        return entry
    session = sessions.named(own, f"{how.route} {rule}", entry.backend) if own else how.session(entry.backend)
    return replace(entry, session=session) if session else entry


def _told(refused: Refused) -> str:
    """PartiallyInvalid has one reason for everything, so another one goes into its message."""
    return refused.message if refused.reason == "UnsupportedValue" else f"{refused.message} ({refused.reason})"


def _fault(
    refusals: list[Refused],
    applied: tuple[Applied, ...],
    weighted: tuple[WeightedBackend, ...],
    features: Features,
) -> str | None:
    """Why the rule as a whole cannot be served."""
    if refusals:
        return refusals[0].message
    if any(features[filter_.type].answers for filter_ in applied):
        return None
    serving = [entry for entry in weighted if entry.weight > 0]
    if not serving:
        return NO_BACKEND if not weighted else "all backends have weight 0"
    if all(isinstance(entry.backend, InvalidBackend) for entry in serving):
        return "no backend of the rule can be used"
    return None


def _matches(place: str, rule: RouteRule, how: _Translation) -> tuple[list[tuple[int, Match]], list[str]]:
    good: list[tuple[int, Match]] = []
    problems: list[str] = []
    for index, spec in enumerate(rule.matches):
        match = how.dialect.match(spec, how.world)
        if isinstance(match, Match):
            good.append((index, match))
        else:
            problems += [f"{place}.matches[{index}].{problem}" for problem in match]
    return good, problems


def values(
    field: str, specs: Iterable[api.NamedMatch], world: World, problems: list[str], *, lower: bool
) -> tuple[ValueMatch, ...]:
    """The matches on headers or parameters; `problems` gets what is wrong with others. Of several with one name the
    first counts.
    """
    found: dict[str, ValueMatch] = {}
    for index, spec in enumerate(specs):
        name = spec.name.lower() if lower else spec.name
        if name in found:
            continue
        if spec.type not in ("Exact", "RegularExpression"):
            problems.append(f"{field}[{index}].type: {spec.type} is not supported")
        regex = spec.type == "RegularExpression"
        if regex and world.checks and (problem := patterns.problem(spec.value)):
            problems.append(f"{field}[{index}].value: {problem}")
        found[name] = ValueMatch(name, spec.value, regex)
    return tuple(found.values())


def _filters(
    place: str,
    specs: Iterable[api.HTTPRouteFilter],
    matches: tuple[Match, ...],
    how: _Translation,
    *,
    on_backend: bool = False,
) -> tuple[tuple[Applied, ...], list[Refused]]:
    applied: list[Applied] = []
    refusals: list[Refused] = []
    for index, spec in enumerate(specs):
        at = f"{place}[{index}]"
        feature = how.features.get(spec.type)
        if feature is None or (on_backend and not feature.on_backends):
            meant = "" if spec.type in how.features else perhaps(spec.type, how.features)
            refusals.append(Refused("UnsupportedValue", f"{at}: filter {spec.type} is not supported here{meant}"))
            continue
        if feature.once and any(one.type == spec.type for one in applied):
            refusals.append(Refused("IncompatibleFilters", f"{at}: filter {spec.type} is there already"))
            continue
        around = Surroundings(partial(_located, how.resolve, at), matches, on_backend)
        config = feature.parse(spec, around)
        if isinstance(config, Refused):
            refusals.append(Refused(config.reason, f"{at}: {config.message}"))
        else:
            applied.append(Applied(spec.type, config))
    return tuple(applied), refusals


def _located(resolve: Resolve, field: str, reference: api.BackendObjectReference) -> Backend | InvalidBackend:
    return located(resolve(reference), field)


def _incompatible(place: str, applied: Iterable[Applied], features: Features) -> list[Refused]:
    answering = next((one.type for one in applied if features[one.type].answers), None)
    lost = [one.type for one in applied if features[one.type].forwards] if answering else []
    return [Refused("IncompatibleFilters", f"{place}.filters: {type_} does not go with {answering}") for type_ in lost]


def _weighted(
    place: str, rule: RouteRule, matches: tuple[Match, ...], how: _Translation
) -> tuple[tuple[WeightedBackend, ...], list[Refused]]:
    weighted, refusals = [], []
    references: tuple[api.HTTPBackendRef | grpcroute.GRPCBackendRef, ...] = rule.backend_refs
    for index, reference in enumerate(references):
        at = f"{place}.backendRefs[{index}]"
        filters, refused = _filters(f"{at}.filters", reference.filters, matches, how, on_backend=True)
        refusals += refused
        weighted.append(WeightedBackend(located(how.resolve(reference), at), reference.weight, filters))
    return tuple(weighted), refusals
