"""Addresses of Gateways and what answers at them: by the Service's type, in one family and in both, asked for and not."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from e2e.installation import Installation
from e2e.kubectl import condition, eventually
from e2e.traffic import Target, ask
from e2e.workloads import HOST, PARAMETERS, backend, gateway, placed, route

Maker = Callable[..., None]


@pytest.fixture
def make(installed: Installation, namespace: str) -> Maker:
    """Makes a Gateway with a route; `annotations` and `spec` are the Gateway's."""

    def made(annotations: dict[str, str] | None = None, **spec: Any) -> None:
        one = gateway("gateway", **spec)
        one["metadata"]["annotations"] = annotations or {}
        objects = [*backend("echo", installed.images.echo), one, route("main", "gateway")]
        installed.kubectl.apply(*placed(namespace, objects))
        installed.kubectl.rolled_out("echo", namespace)

    return made


def addresses(installed: Installation, namespace: str) -> list[str]:
    """Of the Gateway, once it is programmed."""
    installed.kubectl.wait("gateway/gateway", "condition=Programmed", namespace, 60)
    status = installed.kubectl.get("gateway", "gateway", namespace)["status"]
    return [one["value"] for one in status["addresses"]]


def answers(address: str, port: int = 80) -> bool:
    """Whether the route is served there."""
    return ask(Target(address, HOST, port=port)).status == 200


def service(installed: Installation, namespace: str) -> dict[str, Any]:
    """What was made for the Gateway."""
    return installed.kubectl.get("service", "gateway", namespace)


def test_one_address_unless_somebody_wants_more(installed: Installation, namespace: str, make: Maker) -> None:
    make()
    (address,) = addresses(installed, namespace)
    assert eventually(lambda: answers(address))


def test_both_families(installed: Installation, namespace: str, make: Maker) -> None:
    """Where the cluster has two: both addresses are told, and both serve."""
    text = yaml.safe_dump({"spec": {"ipFamilyPolicy": "PreferDualStack"}})
    installed.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "overlay", "namespace": namespace},
            "data": {"service": text},
        }
    )
    make(infrastructure=PARAMETERS)
    eventually(lambda: service(installed, namespace))
    if len(service(installed, namespace)["spec"]["ipFamilies"]) < 2:
        pytest.skip("the cluster has one family of addresses")
    found = eventually(lambda: (all_ := addresses(installed, namespace)) and len(all_) == 2 and all_)
    assert [":" in one for one in sorted(found, key=lambda one: ":" in one)] == [False, True]
    for address in found:
        assert eventually(lambda: answers(address))  # noqa: B023


def test_a_cluster_ip(installed: Installation, namespace: str, make: Maker) -> None:
    make({"networking.istio.io/service-type": "ClusterIP"})
    (address,) = addresses(installed, namespace)
    assert address == service(installed, namespace)["spec"]["clusterIP"]
    assert eventually(lambda: answers(address))


def test_a_node_port(installed: Installation, namespace: str, make: Maker) -> None:
    make({"networking.istio.io/service-type": "NodePort"})
    found = addresses(installed, namespace)
    (port,) = service(installed, namespace)["spec"]["ports"]
    nodes = {one["address"] for node in installed.kubectl.list("nodes") for one in node["status"]["addresses"]}
    served = [address for address in nodes if ":" not in address and address[0].isdigit()]
    assert found
    assert eventually(lambda: any(answers(address, port["nodePort"]) for address in served))


def test_an_address_that_nobody_gives(installed: Installation, namespace: str, make: Maker) -> None:
    """192.0.2.1 is of the block for documentation."""
    make(addresses=[{"type": "IPAddress", "value": "192.0.2.1"}])

    def told() -> dict[str, Any]:
        found = condition(installed.kubectl.get("gateway", "gateway", namespace), "Programmed")
        assert found.get("status") == "False", found
        assert found["reason"] != "Pending", found
        return found

    found = eventually(told, 30)
    assert found["reason"] in ("AddressNotUsable", "AddressNotAssigned")
    assert "192.0.2.1" in found["message"]
