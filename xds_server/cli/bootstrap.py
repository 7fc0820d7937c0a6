"""`xds-server bootstrap`: the bootstrap of an Envoy that someone else runs.

JSON unless YAML is asked for, since Envoy takes a file without a suffix, such as a pipe, for JSON.
"""

import socket
from typing import Annotated

import typer

from xds_server.cli.input import fail, gateway_key
from xds_server.cli.output import Format, dump
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.envoy.control_plane import Security

StatusPort = Annotated[
    int, typer.Option(help="Where to answer /ready, /stats/prometheus and /drain; 0: nowhere.", min=0, max=65535)
]
StatusAddress = Annotated[
    str,
    typer.Option(
        help="The pod's address, where --status-port is answered besides loopback. Default: all addresses, which a"
        " kernel without IPv6 does not grant.",
        metavar="ADDRESS",
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(
        name="bootstrap",
        help="Print an Envoy bootstrap that points at a server. Start with it: envoy -c <(xds-server bootstrap ...)",
    )
    def command(
        gateway: Annotated[str, typer.Option(help="The Gateway that the Envoy serves.", metavar="NAMESPACE/NAME")],
        ads_address: Annotated[
            str, typer.Option(help="Where the server listens.", metavar="HOST:PORT")
        ] = "127.0.0.1:18000",
        admin_address: Annotated[
            str, typer.Option(help="Envoy's admin interface.", metavar="HOST:PORT")
        ] = "127.0.0.1:0",
        pod: Annotated[
            str, typer.Option(help="A name that no other Envoy of this Gateway has.")
        ] = socket.gethostname(),
        tls_folder: Annotated[
            str,
            typer.Option(
                help="Where the Envoy has the files of the ConfigMap xds-server-ca: TLS and a token towards a server in"
                " a cluster. Default: plaintext.",
                metavar="FOLDER",
            ),
        ] = "",
        server_name: Annotated[
            str, typer.Option(help="What the server's certificate is for; default: the host of --ads-address.")
        ] = "",
        status_port: StatusPort = 0,
        status_address: StatusAddress = "::",
        output: Annotated[Format, typer.Option("-o", "--output", help="Output format.")] = Format.JSON,
    ) -> None:
        key = gateway_key(gateway)
        host, port = endpoint("--ads-address", ads_address)
        if not port:
            fail(f"--ads-address {ads_address}: a server never listens on port 0")
        if not pod:
            fail("--pod: it must not be empty")
        admin_host, admin_port = endpoint("--admin-address", admin_address)
        if status_port and not admin_port:
            fail("--status-port: it needs an --admin-address with a port")
        if not status_address:
            fail("--status-address: it must not be empty")
        if server_name and not tls_folder:
            fail("--server-name: there is no certificate without --tls-folder")
        options = BootstrapOptions(
            gateway=key,
            pod=pod.replace(".", "-"),
            ads_host=host,
            ads_port=port,
            admin_address=admin_host,
            admin_port=admin_port,
            security=Security(tls_folder.rstrip("/"), server_name or host) if tls_folder else None,
            status_port=status_port,
            status_address=status_address,
        )
        print(dump(to_json(bootstrap(options)), output), end="")


def endpoint(option: str, text: str) -> tuple[str, int]:
    """HOST:PORT or [HOST]:PORT. Exits with 2 when it is neither."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        fail(f"{option} {text}: it is HOST:PORT, with the port from 0 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)
