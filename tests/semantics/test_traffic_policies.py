"""XBackendTrafficPolicy read: what is asked for, of which targets, and how long is a rate."""

import pytest

from xds_server.model.httproute import SessionPersistence
from xds_server.model.kinds import EXPERIMENTAL_GROUP
from xds_server.model.meta import Key, Metadata, ObjectRef
from xds_server.model.policy import (
    BudgetDetails,
    LocalPolicyTargetReference,
    RequestRate,
    RetryConstraint,
    XBackendTrafficPolicy,
    XBackendTrafficPolicySpec,
)
from xds_server.routing.backend import RetryBudget
from xds_server.semantics.traffic_policies import Claimed, Traffic, judge, parse

KEY = Key("shop", "policy")
CART = ObjectRef("Service", "shop", "cart")


def policy(*targets: tuple[str, str, str], **spec: object) -> XBackendTrafficPolicy:
    references = tuple(LocalPolicyTargetReference(*target) for target in targets or [("", "Service", "cart")])
    return XBackendTrafficPolicy(Metadata("policy", "shop"), XBackendTrafficPolicySpec(references, **spec))  # type: ignore[arg-type]


def test_targets_are_services_and_backends_each_once() -> None:
    found = parse(
        KEY,
        policy(
            ("", "Service", "cart"),
            ("", "Service", "cart"),
            (EXPERIMENTAL_GROUP, "XBackend", "far"),
            ("", "Pod", "p"),
            ("example.com", "Service", "s"),
        ),
    )
    assert found.targets == (CART, ObjectRef("XBackend", "shop", "far"))
    assert (found.session, found.budget, found.problem) == (None, None, "")


@pytest.mark.parametrize(
    ("count", "interval", "least"),
    [(10, "1s", 10), (10, "10s", 1), (11, "10s", 2), (1, "1h", 1), (1, "100ms", 10), (1_000_000, "1ms", 10**9)],
)
def test_a_rate_is_as_many_as_begin_in_a_second(count: int, interval: str, least: int) -> None:
    spec = RetryConstraint(BudgetDetails(7, "1m"), RequestRate(count, interval))
    assert parse(KEY, policy(retry_constraint=spec)).budget == RetryBudget(7, 60_000, least)


def test_a_policy_counts_as_a_whole() -> None:
    found = parse(KEY, policy(retry_constraint=RetryConstraint(), session_persistence=SessionPersistence()))
    assert found.problem == "sessionPersistence.cookie: is missing"
    assert (found.session, found.budget) == (None, None)


def test_the_oldest_comes_first_then_the_first_by_name() -> None:
    found = [Traffic(Key("n", name), created, ()) for name, created in (("b", "1"), ("a", "1"), ("c", "0"))]
    assert [one.policy.name for one in sorted(found, key=lambda one: one.rank)] == ["c", "a", "b"]


def test_all_that_is_lost_is_told() -> None:
    missing = Claimed(CART, missing=True, rival=None)
    lost = Claimed(ObjectRef("Service", "shop", "pay"), missing=False, rival=Key("shop", "old"))
    (condition,) = judge(Traffic(KEY, "", ()), [missing, lost])
    assert (condition.status, condition.reason) == ("False", "TargetNotFound")
    assert condition.message == (
        "Service shop/cart does not exist; Service shop/pay has XBackendTrafficPolicy shop/old already, which comes first"
    )
