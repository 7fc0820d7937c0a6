"""Verdicts as log lines: one for each cause by which something of an object turns bad, one when it is good again.

In: what each settle changed. Out: log lines. What only waits for an Envoy is not worth a line.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from xds_server.control import Round
from xds_server.model.kinds import ROUTE_KINDS
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.pipeline.gateway import RouteKey
from xds_server.pipeline.policy_statuses import PolicyKey
from xds_server.pipeline.program import Pipeline
from xds_server.semantics.checks.catalog import of_condition, of_kind, of_message
from xds_server.semantics.checks.check import Check
from xds_server.semantics.conditions import is_bad
from xds_server.semantics.listener_sets import parent_of

log = structlog.get_logger()

Problem = tuple[str, str, str, str]
"""Part of the object, condition, reason, message."""


def problems(part: str, conditions: Iterable[Condition]) -> Iterator[Problem]:
    """The conditions that say that something is wrong; Ready only repeats Programmed."""
    for condition in conditions:
        if is_bad(condition) and condition.type != "Ready":
            yield part, condition.type, condition.reason, condition.message


def of_status(namespace: str, status: Any) -> Iterator[Problem]:
    """Those of everything in the status of an object, whichever its kind; its own namespace is that of its parents that
    name none.
    """
    yield from problems("", getattr(status, "conditions", ()))
    for listener in getattr(status, "listeners", ()):
        yield from problems(f"listener {listener.name}", listener.conditions)
    for parent in getattr(status, "parents", ()):
        reference = parent.parent_ref
        yield from problems(f"parent {reference.namespace or namespace}/{reference.name}", parent.conditions)
    for ancestor in getattr(status, "ancestors", ()):
        reference = ancestor.ancestor_ref
        yield from problems(f"ancestor {reference.namespace}/{reference.name}", ancestor.conditions)


def causes(found: Iterable[Problem]) -> Iterator[list[Problem]]:
    """Those that say the same of the same part; the first is not Programmed, which only repeats, if another one is."""
    same: dict[tuple[str, str], list[Problem]] = {}
    for problem in sorted(found):
        same.setdefault((problem[0], problem[3]), []).append(problem)
    yield from (sorted(one, key=lambda each: (each[1] == "Programmed", each)) for one in same.values())


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


def absent_parents(pipeline: Pipeline, kind: str, key: Key) -> Iterator[tuple[str, ObjectRef]]:
    """The Gateways and ListenerSets that a route or ListenerSet names and that are not there, and where it does."""
    kinds = pipeline.inputs.kinds
    if kind == "ListenerSet":
        set_ = kinds[kind].get(key)
        gateway = parent_of(key, set_) if set_ is not None else None
        named = [("spec.parentRef", ObjectRef("Gateway", *gateway))] if gateway is not None else []
    else:
        route = pipeline.tables.routes.get((kind, key))
        named = [
            (f"spec.parentRefs[{index}]", ObjectRef(one.kind, one.namespace or key.namespace, one.name))
            for index, one in enumerate(route.spec.parent_refs if route is not None else ())
        ]
    for at, parent in named:
        if parent.kind in ("Gateway", "ListenerSet") and kinds[parent.kind].get(parent.key) is None:
            yield at, parent


def _absent(pipeline: Pipeline, kind: str, key: Key, among: str) -> Iterator[Problem]:
    for _, parent in absent_parents(pipeline, kind, key):
        yield f"parent {parent.key}", "Attached", "NoSuchParent", f"there is no {parent}{among}"


@dataclass(slots=True)
class VerdictLog:
    """Remembers what has been said. In files everything is meant for this server; in a cluster much is others'."""

    pipeline: Pipeline
    files: bool = True
    told: Callable[[ObjectRef, Sequence[Check], str], None] = lambda *_: None
    """Told of each line on an object: what the problems in its message are of, and the message."""
    _unserved: dict[Key, str] = field(default_factory=dict)
    _said: dict[tuple[str, Key], frozenset[Problem]] = field(default_factory=dict)

    @property
    def _among(self) -> str:
        return " among the files" if self.files else ""

    def settled(self, round_: Round) -> None:
        """Called after each settle."""
        statuses = self.pipeline.statuses
        if round_.settled.keys(self.pipeline.tables.gateway_verdicts):
            now = dict(unserved_gateways(self.pipeline))
            for key, reason in now.items():
                if self._unserved.get(key) != reason:
                    code = of_condition("Gateway", "Served", "NotOurs", reason).code
                    told = log.warning if self.files else log.debug
                    told("gateway not served", code=code, gateway=str(key), reason=reason)
            self._unserved = now
        for key in round_.settled.keys(statuses.classes):
            class_ = statuses.classes.get(key)
            self._compare("GatewayClass", key, problems("", class_.conditions) if class_ else (), judged=bool(class_))
        for key in round_.settled.keys(statuses.gateways):
            self._compare("Gateway", key, self._of_gateway(key), judged=statuses.gateways.get(key) is not None)
        for key in self._touched(round_, "ListenerSet", round_.settled.keys(statuses.listener_sets)):
            judged = statuses.listener_sets.get(key) is not None
            self._compare("ListenerSet", key, self._of_listener_set(key), judged=judged)
        routes = round_.settled.keys(statuses.routes)
        for kind in ROUTE_KINDS:
            for key in self._touched(round_, kind, (key for of, key in routes if of == kind)):
                judged = statuses.routes.get((kind, key)) is not None
                self._compare(kind, key, self._of_route((kind, key)), judged=judged)
        for kind, key in round_.settled.keys(statuses.policies):
            judged = statuses.policies.get((kind, key)) is not None
            self._compare(kind, key, self._of_policy((kind, key)), judged=judged)

    def _touched(self, round_: Round, kind: str, judged: Iterable[Key]) -> list[Key]:
        """Those of a kind whose verdict changed, and those that changed and may have none."""
        return list(dict.fromkeys([*judged, *round_.settled.keys(self.pipeline.inputs.kinds[kind])]))

    def _of_gateway(self, key: Key) -> Iterator[Problem]:
        yield from of_status(key.namespace, self.pipeline.statuses.gateways.get(key))

    def _of_listener_set(self, key: Key) -> Iterator[Problem]:
        yield from _absent(self.pipeline, "ListenerSet", key, self._among)
        yield from of_status(key.namespace, self.pipeline.statuses.listener_sets.get(key))

    def _of_route(self, key: RouteKey) -> Iterator[Problem]:
        yield from _absent(self.pipeline, *key, self._among)
        yield from of_status(key[1].namespace, self.pipeline.statuses.routes.get(key))

    def _of_policy(self, key: PolicyKey) -> Iterator[Problem]:
        yield from of_status(key[1].namespace, self.pipeline.statuses.policies.get(key))

    def _compare(self, kind: str, key: Key, found: Iterable[Problem], *, judged: bool) -> None:
        """`judged` says whether the object has verdicts at all; one that nobody serves any more is not good again."""
        now = frozenset(found)
        before = self._said.pop((kind, key), frozenset())
        known = {(part, message) for part, _, _, message in before}
        for told in causes(one for one in now if (one[0], one[3]) not in known):
            self._tell(ObjectRef(kind, *key), of_kind(kind, told[0][0]), told)
        if before and not now and judged and self.pipeline.inputs.kinds[kind].get(key) is not None:
            log.info("good again", object=f"{kind} {key}")
        if now:
            self._said[kind, key] = now

    def _tell(self, object_: ObjectRef, kind: str, same: list[Problem]) -> None:
        """One cause, whichever conditions say it."""
        part, condition, reason, message = same[0]
        checks = list(dict.fromkeys(one.check for one in of_message(kind, condition, reason, message)))
        conditions = ", ".join(dict.fromkeys(one[1] for one in same))
        reasons = ", ".join(dict.fromkeys(one[2] for one in same))
        log.warning(
            "not good",
            code=checks[0].code,
            object=str(object_),
            part=part,
            condition=conditions,
            reason=reasons,
            message=message,
        )
        self.told(object_, checks, f"{part}: {message}" if part else message)
