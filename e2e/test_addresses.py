"""Addresses of Gateways and what answers at them: by the Service's type, in one family and in both, asked for and not."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from e2e.held_address import Held
from e2e.installation import Installation
from e2e.kubectl import Kubectl, condition, eventually
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
    installed.kubectl.wait("gateway/gateway", "condition=Programmed", namespace)
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

    found = eventually(told)
    assert found["reason"] in ("AddressNotUsable", "AddressNotAssigned")
    assert "192.0.2.1" in found["message"]


@pytest.fixture
def held(kubectl: Kubectl, namespace: str) -> Held:
    return Held(kubectl, namespace)


def test_static_addresses(installed: Installation, namespace: str, make: Maker, held: Held) -> None:
    """The steps of conformance test GatewayStaticAddresses, which reads the addresses as soon as all conditions are of
    the generation.
    """
    unsupported = {"type": "example.com/pool", "value": "blue"}
    unusable = {"type": "IPAddress", "value": "192.0.2.1"}
    usable = {"type": "IPAddress", "value": held.value}
    make(addresses=[unsupported, unusable, usable])
    eventually(lambda: _told(installed, namespace, "Accepted", "UnsupportedAddress"))
    _ask_for(installed, namespace, unusable, usable)
    eventually(lambda: _told(installed, namespace, "Accepted", "Accepted"))
    eventually(lambda: _told(installed, namespace, "Programmed", "AddressNotUsable"))
    held.let_go()
    found = _ask_for(installed, namespace, usable)
    assert [one["value"] for one in found.get("addresses", ())] == [held.value], found
    installed.kubectl.wait("gateway/gateway", "condition=Programmed", namespace)
    assert addresses(installed, namespace) == [held.value]
    assert eventually(lambda: answers(held.value))


def _ask_for(installed: Installation, namespace: str, *entries: dict[str, str]) -> dict[str, Any]:
    """Changes spec.addresses, and returns the status once all of its conditions are about that."""
    installed.kubectl.patch("gateway", "gateway", namespace, {"spec": {"addresses": list(entries)}})

    def told() -> dict[str, Any]:
        one = installed.kubectl.get("gateway", "gateway", namespace)
        generation = one["metadata"]["generation"]
        assert all(found.get("observedGeneration") == generation for found in one["status"]["conditions"])
        status: dict[str, Any] = one["status"]
        return status

    return eventually(told, pause=0.02)


def _told(installed: Installation, namespace: str, type_: str, reason: str) -> bool:
    return bool(condition(installed.kubectl.get("gateway", "gateway", namespace), type_).get("reason") == reason)


def test_an_address_without_a_value(installed: Installation, namespace: str, make: Maker) -> None:
    make(addresses=[{"type": "IPAddress"}])
    (address,) = addresses(installed, namespace)
    assert eventually(lambda: answers(address))


def test_one_address_of_each_family(installed: Installation, namespace: str, make: Maker, held: Held) -> None:
    """Asked for by value, where the load balancer gives both to one Service."""
    if not held.other:
        pytest.skip("the load balancer has one family of addresses")
    held.let_go()
    both = [held.value, held.other]
    make(addresses=[{"type": "IPAddress", "value": one} for one in both])
    assert addresses(installed, namespace) == both
    for address in both:
        assert eventually(lambda: answers(address))  # noqa: B023


def test_routabilities(installed: Installation, namespace: str, make: Maker) -> None:
    """Inside the cluster and outside, each told so; one that nobody knows is left out."""
    wanted = [
        {"routability": "Cluster"},
        {"routability": "testing.x-k8s.io/sentinel"},
        {"routability": "example.com/vpc"},
    ]
    make(addresses=[{"type": "IPAddress", **one} for one in wanted])
    addresses(installed, namespace)
    one = installed.kubectl.get("gateway", "gateway", namespace)
    if "routability" not in one["spec"]["addresses"][0]:
        pytest.skip("the CRDs have no routability")

    def both() -> dict[str, Any]:
        one = installed.kubectl.get("gateway", "gateway", namespace)
        there = service(installed, namespace)
        assert {entry["routability"]: entry["value"] for entry in one["status"]["addresses"]} == {
            "Cluster": there["spec"]["clusterIP"],
            "testing.x-k8s.io/sentinel": there["status"]["loadBalancer"]["ingress"][0]["ip"],
        }
        return one

    one = eventually(both)
    found = condition(one, "AddressesAssigned")
    assert (found["status"], found["reason"]) == ("False", "PartiallyAssigned")
    for address in (entry["value"] for entry in one["status"]["addresses"]):
        assert eventually(lambda: answers(address))  # noqa: B023
