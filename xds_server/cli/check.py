"""`xds-server check`: every object's conditions and every fault, without a server."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from xds_server.app import Offline, offline
from xds_server.cli.input import FAULTY, Filenames, Paths, objects
from xds_server.cli.output import Format, dump
from xds_server.cli.table import TableFormat, print_table
from xds_server.model.document import Fault
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.semantics.conditions import is_bad, waits
from xds_server.semantics.listener_sets import parent_of
from xds_server.semantics.statuses import ListenerStatus
from xds_server.shell.verdicts import unserved_gateways


@dataclass(frozen=True, slots=True)
class Row:
    """One verdict: a condition of an object, or a fault."""

    object: str
    part: str
    condition: str
    status: str
    reason: str
    message: str
    good: bool


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="check", help="Say what is accepted and what is wrong. Exit status 1 when anything is.")
    def command(
        paths: Paths = None,
        filenames: Filenames = None,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        found, faults = objects(paths, filenames)
        rows = [*_faults(faults), *verdicts(offline(found), faults)]
        if output is TableFormat.TABLE:
            _print(rows)
        else:
            print(dump([asdict(row) for row in rows], Format(output.value)), end="")
        if not all(row.good for row in rows):
            raise typer.Exit(FAULTY)


def verdicts(world: Offline, faults: Sequence[Fault] = ()) -> Iterator[Row]:
    """Every condition of every object that has a status, and routes that no Gateway here serves."""
    statuses = world.pipeline.statuses
    for key, class_ in statuses.classes.items():
        yield from _rows("GatewayClass", key, "", class_.conditions)
    for key, gateway in statuses.gateways.items():
        yield from _rows("Gateway", key, "", gateway.conditions)
        yield from _listeners("Gateway", key, gateway.listeners)
    for key, set_ in statuses.listener_sets.items():
        yield from _rows("ListenerSet", key, "", set_.conditions)
        yield from _listeners("ListenerSet", key, set_.listeners)
    for (kind, key), route in statuses.routes.items():
        for parent in route.parents:
            part = f"parent {parent.parent_ref.namespace or key.namespace}/{parent.parent_ref.name}"
            yield from _rows(kind, key, part, parent.conditions)
    for (kind, key), policy in statuses.policies.items():
        for ancestor in policy.ancestors:
            part = f"ancestor {ancestor.ancestor_ref.namespace}/{ancestor.ancestor_ref.name}"
            yield from _rows(kind, key, part, ancestor.conditions)
    yield from _unserved(world, faults)


def _listeners(kind: str, key: Key, listeners: Sequence[ListenerStatus]) -> Iterator[Row]:
    for listener in listeners:
        routes = listener.attached_routes
        part = f"listener {listener.name} ({routes} {'route' if routes == 1 else 'routes'})"
        yield from _rows(kind, key, part, listener.conditions)


def _rows(kind: str, key: Key, part: str, conditions: tuple[Condition, ...]) -> Iterator[Row]:
    """Ready repeats Programmed, and without an Envoy both can only wait, unless something else keeps them False."""
    for condition in conditions:
        if condition.type == "Ready" or waits(condition):
            continue
        good = not is_bad(condition)
        yield Row(f"{kind} {key}", part, condition.type, condition.status, condition.reason, condition.message, good)


def _unserved(world: Offline, faults: Sequence[Fault]) -> Iterator[Row]:
    """Gateways of other controllers, and routes whose parent is not among what was read."""
    for key, reason in unserved_gateways(world.pipeline):
        yield Row(f"Gateway {key}", "", "Served", "False", "NotOurs", reason, good=False)
    kinds = world.pipeline.inputs.kinds
    for (kind, key), route in world.pipeline.tables.routes.items():
        for reference in route.spec.parent_refs:
            parent = Key(reference.namespace or key.namespace, reference.name)
            if reference.kind in ("Gateway", "ListenerSet") and kinds[reference.kind].get(parent) is None:
                message = _why_no_parent(ObjectRef(reference.kind, *parent), faults)
                yield Row(f"{kind} {key}", f"parent {parent}", "Attached", "False", "NoSuchParent", message, good=False)
        scope = route.spec.use_default_gateways
        if scope not in ("", "None") and not world.pipeline.tables.world.default_gateways.rows(scope):
            message = f"there is no Gateway of defaultScope {scope} among the files"
            yield Row(f"{kind} {key}", "default Gateways", "Attached", "False", "NoSuchParent", message, good=False)
    for key, set_ in kinds["ListenerSet"].items():
        gateway = parent_of(key, set_)
        if gateway is not None and kinds["Gateway"].get(gateway) is None:
            message = _why_no_parent(ObjectRef("Gateway", *gateway), faults)
            yield Row(
                f"ListenerSet {key}", f"parent {gateway}", "Attached", "False", "NoSuchParent", message, good=False
            )


def _why_no_parent(parent: ObjectRef, faults: Sequence[Fault]) -> str:
    for fault in faults:
        if (fault.kind, fault.namespace, fault.name) == parent:
            return f"{parent} cannot be read, see {fault.file}:{fault.line}"
    return f"there is no {parent} among the files"


def _faults(faults: list[Fault]) -> Iterator[Row]:
    for fault in faults:
        place = ":".join(str(part) for part in (fault.file, fault.line or "") if part)
        key = Key(fault.namespace, fault.name)
        named = fault.name or fault.kind
        name = f"{fault.kind} {key}".strip() if named else place
        message = f"{fault.field}: {fault.reason}" if fault.field else fault.reason
        yield Row(name, place if named else "", "Read", "False", "Invalid", message, good=False)


def _print(rows: list[Row]) -> None:
    if not rows:
        print("nothing to check: no object of a kind that has a status, and no fault")
        return
    head = ("OBJECT", "PART", "CONDITION", "STATUS", "REASON", "MESSAGE")
    lines = [(row.object, row.part, row.condition, row.status, row.reason, row.message) for row in rows]
    print_table(head, lines, styles=["" if row.good else "red" for row in rows], whole=head[2:5])
    bad = sum(not row.good for row in rows)
    print(
        f"{bad} of {len(rows)} {'verdicts are' if len(rows) > 1 else 'verdict is'} bad"
        if bad
        else f"all {len(rows)} verdicts are good"
    )
