"""The command line: one small module per verb. Exit status: 0 good, 1 the input has faults, 2 wrong usage;
of `diff`: 0 nothing would change, 1 something would, 2 wrong usage, 3 the input has faults.
"""

import gc
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer import BadParameter
from typer.core import TyperCommand

VERBS = (
    "run",
    "serve",
    "translate",
    "check",
    "explain",
    "diff",
    "bootstrap",
    "convert",
    "status",
    "proxy-status",
    "proxy-config",
    "config-dump",
    "bug-report",
    "echo",
    "cleanup",
    "version",
)
HELP = """A Gateway API control plane for Envoy.

Reads Kubernetes Gateway API resources and serves the Envoy configuration that they mean.
"""


def build(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The application with these verbs."""
    settings = {"help_option_names": ["-h", "--help"]}
    app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, context_settings=settings)
    app.callback()(_all_verbs)
    for verb in verbs:
        import_module(f"xds_server.cli.{verb.replace('-', '_')}").register(app)
    for info in app.registered_commands:
        info.cls = _Verb
    return app


class _Verb(TyperCommand):
    """Tells of a value that is none of an option's without the name of the exception."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As its base."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as wrong:
            wrong.message = wrong.message.removeprefix("Value error, ")
            raise


def _all_verbs() -> None:
    """Keeps a verb a verb where it is the only one."""


def main() -> None:
    """Entry point of the xds-server command. Loads a named verb alone: others would bring Envoy's message classes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a verb says otherwise: Ctrl-C while loading ends it quietly
    named = sys.argv[1:2]
    if named not in (["run"], ["serve"], ["echo"]):
        gc.disable()  # verbs that end soon make no garbage worth collecting, and much that would be looked through
    plugin = Path(sys.argv[0]).name.startswith("kubectl-")
    build(named if named and named[0] in VERBS else VERBS)(prog_name="kubectl xds" if plugin else None)
