"""`xds-server cleanup`: removes from a cluster what an installation made and said there."""

import asyncio
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from xds_server.cli.cluster import Context, ControllerName, Kubeconfig
from xds_server.cli.input import FAULTY, GOOD, fail
from xds_server.cli.output import Format, dump
from xds_server.cli.serve import Name
from xds_server.model.meta import Key
from xds_server.settings import ServeSettings

if TYPE_CHECKING:
    from xds_server.shell.kube.cleanup import Installed, Remnant
    from xds_server.shell.kube.client import Access, KubeClient

    Done = dict[Remnant, str]

DEFAULTS = ServeSettings()
NAMESPACE = "xds-system"
_SCALE = "scale to 0"
HELP = """Remove what an installation made in a cluster.

Ends the servers (their Deployment stays, with no pods), then removes the Envoys of Gateways with their Services and
all that belongs to them, what the servers keep for themselves, and what they said in statuses. Gateways, routes and
whatever else people made stay as they are. Asks before it does anything. Exit status 1 when something is left.
"""
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Where it is installed.")]
WatchNamespaces = Annotated[
    list[str] | None, typer.Option(help="Look in this namespace alone; may be repeated. Default: in all.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be removed, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class CleanupFormat(StrEnum):
    """Formats of what is removed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[CleanupFormat, typer.Option("-o", "--output", help="Output format.")]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="cleanup", help=HELP)
    def command(
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Namespace = NAMESPACE,
        name: Name = DEFAULTS.name,
        controller_name: ControllerName = DEFAULTS.controller_name,
        watch_namespace: WatchNamespaces = None,
        dry_run: DryRun = False,
        yes: Yes = False,
        output: Output = CleanupFormat.TEXT,
    ) -> None:
        from xds_server.shell.kube.cleanup import Installed  # --help needs none of these
        from xds_server.shell.kube.client import Access
        from xds_server.shell.kube.errors import KubeError

        installed = Installed(name, namespace, controller_name, tuple(sorted(set(watch_namespace or ()))))
        work = _clean(Access(kubeconfig, context), installed, _Printer(output), ask=not yes, dry_run=dry_run)
        try:
            done = asyncio.run(work)
        except KubeError as error:
            fail(str(error))
        raise typer.Exit(FAULTY if any(done.values()) else GOOD)


@dataclass(frozen=True, slots=True)
class _Printer:
    """Tells as it goes, or everything at the end."""

    format: CleanupFormat

    def line(self, text: str) -> None:
        """For people."""
        if self.format is CleanupFormat.TEXT:
            print(text)

    def end(self, done: "Done", scaled: Key | None) -> None:
        """For programs."""
        if self.format is not CleanupFormat.TEXT:
            rows = [_row(one, problem) for one, problem in done.items()]
            if scaled is not None:
                rows.insert(0, {"action": _SCALE, "kind": "Deployment", **scaled._asdict()})
            print(dump(rows, Format(self.format.value)), end="")


def _row(one: "Remnant", problem: str) -> dict[str, str]:
    row = {"action": _action(one), "kind": one.kind, "namespace": one.key.namespace, "name": one.key.name}
    return {**row, "problem": problem} if problem else row


def _action(one: "Remnant") -> str:
    return "clear status" if one.status else "delete"


async def _clean(access: "Access", installed: "Installed", printer: _Printer, *, ask: bool, dry_run: bool) -> "Done":
    """By remnant why it is still there, empty for what is gone; in a dry run, for what would be."""
    from xds_server.shell.kube.cleanup import is_deployed, remnants
    from xds_server.shell.kube.client import connect

    client = await connect(access)
    try:
        found = await remnants(client, installed)
        scaled = Key(installed.namespace, installed.name) if await is_deployed(client, installed) else None
        if scaled is not None:
            printer.line(f"{_SCALE} Deployment {scaled}")
        elif not found:
            printer.line(f"nothing to remove ({client.server}, {installed.namespace}/{installed.name})")
        for one in found:
            printer.line(f"{_action(one)} {one}")
        if ask and not dry_run:
            _ask(installed)
        done = dict.fromkeys(found, "") if dry_run else await _remove_all(client, installed, printer)
        printer.end(done, scaled)
        return done
    finally:
        await client.close()


async def _remove_all(client: "KubeClient", installed: "Installed", printer: _Printer) -> "Done":
    """Ends the servers, then removes what there is by then."""
    from xds_server.shell.kube.cleanup import remnants, stop

    await stop(client, installed)
    done = {one: await _remove(client, installed, one) for one in await remnants(client, installed)}
    left = [one for one, problem in done.items() if problem]
    cleared = sum(one.status for one in done if one not in left)
    told = f"{len(done) - len(left) - cleared} objects deleted, {cleared} statuses cleared"
    printer.line(told + (f", {len(left)} left" if left else ""))
    return done


def _ask(installed: "Installed") -> None:
    if not sys.stdin or not sys.stdin.isatty():
        fail("nobody to ask: give --yes, or --dry-run to see what would be removed")
    if not typer.confirm(f"End the servers of {installed.namespace}/{installed.name} and remove this?", err=True):
        raise typer.Exit(FAULTY)


async def _remove(client: "KubeClient", installed: "Installed", one: "Remnant") -> str:
    """Why it could not be removed; empty when it is gone."""
    from xds_server.shell.kube.cleanup import remove
    from xds_server.shell.kube.errors import KubeError

    try:
        await remove(client, installed, one)
    except KubeError as error:
        print(f"error: {one}: {error}", file=sys.stderr)
        return str(error)
    return ""
