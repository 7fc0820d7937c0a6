"""`xds-server explain`: which listener, route, rule and backend a request would come to, or what came closest.

Exit status: 0 a backend or a redirect answers, 1 anything else does or the input has faults, 2 wrong usage. The shape
of the data is that of `pipeline/prediction.py`, in camel case and without what is empty.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from msgspec import to_builtins

from xds_server.app.offline import offline
from xds_server.cli import explain_tree
from xds_server.cli.input import FAULTY, GOOD, ExternalNames, Filenames, Paths, fail, gateway_key, objects, report
from xds_server.cli.output import Format, dump
from xds_server.cli.request import parse
from xds_server.cli.table import TableFormat
from xds_server.model.meta import Key
from xds_server.pipeline.predict import predict
from xds_server.pipeline.prediction import Prediction
from xds_server.pipeline.program import Pipeline
from xds_server.routing.request import HTTP_SCHEMES, Request
from xds_server.settings import Settings
from xds_server.shell.send import Comparison, Target, client_context, compare, local_target, send

_HELP = """Say what a request would come to: listener, route, rule, filters, backends, and the objects that made them;
for a 404 what came closest, and why it missed.

The port of URL is a listener's. Calls of gRPC are grpc://HOST/PACKAGE.SERVICE/METHOD, connections tcp://, tls:// and
udp://HOST:PORT.

Exit status: 0 a backend or a redirect answers, 1 anything else does or the input has faults, 2 wrong usage.
"""


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="explain", help=_HELP, short_help="Say what a request would come to, and why.")
    def command(
        url: Annotated[str, typer.Argument(help="What is asked for.", metavar="URL", show_default=False)],
        paths: Paths = None,
        filenames: Filenames = None,
        external_names: ExternalNames = False,
        method: Annotated[str, typer.Option("-X", "--method", help="Instead of GET.")] = "",
        header: Annotated[
            list[str] | None, typer.Option("-H", "--header", help="'NAME: VALUE'; may be repeated.")
        ] = None,
        gateway: Annotated[str, typer.Option(help="Only this Gateway.", metavar="NAMESPACE/NAME")] = "",
        sni: Annotated[str, typer.Option(help="The server name of the handshake, if it is not URL's host.")] = "",
        send_: Annotated[bool, typer.Option("--send", help="Send the request, too, and compare.")] = False,
        address: Annotated[
            str, typer.Option(help="Where to send it, if not to `run` on this machine.", metavar="HOST[:PORT]")
        ] = "",
        port_offset: Annotated[
            int, typer.Option(help="The --port-offset of `run`.", min=0, max=65535)
        ] = Settings().port_offset,
        cert: Annotated[str, typer.Option(help="PEM of a client certificate to show.", metavar="FILE")] = "",
        key_: Annotated[str, typer.Option("--key", help="Its key, if not in the same file.", metavar="FILE")] = "",
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        request = parse(url, method, header or (), sni)
        key = gateway_key(gateway) if gateway else None
        found, faults = objects(paths, filenames)
        pipeline = offline(found, allow_external_names=external_names).pipeline
        status = report(faults)
        predictions = predictions_for(pipeline, request, key)
        if not predictions:
            fail(f"no Gateway {gateway} is served here" if gateway else "no Gateway is served here")
        sent = None
        if send_ or address:
            sender = _Sender(address, port_offset, cert, key_)
            sent = sender.send(pipeline, request, predictions)
        _print(url, request, predictions, sent, output)
        if not any(one.answer.good for one in predictions) or (sent is not None and sent.differences):
            status = FAULTY
        if status != GOOD:
            raise typer.Exit(status)


def predictions_for(pipeline: Pipeline, request: Request, only: Key | None = None) -> list[Prediction]:
    """What each Gateway would make of the request: those with a listener for it, or all where none has one."""
    keys = [key for key in pipeline.gateways() if only in (None, key)]
    found = [predict(pipeline, key, request) for key in keys]
    return [one for one in found if one.listener is not None] or found


@dataclass(frozen=True, slots=True)
class _Sender:
    """Where a request is sent, and what it shows."""

    address: str
    port_offset: int
    certificate: str
    key: str

    def send(self, pipeline: Pipeline, request: Request, predictions: list[Prediction]) -> Comparison:
        """Sends it. Exits with 2 where that is not possible."""
        if request.scheme not in ("http", "https"):
            fail(f"--send: {request.scheme} requests cannot be sent from here, http and https ones can")
        if len(predictions) > 1:
            names = ", ".join(one.gateway for one in predictions)
            fail(f"--send: it goes to one Gateway; --gateway names one of {names}")
        (prediction,) = predictions
        target = _target(self.address, request) if self.address else None
        if target is None:
            gateway = Key(*prediction.gateway.split("/"))
            target = local_target(pipeline, gateway, request.port, self.port_offset)
        if target is None:
            where = f"Gateway {prediction.gateway} has no port {request.port} on this machine"
            fail(f"--send: {where}; --address says where")
        try:
            tls = client_context(self.certificate, self.key)
        except OSError as error:
            fail(f"--cert {self.certificate}: {error.strerror or error}")
        received = send(request, target, tls)
        return compare(prediction, received, shown=bool(self.certificate))


def _target(address: str, request: Request) -> Target:
    host, colon, port = address.rpartition(":")
    if not colon or address.endswith("]"):
        return Target(address.strip("[]"), request.port)
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        fail(f"--address {address}: it is HOST or HOST:PORT, with the port from 0 to 65535")
    return Target(host.strip("[]"), int(port))


def _print(
    url: str, request: Request, predictions: list[Prediction], sent: Comparison | None, output: TableFormat
) -> None:
    if output is not TableFormat.TABLE:
        data: dict[str, Any] = {"request": _full(to_builtins(request)), "gateways": _full(to_builtins(predictions))}
        if sent is not None:
            data["sent"] = _full(to_builtins(sent))
        print(dump(data, Format(output.value)), end="")
        return
    print(f"{request.method} {url}" if request.scheme in HTTP_SCHEMES else url)
    for prediction in predictions:
        print("\n".join(explain_tree.lines(prediction)))
    if len(predictions) > 1:
        print(f"{len(predictions)} Gateways have a listener for it; --gateway names one")
    if sent is not None:
        print(sent.told)


def _full(value: Any) -> Any:
    """Camel case, and nothing that is empty."""
    if isinstance(value, dict):
        shown = {_camel(name): _full(inner) for name, inner in value.items()}
        return {name: one for name, one in shown.items() if one is not None and one not in ("", [])}
    return [_full(inner) for inner in value] if isinstance(value, list | tuple) else value


def _camel(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more)
