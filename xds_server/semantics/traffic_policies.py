"""XBackendTrafficPolicy: how many retries a backend is sent, and sessions with its endpoints.

Source: Gateway API XBackendTrafficPolicy (GEP-3388, GEP-1619). All of `targetRefs` are honoured, each on its own, with
all ports of a Service; those that are no backends are not. Of several policies with one target the oldest one counts,
then the first by name; a policy that is not valid is not among them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xds_server.model.kinds import EXPERIMENTAL_GROUP
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.model.policy import RetryConstraint, XBackendTrafficPolicy
from xds_server.routing.backend import RetryBudget
from xds_server.routing.feature import Refused
from xds_server.routing.rule import Session
from xds_server.semantics import conditions, durations, sessions

TARGETS = (("", "Service"), (EXPERIMENTAL_GROUP, "XBackend"))
"""Group and kind of what a policy may be about."""
_SECOND = 1_000
_MOST_RETRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a policy asks for its targets, or in `problem` why it has no effect."""

    policy: Key
    created: str
    targets: tuple[ObjectRef, ...]
    session: Session | None = None
    budget: RetryBudget | None = None
    problem: str = ""

    @property
    def rank(self) -> tuple[str, str]:
        """Smaller wins."""
        return (self.created, str(self.policy))


def parse(key: Key, policy: XBackendTrafficPolicy) -> Traffic:
    """The policy as a value."""
    spec, created = policy.spec, policy.metadata.creation_timestamp
    targets = dict.fromkeys(
        ObjectRef(one.kind, key.namespace, one.name) for one in spec.target_refs if (one.group, one.kind) in TARGETS
    )
    session = sessions.parse(spec.session_persistence, "sessionPersistence")
    budget = None if spec.retry_constraint is None else _budget(spec.retry_constraint)
    if isinstance(session, Refused):
        return Traffic(key, created, tuple(targets), problem=session.message)
    if isinstance(budget, str):
        return Traffic(key, created, tuple(targets), problem=f"retryConstraint.{budget}")
    return Traffic(key, created, tuple(targets), session, budget)


def _budget(spec: RetryConstraint) -> RetryBudget | str:
    """The budget, or what is wrong, beginning with the field. A rate of retries becomes as many at a time as begin in
    a second.
    """
    budget, rate = spec.budget, spec.min_retry_rate
    if not 0 <= budget.percent <= 100:
        return f"budget.percent: {budget.percent} is not from 0 to 100"
    if not 1 <= rate.count <= _MOST_RETRIES:
        return f"minRetryRate.count: {rate.count} is not from 1 to {_MOST_RETRIES}"
    lengths = {}
    for field, text in (("budget.interval", budget.interval), ("minRetryRate.interval", rate.interval)):
        try:
            lengths[field] = durations.milliseconds(text)
        except ValueError as error:
            return f"{field}: {error}"
    interval, per = lengths.values()
    if interval < _SECOND:
        return f"budget.interval: {budget.interval} is less than 1s"
    if per == 0:
        return f"minRetryRate.interval: {rate.interval} is no time"
    return RetryBudget(budget.percent, interval, -(-rate.count * _SECOND // per))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A target of a policy at a Gateway that reaches it: whether it exists, and which other policy it has."""

    target: ObjectRef
    missing: bool
    rival: Key | None

    @property
    def problem(self) -> tuple[str, str] | None:
        """Reason and message where the policy has no effect there."""
        if self.missing:
            return "TargetNotFound", f"{self.target} does not exist"
        if self.rival is not None:
            return "Conflicted", f"{self.target} has XBackendTrafficPolicy {self.rival} already, which comes first"
        return None


def judge(traffic: Traffic, claims: Iterable[Claimed]) -> tuple[Condition, ...]:
    """The conditions of a policy at one Gateway that reaches these of its targets."""
    if traffic.problem:
        return (conditions.not_accepted("Invalid", traffic.problem),)
    problems = [claim.problem for claim in claims]
    lost = [problem for problem in problems if problem is not None]
    notes = "; ".join(message for _, message in lost)
    if len(lost) == len(problems):
        return (conditions.not_accepted(lost[0][0], notes),)
    return (conditions.accepted(f"The policy is accepted, but: {notes}" if notes else "The policy is accepted."),)
