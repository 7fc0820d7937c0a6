"""`xds-server explain`: which listener, route, rule and backend a request would come to, or what came closest.

Exit status: 0 a backend or a redirect answers, 1 anything else does or the input has faults, 2 wrong usage. The shape
of the data is that of `pipeline/prediction.py`, in camel case and without what is empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer
from msgspec import to_builtins

from xds_server.app.offline import Offline, offline
from xds_server.cli import explain_tree
from xds_server.cli.cluster import (
    AllNamespaces,
    Context,
    ControllerName,
    Kubeconfig,
    Where,
    addresses_of,
    note_refused,
)
from xds_server.cli.input import FAULTY, GOOD, ExternalNames, Filenames, Paths, fail, gateway_key, objects, report
from xds_server.cli.output import Format, dump
from xds_server.cli.request import parse
from xds_server.cli.table import TableFormat
from xds_server.model.document import Fault
from xds_server.model.meta import Key, ObjectRef
from xds_server.pipeline.predict import predict
from xds_server.pipeline.prediction import Prediction
from xds_server.pipeline.program import Pipeline
from xds_server.routing.request import HTTP_SCHEMES, Request
from xds_server.settings import CONTROLLER_NAME, Settings
from xds_server.shell.send import Comparison, Target, client_context, compare, local_target, send

Addresses = Mapping[Key, Sequence[str]]
"""Of Gateways in a cluster."""
_STANDING = (b"rejected by Envoy", b"Envoy rejected", b"last good")
"""What a status says where something else is served than what is written."""
_HELP = """Say what a request would come to: listener, route, rule, filters, backends, and the objects that made them;
for a 404 what came closest, and why it missed.

Without files it is a request to the cluster of the current context, and --send sends it to the Gateway's address. What
is served is compared with what is written now, not with what is served in its place (a last good state, say).

The port of URL is a listener's. Calls of gRPC are grpc://HOST/PACKAGE.SERVICE/METHOD, connections tcp://, tls:// and
udp://HOST:PORT.

Exit status: 0 a backend or a redirect answers, 1 anything else does or the input has faults, 2 wrong usage.

Examples: xds-server explain http://shop.example.com/cart DIR | xds-server explain https://shop.example.com/ --send
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
        send_: Annotated[bool, typer.Option("--send", help="Send it, too, and compare with what is written.")] = False,
        address: Annotated[
            str,
            typer.Option(
                help="Where to send it, if not to the Gateway, in its cluster or by `run` here.", metavar="HOST[:PORT]"
            ),
        ] = "",
        port_offset: Annotated[
            int, typer.Option(help="The --port-offset of `run`.", min=0, max=65535)
        ] = Settings().port_offset,
        cert: Annotated[str, typer.Option(help="PEM of a client certificate to show.", metavar="FILE")] = "",
        key_: Annotated[str, typer.Option("--key", help="Its key, if not in the same file.", metavar="FILE")] = "",
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Annotated[
            str, typer.Option("-n", "--namespace", help="Only Gateways of this namespace.", metavar="NAMESPACE")
        ] = "",
        all_namespaces: AllNamespaces = False,
        controller_name: ControllerName = CONTROLLER_NAME,
        output: Annotated[TableFormat, typer.Option("-o", "--output", help="Output format.")] = TableFormat.TABLE,
    ) -> None:
        request = parse(url, method, header or (), sni)
        key = gateway_key(gateway) if gateway else None
        rejected: tuple[str, ...] = ()
        if paths or filenames:
            found, faults = objects(paths, filenames)
            world, addresses = offline(found, allow_external_names=external_names), None
        else:
            where = Where(kubeconfig, context, namespace, all_namespaces)
            world, faults, addresses, rejected = _of_cluster(where, controller_name, external_names)
        status = report(faults)
        predictions = predictions_for(world.pipeline, request, key, namespace)
        if not predictions:
            fail(f"no Gateway {gateway} is served here" if gateway else "no Gateway is served here")
        sent = None
        if send_ or address:
            sender = _Sender(address, port_offset, cert, key_, addresses)
            standing = dict.fromkeys((*map(_name, faults), *rejected))
            sent = replace(sender.send(world.pipeline, request, predictions), standing=tuple(standing))
        _print(url, request, predictions, sent, output)
        if not any(one.answer.good for one in predictions) or (sent is not None and sent.differences):
            status = FAULTY
        if status != GOOD:
            raise typer.Exit(status)


def _of_cluster(
    where: Where, controller_name: str, external_names: bool
) -> tuple[Offline, list[Fault], Addresses, tuple[str, ...]]:
    """What a cluster has, what cannot be read of it, where its Gateways are, and which objects are not served as they
    are written, by their statuses.
    """
    found, _ = where.read()
    note_refused(found)
    world = offline(found.objects, allow_external_names=external_names, controller_name=controller_name, deployed=True)
    rejected = [
        str(ObjectRef(kind, *key))
        for (kind, key), live in found.live.items()
        if any(one in live.status for one in _STANDING)
    ]
    addresses = {key: addresses_of(found, key) for key in world.pipeline.gateways()}
    return world, list(found.faults), addresses, tuple(sorted(rejected))


def _name(fault: Fault) -> str:
    """The object that cannot be read, else where."""
    return str(ObjectRef(fault.kind, fault.namespace, fault.name)) if fault.name else fault.file


def predictions_for(
    pipeline: Pipeline, request: Request, only: Key | None = None, namespace: str = ""
) -> list[Prediction]:
    """What each Gateway would make of the request: those with a listener for it, or all where none has one."""
    keys = [key for key in pipeline.gateways() if only in (None, key) and namespace in ("", key.namespace)]
    found = [predict(pipeline, key, request) for key in keys]
    return [one for one in found if one.listener is not None] or found


@dataclass(frozen=True, slots=True)
class _Sender:
    """Where a request is sent, and what it shows. `addresses` are those of Gateways in a cluster, None for files."""

    address: str
    port_offset: int
    certificate: str
    key: str
    addresses: Addresses | None

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
            target = self._target(pipeline, Key(*prediction.gateway.split("/")), request)
        try:
            tls = client_context(self.certificate, self.key)
        except OSError as error:
            fail(f"--cert {self.certificate}: {error.strerror or error}")
        received = send(request, target, tls)
        return compare(prediction, received, shown=bool(self.certificate))

    def _target(self, pipeline: Pipeline, gateway: Key, request: Request) -> Target:
        """Where the Gateway is. Exits with 2 where that is not known."""
        if self.addresses is None:
            target = local_target(pipeline, gateway, request.port, self.port_offset)
            why = f"has no port {request.port} on this machine"
        else:
            target = next((Target(one, request.port) for one in self.addresses.get(gateway, ())), None)
            why = "has no address yet"
        if target is None:
            fail(f"--send: Gateway {gateway} {why}; --address says where")
        return target


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
        which = f"{len(predictions)} Gateways have" if predictions[0].listener else "no Gateway here has"
        print(f"{which} a listener for it; --gateway names one")
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
