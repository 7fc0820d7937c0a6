"""`xds-server status`: the state of a cluster's Gateways, from class to backend.

Exit status: 0 all is good, 1 something is not, 2 the cluster cannot be asked, or there is no such Gateway.
"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from xds_server.cli.cluster import (
    AllNamespaces,
    Context,
    ControllerName,
    Kubeconfig,
    Namespace,
    ServerName,
    Servers,
    Where,
    note_refused,
    object_key,
    require,
)
from xds_server.cli.input import FAULTY, fail
from xds_server.cli.output import Format, dump
from xds_server.cli.proxies import Connected, connected
from xds_server.cli.table import TableFormat
from xds_server.model.meta import Key
from xds_server.settings import CONTROLLER_NAME

if TYPE_CHECKING:
    from xds_server.app.offline import Offline
    from xds_server.cli.status_tree import Node
    from xds_server.shell.kube.client import KubeClient
    from xds_server.shell.kube.snapshot import Snapshot

_HELP = """Say how the Gateways of a cluster are.

A tree from class to backend: verdicts, addresses, endpoints, and how many Envoys serve what is meant.

Exit status: 0 all is good, 1 something is not, 2 the cluster cannot be asked, or there is no such Gateway.

Examples: xds-server status -A | xds-server status shop/gateway -o json | kubectl xds status -n shop
"""


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="status", help=_HELP, short_help="Say how the Gateways of a cluster are, from class to backend.")
    def command(
        gateway: Annotated[str, typer.Argument(help="Only this one.", metavar="[[NAMESPACE/]GATEWAY]")] = "",
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Namespace = "",
        all_namespaces: AllNamespaces = False,
        controller_name: ControllerName = CONTROLLER_NAME,
        name: ServerName = "xds-server",
        server: Servers = None,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        async def work(client: "KubeClient") -> "tuple[Snapshot, str, Key | None, Connected]":
            from xds_server.shell.kube.snapshot import snapshot

            chosen = where.chosen(client)
            only = object_key(gateway, chosen or client.namespace) if gateway else None
            found = await snapshot(client, only.namespace if only else chosen)
            return found, chosen, only, await connected(client, name, server)

        where = Where(kubeconfig, context, namespace, all_namespaces)
        found, chosen, only, servers = where.ask(work)
        require(found)
        note_refused(found)
        for problem in servers.problems:
            print(f"note: what Envoys have is not known in full: {problem}", file=sys.stderr)
        nodes = _nodes(found, servers, controller_name, chosen, only)
        if output is TableFormat.TABLE:
            _print(nodes, chosen)
        else:
            print(dump([one.data() for one in nodes], Format(output.value)), end="")
        if not all(one.good for one in nodes):
            raise typer.Exit(FAULTY)


def _nodes(
    found: "Snapshot", servers: Connected, controller_name: str, namespace: str, only: Key | None
) -> "list[Node]":
    from xds_server.app.offline import offline
    from xds_server.cli.status_tree import Asked, lost, tree

    world = offline(found.objects, controller_name=controller_name, deployed=True)
    gateways = world.pipeline.gateways()
    if only is not None:
        wanted = [key for key in gateways if key == only]
        if not wanted:
            fail(_whose(world, found, only))
    else:
        wanted = [key for key in gateways if namespace in ("", key.namespace)]
        _note_others(world, namespace)
    asked = Asked(world, found.live, servers if servers.replicas else None, found.refused)
    return [*tree(asked, wanted), *(lost(asked, namespace, found.faults) if only is None else ())]


def _whose(world: "Offline", found: "Snapshot", key: Key) -> str:
    """Why a Gateway is not told of: it is another controller's, nobody's, or not there."""
    kinds = world.pipeline.inputs.kinds
    gateway = kinds["Gateway"].get(key)
    if gateway is None:
        fault = next((one for one in found.faults if (one.kind, one.namespace, one.name) == ("Gateway", *key)), None)
        return f"there is no Gateway {key}" if fault is None else f"it cannot be read: {fault}"
    name = gateway.spec.gateway_class_name
    class_ = kinds["GatewayClass"].get(Key("", name))
    if class_ is None:
        return f"Gateway {key} is there, and nobody's: there is no GatewayClass {name}"
    ours = world.pipeline.tables.world.controller_name
    theirs = class_.spec.controller_name
    return f"Gateway {key} is there, and not ours: its GatewayClass {name} is of controller {theirs}, not of {ours}"


def _note_others(world: "Offline", namespace: str) -> None:
    """Tells how many Gateways are not told of."""
    from xds_server.shell.verdicts import unserved_gateways

    others = sum(namespace in ("", key.namespace) for key, _ in unserved_gateways(world.pipeline))
    if others:
        what = "1 Gateway is of another class" if others == 1 else f"{others} Gateways are of other classes"
        print(f"note: {what}; status NAMESPACE/NAME says of which", file=sys.stderr)


def _print(nodes: "list[Node]", namespace: str) -> None:
    if not any(one.kind == "GatewayClass" for one in nodes):
        print(
            f"no Gateway is served in namespace {namespace}; -A looks in all" if namespace else "no Gateway is served"
        )
    red, plain = ("\033[31m", "\033[0m") if sys.stdout.isatty() else ("", "")
    for node in nodes:
        for line, good in node.lines():
            print(line if good else f"{red}{line}{plain}")
