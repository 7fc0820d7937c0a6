"""`xds-server config-dump`: what an Envoy in a cluster really has, in its own words."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from xds_server.cli.cluster import Context, Kubeconfig, Namespace, Where
from xds_server.cli.input import fail
from xds_server.cli.output import Format, dump
from xds_server.cli.proxies import pod_key
from xds_server.infra.names import ADMIN_PORT

if TYPE_CHECKING:
    from xds_server.model.meta import Key
    from xds_server.shell.kube.client import KubeClient

AdminPort = Annotated[
    int, typer.Option(help="Of Envoy's admin endpoint, on loopback of its pod.", min=1, max=65535, metavar="PORT")
]
Pod = Annotated[str, typer.Argument(help="The Envoy's pod.", metavar="POD[.NAMESPACE]")]
_HELP = """Print all that an Envoy has, in its own words: its /config_dump, endpoints included. Private keys and tokens
are redacted.

Examples: xds-server config-dump POD.shop | kubectl xds config-dump POD -n shop -o yaml
"""


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="config-dump", help=_HELP, short_help="Print all that an Envoy has, in its own words; redacted.")
    def command(
        pod: Pod,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Namespace = "",
        admin_port: AdminPort = ADMIN_PORT,
        output: Annotated[Format, typer.Option("-o", "--output", help="Output format.")] = Format.JSON,
    ) -> None:
        async def work(client: "KubeClient") -> dict[str, Any]:
            return await config_dump(client, pod_key(pod, namespace or client.namespace), admin_port)

        print(dump(Where(kubeconfig, context, namespace).ask(work), output), end="")


async def config_dump(client: "KubeClient", pod: "Key", port: int = ADMIN_PORT) -> dict[str, Any]:
    """Envoy's /config_dump, endpoints included; Envoy redacts what is secret, and what still looks so is too. Raises
    KubeError. Exits with 2 where something else answers.
    """
    import msgspec

    from xds_server.shell.kube.portforward import get
    from xds_server.shell.scrub import scrub

    answer = await get(client, pod, port, "/config_dump?include_eds")
    try:
        found: dict[str, Any] = msgspec.json.decode(scrub(answer.body).text)
    except msgspec.DecodeError:
        found = {}
    if answer.status != 200 or "configs" not in found:
        fail(f"pod {pod} port {port}: what listens there is no Envoy's admin endpoint")
    return found
