"""`xds-server translate`: files in, Envoy resources out, decoded from the bytes that would be sent."""

from typing import Annotated, Any

import typer

from xds_server.app.offline import Offline, offline
from xds_server.cli.input import FAULTY, ExternalNames, Filenames, Paths, fail, gateway_key, objects, report
from xds_server.cli.output import Format, dump
from xds_server.model.meta import Key
from xds_server.routing.audience import ForGateway
from xds_server.wire.decode import to_json
from xds_server.xds.resource import ResourceType


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(name="translate", help="Print the Envoy resources that the files mean, by Gateway.")
    def command(
        paths: Paths = None,
        filenames: Filenames = None,
        external_names: ExternalNames = False,
        gateway: Annotated[str, typer.Option(help="Only this Gateway.", metavar="NAMESPACE/NAME")] = "",
        output: Annotated[Format, typer.Option("-o", "--output", help="Output format.")] = Format.YAML,
    ) -> None:
        key = gateway_key(gateway) if gateway else None
        found, faults = objects(paths, filenames)
        result = translation(offline(found, allow_external_names=external_names), key)
        if key and not result:
            report(faults)
            fail(f"no Gateway {gateway} is served here")
        print(dump(result, output), end="")
        if report(faults):
            raise typer.Exit(FAULTY)


def translation(world: Offline, gateway: Key | None = None) -> dict[str, dict[str, list[Any]]]:
    """Gateway -> type -> resources, each sorted by name. Private keys are left out."""
    result: dict[str, dict[str, list[Any]]] = {
        str(key): {} for key in world.pipeline.gateways() if gateway in (None, key)
    }
    order = list(ResourceType)
    for resource in sorted(world.resources, key=lambda one: (one.audience, order.index(one.type), one.name)):
        assert isinstance(resource.audience, ForGateway)
        name = f"{resource.audience.namespace}/{resource.audience.name}"
        if name in result:
            shown = to_json(resource.type.url, resource.body)
            result[name].setdefault(resource.type.value, []).append(_redacted(resource.type, shown))
    return result


def _redacted(type_: ResourceType, shown: Any) -> Any:
    if type_ is ResourceType.SECRET and "tlsCertificate" in shown:
        shown["tlsCertificate"]["privateKey"] = {"inlineString": "[redacted]"}
    return shown
