"""Statuses as values: what the rules decided, what Envoy answered, put together per object.

`observedGeneration` is set on every condition; `lastTransitionTime` is left to whoever writes the status.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.httproute import ParentReference
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Condition, Key, Struct
from xds_server.semantics import addresses, classes, conditions, default_gateways, frontend_validation
from xds_server.semantics.addresses import GatewayStatusAddress, Placement
from xds_server.semantics.attach import ParentVerdict, Route
from xds_server.semantics.listener_sets import SetVerdict
from xds_server.semantics.listeners import GatewayVerdict, ListenerVerdict
from xds_server.semantics.routes.rules import RulesVerdict


class SupportedKind(Struct, frozen=True):
    """An entry of a listener's supportedKinds."""

    group: str
    kind: str


class ListenerStatus(Struct, frozen=True):
    """Gateway.status.listeners[]."""

    name: str
    supported_kinds: tuple[SupportedKind, ...]
    attached_routes: int
    conditions: tuple[Condition, ...]


class GatewayStatus(Struct, frozen=True):
    """Gateway.status; `addresses` are there once whoever places the Gateway has told them."""

    conditions: tuple[Condition, ...]
    listeners: tuple[ListenerStatus, ...]
    attached_listener_sets: int
    """Those that are accepted."""
    addresses: tuple[GatewayStatusAddress, ...] = ()


class ListenerSetStatus(Struct, frozen=True):
    """ListenerSet.status."""

    conditions: tuple[Condition, ...]
    listeners: tuple[ListenerStatus, ...]


class RouteParentStatus(Struct, frozen=True):
    """status.parents[] of every kind of route."""

    parent_ref: ParentReference
    controller_name: str
    conditions: tuple[Condition, ...]


class RouteStatus(Struct, frozen=True):
    """The status of every kind of route."""

    parents: tuple[RouteParentStatus, ...]


class SupportedFeature(Struct, frozen=True):
    """An entry of a class's supportedFeatures."""

    name: str


