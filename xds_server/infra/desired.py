"""What is to be there for a Gateway that is deployed: a ServiceAccount, a Service and a Deployment of its name, and a
disruption budget and an autoscaler if its parameters ask for them.

In: the Gateway, what its infrastructure asks for, its ports. Out: objects as the API server reads them. A Gateway that
is not accepted keeps what it has: a mistake takes nothing out of service.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from xds_server.infra import names
from xds_server.infra.deployment import deployment, most_heap
from xds_server.infra.metadata import Metadata, metadata
from xds_server.infra.overlay import OverlayError
from xds_server.infra.parameters import KINDS, laid_over
from xds_server.infra.service import Port, service
from xds_server.model.gateway import Gateway, GatewaySpec
from xds_server.model.meta import Key
from xds_server.model.meta import Metadata as ObjectMeta
from xds_server.semantics.infrastructure import NONE, Infrastructure
from xds_server.settings import CONTROLLER_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What the server says of itself to everything that it makes."""

    name: str = "xds-server"
    namespace: str = ""
    controller_name: str = CONTROLLER_NAME
    envoy_image: str = ""
    bootstrap: Callable[[Key, int | None], Mapping[str, Any]] = lambda *_: {}
    """Envoy's bootstrap for a Gateway, as JSON; the name of a pod is `deployment.POD_NAME` in it, its address
    `POD_IP`. The number is the most that its heap may come to, in bytes; None where nobody says.
    """
    secured: bool = True
    """Proxies prove who they are, and check who the server is."""


@dataclass(frozen=True, slots=True)
class Desired:
    """The objects that are to be there, in the order in which they are made. None: whatever there is stays as it is,
    for a `problem` or since the Gateway is not accepted.
    """

    objects: tuple[Mapping[str, Any], ...] | None = None
    problem: str = ""
    uid: str = ""
    """The Gateway's own, which owns them."""


AS_IT_IS: Final = Desired()


@dataclass(frozen=True, slots=True)
class Provision:
    """What kept a Gateway's objects from being as they are to be: a reason of Programmed, and what there is to say."""

    reason: str
    message: str


def desired(gateway: Gateway, asked: Infrastructure, ports: Mapping[Port, str], installation: Installation) -> Desired:
    """The objects of a Gateway that is accepted."""
    uid = gateway.metadata.uid
    if not ports:
        return Desired(problem="There is no port that a Service could have.", uid=uid)
    try:
        objects = _laid_over(_built(gateway, asked, ports, installation), asked)
        if heap := most_heap(objects["deployment"]):
            objects = _laid_over(_built(gateway, asked, ports, installation, heap=heap), asked)
    except OverlayError as error:
        return Desired(problem=f"Its parameters cannot be merged: {error}", uid=uid)
    return Desired(tuple(_completed(objects).values()), uid=uid)


def _laid_over(base: Mapping[str, dict[str, Any]], asked: Infrastructure) -> dict[str, dict[str, Any]]:
    """The objects that are wanted, with parameters. Raises OverlayError."""
    wanted = {"serviceAccount", "service", "deployment"}.union(*asked.overlays)
    return {
        key: laid_over(key, base[key], [one[key] for one in asked.overlays if key in one])
        for key in KINDS
        if key in wanted
    }


def _completed(objects: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """With what follows from several objects, or from what nobody said."""
    if "horizontalPodAutoscaler" in objects:
        objects["deployment"]["spec"] = {
            field: value for field, value in objects["deployment"]["spec"].items() if field != "replicas"
        }
    if (budget := objects.get("podDisruptionBudget")) and not {"minAvailable", "maxUnavailable"} & set(budget["spec"]):
        budget["spec"] = {**budget["spec"], "maxUnavailable": 1}
    return objects


@cache
def samples() -> Mapping[str, Mapping[str, Any]]:
    """By key: what is made for a Gateway that asks for nothing. Parameters are tried on them."""
    gateway = Gateway(ObjectMeta("gateway", "default", uid="0"), GatewaySpec("class"))
    return _built(gateway, NONE, {Port(80, "TCP"): "http"}, Installation(envoy_image="envoy"))


def _built(
    gateway: Gateway,
    asked: Infrastructure,
    ports: Mapping[Port, str],
    installation: Installation,
    *,
    heap: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Every object that there may be, by its key in parameters, before these."""
    made = metadata(gateway, asked, installation.controller_name)
    return {
        "serviceAccount": _service_account(made),
        "service": service(made, asked.service_type, ports, gateway.spec.addresses),
        "deployment": deployment(
            made,
            image=asked.image or installation.envoy_image,
            bootstrap=installation.bootstrap(gateway.metadata.key, heap),
            authority=names.authority_config_map(installation.name) if installation.secured else "",
        ),
        "podDisruptionBudget": _disruption_budget(made),
        "horizontalPodAutoscaler": _autoscaler(made),
    }


def _service_account(made: Metadata) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": made.of_object()}


def _disruption_budget(made: Metadata) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": made.of_object(),
        "spec": {"selector": {"matchLabels": dict(made.selected)}},
    }


def _autoscaler(made: Metadata) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": made.name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": made.of_object(),
        "spec": {"scaleTargetRef": target},
    }
