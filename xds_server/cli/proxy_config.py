"""`xds-server proxy-config`: what an Envoy has of one type, the objects behind it, and what it was sent.

Exit status: 0 the Envoy has what the server means it to have, 1 something differs, 2 it cannot be asked.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xds_server.cli.cluster import Context, Kubeconfig, Namespace, ServerName, Servers, Where
from xds_server.cli.config_dump import AdminPort, Pod, config_dump
from xds_server.cli.envoy_dump import DRAINING, WARMING, Held, held
from xds_server.cli.input import FAULTY
from xds_server.cli.output import Format, dump
from xds_server.cli.proxies import connected, pod_key
from xds_server.cli.table import TableFormat, print_table
from xds_server.infra.names import ADMIN_PORT
from xds_server.model.wording import some

if TYPE_CHECKING:
    from xds_server.model.meta import Key
    from xds_server.shell.kube.client import KubeClient

_GOES = "drains, and goes"
_HEAD = ("NAME", "WHAT", "VERSION", "AGAINST WHAT WAS SENT", "OBJECTS")


_HELP = """Show what an Envoy really has, the objects behind it, and whether that is what it was sent.

TYPE is listeners, routes, clusters, endpoints or secrets. What it has is its own word; objects and versions are those
of the server to which it is connected.

Exit status: 0 it has what the server means it to have, 1 something differs, 2 it cannot be asked.

Examples: xds-server proxy-config routes POD.shop | kubectl xds proxy-config endpoints POD -n shop -o json
"""


class Type(StrEnum):
    """What there is to look at."""

    LISTENERS = "listeners"
    ROUTES = "routes"
    CLUSTERS = "clusters"
    ENDPOINTS = "endpoints"
    SECRETS = "secrets"


@dataclass(frozen=True, slots=True)
class Meant:
    """What the server serves an Envoy: the version, the objects that it is made from, and its endpoints if it has."""

    version: str
    owners: tuple[str, ...] = ()
    content: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A resource: as the Envoy has it, and as it was meant. None: not at all."""

    name: str
    has: Held | None
    meant: Meant | None

    @property
    def owners(self) -> tuple[str, ...]:
        """The objects that it is made from."""
        return self.meant.owners if self.meant is not None else ()

    @property
    def difference(self) -> str:
        """How the Envoy differs from what is meant; empty where it does not."""
        if self.has is None:
            return "not there"
        if self.has.error:
            return f"rejected: {self.has.error}"
        if self.meant is None:
            return "of its bootstrap" if self.has.static else _GOES if self._goes else "not meant any more"
        if self.has.version and self.has.version != self.meant.version:
            return f"is {self.has.version}, was sent {self.meant.version}"
        if self.has.state == WARMING:
            return "waits for something that it needs"
        return "" if self.has.version else self._other_content()

    @property
    def _goes(self) -> bool:
        return self.meant is None and self.has is not None and self.has.state == DRAINING

    def _other_content(self) -> str:
        """Envoy tells no version of endpoints, so that these are compared themselves."""
        has, meant = (self.has.content if self.has else None), (self.meant.content if self.meant else None)
        if has is None or meant is None:
            return "of no version"
        lacks, more = sorted(meant - has), sorted(has - meant)
        told = [f"lacks {', '.join(lacks)}"] if lacks else []
        return "; ".join([*told, f"has {', '.join(more)}"] if more else told)

    @property
    def good(self) -> bool:
        """Is it as it is meant to be?"""
        nobodys = self.has is not None and (self.has.static or self._goes) and not self.has.error
        return not self.difference or nobodys


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="proxy-config", help=_HELP, short_help="Show what an Envoy has, and the objects behind it.")
    def command(
        type_: Annotated[Type, typer.Argument(help="Which resources.", metavar="TYPE")],
        pod: Pod,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Namespace = "",
        name: ServerName = "xds-server",
        server: Servers = None,
        admin_port: AdminPort = ADMIN_PORT,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        async def work(client: "KubeClient") -> tuple[dict[str, Any], Mapping[str, Meant] | None, str]:
            key = pod_key(pod, namespace or client.namespace)
            return await config_dump(client, key, admin_port), *await _meant(client, key, type_.value, name, server)

        found, meant, problem = Where(kubeconfig, context, namespace).ask(work)
        if problem:
            print(f"note: what it was sent is not known: {problem}", file=sys.stderr)
        lines = _lines(held(found, type_.value), meant)
        if output is TableFormat.TABLE:
            _table(lines, known=meant is not None)
        else:
            print(dump([_data(one, known=meant is not None) for one in lines], Format(output.value)), end="")
        if meant is not None and not all(one.good for one in lines):
            raise typer.Exit(FAULTY)


async def _meant(
    client: "KubeClient", pod: "Key", type_: str, name: str, addresses: list[str] | None
) -> tuple[Mapping[str, Meant] | None, str]:
    """What the server to which the Envoy is connected serves it, by name; or why nobody knows."""
    from xds_server.shell.kube.errors import KubeError
    from xds_server.shell.kube.servers import page

    found = await connected(client, name, addresses)
    connection = next((one for one in found.connections if one.pod == pod), None)
    if connection is None:
        return None, "; ".join(found.problems) or f"pod {pod} is not connected to any server"
    node = {"node": connection.record["node"]}
    try:
        owners = (await page(client, connection.replica, "/debug/owners", node))[type_]
        dump = {"configs": ()}
        if type_ == Type.ENDPOINTS:
            dump = await page(client, connection.replica, "/debug/config_dump", {**node, "type": type_})
    except KubeError as error:
        return None, str(error)
    return meant(owners, held(dump, type_)), ""


def meant(owners: Mapping[str, Any], served: Mapping[str, Held]) -> dict[str, Meant]:
    """The pages /debug/owners (of one type) and /debug/config_dump together."""
    contents = {name: one.content for name, one in served.items()}
    return {name: Meant(told["version"], tuple(told["owners"]), contents.get(name)) for name, told in owners.items()}


def _lines(has: Mapping[str, Held], all_meant: Mapping[str, Meant] | None) -> list[Line]:
    names = sorted({*has, *(all_meant or ())})
    return [Line(name, has.get(name), (all_meant or {}).get(name)) for name in names]


def _table(lines: Sequence[Line], *, known: bool) -> None:
    if not lines:
        print("it has none")
        return
    rows, styles = [], []
    for one in lines:
        against = (one.difference or "same") if known or (one.has and one.has.error) else "?"
        version = (one.has.version if one.has else "") or "-"
        rows.append((one.name, one.has.detail if one.has else "-", version, against, _some(one.owners)))
        styles.append("" if one.good or not known else "red")
        for part in one.has.parts if one.has else ():
            rows.append((f"  {part.name}", part.detail, "", "", part.object))
            styles.append("")
    print_table(_HEAD, rows, styles=styles)


def _some(owners: Sequence[str], most: int = 3) -> str:
    """The objects alone where there are several, since parts tell the fields."""
    several = list(dict.fromkeys(" ".join(one.split()[:2]) for one in owners))
    objects = several if len(owners) > 1 else list(owners)
    return some(objects, most)


def _data(one: Line, *, known: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": one.name, "objects": list(one.owners)}
    if one.has is not None:
        told |= {"detail": one.has.detail, "version": one.has.version}
        told["parts"] = [{name: value for name, value in part._asdict().items() if value} for part in one.has.parts]
    if known:
        sent = one.meant.version if one.meant is not None else None
        told |= {"meant": sent, "difference": one.difference, "good": one.good}
    return told