class GatewayClassStatus(Struct, frozen=True):
    """GatewayClass.status; `supported_features` are in order of their names' bytes."""

    conditions: tuple[Condition, ...]
    supported_features: tuple[SupportedFeature, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """What is the same for all classes: features, and the release of the CRDs, empty where nobody knows; of several,
    all of them, separated by ", ".
    """

    controller_name: str
    features: tuple[str, ...] = ()
    bundle_version: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """What Envoys said of a Gateway: how many are connected, and up to which generation all of them have it all; of
    its ListenerSets likewise.
    """

    generation: int | None = None
    envoys: int = 0
    sets: Mapping[Key, int] = field(default_factory=dict)
    ready: bool = True
    """Traffic reaches one of them."""

    def of_set(self, key: Key) -> "Served":
        """The same of one of its ListenerSets."""
        return Served(self.sets.get(key), self.envoys, ready=self.ready)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps Envoys of a Gateway from coming up: a reason of Programmed, and what Kubernetes says. `serving`:
    others of them are ready.
    """

    reason: str
    message: str
    serving: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part that Envoy rejected and that is left out or replaced: where in its object, and Envoy's own words."""

    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class Losses:
    """What Envoys of a Gateway rejected of a route; `everything`: none of its rules is served any more."""

    rejected: tuple[Rejected, ...] = ()
    everything: bool = False


NO_LOSSES = Losses()


def gateway_class_status(class_: GatewayClass, program: Program, problem: str) -> GatewayClassStatus | None:
    """The status of a class of ours, None for others'. `problem` is of its parameters."""
    found = classes.class_conditions(class_, program.controller_name, program.bundle_version, problem)
    if not found:
        return None
    return GatewayClassStatus(
        conditions=conditions.observed(found, class_.metadata.generation),
        supported_features=tuple(SupportedFeature(name) for name in program.features),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What else there is to say of a Gateway: routes by listener name, what Envoys rejected, the listeners whose port
    cannot be bound now, and why, or has no place yet, and where the Gateway is. `resolved` is about the certificate
    that it shows to backends, `undeployed` about what keeps it from being deployed, `trouble` about its pods.
    """

    attached: Mapping[str, int]
    rejections: Sequence[Rejected] = ()
    unbound: Mapping[str, str] = field(default_factory=dict)
    placement: Placement | None = None
    resolved: Condition | None = None
    unplaced: frozenset[str] = frozenset()
    undeployed: Condition | None = None
    trouble: Trouble | None = None

    def not_programmed(self) -> Condition | None:
        """What keeps an accepted Gateway as a whole from being programmed, whatever its Envoys have."""
        if self.undeployed is not None:
            return self.undeployed
        if self.trouble is not None and not self.trouble.serving:
            return conditions.none_comes_up(self.trouble.reason, self.trouble.message)
        return self.placement.not_programmed() if self.placement else None


def gateway_status(gateway: Gateway, verdict: GatewayVerdict, served: Served, found: Found) -> GatewayStatus | None:
    """The status of a Gateway of ours, None for others'."""
    if not verdict.ours or verdict.accepted is None:
        return None
    generation = gateway.metadata.generation
    progress = _progress(generation, served)
    faults = _faults(verdict.listeners, found)
    placement = addresses.settled(gateway, found.placement) if verdict.accepted.status == "True" else None
    trouble = found.trouble if verdict.accepted.status == "True" else None
    programmed = replace(found, placement=placement, trouble=trouble).not_programmed()
    programmed = programmed or _programmed(verdict.accepted, verdict.listeners, faults, progress, found.unplaced)
    if trouble is not None and trouble.serving:
        programmed = conditions.some_do_not_come_up(programmed, trouble.message)
    own = [verdict.accepted, programmed, conditions.ready_like(programmed)]
    own += [placement.assigned()] if placement else []
    own += [found.resolved] if found.resolved is not None else []
    own += default_gateways.told(gateway) + frontend_validation.told(gateway)
    listeners = _listener_statuses(verdict.listeners, generation, progress, found, faults)
    attached = sum(one.accepted.status == "True" for one in (verdict.sets or {}).values())
    return GatewayStatus(
        conditions=conditions.observed(own, generation),
        listeners=listeners,
        attached_listener_sets=attached,
        addresses=found.placement.addresses if found.placement else (),
    )


def listener_set_status(set_: ListenerSet, verdict: SetVerdict, served: Served, found: Found) -> ListenerSetStatus:
    """The status of a ListenerSet of a Gateway of ours. Of a set that is not allowed no listener is told."""
    generation = set_.metadata.generation
    progress = _progress(generation, served)
    faults = _faults(verdict.listeners, found)
    if verdict.accepted.reason in ("NotAllowed", "ListenersNotValid") and verdict.accepted.status == "False":
        programmed = conditions.not_programmed(verdict.accepted.reason, verdict.accepted.message)
    elif verdict.accepted.reason == "ParentNotAccepted":
        programmed = conditions.not_programmed("ParentNotProgrammed", verdict.accepted.message)
    elif of_gateway := found.not_programmed():
        told = f"The Gateway is not programmed: {of_gateway.message}"
        programmed = conditions.not_programmed("ParentNotProgrammed", told)
    else:
        programmed = _programmed(verdict.accepted, verdict.listeners, faults, progress, found.unplaced)
    own = (verdict.accepted, programmed, conditions.ready_like(programmed))
    listeners = _listener_statuses(verdict.listeners, generation, progress, found, faults)
    return ListenerSetStatus(conditions=conditions.observed(own, generation), listeners=listeners)


def _faults(listeners: Sequence[ListenerVerdict], found: Found) -> dict[str, str]:
    """Why listeners that could be served are not, by name."""
    by_field = {rejection.field: rejection.detail for rejection in found.rejections}
    faults = dict(found.unbound)
    for listener in listeners:
        if (detail := by_field.get(f"listeners[{listener.name}]")) is not None:
            faults[listener.name] = f"Envoy rejected it: {detail}"
    return faults


def _progress(generation: int, served: Served) -> Condition:
    if served.generation is not None and served.generation >= generation:
        return conditions.programmed("Every connected Envoy has acknowledged this generation.")
    if not served.envoys:
        return conditions.not_programmed("Pending", "No Envoy of this Gateway is connected.")
    if not served.ready:
        return conditions.not_programmed("Pending", "No Envoy of this Gateway is ready yet.")
    return conditions.not_programmed("Pending", "Not every connected Envoy has acknowledged this generation yet.")


def _unplaced() -> Condition:
    return conditions.not_programmed("Pending", "The port has no place on this machine yet.")


def _programmed(
    accepted: Condition,
    listeners: Sequence[ListenerVerdict],
    faults: Mapping[str, str],
    progress: Condition,
    unplaced: frozenset[str],
) -> Condition:
    """Of a Gateway or a ListenerSet as a whole."""
    if accepted.status != "True":
        return conditions.not_programmed("Invalid", "The Gateway is not accepted.")
    serving = [listener.name for listener in listeners if listener.served]
    if not serving:
        return conditions.not_programmed("Invalid", "None of the listeners can be served.")
    if all(name in faults for name in serving):
        return conditions.not_programmed("Invalid", f"No listener is served: {faults[serving[0]]}")
    return _unplaced() if unplaced.issuperset(serving) else progress


def _listener_statuses(
    listeners: Sequence[ListenerVerdict],
    generation: int,
    progress: Condition,
    found: Found,
    faults: Mapping[str, str],
) -> tuple[ListenerStatus, ...]:
    return tuple(
        _listener_status(
            one,
            generation,
            _unplaced() if one.name in found.unplaced else progress,
            found.attached,
            faults.get(one.name),
        )
        for one in listeners
    )


def _listener_status(
    verdict: ListenerVerdict,
    generation: int,
    progress: Condition,
    attached: Mapping[str, int],
    fault: str | None,
) -> ListenerStatus:
    programmed = progress
    if fault is not None and verdict.served:
        programmed = conditions.not_programmed("Invalid", fault)
    elif not verdict.served:
        programmed = conditions.not_programmed(verdict.unserved, _why_not_served(verdict))
    found = [verdict.accepted, verdict.resolved, programmed, conditions.ready_like(programmed)]
    found += [condition for condition in (verdict.conflicted, verdict.overlapping) if condition is not None]
    return ListenerStatus(
        name=verdict.name,
        supported_kinds=tuple(SupportedKind(group=GATEWAY_GROUP, kind=kind) for kind in verdict.kinds),
        attached_routes=attached.get(verdict.name, 0),
        conditions=conditions.observed(found, generation),
    )


def _why_not_served(verdict: ListenerVerdict) -> str:
    for condition in (verdict.accepted, verdict.resolved):
        if condition.status == "False":
            return condition.message
    return "The Gateway is not accepted."


def route_status(
    route: Route,
    parents: Sequence[ParentVerdict],
    rules: RulesVerdict,
    losses: Mapping[Key, Losses],
    controller_name: str,
) -> RouteStatus:
    """The route's entry for each parent of ours. `losses` are by Gateway."""
    return RouteStatus(
        parents=tuple(
            RouteParentStatus(
                parent_ref=parent.reference,
                controller_name=controller_name,
                conditions=conditions.observed(
                    _parent_conditions(parent, rules, losses.get(parent.gateway, NO_LOSSES)),
                    route.metadata.generation,
                ),
            )
            for parent in parents
        )
    )


def _parent_conditions(parent: ParentVerdict, rules: RulesVerdict, losses: Losses) -> list[Condition]:
    accepted = parent.accepted
    if accepted.status == "True" and rules.rejected is not None:
        accepted = rules.rejected
    elif accepted.status == "False" and rules.problems:  # or else they would be told once the parent is right
        accepted = conditions.not_accepted(accepted.reason, "; ".join((accepted.message, *rules.problems)))
    problems = list(rules.problems) if rules.partial is not None else []
    problems += [f"{rejection.field} was rejected by Envoy: {rejection.detail}" for rejection in losses.rejected]
    if accepted.status == "True" and losses.everything:
        return [conditions.not_accepted("UnsupportedValue", "; ".join(problems)), rules.resolved]
    found = [accepted, rules.resolved]
    if accepted.status == "True" and problems:
        found.append(conditions.partially_invalid(f"Dropped Rule: {'; '.join(problems)}"))
    return found
