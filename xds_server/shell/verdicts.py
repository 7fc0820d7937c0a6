"""Verdicts as log lines: one when something of an object turns bad, one when it is good again.

In: what each settle changed. Out: log lines. What only waits for an Envoy is not worth a line.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import structlog

from xds_server.control import Round
from xds_server.model.meta import Condition, Key
from xds_server.pipeline.program import Pipeline
from xds_server.semantics.conditions import is_bad

log = structlog.get_logger()

Problem = tuple[str, str, str, str]
"""Part of the object, condition, reason, message."""


def problems(part: str, conditions: Iterable[Condition]) -> Iterator[Problem]:
    """The conditions that say that something is wrong; Ready only repeats Programmed."""
    for condition in conditions:
        if is_bad(condition) and condition.type != "Ready":
            yield part, condition.type, condition.reason, condition.message


@dataclass(slots=True)
class VerdictLog:
    """Remembers what has been said."""

    pipeline: Pipeline
    _said: dict[tuple[str, Key], frozenset[Problem]] = field(default_factory=dict)

    def settled(self, round_: Round) -> None:
        """Called after each settle."""
        statuses = self.pipeline.statuses
        for key in round_.settled.keys(statuses.classes):
            class_ = statuses.classes.get(key)
            self._compare("GatewayClass", key, problems("", class_.conditions) if class_ else ())
        for key in round_.settled.keys(statuses.gateways):
            self._compare("Gateway", key, self._of_gateway(key))
        for key in round_.settled.keys(statuses.routes):
            self._compare("HTTPRoute", key, self._of_route(key))

    def _of_gateway(self, key: Key) -> Iterator[Problem]:
        status = self.pipeline.statuses.gateways.get(key)
        if status is not None:
            yield from problems("", status.conditions)
            for listener in status.listeners:
                yield from problems(f"listener {listener.name}", listener.conditions)

    def _of_route(self, key: Key) -> Iterator[Problem]:
        status = self.pipeline.statuses.routes.get(key)
        for parent in status.parents if status is not None else ():
            reference = parent.parent_ref
            name = f"parent {reference.namespace or key.namespace}/{reference.name}"
            yield from problems(name, parent.conditions)

    def _compare(self, kind: str, key: Key, found: Iterable[Problem]) -> None:
        now = frozenset(found)
        before = self._said.pop((kind, key), frozenset())
        for part, condition, reason, message in sorted(now - before):
            log.warning(
                "not good", object=f"{kind} {key}", part=part, condition=condition, reason=reason, message=message
            )
        if before and not now:
            log.info("good again", object=f"{kind} {key}")
        if now:
            self._said[kind, key] = now
