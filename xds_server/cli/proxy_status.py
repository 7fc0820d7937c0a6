"""`xds-server proxy-status`: who is connected to which server, in sync or not, and what was rejected.

Exit status: 0 all are in sync, 1 one is not, has rejected something, or a server does not answer.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xds_server.cli.cluster import AllNamespaces, Context, Kubeconfig, ServerName, Servers, Where
from xds_server.cli.input import FAULTY
from xds_server.cli.output import Format, dump
from xds_server.cli.proxies import TYPES, Connected, Connection, connected, nacks, pod_key
from xds_server.cli.table import TableFormat, print_table

if TYPE_CHECKING:
    from xds_server.shell.kube.client import KubeClient

_HEAD = ("PROXY", "GATEWAYS", "SERVER", "ENVOY", *(type_.upper() for type_ in TYPES), "")


_HELP = """Say which Envoys are connected to which server, what they acknowledged, and what they rejected last.

All of them, unless a pod or a namespace of pods is named.

Exit status: 0 all are in sync, 1 one is not, has rejected something, or a server does not answer, 2 the cluster cannot
be asked.

Examples: xds-server proxy-status | xds-server proxy-status -n shop -o yaml | kubectl xds proxy-status POD.shop
"""


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="proxy-status", help=_HELP, short_help="Say which Envoys are connected, and in sync.")
    def command(
        pod: Annotated[str, typer.Argument(help="Only this one.", metavar="[POD[.NAMESPACE]]")] = "",
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Annotated[
            str, typer.Option("-n", "--namespace", help="Only Envoys of this namespace.", metavar="NAMESPACE")
        ] = "",
        all_namespaces: AllNamespaces = False,
        name: ServerName = "xds-server",
        server: Servers = None,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        async def work(client: "KubeClient") -> Connected:
            found = await connected(client, name, server)
            wanted = pod_key(pod, namespace or client.namespace) if pod else None
            chosen = (
                one
                for one in found.connections
                if (wanted is None and namespace in ("", one.pod.namespace)) or one.pod == wanted
            )
            return Connected(tuple(chosen), found.replicas, found.problems)

        found = Where(kubeconfig, context, namespace, all_namespaces).ask(work)
        for problem in found.problems:
            print(f"note: {problem}", file=sys.stderr)
        if output is TableFormat.TABLE:
            _table(found, pod)
        else:
            print(dump([_data(one) for one in found.connections], Format(output.value)), end="")
        good = all(one.in_sync and not _rejects(one) for one in found.connections)
        if found.problems or not good or (pod and not found.connections):
            raise typer.Exit(FAULTY)


def _table(found: Connected, pod: str) -> None:
    if not found.connections:
        print(f"{pod} is not connected" if pod else "no Envoy is connected")
        return
    rows = [_row(one) for one in found.connections]
    styles = ["" if one.in_sync and not _rejects(one) else "red" for one in found.connections]
    print_table(_HEAD, rows, styles=styles)


def _row(one: Connection) -> tuple[str, ...]:
    types: Mapping[str, Any] = one.record["types"]
    states = [types[type_]["state"] if type_ in types else "-" for type_ in TYPES]
    said = "; ".join(f"{type_}: {nack['detail']}" for type_, nack in nacks(one.record))
    draining = "draining; " if one.record["draining"] and said else "draining" if one.record["draining"] else ""
    gateways = ",".join(one.gateways) or "-"
    return str(one.pod), gateways, one.replica.name, one.record["build"] or "?", *states, f"{draining}{said}"


def _rejects(one: Connection) -> bool:
    """Does it lack something now, since it rejected it?"""
    return any(told["state"] == "rejected" for told in one.record["types"].values())


def _data(one: Connection) -> dict[str, Any]:
    return {"pod": str(one.pod), "server": one.replica.name, **one.record}
