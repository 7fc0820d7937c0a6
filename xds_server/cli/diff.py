"""`xds-server diff`: what would change on which Gateway if files were replaced by others, and what drains over it.

Exit status: 0 nothing would change, 1 something would, 2 wrong usage, 3 the input has faults. The shape of the data is
documented in docs/diff.md.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from msgspec import to_builtins

from xds_server.app.offline import offline
from xds_server.cli.applied import applied
from xds_server.cli.cluster import Context, ControllerName, Kubeconfig, Where, note_refused
from xds_server.cli.diff_table import print_changes, summary
from xds_server.cli.input import GOOD, ExternalNames, fail, gateway_key, given, objects, report
from xds_server.cli.output import Format, dump
from xds_server.cli.table import TableFormat
from xds_server.cli.verdicts import Row, verdicts
from xds_server.flow.table import Table
from xds_server.infra import names
from xds_server.infra.desired import Desired
from xds_server.infra.manual import not_made_for
from xds_server.model.document import Fault, Object
from xds_server.model.meta import Key, ObjectRef
from xds_server.pipeline.difference import (
    GatewayChange,
    ResourceChange,
    StatusChange,
    Verdict,
    World,
    gateway_changes,
    status_changes,
    world,
)
from xds_server.pipeline.made_difference import made_changes
from xds_server.pipeline.program import Pipeline
from xds_server.semantics.listener_sets import parent_of
from xds_server.settings import CONTROLLER_NAME
from xds_server.shell.admin_json import admin_json
from xds_server.shell.scan import STDIN
from xds_server.shell.survey import survey
from xds_server.xds.resource import Resource, ResourceType

DIFFERENT, FAULTY = 1, 3
_HELP = """Say what would change on which Gateway if OLD were replaced by NEW, and what drains. With -f: if these files
were applied to the cluster of the current context.

Exit status: 0 nothing would change, 1 something would, 2 wrong usage, 3 the input has faults.

