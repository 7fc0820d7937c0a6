"""`xds-server echo`: a backend that answers every request with what it received."""

import asyncio
from typing import Annotated

import typer

from xds_server.cli.bootstrap import endpoint
from xds_server.cli.input import fail
from xds_server.cli.output import LogFormat
from xds_server.shell import logs
from xds_server.shell.echo import EchoUnavailableError, serve_echo
from xds_server.shell.signals import stop_on_signals


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(
        name="echo", help="Run a small backend that answers with what it received. Any request; the answer is JSON."
    )
    def command(
        address: Annotated[str, typer.Option(help="Where to listen.", metavar="HOST:PORT")] = "127.0.0.1:8000",
        name: Annotated[str, typer.Option(help="Its name, told in every answer.")] = "echo",
        log_format: Annotated[LogFormat, typer.Option(help="How log lines look.")] = LogFormat.CONSOLE,
    ) -> None:
        endpoint("--address", address)
        logs.configure(log_format)
        try:
            asyncio.run(_serve(name, address))
        except EchoUnavailableError as error:
            fail(f"--address {address}: {error}")


async def _serve(name: str, address: str) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await serve_echo(name, address, stop=stop)
