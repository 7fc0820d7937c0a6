"""Ports of a Service and their names, and the addresses that it asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.infra.test_metadata import made
from xds_server.infra.service import Port, named, service, without_cluster_ip
from xds_server.model.gateway import GatewayAddress
from xds_server.model.rules import syntax

HTTP, TCP, UDP = Port(80, "TCP"), Port(53, "TCP"), Port(53, "UDP")
LISTENER = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?(\.[a-z0-9]{1,40})?", fullmatch=True)
PORT = st.builds(Port, st.integers(1, 65535), st.sampled_from(["TCP", "UDP"]))


def test_the_first_listener_of_a_port_names_it() -> None:
    assert named([(HTTP, "b"), (HTTP, "a"), (TCP, "dns")], {}) == {TCP: "dns", HTTP: "b"}


def test_names_are_unique() -> None:
    assert named([(UDP, "dns"), (TCP, "dns"), (HTTP, "dns")], {}) == {TCP: "dns-53", UDP: "dns", HTTP: "dns-80"}
    assert named([(UDP, "a.b"), (TCP, "a-b")], {}) == {TCP: "a-b-53", UDP: "a-b"}


def test_a_port_keeps_its_name() -> None:
    """A port that is renamed has no endpoints for a moment."""
    known = {HTTP: "old", TCP: "dns"}
    assert named([(TCP, "new"), (UDP, "dns"), (HTTP, "http")], known) == {TCP: "dns", UDP: "dns-53", HTTP: "old"}
    assert named([(UDP, "dns")], known) == {UDP: "dns"}


@given(
    st.lists(st.tuples(PORT, LISTENER), max_size=8),
    st.dictionaries(PORT, LISTENER.map(lambda name: name[:20].replace(".", "-").strip("-")), max_size=3),
)
def test_every_port_has_a_name_of_its_own_that_it_may_have(
    ports: list[tuple[Port, str]], known: dict[Port, str]
) -> None:
    if len(set(known.values())) < len(known):
        return
    found = named(ports, known)
    assert found.keys() == {port for port, _ in ports}
    assert len(set(found.values())) == len(found)
    assert [syntax.label(name) for name in found.values()] == [""] * len(found)
    assert list(found) == sorted(found)
    assert named(ports, found) == found


@pytest.mark.parametrize(
    ("type_", "addresses", "asked"),
    [
        ("LoadBalancer", [], {}),
        ("LoadBalancer", [GatewayAddress()], {}),
        (
            "LoadBalancer",
            [GatewayAddress(value="192.0.2.1"), GatewayAddress(value="192.0.2.2")],
            {"loadBalancerIP": "192.0.2.1"},
        ),
        (
            "LoadBalancer",
            [GatewayAddress(value="10.96.0.9", routability="Cluster"), GatewayAddress(value="fd00::1")],
            {"clusterIP": "10.96.0.9", "loadBalancerIP": "fd00::1", "ipFamilyPolicy": "PreferDualStack"},
        ),
        ("LoadBalancer", [GatewayAddress("Hostname", "a.example"), GatewayAddress(value="nonsense")], {}),
        ("LoadBalancer", [GatewayAddress(value="192.0.2.1", routability="example.com/vpn")], {}),
        ("ClusterIP", [GatewayAddress(value="10.96.0.9")], {"clusterIP": "10.96.0.9"}),
        ("NodePort", [GatewayAddress(value="10.96.0.9")], {"clusterIP": "10.96.0.9"}),
    ],
)
def test_addresses(type_: str, addresses: list[GatewayAddress], asked: dict[str, str]) -> None:
    spec = service(made(), type_, {HTTP: "http"}, addresses)["spec"]
    assert {name: spec[name] for name in ("clusterIP", "loadBalancerIP", "ipFamilyPolicy") if name in spec} == asked


def test_the_address_of_the_cluster_is_given_up_alone() -> None:
    value: dict[str, Any] = service(made(), "ClusterIP", {HTTP: "http"}, [GatewayAddress(value="10.96.0.9")])
    without = without_cluster_ip(value)
    assert without is not None
    assert without == {**value, "spec": {name: part for name, part in value["spec"].items() if name != "clusterIP"}}
    assert without_cluster_ip(without) is None
    assert without_cluster_ip({"kind": "Deployment", "spec": {"clusterIP": "x"}}) is None
