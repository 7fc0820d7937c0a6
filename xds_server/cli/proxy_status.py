"""`xds-server proxy-status`: who is connected to which server, in sync or not, and what was rejected.

Exit status: 0 all are in sync, 1 one is not, is not connected, has rejected something, or a server does not answer.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xds_server.cli.cluster import (
    AllNamespaces,
    Context,
    ControllerName,
    Kubeconfig,
    ServerName,
    Servers,
    Where,
)
from xds_server.cli.input import FAULTY
from xds_server.cli.output import Format, dump
from xds_server.cli.proxies import TYPES, Connected, Connection, Unconnected, connected, nacks, pod_key, unconnected
from xds_server.cli.table import TableFormat, print_table
from xds_server.model.meta import Key
from xds_server.settings import CONTROLLER_NAME

if TYPE_CHECKING:
    from xds_server.shell.kube.client import KubeClient

_HEAD = ("PROXY", "GATEWAYS", "SERVER", "ENVOY", *(type_.upper() for type_ in TYPES), "")
_HELP = """Say which Envoys are connected to which server, what they acknowledged, and what they rejected last.

All of them, unless a pod or a namespace of pods is named; also those that are ready and connected to no server.

Exit status: 0 all are in sync, 1 one is not, is not connected, has rejected something, or a server does not answer, 2
the cluster cannot be asked.

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
        controller_name: ControllerName = CONTROLLER_NAME,
        name: ServerName = "xds-server",
        server: Servers = None,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        async def work(client: "KubeClient") -> tuple[Connected, list[Unconnected]]:
            wanted = pod_key(pod, namespace or client.namespace) if pod else None

            def chosen(one: Key) -> bool:
                return one == wanted if wanted is not None else namespace in ("", one.namespace)

            found = await connected(client, name, server)
            place = wanted.namespace if wanted is not None else namespace
            lonely = [] if found.problems else await unconnected(client, controller_name, found, place)
            connections = tuple(one for one in found.connections if chosen(one.pod))
            return replace(found, connections=connections), [one for one in lonely if chosen(one.pod)]

        found, lonely = Where(kubeconfig, context, namespace, all_namespaces).ask(work)
        for problem in found.problems:
            print(f"note: {problem}", file=sys.stderr)
        if output is TableFormat.TABLE:
            _table(found, lonely, pod)
        else:
            told = [*map(_data, found.connections), *map(_data_of_none, lonely)]
            print(dump(told, Format(output.value)), end="")
        good = all(one.in_sync and not _rejects(one) for one in found.connections)
        if found.problems or lonely or not good or (pod and not found.connections):
            raise typer.Exit(FAULTY)


def _table(found: Connected, lonely: list[Unconnected], pod: str) -> None:
    rows = [_row(one) for one in found.connections]
    styles = ["" if one.in_sync and not _rejects(one) else "red" for one in found.connections]
    for one in lonely:
        rows.append((str(one.pod), one.gateway, *"-" * (len(_HEAD) - 3), "not connected"))
        styles.append("red")
    if rows:
        print_table(_HEAD, rows, styles=styles)
    else:
        print(f"{pod} is not connected" if pod else "no Envoy is connected")


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


def _data_of_none(one: Unconnected) -> dict[str, Any]:
    return {"pod": str(one.pod), "server": "", "serves": [one.gateway], "in_sync": False, "types": {}}
