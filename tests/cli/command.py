"""The command line as tests call it: in this process where that is enough, as a process of its own where it is not."""

import gc
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner

from xds_server.cli import VERBS, build

TASK = Path(__file__).parents[2] / "examples" / "istio-task"
"""Files with nothing wrong in them: one Gateway, one HTTPRoute, its Service and EndpointSlice."""

MODULE = (sys.executable, "-m", "xds_server")

GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec:
  gatewayClassName: any
  listeners:
  - {name: web, port: 80, protocol: HTTP}
"""


class Output(NamedTuple):
    """What a call came to."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return self.err.splitlines()


def invoke(*arguments: str | Path, stdin: str | bytes = "", columns: int | None = None) -> Output:
    """Calls the command in this process: in a pipe, or with `columns` on a terminal so wide, without styles
    and final spaces. Fails when anything but an exit status comes out of it.
    """
    terminal = {"FORCE_COLOR": "1", "COLUMNS": str(columns)} if columns else None
    words = [str(argument) for argument in arguments]
    app = build(words[:1] if words[:1] and words[0] in VERBS else VERBS)
    try:
        result = CliRunner().invoke(app, words, input=stdin, prog_name="xds-server", env=terminal)
    finally:
        gc.enable()  # a short-lived process turns it off
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    out = result.stdout
    if columns:
        out = re.sub(r" +$", "", re.sub(r"\x1b\[[0-9;]*m", "", out), flags=re.MULTILINE)
    return Output(result.exit_code, out, result.stderr)


def start(*arguments: str | Path, program: Sequence[str] = MODULE, **more: Any) -> "subprocess.Popen[str]":
    """Starts the command as a process of its own, with pipes."""
    words = [*program, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **more)


def call(*arguments: str | Path, stdin: str = "", **more: Any) -> Output:
    """Runs the command as a process of its own. Fails when it takes long or shows a traceback."""
    with start(*arguments, **more) as process:
        try:
            out, err = process.communicate(stdin, timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert "Traceback" not in out + err
    return Output(process.returncode, out, err)
