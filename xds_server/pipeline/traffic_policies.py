"""XBackendTrafficPolicies as rows: each as a value, the one that each target has, and its two halves.

The halves are rows of their own: a change of one does not reach what is made of the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.policy import XBackendTrafficPolicy
from xds_server.routing.backend import RetryBudget
from xds_server.routing.rule import Session
from xds_server.semantics import traffic_policies
from xds_server.semantics.traffic_policies import Traffic


@dataclass(frozen=True, slots=True)
class TrafficPolicies:
    """`winners` and its halves are by target."""

    policies: Table[Key, Traffic]
    winners: Table[ObjectRef, Traffic]
    sessions: Table[ObjectRef, Session]
    budgets: Table[ObjectRef, RetryBudget]


def build(graph: Graph, policies: Table[Key, XBackendTrafficPolicy]) -> TrafficPolicies:
    """Creates the tables."""
    parsed = graph.derive("trafficpolicies", policies, lambda key, row, _: [(key, traffic_policies.parse(key, row))])
    by_target = parsed.by("target", _targets, order=lambda _, row: row.rank)
    winners = graph.group("trafficpolicies.winners", by_target, _first)
    return TrafficPolicies(
        policies=parsed,
        winners=winners,
        sessions=graph.derive("trafficpolicies.sessions", winners, _session),
        budgets=graph.derive("trafficpolicies.budgets", winners, _budget),
    )


def _targets(_: Key, row: Traffic) -> tuple[ObjectRef, ...]:
    return () if row.problem else row.targets


def _first(_: ObjectRef, rows: Sequence[Traffic], __: Lookup) -> Traffic:
    return rows[0]


def _session(target: ObjectRef, row: Traffic, _: Lookup) -> Iterable[tuple[ObjectRef, Session]]:
    return [] if row.session is None else [(target, row.session)]


def _budget(target: ObjectRef, row: Traffic, _: Lookup) -> Iterable[tuple[ObjectRef, RetryBudget]]:
    return [] if row.budget is None else [(target, row.budget)]
