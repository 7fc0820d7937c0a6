"""GatewayClasses: whose is a Gateway? Only the class's controllerName decides."""

import re

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.meta import Condition, Key
from xds_server.semantics import conditions, infrastructure
from xds_server.semantics.world import World

ISTIO_CLASS = "istio"


RELEASE = re.compile(r"v1\.([0-7])\.\d+(-.*)?")
"""Releases of gateway-api whose CRDs are read as they are meant."""


def class_conditions(
    class_: GatewayClass, controller_name: str, bundle_version: str = "", problem: str = ""
) -> tuple[Condition, ...]:
    """The conditions of a class; none for a class of another controller. `problem` is of its parameters. Objects of
    CRDs of a release that is not known are served as well as they can be.
    """
    if class_.spec.controller_name != controller_name:
        return ()
    if problem:
        accepted = conditions.not_accepted("InvalidParameters", problem)
    else:
        accepted = conditions.accepted("The class is served.")
    if not bundle_version:
        return (accepted,)
    known = all(RELEASE.fullmatch(one) for one in bundle_version.split(", "))
    return accepted, conditions.supported_version(bundle_version, known=known)


def serves(gateway: Gateway, look: Lookup, world: World) -> bool:
    """Is this Gateway ours to serve? Without any GatewayClass in files every Gateway is. What is deployed already is
    not given up over a class that is gone, which the API would have nobody delete while it is in use, nor over
    parameters of its class that cannot be used: its Gateways are told of them.
    """
    name = gateway.spec.gateway_class_name
    class_ = look.get(world.classes, Key("", name))
    if class_ is None:
        made = look.get(world.made_of_class, gateway.metadata.key) if world.made_of_class is not None else None
        return made == (gateway.metadata.uid, name) or _is_any_served(look, world)
    if class_.spec.controller_name != world.controller_name:
        return False
    return world.deployed or not infrastructure.of_class(class_, look, world)[1]


def gone(gateway: Gateway, look: Lookup, world: World) -> str:
    """What is to be told of the class of a Gateway that is served without it."""
    name = gateway.spec.gateway_class_name
    if look.get(world.classes, Key("", name)) is not None or _is_any_served(look, world):
        return ""
    return f"GatewayClass {name} does not exist; what was made for the Gateway serves on as it is"


def _is_any_served(look: Lookup, world: World) -> bool:
    return world.any_class and not look.items(world.classes)


def server_name(gateway: Gateway) -> str:
    """The `server` header: what Istio's task page prints for a class called istio, else Envoy's own."""
    return "istio-envoy" if gateway.spec.gateway_class_name == ISTIO_CLASS else "envoy"
