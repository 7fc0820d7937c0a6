"""GatewayClasses: whose is a Gateway? Only the class's controllerName decides."""

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.meta import Condition, Key
from xds_server.semantics import conditions
from xds_server.semantics.world import World

ISTIO_CLASS = "istio"


def class_conditions(class_: GatewayClass, controller_name: str) -> tuple[Condition, ...]:
    """The conditions of a class; none for a class of another controller."""
    if class_.spec.controller_name != controller_name:
        return ()
    if class_.spec.parameters_ref is not None:
        reference = class_.spec.parameters_ref
        return (
            conditions.not_accepted(
                "InvalidParameters",
                f"parametersRef {reference.kind}/{reference.name}: a class takes no parameters",
            ),
        )
    return (conditions.accepted("The class is served."),)


def serves(gateway: Gateway, look: Lookup, world: World) -> bool:
    """Is this Gateway ours to serve? Without any GatewayClass in files every Gateway is."""
    name = gateway.spec.gateway_class_name
    class_ = look.get(world.classes, Key("", name))
    if class_ is None:
        return world.any_class and not look.items(world.classes)
    found = class_conditions(class_, world.controller_name)
    return any(condition.type == "Accepted" and condition.status == "True" for condition in found)


def server_name(gateway: Gateway) -> str:
    """The `server` header: what Istio's task page prints for a class called istio, else Envoy's own."""
    return "istio-envoy" if gateway.spec.gateway_class_name == ISTIO_CLASS else "envoy"
