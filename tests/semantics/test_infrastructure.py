"""What Gateways ask for of what is made for them; the topic `gateways` of scenarios shows what is told of it."""

from typing import Any

import pytest

from xds_server.infra.desired import Installation
from xds_server.model.core import ConfigMap
from xds_server.model.gateway import (
    Gateway,
    GatewayClass,
    GatewayClassSpec,
    GatewayInfrastructure,
    GatewaySpec,
    Listener,
    ParametersRef,
)
from xds_server.model.meta import Condition, Key, Metadata
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.semantics.infrastructure import ENVOY_IMAGE, SERVICE_TYPE, TEMPLATE_LABEL, TEMPLATES, Infrastructure
from xds_server.settings import CONTROLLER_NAME

OWN = ParametersRef("", "ConfigMap", "own")
TEMPLATE = {TEMPLATE_LABEL: "true"}


def config_map(name: str, namespace: str = "shop", labels: dict[str, str] | None = None, **data: str) -> ConfigMap:
    return ConfigMap(Metadata(name=name, namespace=namespace, labels=labels or {}), data)


def judged(
    *config_maps: ConfigMap,
    of_gateway: dict[str, str] | None = None,
    class_parameters: ParametersRef | None = None,
    deployed: bool = True,
    **infrastructure: Any,
) -> tuple[Infrastructure, Condition]:
    """What Gateway shop/gw asks for, and its Accepted."""
    options = Options(strict=True, deployed=deployed, installation=Installation(namespace="system"))
    pipeline = program.build(options)
    class_ = GatewayClass(Metadata(name="one"), GatewayClassSpec(CONTROLLER_NAME, class_parameters))
    spec = GatewaySpec("one", (Listener("http", 80, "HTTP"),), infrastructure=GatewayInfrastructure(**infrastructure))
    gateway = Gateway(Metadata(name="gw", namespace="shop", annotations=of_gateway or {}), spec)
    pipeline.inputs.put("GatewayClass", Key("", "one"), class_)
    pipeline.inputs.put("Gateway", Key("shop", "gw"), gateway)
    for one in config_maps:
        pipeline.inputs.put("ConfigMap", one.metadata.key, one)
    pipeline.settle()
    verdict = pipeline.tables.gateway_verdicts.get(Key("shop", "gw"))
    assert verdict is not None
    assert verdict.accepted is not None
    return verdict.infrastructure, verdict.accepted


def test_without_any_nothing_is_asked_for() -> None:
    found, accepted = judged()
    assert found == Infrastructure()
    assert accepted.status == "True"


def test_entries_that_no_object_could_have_are_left_out_and_told() -> None:
    found, accepted = judged(
        labels={"team": "a b", "stage": "test"}, annotations={"/": "x", "note": "y" * 5000, "kept": "any text"}
    )
    assert (found.labels, found.annotations) == ({"stage": "test"}, {"kept": "any text"})
    for place in ("infrastructure.labels.team", "infrastructure.annotations./", "infrastructure.annotations.note"):
        assert place in accepted.message


def test_annotations_of_the_infrastructure_go_before_those_of_the_gateway() -> None:
    own = {SERVICE_TYPE: "NodePort", ENVOY_IMAGE: "envoy:1"}
    assert judged(of_gateway=own)[0].service_type == "NodePort"
    found, _ = judged(of_gateway=own, annotations={SERVICE_TYPE: "ClusterIP"})
    assert (found.service_type, found.image) == ("ClusterIP", "envoy:1")


def test_layers_from_the_class_to_the_gateway() -> None:
    maps = [
        config_map("base", "system", serviceAccount="metadata: {labels: {layer: class}}"),
        config_map("near", "shop", TEMPLATE, serviceAccount="metadata: {labels: {layer: near}}"),
        config_map("near", "system", TEMPLATE, serviceAccount="metadata: {labels: {layer: not this}}"),
        config_map("far", "system", TEMPLATE, serviceAccount="metadata: {labels: {layer: far}}"),
        config_map("own", "shop", serviceAccount="metadata: {labels: {layer: own}}"),
    ]
    found, accepted = judged(
        *maps,
        of_gateway={TEMPLATES: "gateway, near,far"},
        class_parameters=ParametersRef("", "ConfigMap", "base", "system"),
        parameters_ref=OWN,
    )
    assert accepted.status == "True", accepted.message
    layers = [layer["serviceAccount"]["metadata"]["labels"]["layer"] for layer in found.overlays]
    assert layers == ["class", "near", "far", "own"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"of_gateway": {SERVICE_TYPE: "ExternalName"}}, f"annotation {SERVICE_TYPE}: ExternalName is no type"),
        ({"of_gateway": {TEMPLATES: "plain"}}, "there is no ConfigMap plain with the label"),
        ({"of_gateway": {TEMPLATES: "broken"}}, "ConfigMap broken: service: must be a mapping"),
        ({"parameters_ref": OWN}, "infrastructure.parametersRef: ConfigMap shop/own does not exist"),
        (
            {"parameters_ref": ParametersRef("", "ConfigMap", "plain")},
            "ConfigMap shop/plain: Service: is not known here",
        ),
        ({"parameters_ref": ParametersRef("", "Secret", "own")}, "Secret is not a ConfigMap"),
        (
            {"class_parameters": ParametersRef("", "ConfigMap", "none", "system")},
            "GatewayClass one: parametersRef: ConfigMap system/none does not exist",
        ),
        ({"class_parameters": ParametersRef("", "ConfigMap", "none")}, "the namespace of ConfigMap none is not given"),
        ({"class_parameters": ParametersRef("a.io", "Fast", "none")}, "parametersRef: a.io/Fast is not a ConfigMap"),
    ],
)
def test_what_cannot_be_used_is_told(given: dict[str, Any], told: str) -> None:
    maps = [config_map("plain", Service="{}"), config_map("broken", "shop", TEMPLATE, service="text")]
    _, accepted = judged(*maps, **given)
    assert (accepted.status, accepted.reason) == ("False", "InvalidParameters")
    assert told in accepted.message


@pytest.mark.parametrize(("deployed", "served"), [(True, True), (False, False)])
def test_what_is_deployed_serves_on_when_its_parameters_are_gone(deployed: bool, served: bool) -> None:
    pipeline = program.build(Options(strict=True, deployed=deployed, any_class=True))
    infrastructure = GatewayInfrastructure(parameters_ref=OWN)
    gateway = Gateway(
        Metadata(name="gw", namespace="shop"),
        GatewaySpec("one", (Listener("http", 80, "HTTP"),), infrastructure=infrastructure),
    )
    pipeline.inputs.put("Gateway", gateway.metadata.key, gateway)
    pipeline.settle()
    (point,) = pipeline.tables.listeners.values()
    assert (point.served is not None) is served
