"""What verbs that look into a cluster share: which cluster, which namespace, which servers; and how they fail."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from xds_server.cli.input import fail
from xds_server.model.kinds import BY_KIND, ROUTE_KINDS
from xds_server.model.meta import Key

if TYPE_CHECKING:
    from xds_server.shell.kube.client import KubeClient
    from xds_server.shell.kube.servers import Replica
    from xds_server.shell.kube.snapshot import Snapshot

T = TypeVar("T")
NEEDED = ("GatewayClass", "Gateway", *ROUTE_KINDS)
"""The kinds without which nothing true can be told: whose Gateways are, and what is attached to them."""
Kubeconfig = Annotated[
    Path | None, typer.Option(help="Instead of KUBECONFIG, ~/.kube/config or the pod's ServiceAccount.")
]
Context = Annotated[str | None, typer.Option(help="The context of the kubeconfig.")]
ControllerName = Annotated[str, typer.Option(help="The controllerName of the GatewayClasses that are served.")]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Default: the context's.", metavar="NAMESPACE")]
AllNamespaces = Annotated[bool, typer.Option("-A", "--all-namespaces", help="In all namespaces.")]
ServerName = Annotated[str, typer.Option("--name", help="The --name of the servers, which are found by their labels.")]
Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--server",
        help="The debug endpoint of a server outside of the cluster, instead of those in it; may be repeated.",
        metavar="HOST:PORT",
    ),
]


@dataclass(frozen=True, slots=True)
class Where:
    """A cluster, and what of it is asked for."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str = ""
    all_namespaces: bool = False

    def ask(self, work: "Callable[[KubeClient], Awaitable[T]]") -> T:
        """Does some work with a client. Exits with 2, with one line, where the cluster cannot be asked."""
        from xds_server.shell.kube.errors import KubeError  # --help needs none of these

        if self.namespace and self.all_namespaces:
            fail("-n and -A exclude each other")
        try:
            return asyncio.run(self._with_client(work))
        except KubeError as error:
            fail(str(error))

    async def _with_client(self, work: "Callable[[KubeClient], Awaitable[T]]") -> T:
        from xds_server.shell.kube.client import Access, connect

        client = await connect(Access(self.kubeconfig, self.context))
        try:
            return await work(client)
        finally:
            await client.close()

    def read(self) -> "tuple[Snapshot, str]":
        """Everything that the cluster has, and the namespace that is asked for. Exits with 2 where it cannot be asked,
        has no Gateway API, or keeps a kind from us that is needed.
        """
        from xds_server.shell.kube.snapshot import snapshot

        async def work(client: "KubeClient") -> "tuple[Snapshot, str]":
            return await snapshot(client, self.chosen(client)), self.chosen(client)

        found, namespace = self.ask(work)
        require(found)
        return found, namespace

    def chosen(self, client: "KubeClient") -> str:
        """The namespace that is asked for; empty for all."""
        return "" if self.all_namespaces else self.namespace or client.namespace


def require(found: "Snapshot") -> None:
    """Exits with 2 where there is no Gateway API, or where nothing of a kind of NEEDED may be listed."""
    if not found.has_gateway_api:
        fail(f"{found.server} has no Gateway API: its CRDs are not installed")
    if missing := [kind for kind in NEEDED if kind in found.unlisted]:
        fail(f"may not list {', '.join(BY_KIND[kind].plural for kind in missing)}: {found.refused[missing[0]]}")


def note_refused(found: "Snapshot") -> None:
    """Tells which kinds may not be read."""
    for kind, reason in found.refused.items():
        print(f"note: {kind} is not known: {reason}", file=sys.stderr)


def addresses_of(found: "Snapshot", gateway: Key) -> list[str]:
    """Where a Gateway is, by its status."""
    live = found.live.get("Gateway", gateway)
    status = msgspec.json.decode(live.status) if live is not None else {}
    return [one["value"] for one in status.get("addresses") or () if one.get("value")]


async def no_servers_note(client: "KubeClient", name: str, addresses: list[str] | None) -> "tuple[list[Replica], str]":
    """The replicas, and why there are none. Raises KubeError where the cluster does not answer."""
    from xds_server.shell.kube.errors import RefusedError
    from xds_server.shell.kube.servers import LABEL, replicas

    try:
        found = await replicas(client, name, addresses or ())
    except RefusedError as error:
        return [], str(error)
    return found, "" if found else f"no pod with label {LABEL} runs a server called {name}"


def object_key(text: str, namespace: str) -> Key:
    """NAMESPACE/NAME, or NAME in the namespace."""
    first, slash, name = text.partition("/")
    if not first or (slash and (not name or "/" in name)):
        fail(f"{text}: it is NAME or NAMESPACE/NAME")
    return Key(first, name) if slash else Key(namespace, first)
