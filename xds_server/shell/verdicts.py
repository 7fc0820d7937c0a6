"""Verdicts as log lines: one when something of an object turns bad, one when it is good again.

In: what each settle changed. Out: log lines. What only waits for an Envoy is not worth a line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import structlog

from xds_server.control import Round
from xds_server.model.meta import Condition, Key
from xds_server.pipeline.gateway import RouteKey
from xds_server.pipeline.policy_statuses import PolicyKey
from xds_server.pipeline.program import Pipeline
from xds_server.semantics.checks.catalog import of_condition, of_kind, of_message
from xds_server.semantics.conditions import is_bad

log = structlog.get_logger()

Problem = tuple[str, str, str, str]
"""Part of the object, condition, reason, message."""


def problems(part: str, conditions: Iterable[Condition]) -> Iterator[Problem]:
    """The conditions that say that something is wrong; Ready only repeats Programmed."""
    for condition in conditions:
        if is_bad(condition) and condition.type != "Ready":
            yield part, condition.type, condition.reason, condition.message


def unserved_gateways(pipeline: Pipeline) -> Iterator[tuple[Key, str]]:
    """The Gateways that are not ours to serve, and why."""
    classes = pipeline.inputs.kinds["GatewayClass"]
    ours = pipeline.tables.world.controller_name
    for key, verdict in pipeline.tables.gateway_verdicts.items():
        gateway = pipeline.inputs.kinds["Gateway"].get(key)
        if verdict.ours or gateway is None:
            continue
        name = gateway.spec.gateway_class_name
        class_ = classes.get(Key("", name))
        if class_ is None:
            yield key, f"there is no GatewayClass {name}, and others are given, so they decide whose a Gateway is"
        elif class_.spec.controller_name != ours:
            theirs = class_.spec.controller_name
            yield key, f"its class {name} belongs to the controller {theirs}; this one is {ours}"
        else:
            yield key, f"its GatewayClass {name} is not accepted"


@dataclass(slots=True)
class VerdictLog:
    """Remembers what has been said."""

    pipeline: Pipeline
    _unserved: dict[Key, str] = field(default_factory=dict)
    _said: dict[tuple[str, Key], frozenset[Problem]] = field(default_factory=dict)

    def settled(self, round_: Round) -> None:
        """Called after each settle."""
        statuses = self.pipeline.statuses
        if round_.settled.keys(self.pipeline.tables.gateway_verdicts):
            now = dict(unserved_gateways(self.pipeline))
            for key, reason in now.items():
                if self._unserved.get(key) != reason:
                    code = of_condition("Gateway", "Served", "NotOurs", reason).code
                    log.warning("gateway not served", code=code, gateway=str(key), reason=reason)
            self._unserved = now
        for key in round_.settled.keys(statuses.classes):
            class_ = statuses.classes.get(key)
            self._compare("GatewayClass", key, problems("", class_.conditions) if class_ else ())
        for key in round_.settled.keys(statuses.gateways):
            self._compare("Gateway", key, self._of_gateway(key))
        for key in round_.settled.keys(statuses.listener_sets):
            self._compare("ListenerSet", key, self._of_listener_set(key))
        for kind, key in round_.settled.keys(statuses.routes):
            self._compare(kind, key, self._of_route((kind, key)))
        for kind, key in round_.settled.keys(statuses.policies):
            self._compare(kind, key, self._of_policy((kind, key)))

    def _of_gateway(self, key: Key) -> Iterator[Problem]:
        status = self.pipeline.statuses.gateways.get(key)
        if status is not None:
            yield from problems("", status.conditions)
            for listener in status.listeners:
                yield from problems(f"listener {listener.name}", listener.conditions)

    def _of_listener_set(self, key: Key) -> Iterator[Problem]:
        status = self.pipeline.statuses.listener_sets.get(key)
        if status is not None:
            yield from problems("", status.conditions)
            for listener in status.listeners:
                yield from problems(f"listener {listener.name}", listener.conditions)

    def _of_route(self, key: RouteKey) -> Iterator[Problem]:
        status = self.pipeline.statuses.routes.get(key)
        for parent in status.parents if status is not None else ():
            reference = parent.parent_ref
            name = f"parent {reference.namespace or key[1].namespace}/{reference.name}"
            yield from problems(name, parent.conditions)

    def _of_policy(self, key: PolicyKey) -> Iterator[Problem]:
        status = self.pipeline.statuses.policies.get(key)
        for ancestor in status.ancestors if status is not None else ():
            reference = ancestor.ancestor_ref
            yield from problems(f"ancestor {reference.namespace}/{reference.name}", ancestor.conditions)

    def _compare(self, kind: str, key: Key, found: Iterable[Problem]) -> None:
        now = frozenset(found)
        before = self._said.pop((kind, key), frozenset())
        for part, condition, reason, message in sorted(now - before):
            code = next(of_message(of_kind(kind, part), condition, reason, message)).check.code
            told = {"part": part, "condition": condition, "reason": reason, "message": message}
            log.warning("not good", code=code, object=f"{kind} {key}", **told)
        if before and not now:
            log.info("good again", object=f"{kind} {key}")
        if now:
            self._said[kind, key] = now
