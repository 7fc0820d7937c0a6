"""`xds-server bug-report`: an archive with what is needed to find out what is wrong in a cluster."""

import io
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xds_server.cli.cluster import Context, Kubeconfig, ServerName, Servers, Where
from xds_server.cli.input import fail

if TYPE_CHECKING:
    from xds_server.shell.kube.bug_report import Report
    from xds_server.shell.kube.client import KubeClient

_ABOUT = """What `xds-server bug-report` found in {server} at {time}.

versions.json      of this program, the cluster, the Gateway API's CRDs
objects/           everything that xds-server reads, by kind, with statuses
made/              what was made for Gateways
pods.json          pods of servers and proxies
events.json        the cluster's events
logs/              the last lines of servers and proxies
servers/           pages of the servers' debug endpoints, and their metrics
proxies/           what Envoys have: configuration, clusters, listeners, statistics

Of Secrets there are names, types, keys and what their certificates are; of ConfigMaps names of keys. Names of hosts,
Services and namespaces, paths and header values of routes are in it: look before you give it away.
"""


_HELP = """Write an archive with what is needed to see what is wrong: versions, objects with their statuses, events,
logs of servers and Envoys, debug pages, metrics, what each Envoy has. No keys, tokens or contents of Secrets are in it.

Exit status: 0 it is written; what could not be had is told, and in it. 2 the cluster cannot be asked.

Examples: xds-server bug-report | kubectl xds bug-report -f /tmp/report.tar.gz --lines 500
"""


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(
        name="bug-report",
        help=_HELP,
        short_help="Write an archive with what is needed to see what is wrong.",
    )
    def command(
        file: Annotated[
            Path | None, typer.Option("-f", "--file", help="Where to; default: xds-bug-report-TIME.tar.gz here.")
        ] = None,
        lines: Annotated[int, typer.Option(help="Of each log, the last so many.", min=0)] = 2000,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        name: ServerName = "xds-server",
        server: Servers = None,
    ) -> None:
        now = datetime.now(UTC)
        target = file or Path(f"xds-bug-report-{now:%Y%m%d-%H%M%S}.tar.gz")

        async def work(client: "KubeClient") -> "tuple[Report, str]":
            from xds_server.shell.kube.bug_report import collect

            return await collect(client, name, server, lines), client.server

        report, cluster = Where(kubeconfig, context).ask(work)
        try:
            _write(target, report, _ABOUT.format(server=cluster, time=f"{now:%Y-%m-%d %H:%M:%S} UTC"), now)
        except OSError as error:
            fail(f"{target}: {error.strerror}")
        for problem in report.problems:
            print(f"note: {problem}", file=sys.stderr)
        size = target.stat().st_size
        print(f"{target}: {len(report.files)} files, {size // 1024} kB. No secrets are in it; names and hosts are.")


def _write(target: Path, report: "Report", about: str, now: datetime) -> None:
    problems = "".join(f"{one}\n" for one in report.problems)
    files = {"README.txt": about.encode(), "problems.txt": problems.encode(), **report.files}
    with tarfile.open(target, "w:gz") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"xds-bug-report/{name}")
            entry.size, entry.mtime = len(content), int(now.timestamp())
            archive.addfile(entry, io.BytesIO(content))
