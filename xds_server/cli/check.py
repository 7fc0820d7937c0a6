"""`xds-server check`: everything that is wrong with some files or a cluster, with its code, field, line and a hint.

Exit status: 0 nothing that counts is wrong, 1 something is, 2 wrong usage.
"""

from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from xds_server.cli.cluster import AllNamespaces, Context, ControllerName, Kubeconfig, Namespace, Where
from xds_server.cli.input import FAULTY, ExternalNames, Filenames, Paths, fail, given
from xds_server.cli.output import Format, dump
from xds_server.semantics.checks.catalog import CHECKS
from xds_server.semantics.checks.check import Severity
from xds_server.semantics.checks.pages import page
from xds_server.settings import CONTROLLER_NAME

_HELP = """Say what is wrong, where, and how it is mended: with files, or without any with the cluster of the current
context, statuses included.

Exit status: 0 nothing of --fail-on or worse, 1 something, 2 wrong usage.

Examples: xds-server check DIR | xds-server check -A | kubectl get gateways,httproutes -o yaml | xds-server check -
"""


class CheckFormat(StrEnum):
    """Formats of what is wrong."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    SARIF = "sarif"
    GITHUB = "github"


class FailOn(StrEnum):
    """The least severity that makes the exit status 1."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="check", help=_HELP, short_help="Say what is wrong, where, and how it is mended.")
    def command(
        paths: Paths = None,
        filenames: Filenames = None,
        external_names: ExternalNames = False,
        output: Annotated[CheckFormat, typer.Option("-o", "--output", help="Output format.")] = CheckFormat.TABLE,
        fail_on: Annotated[FailOn, typer.Option(help="Least severity with exit status 1.")] = FailOn.ERROR,
        ignore: Annotated[list[str] | None, typer.Option(help="Do not tell this; repeatable.", metavar="CODE")] = None,
        all_: Annotated[bool, typer.Option("-v", "--all", help="Tell what is good too.")] = False,
        docs_url: Annotated[str, typer.Option(help="Where docs/checks is published, for SARIF.", metavar="URL")] = "",
        explain: Annotated[str, typer.Option(help="Print what a code means.", metavar="CODE")] = "",
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Namespace = "",
        all_namespaces: AllNamespaces = False,
        controller_name: ControllerName = CONTROLLER_NAME,
    ) -> None:
        if explain:
            _explain(explain)
        from xds_server.cli.check_output import commands, data, summary, table
        from xds_server.cli.checked import of_cluster, of_files  # these bring Envoy's message classes: not for a page
        from xds_server.cli.sarif import sarif

        ignored = {_known(code) for code in ignore or ()}
        where = Where(kubeconfig, context, namespace, all_namespaces)
        if paths or filenames:
            found, rows = of_files(given(paths, filenames), external_names)
        else:
            found, rows = of_cluster(where, controller_name, external_names)
        wrong = [one for one in found if one.check.code not in ignored]
        good = rows if all_ else []
        if output is CheckFormat.TABLE:
            table(wrong, good, places=bool(paths or filenames))
            print(summary(wrong, rows))
        elif output is CheckFormat.SARIF:
            print(dump(sarif(wrong, docs_url), Format.JSON), end="")
        elif output is CheckFormat.GITHUB:
            print("".join(f"{line}\n" for line in commands(wrong)), end="")
        else:
            print(dump(data(wrong, good), Format(output.value)), end="")
        if any(_counts(one.check.severity, fail_on) for one in wrong):
            raise typer.Exit(FAULTY)


def _counts(severity: Severity, least: FailOn) -> bool:
    order = list(FailOn)
    return order.index(FailOn(severity.value)) <= order.index(least) and least is not FailOn.NONE


def _known(code: str) -> str:
    """A code as the catalogue has it, whatever its case and with or without the first 0. Exits with 2 when it has none
    such.
    """
    digits = code.upper().removeprefix("XDS")
    if (known := f"XDS{digits:0>4}") not in CHECKS:
        fail(f"{code}: there is no such code; docs/checks lists them")
    return known


def _explain(code: str) -> NoReturn:
    print(page(CHECKS[_known(code)]), end="")
    raise typer.Exit
