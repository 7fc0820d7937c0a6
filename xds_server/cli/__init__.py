"""The command line: one small module per verb. Exit status: 0 good, 1 the input has faults, 2 wrong usage."""

from importlib import import_module

import typer

VERBS = ("run", "translate", "check", "bootstrap", "convert", "echo", "version")
HELP = """A Gateway API control plane for Envoy.

Reads Kubernetes Gateway API resources and serves the Envoy configuration that they mean.
"""


def build() -> typer.Typer:
    """The application with all verbs."""
    app = typer.Typer(
        help=HELP, no_args_is_help=True, rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]}
    )
    for verb in VERBS:
        import_module(f"xds_server.cli.{verb}").register(app)
    return app


def main() -> None:
    """Entry point of the xds-server command."""
    build()()
