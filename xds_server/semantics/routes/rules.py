"""What every kind of route comes to: its rules as routing values, and what the status says of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from xds_server.model.meta import Condition, ObjectRef
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.match import Match
from xds_server.routing.rule import Action, Rule
from xds_server.semantics import conditions
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class RouteRules:
    """The rules of one route, every backend that they need a cluster for, and what they name that does not exist."""

    rules: tuple[Rule, ...]
    backends: tuple[Backend, ...]
    missing: tuple[ObjectRef, ...] = ()


@dataclass(frozen=True, slots=True)
class RulesVerdict:
    """What the status says of a route's contents. `rejected` is set when no rule can be served."""

    resolved: Condition
    rejected: Condition | None = None
    partial: Condition | None = None
    problems: tuple[str, ...] = ()


class RuleOutcome(NamedTuple):
    """What one rule came to: `matches` with their places, `problems` in words, the `reason` of the first of them."""

    action: Action
    matches: tuple[tuple[int, Match], ...]
    problems: tuple[str, ...] = ()
    reason: str = ""
    unresolved: tuple[InvalidBackend, ...] = ()
    backends: tuple[Backend, ...] = ()


MOST_WEIGHT = 1_000_000


class Weighted(Protocol):
    """A backendRef of any kind of route."""

    @property
    def weight(self) -> int:
        """Its share, relative to the others'."""


def weight_problems(place: str, references: Iterable[Weighted], world: World) -> list[str]:
    """What is wrong with the weights of a rule's backendRefs, beginning with the field."""
    return [
        f"{place}.backendRefs[{index}].weight: {one.weight} is not from 0 to {MOST_WEIGHT}"
        for index, one in enumerate(references)
        if world.checks and not 0 <= one.weight <= MOST_WEIGHT
    ]


def route_rules(rules: Sequence[Rule], outcomes: Sequence[RuleOutcome]) -> RouteRules:
    """The rules of a route with what they need."""
    needed = dict.fromkeys(backend for outcome in outcomes for backend in outcome.backends)
    missing = dict.fromkeys(one.missing for outcome in outcomes for one in outcome.unresolved if one.missing)
    return RouteRules(tuple(rules), tuple(needed), tuple(missing))


def judge(outcomes: Sequence[RuleOutcome]) -> RulesVerdict:
    """The verdict on a route from those on its rules."""
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
