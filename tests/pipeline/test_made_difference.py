"""What differs of the objects that are made for Gateways."""

from typing import Any

from tests.pipeline import documents as doc
from xds_server.app.offline import offline
from xds_server.infra.desired import AS_IT_IS, Desired
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline.made_difference import MadeChange, made_changes
from xds_server.settings import CONTROLLER_NAME
from xds_server.wire.changed import Change

GW = Key("default", "gw")
PARAMETERS = {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "web"}}


def gateway(*ports: int, **spec: Any) -> doc.Document:
    found = doc.gateway("gw", *(doc.listener(f"http-{port}", port) for port in ports))
    return {**found, "spec": {**found["spec"], **spec}}


def desired(*documents: doc.Document) -> dict[Key, Desired]:
    class_ = doc.document("GatewayClass", "any", {"controllerName": CONTROLLER_NAME}, "")
    world = offline(
        [parse(one) for one in (class_, *documents)],  # type: ignore[misc]
        controller_name=CONTROLLER_NAME,
        deployed=True,
    )
    assert world.pipeline.deployments is not None
    return dict(world.pipeline.deployments.desired.items())


def changes(old: list[doc.Document], new: list[doc.Document]) -> tuple[MadeChange, ...]:
    return made_changes(desired(*old), desired(*new)).get(GW, ())


def parameters(**data: str) -> doc.Document:
    return {**doc.document("ConfigMap", "web"), "data": data}


def test_what_is_the_same_is_not_told() -> None:
    assert changes([gateway(80)], [gateway(80)]) == ()


def test_a_port_changes_the_service_alone() -> None:
    assert changes([gateway(80)], [gateway(80, 81)]) == (MadeChange("Service", "gw", Change.CHANGED, ("spec.ports",)),)


def test_a_label_of_the_infrastructure_replaces_the_envoys() -> None:
    label = ("metadata.labels.team",)
    assert changes([gateway(80)], [gateway(80, infrastructure={"labels": {"team": "shop"}})]) == (
        MadeChange("ServiceAccount", "gw", Change.CHANGED, label),
        MadeChange("Service", "gw", Change.CHANGED, label),
        MadeChange("Deployment", "gw", Change.CHANGED, (*label, "spec.template.metadata.labels.team"), replaces=True),
    )


def test_parameters_that_change() -> None:
    of = gateway(80, infrastructure=PARAMETERS)
    before = [of, parameters(deployment="spec: {replicas: 2}")]
    budget = parameters(deployment="spec: {replicas: 3}", podDisruptionBudget="")
    assert changes(before, [of, budget]) == (
        MadeChange("Deployment", "gw", Change.CHANGED, ("spec.replicas",)),
        MadeChange("PodDisruptionBudget", "gw", Change.ADDED),
    )
    image = parameters(deployment="spec: {template: {spec: {containers: [{name: envoy, image: other}]}}}")
    assert changes(before, [of, image])[0].fields == ("spec.template.spec.containers[envoy].image", "spec.replicas")


def test_a_gateway_that_names_a_service_loses_its_own_envoys() -> None:
    found = changes([gateway(80)], [gateway(80, addresses=[{"type": "Hostname", "value": "ingress"}])])
    assert {(one.kind, one.change) for one in found} == {
        (kind, Change.REMOVED) for kind in ("ServiceAccount", "Service", "Deployment")
    }
    assert [one.kind for one in found if one.replaces] == ["Deployment"]


def test_of_what_is_not_known_nothing_is_told() -> None:
    """What is not accepted keeps what it has; what comes or goes does so as a whole."""
    known = desired(gateway(80))
    assert made_changes(known, {GW: AS_IT_IS}) == made_changes({GW: AS_IT_IS}, known) == {}
    assert made_changes({}, known) == made_changes(known, {}) == {}
