"""How what is made for a Gateway is asked for: labels and annotations, the Service's type, parameters.

Source: Gateway API `GatewayInfrastructure` and `GatewayClassSpec.parametersRef`. Parameters are ConfigMaps whose keys
hold fragments of objects; what each of them says is read before (`World.parameters`). From the lowest layer to the
highest: the class's, those named by the annotation TEMPLATES, the Gateway's own. Annotations of the infrastructure go
before those of the Gateway itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import Gateway, GatewayClass, GatewayInfrastructure, ParametersRef
from xds_server.model.meta import Condition, Key
from xds_server.model.rules.gateway import infrastructure_is_well_formed
from xds_server.semantics import conditions
from xds_server.semantics.world import Overlays, World

SERVICE_TYPE: Final = "networking.istio.io/service-type"
SERVICE_TYPES: Final = ("LoadBalancer", "NodePort", "ClusterIP")
ENVOY_IMAGE: Final = "xds-server.dev/envoy-image"
TEMPLATES: Final = "inject.istio.io/templates"
"""Names of ConfigMaps, with commas between; each is looked for beside the Gateway, then beside the server."""
BUILT_IN_TEMPLATE: Final = "gateway"
"""What there is without any."""
TEMPLATE_LABEL: Final = "xds-server.dev/template"
"""On a ConfigMap, with the value "true": Gateways may name it as a template."""


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """What is put on everything that is made for a Gateway, and how it is made. `note` is on entries that no object
    could have, which are left out.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    service_type: str = SERVICE_TYPES[0]
    image: str = ""
    """Of Envoy; empty for the server's choice."""
    overlays: tuple[Overlays, ...] = ()
    """Lower layers first."""


NONE = Infrastructure()


def judge(gateway: Gateway, look: Lookup, world: World) -> tuple[Infrastructure, list[Condition]]:
    """What a Gateway's infrastructure asks for, and why the Gateway is not accepted with it."""
    spec = gateway.spec.infrastructure or GatewayInfrastructure()
    wrong = dict(infrastructure_is_well_formed(spec))
    settings = gateway.metadata.annotations | spec.annotations
    layers, problems = _layers(gateway, settings, look, world)
    service_type = settings.get(SERVICE_TYPE, SERVICE_TYPES[0])
    if service_type not in SERVICE_TYPES:
        problems.append(
            f"annotation {SERVICE_TYPE}: {service_type} is no type of a Gateway's Service (LoadBalancer, NodePort, or"
            " ClusterIP is)"
        )
    found = Infrastructure(
        labels={key: value for key, value in spec.labels.items() if f"labels.{key}" not in wrong},
        annotations={key: value for key, value in spec.annotations.items() if f"annotations.{key}" not in wrong},
        note="; ".join(f"infrastructure.{place} {reason} and is left out" for place, reason in wrong.items()),
        service_type=service_type,
        image=settings.get(ENVOY_IMAGE, ""),
        overlays=tuple(layers),
    )
    return found, [conditions.not_accepted("InvalidParameters", problem) for problem in problems]


def of_class(class_: GatewayClass, look: Lookup, world: World) -> tuple[Overlays | None, str]:
    """The parameters of a class, and why they cannot be used."""
    reference = class_.spec.parameters_ref
    if reference is None:
        return None, ""
    if not reference.namespace and _is_config_map(reference):
        return None, f"parametersRef: the namespace of ConfigMap {reference.name} is not given"
    return _read(reference, Key(reference.namespace or "", reference.name), look, world, "parametersRef")


def named_by_class(class_: GatewayClass) -> tuple[Key, ...]:
    """The ConfigMap that a class names, there or not."""
    reference = class_.spec.parameters_ref
    if reference is None or not reference.namespace or not _is_config_map(reference):
        return ()
    return (Key(reference.namespace, reference.name),)


def named(gateway: Gateway, server_namespace: str) -> Iterator[Key]:
    """The ConfigMaps that a Gateway names, there or not."""
    namespace = gateway.metadata.namespace
    spec = gateway.spec.infrastructure or GatewayInfrastructure()
    if spec.parameters_ref is not None and _is_config_map(spec.parameters_ref):
        yield Key(namespace, spec.parameters_ref.name)
    for name in _templates(gateway.metadata.annotations | spec.annotations):
        yield from (Key(place, name) for place in _places(namespace, server_namespace))


def _layers(
    gateway: Gateway, settings: Mapping[str, str], look: Lookup, world: World
) -> tuple[list[Overlays], list[str]]:
    """The fragments from the lowest layer to the highest; they end where there is a problem."""
    found: list[Overlays] = []
    problems: list[str] = []
    for layer, problem in _each_layer(gateway, settings, look, world):
        if problem:
            problems.append(problem)
        elif layer is not None and not problems:
            found.append(layer)
    return found, problems


def _each_layer(
    gateway: Gateway, settings: Mapping[str, str], look: Lookup, world: World
) -> Iterator[tuple[Overlays | None, str]]:
    class_ = look.get(world.classes, Key("", gateway.spec.gateway_class_name))
    if class_ is not None:
        layer, problem = of_class(class_, look, world)
        yield layer, problem and f"GatewayClass {class_.metadata.name}: {problem}"
    places = _places(gateway.metadata.namespace, world.server_namespace)
    for name in _templates(settings):
        rows = [row for place in places if (row := look.get(world.parameters, Key(place, name))) and row.is_template]
        if not rows:
            where = " or ".join(places)
            label = f'{TEMPLATE_LABEL}: "true"'
            yield None, f"annotation {TEMPLATES}: there is no ConfigMap {name} with the label {label} in {where}"
        elif rows[0].problem:
            yield None, f"annotation {TEMPLATES}: ConfigMap {name}: {rows[0].problem}"
        else:
            yield rows[0].overlays, ""
    if gateway.spec.infrastructure is not None and (reference := gateway.spec.infrastructure.parameters_ref):
        target = Key(gateway.metadata.namespace, reference.name)
        yield _read(reference, target, look, world, "infrastructure.parametersRef")


def _read(reference: ParametersRef, target: Key, look: Lookup, world: World, field: str) -> tuple[Overlays | None, str]:
    """What the ConfigMap at the end of a reference says, and why that cannot be used."""
    if not _is_config_map(reference):
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        return None, f"{field}: {what} is not a ConfigMap"
    row = look.get(world.parameters, target)
    if row is None:
        return None, f"{field}: ConfigMap {target} does not exist"
    return row.overlays, row.problem and f"{field}: ConfigMap {target}: {row.problem}"


def _is_config_map(reference: ParametersRef) -> bool:
    return (reference.group, reference.kind) == ("", "ConfigMap")


def _templates(settings: Mapping[str, str]) -> list[str]:
    names = (name.strip() for name in settings.get(TEMPLATES, "").split(","))
    return [name for name in names if name not in ("", BUILT_IN_TEMPLATE)]


def _places(namespace: str, server_namespace: str) -> tuple[str, ...]:
    """Where templates are looked for."""
    return (namespace, server_namespace) if server_namespace not in ("", namespace) else (namespace,)
