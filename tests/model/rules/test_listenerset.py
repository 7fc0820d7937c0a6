import pytest

from tests.model.documents import https, listener, listener_set
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


@pytest.mark.parametrize(
    ("ref", "wrong"),
    [
        ({"name": "gw"}, []),
        ({"name": "gw", "namespace": "infra", "group": "gateway.networking.k8s.io", "kind": "Gateway"}, []),
        ({"name": ""}, ["name"]),
        ({"name": "gw", "namespace": "a.b"}, ["namespace"]),
        ({"name": "gw", "group": "*", "kind": "*"}, ["group", "kind"]),
    ],
)
def test_parent(ref, wrong):
    assert fields(listener_set(parentRef=ref)) == [f"spec.parentRef.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("listeners", "wrong"),
    [
        ([listener(), https("b")], []),
        ([listener("a"), listener("b")], ["[1]"]),
        ([listener("a"), listener("a", port=81)], ["[0].name", "[1].name"]),
        ([listener(port=0)], ["[0].port"]),
        ([listener(protocol="TCP", hostname="a.b")], ["[0].hostname"]),
        ([https(mode="Passthrough")], ["[0].tls.mode"]),
        ([], [""]),
        ([listener(f"l{i}", port=i + 1) for i in range(64)], []),
        ([listener(f"l{i}", port=i + 1) for i in range(65)], [""]),
    ],
)
def test_listeners_have_the_rules_of_gateways(listeners, wrong):
    assert fields(listener_set(listeners=listeners)) == [f"spec.listeners{place}" for place in wrong]


def test_the_crd_lets_filters_pass_for_every_protocol():
    ref = {"group": "", "kind": "ConfigMap", "name": "a"}
    requests = [{"type": "ExtensionRef", "extensionRef": ref}]
    assert fields(listener_set(listener(protocol="TCP", filters={"requests": requests}))) == []
