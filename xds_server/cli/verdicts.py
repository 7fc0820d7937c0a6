"""Verdicts: every condition of every object that has a status, and what has none since nobody serves it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xds_server.app.offline import Offline
from xds_server.model.document import Fault
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.pipeline.gateway import RouteKey
from xds_server.semantics.conditions import is_bad, waits
from xds_server.semantics.statuses import ListenerStatus
from xds_server.shell.verdicts import absent_parents, unserved_gateways


@dataclass(frozen=True, slots=True)
class Row:
    """One verdict: a condition of an object. `at` is where the part that it is about stands in the object."""

    ref: ObjectRef
    part: str
    at: str
    condition: str
    status: str
    reason: str
    message: str
    good: bool


def verdicts(world: Offline, faults: Sequence[Fault] = ()) -> Iterator[Row]:
    """Every condition of every object that has a status; Gateways, and parents of routes, that nobody serves here."""
    statuses = world.pipeline.statuses
    for key, class_ in statuses.classes.items():
        yield from _rows(ObjectRef("GatewayClass", *key), "", "", class_.conditions)
    for key, gateway in statuses.gateways.items():
        yield from _rows(ObjectRef("Gateway", *key), "", "", gateway.conditions)
        yield from _listeners(ObjectRef("Gateway", *key), gateway.listeners)
    for key, set_ in statuses.listener_sets.items():
        yield from _rows(ObjectRef("ListenerSet", *key), "", "", set_.conditions)
        yield from _listeners(ObjectRef("ListenerSet", *key), set_.listeners)
    for (kind, key), route in statuses.routes.items():
        written = world.pipeline.tables.routes.get((kind, key))
        places = {one: index for index, one in reversed(list(enumerate(written.spec.parent_refs if written else ())))}
        for parent in route.parents:
            reference = parent.parent_ref
            part = f"parent {reference.namespace or key.namespace}/{reference.name}"
            at = f"spec.parentRefs[{places[reference]}]" if reference in places else ""
            yield from _rows(ObjectRef(kind, *key), part, at, parent.conditions)
    for (kind, key), policy in statuses.policies.items():
        for ancestor in policy.ancestors:
            part = f"ancestor {ancestor.ancestor_ref.namespace}/{ancestor.ancestor_ref.name}"
            yield from _rows(ObjectRef(kind, *key), part, "", ancestor.conditions)
    yield from _unserved(world, faults)


def _listeners(ref: ObjectRef, listeners: Sequence[ListenerStatus]) -> Iterator[Row]:
    for index, listener in enumerate(listeners):
        routes = listener.attached_routes
        part = f"listener {listener.name} ({routes} {'route' if routes == 1 else 'routes'})"
        yield from _rows(ref, part, f"spec.listeners[{index}]", listener.conditions)


def _rows(ref: ObjectRef, part: str, at: str, conditions: tuple[Condition, ...]) -> Iterator[Row]:
    """Ready repeats Programmed, and without an Envoy both can only wait, unless something else keeps them False."""
    for condition in conditions:
        if condition.type == "Ready" or waits(condition):
            continue
        good = not is_bad(condition)
        yield Row(ref, part, at, condition.type, condition.status, condition.reason, condition.message, good)


def _unserved(world: Offline, faults: Sequence[Fault]) -> Iterator[Row]:
    """Gateways of other controllers; routes and ListenerSets whose parent is not among what was read."""
    for key, reason in unserved_gateways(world.pipeline):
        if not world.files and _has_class(world, key):
            continue
        yield Row(ObjectRef("Gateway", *key), "", "", "Served", "False", "NotOurs", reason, good=False)
    for (kind, key), route in world.pipeline.tables.routes.items():
        absent = list(absent_parents(world.pipeline, kind, key))
        for at, parent in absent:
            yield _no_parent(ObjectRef(kind, *key), parent, at, faults, _among(world))
        if absent and world.pipeline.statuses.routes.get((kind, key)) is None:
            yield from _of_rules((kind, key), world)
        scope = route.spec.use_default_gateways
        if scope not in ("", "None") and not world.pipeline.tables.world.default_gateways.rows(scope):
            message = f"there is no Gateway of defaultScope {scope}{_among(world)}"
            of_scope = (ObjectRef(kind, *key), "default Gateways", "spec.useDefaultGateways")
            yield Row(*of_scope, "Attached", "False", "NoSuchParent", message, good=False)
    for key in world.pipeline.inputs.kinds["ListenerSet"].keys():  # noqa: SIM118 (a table)
        for at, parent in absent_parents(world.pipeline, "ListenerSet", key):
            yield _no_parent(ObjectRef("ListenerSet", *key), parent, at, faults, _among(world))


def _of_rules(route: RouteKey, world: Offline) -> Iterator[Row]:
    """What is wrong with the rules of a route that has no status, since its parents are not there."""
    found = world.pipeline.tables.rules_verdicts.get(route)
    told = (found.resolved, found.rejected or found.partial) if found is not None else ()
    rows = _rows(ObjectRef(route[0], *route[1]), "", "", tuple(one for one in told if one is not None))
    yield from (row for row in rows if not row.good)


def _has_class(world: Offline, gateway: Key) -> bool:
    """Does a class say whose it is? In a cluster it is no fault to be another controller's."""
    found = world.pipeline.inputs.kinds["Gateway"].get(gateway)
    classes = world.pipeline.inputs.kinds["GatewayClass"]
    return found is not None and classes.get(Key("", found.spec.gateway_class_name)) is not None


def _among(world: Offline) -> str:
    return " among the files" if world.files else ""


def _no_parent(ref: ObjectRef, parent: ObjectRef, at: str, faults: Sequence[Fault], among: str) -> Row:
    message = absence(parent, faults, among)
    return Row(ref, f"parent {parent.key}", at, "Attached", "False", "NoSuchParent", message, good=False)


def absence(parent: ObjectRef, faults: Sequence[Fault], among: str = "") -> str:
    """Why a parent that is named is not to be found."""
    for fault in faults:
        if (fault.kind, fault.namespace, fault.name) == parent:
            see = (
                f", see {fault.file}:{fault.line}"
                if fault.file
                else f": {fault.field} {fault.reason}".replace(":  ", ": ")
            )
            return f"{parent} cannot be read{see}"
    return f"there is no {parent}{among}"