Examples: xds-server diff OLDDIR NEWDIR | xds-server diff -f route.yaml | kubectl xds diff -n shop -f DIR --delete
"""
_ON_ADDRESSES = ("Programmed", "AddressesAssigned")
"""Conditions of a Gateway that nobody can foresee while it is being given its addresses."""
_PARENTS = ("Gateway", "ListenerSet")
_PATH = "File or directory with YAML or JSON; - is standard input."


@dataclass(frozen=True, slots=True)
class Side:
    """OLD or NEW, translated."""

    name: str
    faults: list[Fault]
    gateways: World
    owners: dict[str, Key]
    """The Gateway of each Gateway and ListenerSet, as verdicts name those."""
    verdicts: tuple[Verdict, ...]
    made: Mapping[Key, Desired]
    """What is made for Gateways; nothing where they are from files."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that would change; `details` are unified diffs by Gateway and resource."""

    gateways: tuple[GatewayChange, ...]
    statuses: tuple[StatusChange, ...]
    details: dict[tuple[str, str, str], str]

    def __bool__(self) -> bool:
        return bool(self.gateways or self.statuses)


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="diff", help=_HELP, short_help="Say what would change, and what drains.")
    def command(
        old: Annotated[Path | None, typer.Argument(help=_PATH, metavar="OLD", show_default=False)] = None,
        new: Annotated[Path | None, typer.Argument(help=_PATH, metavar="NEW", show_default=False)] = None,
        filenames: Annotated[
            list[Path] | None,
            typer.Option(
                "-f", "--filename", help="What would be applied to the cluster; may be repeated.", metavar="PATH"
            ),
        ] = None,
        delete: Annotated[bool, typer.Option("--delete", help="Tell of deleting those objects instead.")] = False,
        external_names: ExternalNames = False,
        gateway: Annotated[str, typer.Option(help="Only this Gateway.", metavar="NAMESPACE/NAME")] = "",
        details: Annotated[bool, typer.Option("--details", help="Print the Envoy resources that differ.")] = False,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Annotated[
            str,
            typer.Option(
                "-n",
                "--namespace",
                help="Of objects of -f that name none; default: the context's.",
                metavar="NAMESPACE",
            ),
        ] = "",
        controller_name: ControllerName = CONTROLLER_NAME,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        key = gateway_key(gateway) if gateway else None
        if filenames:
            if old or new:
                fail("-f compares with the cluster: OLD and NEW have no place beside it")
            where = Where(kubeconfig, context, namespace)
            sides = _of_cluster(where, filenames, controller_name, external_names, delete=delete)
        elif delete:
            fail("--delete is about the objects of -f")
        else:
            sides = _of_files(old, new, external_names)
        if key is not None and not any(key in side.gateways for side in sides):
            _fail_without(key, sides)
        found = difference(*sides, key, details=details)
        if output is TableFormat.TABLE:
            print_changes(found.gateways, found.statuses)
            print("".join(f"{text}\n" for text in found.details.values()), end="")
            print(summary(found.gateways, found.statuses))
        else:
            print(dump(_data(found, sides), Format(output.value)), end="")
        status = _report(sides) or (DIFFERENT if found else GOOD)
        if status != GOOD:
            raise typer.Exit(status)


def difference(old: Side, new: Side, only: Key | None = None, *, details: bool = False) -> Difference:
    """What differs; with `only`, what differs at that Gateway."""
    before, after = (_of(side.gateways, only) for side in (old, new))
    gateways = gateway_changes(before, after, made_changes(old.made, new.made))
    owners = old.owners | new.owners
    judged = ([one for one in side.verdicts if only in (None, *_gateways(one, owners, only))] for side in (old, new))
    texts: dict[tuple[str, str, str], str] = {}
    if details:
        for gateway in gateways:
            key = Key(*gateway.gateway.split("/"))
            for one in gateway.resources:
                id_ = (ResourceType(one.type), one.name)
                resources = (side.get(key, {}).get(id_) for side in (before, after))
                if text := _unified(gateway, one, *resources):
                    texts[gateway.gateway, one.type, one.name] = text
    return Difference(gateways, status_changes(*judged), texts)


def _of_files(old: Path | None, new: Path | None, external_names: bool) -> tuple[Side, Side]:
    if old is None or new is None:
        fail("two files or directories are compared, or -f FILE with the cluster")
    given([old, new], None)
    if str(old) == str(new) == STDIN:
        fail("OLD and NEW are both standard input, which can be read once")
    if old == new or (STDIN not in (str(old), str(new)) and old.samefile(new)):
        print(f"note: OLD and NEW are the same: {new}", file=sys.stderr)
    sides = [_side(str(path), *objects([path], None), external_names) for path in (old, new)]
    return sides[0], sides[1]


def _of_cluster(
    where: Where, filenames: Sequence[Path], controller_name: str, external_names: bool, *, delete: bool
) -> tuple[Side, Side]:
    """The cluster as it is, and as it would be with the files applied, or their objects deleted."""
    files = survey(given(None, filenames))
    found, namespace = where.read()
    note_refused(found)
    old = _side("the cluster", found.objects, [], external_names, controller_name)
    after = applied(found.objects, files, namespace, delete=delete)
    return old, _side(", ".join(map(str, filenames)), after, files.faults, external_names, controller_name)


def _side(
    name: str, found: Sequence[Object], faults: list[Fault], external_names: bool, controller_name: str | None = None
) -> Side:
    translated = offline(found, allow_external_names=external_names, controller_name=controller_name, deployed=True)
    deployments = translated.pipeline.deployments
    pending = {ObjectRef("Gateway", *key) for key in _pending(translated.pipeline)}
    return Side(
        name=name,
        faults=faults,
        gateways=world(translated.pipeline.gateways(), translated.resources),
        owners=_owners(translated.pipeline.inputs.kinds),
        verdicts=tuple(
            _verdict(row)
            for row in verdicts(translated, faults)
            if row.condition not in _ON_ADDRESSES or row.ref not in pending
        ),
        made=dict(deployments.desired.items()) if deployments is not None else {},
    )


def _pending(pipeline: Pipeline) -> Iterator[Key]:
    """Gateways that nobody has given their addresses yet, and that may be given them: no other has their name."""
    kinds = pipeline.inputs.kinds
    for key, placement in pipeline.places.placements.items():
        name = Key(key.namespace, names.child(key.name))
        service, gateway = kinds["Service"].get(name), kinds["Gateway"].get(key)
        taken = service is not None and gateway is not None and not_made_for(gateway, name, service)
        if placement.pending and not taken:
            yield key


def _verdict(row: Row) -> Verdict:
    """Without the number of a listener's routes, which may change."""
    part = row.part.partition(" (")[0]
    return Verdict(str(row.ref), part, row.condition, row.status, row.reason, row.message, row.good)


def _owners(kinds: Mapping[str, Table[Key, Any]]) -> dict[str, Key]:
    owners = {f"Gateway {key}": key for key, _ in kinds["Gateway"].items()}
    for key, row in kinds["ListenerSet"].items():
        if (parent := parent_of(key, row)) is not None:
            owners[f"ListenerSet {key}"] = parent
    return owners


def _of(gateways: World, only: Key | None) -> World:
    return {key: resources for key, resources in gateways.items() if only in (None, key)}


def _gateways(verdict: Verdict, owners: Mapping[str, Key], only: Key | None) -> list[Key | None]:
    """The Gateways that a verdict is about; `only` for what is about none of them."""
    parent = verdict.part.removeprefix("parent ")
    names = [verdict.object, *(f"{kind} {parent}" for kind in _PARENTS if parent != verdict.part)]
    return [owners[name] for name in names if name in owners] or [only]


def _unified(gateway: GatewayChange, change: ResourceChange, old: Resource | None, new: Resource | None) -> str:
    """The resources as Envoy's admin endpoint shows them, keys redacted; empty where nothing else differs."""
    name = f"{gateway.gateway} {change.type} {change.name}"
    before, after = f"OLD {name}" if old else "nothing", f"NEW {name}" if new else "nothing"
    return "\n".join(unified_diff(_lines(old), _lines(new), before, after, lineterm=""))


def _lines(resource: Resource | None) -> list[str]:
    if resource is None:
        return []
    return dump(admin_json(resource.type.url, resource.body), Format.JSON).splitlines()


def _data(found: Difference, sides: Sequence[Side]) -> dict[str, Any]:
    gateways = [_full(to_builtins(gateway)) for gateway in found.gateways]
    for gateway in gateways:
        for resource in gateway["resources"]:
            if text := found.details.get((gateway["gateway"], resource["type"], resource["name"])):
                resource["details"] = text
    return {
        "gateways": gateways,
        "statuses": [_full(to_builtins(status)) for status in found.statuses],
        "faults": {
            name: [str(fault) for fault in side.faults] for name, side in zip(("old", "new"), sides, strict=True)
        },
    }


def _full(value: Any) -> Any:
    """Without what is empty, but for a Gateway's two lists."""
    if isinstance(value, dict):
        shown = {name: _full(inner) for name, inner in value.items()}
        return {name: one for name, one in shown.items() if name in ("resources", "drains") or not _empty(one)}
    return [_full(inner) for inner in value] if isinstance(value, list | tuple) else value


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", [])


def _fail_without(key: Key, sides: Sequence[Side]) -> NoReturn:
    """Wrong usage, unless what is wrong with the input may be why."""
    status = _report(sides)
    if status == GOOD:
        fail(f"no Gateway {key} is served here")
    print(f"error: no Gateway {key} is served here", file=sys.stderr)
    raise typer.Exit(status)


def _report(sides: Sequence[Side]) -> int:
    """Tells the faults of both sides, and what they mean for what was compared; the exit status."""
    for label, side in zip(("OLD", "NEW"), sides, strict=True):
        if report(side.faults):
            count = len(side.faults)
            what = "1 fault, its object is" if count == 1 else f"{count} faults, their objects are"
            print(f"error: {label} {side.name} has {what} taken as absent", file=sys.stderr)
    return FAULTY if any(side.faults for side in sides) else GOOD
