import pytest

from tests.model.documents import core, endpoint_slice, trust_bundle
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


def service(*ports):
    return core("Service", spec={"ports": list(ports)})


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"name": "a.b", "namespace": "n"}, None),
        ({"name": "A"}, "metadata.name"),
        ({"name": "a" * 254}, "metadata.name"),
        ({"name": "a", "namespace": "a.b"}, "metadata.namespace"),
        ({"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"}, None),
        ({"name": "a", "creationTimestamp": "yesterday"}, "metadata.creationTimestamp"),
    ],
)
def test_metadata(metadata, field):
    assert fields(core("ConfigMap") | {"metadata": metadata}) == ([field] if field else [])


@pytest.mark.parametrize("kind", ["Service", "Namespace"])
def test_names_of_services_and_namespaces_have_no_dots(kind):
    assert fields(core(kind) | {"metadata": {"name": "a.b"}}) == ["metadata.name"]


@pytest.mark.parametrize(
    ("ports", "wrong"),
    [
        ([], []),
        ([{"port": 80}], []),
        ([{"port": 80, "name": "a", "targetPort": 1}, {"port": 81, "name": "b", "targetPort": "x"}], []),
        ([{"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}], []),
        ([{"port": 0}], ["spec.ports[0].port"]),
        ([{"port": 80, "targetPort": 65536}], ["spec.ports[0].targetPort"]),
        ([{"port": 80, "name": "A.b"}], ["spec.ports[0].name"]),
        ([{"port": 80, "name": "a"}, {"port": 81}], ["spec.ports[1].name"]),
        ([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}], ["spec.ports[0].name", "spec.ports[1].name"]),
        ([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}], ["spec.ports[0].port", "spec.ports[1].port"]),
    ],
)
def test_service_ports(ports, wrong):
    assert fields(service(*ports)) == wrong


@pytest.mark.parametrize(
    ("endpoint", "wrong"),
    [
        ({"addresses": ["10.0.0.1"]}, []),
        ({"addresses": ["10.0.0.1", "::1"]}, ["endpoints[0].addresses[1]"]),
        ({"addresses": ["backend.example.com"]}, ["endpoints[0].addresses[0]"]),
        ({"addresses": []}, ["endpoints[0].addresses"]),
        ({"addresses": ["10.0.0.1"] * 101}, ["endpoints[0].addresses"]),
    ],
)
def test_endpoints(endpoint, wrong):
    assert fields(endpoint_slice(endpoint)) == wrong


def test_a_slice_of_another_family():
    assert fields(endpoint_slice({"addresses": ["fd00::1"]}) | {"addressType": "IPv6"}) == []
    assert fields(endpoint_slice({"addresses": ["a.b"]}) | {"addressType": "FQDN"}) == []


def test_families_and_protocols_are_known_ones():
    assert fields(endpoint_slice({"addresses": ["999.0.0.1"]})) == ["endpoints[0].addresses[0]"]
    assert fields(endpoint_slice({"addresses": ["10.0.0.1"]}) | {"addressType": "IPv9"}) == ["addressType"]
    body = endpoint_slice({"addresses": ["10.0.0.1"]}) | {"ports": [{"port": 80, "protocol": "ICMP"}]}
    assert fields(body) == ["ports[0].protocol"]
    assert fields(service({"port": 80, "protocol": "tcp"})) == ["spec.ports[0].protocol"]
    one = service({"port": 80})
    assert fields(one | {"spec": one["spec"] | {"type": "Balanced"}}) == ["spec.type"]


def test_slice_limits():
    assert fields(endpoint_slice(*[{"addresses": ["10.0.0.1"]}] * 1001)) == ["endpoints"]
    assert fields(endpoint_slice() | {"ports": [{"port": 0}]}) == ["ports[0].port"]
    assert fields(endpoint_slice() | {"ports": [{"port": 80}] * 20_001}) == ["ports"]


def test_service_limits():
    ports = [{"port": i + 1, "name": f"p{i}"} for i in range(1001)]
    assert fields(service(*ports[:1000])) == []
    assert fields(service(*ports)) == ["spec.ports"]


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        ({"type": "Opaque"}, []),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}, []),
        ({"type": "kubernetes.io/tls", "stringData": {"tls.crt": "x", "tls.key": "y"}}, []),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, ["data.tls.key"]),
        ({"type": "kubernetes.io/tls"}, ["data.tls.crt", "data.tls.key"]),
    ],
)
def test_tls_secrets_have_both_keys(secret, wrong):
    assert fields(core("Secret", **secret)) == wrong


@pytest.mark.parametrize(
    ("name", "signer", "good"),
    [
        ("ca", "", True),
        ("a.b", "", True),
        ("example.com:mine:ca", "", False),
        ("example.com:mine:ca", "example.com/mine", True),
        ("example.com:mine:Ca", "example.com/mine", False),
        ("example.com:mine:", "example.com/mine", False),
        ("example.org:mine:ca", "example.com/mine", False),
        ("ca", "example.com/mine", False),
        ("Ca", "", False),
    ],
)
def test_names_of_trust_bundles(name, signer, good):
    assert fields(trust_bundle(name, signerName=signer)) == ([] if good else ["metadata.name"])


def test_a_trust_bundle_has_certificates():
    assert fields(trust_bundle(trustBundle="")) == ["spec.trustBundle"]
    assert fields(trust_bundle(trustBundle="x" * (2**20 + 1))) == ["spec.trustBundle"]


def test_addresses_of_pods():
    assert fields(core("Pod", status={"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]})) == []
    assert fields(core("Pod", status={"podIP": "shop.example.com"})) == ["status.podIPs[0].ip"]
