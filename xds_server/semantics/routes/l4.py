"""TLSRoute, TCPRoute and UDPRoute: one rule that sends whole connections, or sessions of datagrams, to backends."""

from xds_server.flow.lookup import Lookup
from xds_server.model.l4route import TCPRoute, TLSRoute, UDPRoute
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, InvalidBackend, located
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.rule import Action, Rule, RuleId, WeightedBackend
from xds_server.semantics import backends
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

EVERYTHING = Match(PathMatch(PathKind.PREFIX, "/"))
SPOKEN: dict[str, Spoken] = {"TLSRoute": "tcp", "TCPRoute": "tcp", "UDPRoute": "udp"}


def translate(
    kind: str, key: Key, route: TLSRoute | TCPRoute | UDPRoute, look: Lookup, world: World
) -> tuple[RouteRules, RulesVerdict]:
    """The route's rule and what is wrong with it. The share of a backend that cannot be used is closed or dropped.

    The API allows one rule; of more the first counts, and the status names the others.
    """
    referrer = Referrer(kind, key.namespace)
    rules, outcomes = [], []
    for index, rule in enumerate(route.spec.rules):
        if index > 0:
            message = f"rules[{index}]: a {kind} has one rule"
            outcomes.append(RuleOutcome(Action(), (), (message,), "UnsupportedValue"))
            continue
        if wrong := weight_problems(f"rules[{index}]", rule.backend_refs, world):
            outcomes.append(RuleOutcome(Action(), (), tuple(wrong), "UnsupportedValue"))
            continue
        found = [backends.resolve(reference, referrer, SPOKEN[kind], look, world) for reference in rule.backend_refs]
        weighted = tuple(
            WeightedBackend(located(one, f"rules[{index}].backendRefs[{position}]"), reference.weight)
            for position, (one, reference) in enumerate(zip(found, rule.backend_refs, strict=True))
        )
        action = Action(backends=weighted)
        unresolved = tuple(one.backend for one in weighted if isinstance(one.backend, InvalidBackend))
        usable = tuple(one.backend for one in weighted if isinstance(one.backend, Backend))
        outcomes.append(RuleOutcome(action, ((0, EVERYTHING),), unresolved=unresolved, backends=usable))
        id_ = RuleId(kind, key, index, 0, rule.name or "")
        rules.append(Rule(id_, EVERYTHING, action, route.metadata.creation_timestamp))
    return route_rules(rules, outcomes), judge(outcomes)
