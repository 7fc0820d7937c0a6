"""What is to be there for a Gateway. Files below golden/ are the whole objects; UPDATE_GOLDEN=1 rewrites them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from xds_server.infra.deployment import POD_IP
from xds_server.infra.desired import Desired, Installation, desired
from xds_server.infra.service import Port
from xds_server.model.gateway import Gateway, GatewayAddress, GatewaySpec
from xds_server.model.meta import Metadata
from xds_server.semantics.infrastructure import Infrastructure

GOLDEN = Path(__file__).with_name("golden")
PORTS = {Port(80, "TCP"): "http", Port(443, "TCP"): "https", Port(443, "UDP"): "quic"}
INSTALLATION = Installation(
    namespace="xds-system",
    envoy_image="envoy:1",
    bootstrap=lambda gateway, heap: {"node": {"cluster": str(gateway)}} | ({"heap": heap} if heap else {}),
)
AUTOSCALER = {"spec": {"minReplicas": 2, "maxReplicas": 4}}


def of(*overlays: Mapping[str, Any], ports: Mapping[Port, str] = PORTS, **asked: Any) -> Desired:
    gateway = Gateway(
        Metadata("web", "shop", uid="u1", labels={"team": "shop"}, annotations={"note": "own"}),
        GatewaySpec("edge", addresses=(GatewayAddress(value="192.0.2.7"),)),
    )
    infrastructure = Infrastructure({"stage": "test"}, {"example.com/a": "b"}, overlays=overlays, **asked)
    return desired(gateway, infrastructure, ports, INSTALLATION)


def objects(found: Desired) -> dict[str, Mapping[str, Any]]:
    assert found.objects is not None
    return {one["kind"]: one for one in found.objects}


@pytest.mark.parametrize(
    "kind", ["ServiceAccount", "Service", "Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"]
)
def test_golden(kind: str) -> None:
    found = objects(of({"podDisruptionBudget": {}, "horizontalPodAutoscaler": AUTOSCALER}))
    text = yaml.safe_dump(_plain(found[kind]), sort_keys=False, width=120)
    file = GOLDEN / f"{kind}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert file.read_text() == text


def _plain(value: Any) -> Any:
    """Without aliases in YAML."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def test_what_is_needed_is_made_in_the_order_of_need() -> None:
    found = of()
    assert list(objects(found)) == ["ServiceAccount", "Service", "Deployment"]
    assert (found.uid, found.problem) == ("u1", "")


def test_budgets_and_autoscalers_are_made_for_those_who_ask() -> None:
    found = objects(of({"podDisruptionBudget": {"spec": {"minAvailable": 1}}}, {"horizontalPodAutoscaler": AUTOSCALER}))
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    assert "maxUnavailable" not in found["PodDisruptionBudget"]["spec"]
    assert found["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 4


def test_a_budget_lets_one_go_unless_it_says_otherwise() -> None:
    assert objects(of({"podDisruptionBudget": {}}))["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1


def test_a_variable_of_the_users_is_beside_the_servers() -> None:
    env = [{"name": "POD_IP", "value": "pod.example"}]
    layer = {"deployment": {"spec": {"template": {"spec": {"containers": [{"name": "envoy", "env": env}]}}}}}
    (container,) = objects(of(layer))["Deployment"]["spec"]["template"]["spec"]["containers"]
    told = {one["name"]: one for one in container["env"]}
    assert told["POD_IP"] == env[0]
    assert told[POD_IP[2:-1]]["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}


def test_higher_layers_go_before_lower_ones() -> None:
    layers = [{"deployment": {"spec": {"replicas": number, "paused": True}}} for number in (2, 3)]
    spec = objects(of(*layers))["Deployment"]["spec"]
    assert (spec["replicas"], spec["paused"]) == (3, True)


def test_replicas_are_the_autoscalers_where_there_is_one() -> None:
    found = objects(of({"deployment": {"spec": {"replicas": 3}}}, {"horizontalPodAutoscaler": AUTOSCALER}))
    assert "replicas" not in found["Deployment"]["spec"]


def test_layers_that_do_not_go_together_leave_everything_as_it_is() -> None:
    """Each of them alone is good."""
    found = of({"deployment": {"spec": {"extra": {"a": 1}}}}, {"deployment": {"spec": {"extra": []}}})
    assert found.objects is None
    assert found.problem == "Its parameters cannot be merged: spec.extra must be a mapping, is a list"


def test_without_ports_there_is_no_service_and_so_nothing_changes() -> None:
    found = of(ports={})
    assert (found.objects, found.problem) == (None, "There is no port that a Service could have.")


def test_the_image_that_the_gateway_asks_for() -> None:
    (container,) = objects(of(image="envoy:2"))["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "envoy:2"


@pytest.mark.parametrize(
    ("limits", "heap"),
    [
        ({"memory": "2Gi"}, 9 * 2 * 1024**3 // 10),
        ({"memory": 1000}, 900),
        ({"cpu": "1"}, None),
        ({"memory": "lots"}, None),
        ({"memory": {"a": 1}}, None),
        ("lots", None),
        ({"memory": "100E"}, int((2**63 - 1) * 0.9)),
        ({"memory": "9" * 400}, int((2**63 - 1) * 0.9)),
    ],
)
def test_the_heap_follows_the_limit_of_memory(limits: Any, heap: int | None) -> None:
    envoy = {"name": "envoy", "resources": {"limits": limits}}
    found = objects(of({"deployment": {"spec": {"template": {"spec": {"containers": [envoy]}}}}}))
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert json.loads(container["args"][1]).get("heap") == heap
    assert container["resources"]["limits"] == limits
