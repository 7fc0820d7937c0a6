import pytest

from tests.model.documents import document, gateway, https, listener
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


@pytest.mark.parametrize(
    ("one", "wrong"),
    [
        (listener(), ""),
        (listener(name="a.b"), ""),
        (listener(name="bad>"), "name"),
        (listener(name=""), "name"),
        (listener(name="a" * 254), "name"),
        (listener(port=1), ""),
        (listener(port=65535), ""),
        (listener(port=0), "port"),
        (listener(port=123456789), "port"),
        (listener(hostname="*.example.com"), ""),
        (listener(hostname="*.com"), ""),
        (listener(hostname="*"), "hostname"),
        (listener(hostname="a.*.com"), "hostname"),
        (listener(hostname="Example.com"), "hostname"),
        (listener(hostname=""), "hostname"),
        (listener(protocol="example.com/mine"), ""),
        (listener(protocol=""), "protocol"),
        (listener(protocol="a b"), "protocol"),
        (listener(protocol="TCP"), ""),
        (listener(protocol="TCP", hostname="a.b"), "hostname"),
        (listener(protocol="UDP", hostname="a.b"), "hostname"),
        (listener(tls={"certificateRefs": [{"name": "c"}]}), "tls"),
        (listener(protocol="TCP", tls={"certificateRefs": [{"name": "c"}]}), "tls"),
        (listener(protocol="UDP", tls={"certificateRefs": [{"name": "c"}]}), "tls"),
        (https(), ""),
        (https(mode="Passthrough"), "tls.mode"),
        (https(certificateRefs=[]), "tls.certificateRefs"),
        (https(certificateRefs=[], options={"a.b/c": "d"}), ""),
        (https(certificateRefs=[{"name": "c"}] * 64), ""),
        (https(certificateRefs=[{"name": "c"}] * 65), "tls.certificateRefs"),
        (https(certificateRefs=[{"name": ""}]), "tls.certificateRefs[0].name"),
        (https(certificateRefs=[{"name": "c", "namespace": "a.b"}]), "tls.certificateRefs[0].namespace"),
        (https(certificateRefs=[{"name": "c", "group": "*"}]), "tls.certificateRefs[0].group"),
        (https(certificateRefs=[{"name": "c", "kind": "*"}]), "tls.certificateRefs[0].kind"),
        (https(options={str(i): "" for i in range(17)}), "tls.options"),
        (https(options={"a": "x" * 4097}), "tls.options.a"),
        (listener(protocol="HTTPS"), ""),
        (listener(protocol="TLS"), "tls"),
        (listener(protocol="TLS", tls={"mode": "Passthrough"}), ""),
        (listener(allowedRoutes={"kinds": [{"kind": "HTTPRoute"}] * 8}), ""),
        (listener(allowedRoutes={"kinds": [{"kind": "HTTPRoute"}] * 9}), "allowedRoutes.kinds"),
        (listener(allowedRoutes={"kinds": [{"kind": "1"}]}), "allowedRoutes.kinds[0].kind"),
        (listener(allowedRoutes={"kinds": [{"kind": "A", "group": "B"}]}), "allowedRoutes.kinds[0].group"),
    ],
)
def test_listener(one, wrong):
    assert fields(gateway(one)) == ([f"spec.listeners[0].{wrong}"] if wrong else [])


def test_numbers_of_listeners():
    assert fields(gateway(*(listener(f"l{i}", port=i + 1) for i in range(64)))) == []
    assert fields(gateway(*(listener(f"l{i}", port=i + 1) for i in range(65)))) == ["spec.listeners"]
    assert fields(gateway(listeners=[])) == ["spec.listeners"]


def test_listener_names_are_unique():
    both = ["spec.listeners[0].name", "spec.listeners[2].name"]
    assert fields(gateway(listener("a"), listener("b", port=81), listener("a", port=82))) == both


@pytest.mark.parametrize(
    ("second", "wrong"),
    [
        (listener("b"), ["spec.listeners[1]"]),
        (listener("b", hostname="a.b"), []),
        (listener("b", port=81), []),
        (listener("b", protocol="TCP"), []),
    ],
)
def test_listeners_differ_in_port_protocol_or_hostname(second, wrong):
    assert fields(gateway(listener("a"), second)) == wrong


def test_same_hostnames_on_one_port():
    assert fields(gateway(listener("a", hostname="a.b"), listener("b", hostname="a.b"))) == ["spec.listeners[1]"]


@pytest.mark.parametrize(
    ("addresses", "wrong"),
    [
        ([{"value": "10.0.0.1"}, {"value": "10.0.0.2"}], []),
        ([{"value": "10.0.0.1"}] * 2, ["spec.addresses[0].value", "spec.addresses[1].value"]),
        ([{"value": ""}, {}], []),
        ([{"type": "Hostname", "value": "a.b"}, {"value": "a.b"}], []),
        ([{"type": "Hostname", "value": "a.b:80"}], ["spec.addresses[0].value"]),
        ([{"type": "Hostname"}], []),
        ([{"type": "example.com/x", "value": "anything goes"}] * 2, []),
        ([{"type": "", "value": "a"}], ["spec.addresses[0].type"]),
        ([{"value": f"10.0.0.{i}"} for i in range(17)], ["spec.addresses"]),
        ([{"value": "x" * 254}], ["spec.addresses[0].value"]),
    ],
)
def test_addresses(addresses, wrong):
    assert fields(gateway(addresses=addresses)) == wrong


@pytest.mark.parametrize(
    ("infrastructure", "wrong"),
    [
        ({"labels": {"a": "b", "c.d/e": ""}, "annotations": {"a": "any thing"}}, []),
        ({"labels": {str(i): "" for i in range(9)}}, ["spec.infrastructure.labels"]),
        ({"annotations": {str(i): "" for i in range(17)}}, ["spec.infrastructure.annotations"]),
        ({"labels": {"a": "b c"}}, ["spec.infrastructure.labels.a"]),
        ({"labels": {"/a": "b"}}, ["spec.infrastructure.labels./a"]),
        ({"annotations": {"a/b/c": "b"}}, ["spec.infrastructure.annotations.a/b/c"]),
        ({"annotations": {"a": "x" * 4097}}, ["spec.infrastructure.annotations.a"]),
        ({"parametersRef": {"group": "", "kind": "ConfigMap", "name": "x"}}, []),
        ({"parametersRef": {"group": "", "kind": "", "name": ""}}, ["kind", "name"]),
    ],
)
def test_infrastructure(infrastructure, wrong):
    found = [
        field.removeprefix("spec.infrastructure.parametersRef.")
        for field in fields(gateway(infrastructure=infrastructure))
    ]
    assert found == wrong


def test_class_name():
    assert fields(gateway(gatewayClassName="")) == ["spec.gatewayClassName"]


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"controllerName": "example.com/gateway"}, []),
        ({"controllerName": "example"}, ["spec.controllerName"]),
        ({"controllerName": ""}, ["spec.controllerName"]),
        ({"controllerName": "a.b/c", "description": "x" * 65}, ["spec.description"]),
        (
            {"controllerName": "a.b/c", "parametersRef": {"group": "", "kind": "A", "name": "b", "namespace": "C"}},
            ["spec.parametersRef.namespace"],
        ),
        (
            {"controllerName": "a.b/c", "parametersRef": {"group": "*", "kind": "A", "name": "b"}},
            ["spec.parametersRef.group"],
        ),
    ],
)
def test_class(spec, wrong):
    assert fields(document("GatewayClass", spec)) == wrong


FROM = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "a"}
TO = {"group": "", "kind": "Service"}


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({"from": [FROM], "to": [TO]}, []),
        ({"from": [FROM] * 16, "to": [TO | {"name": "x"}] * 16}, []),
        ({"from": [], "to": [TO]}, ["spec.from"]),
        ({"from": [FROM], "to": []}, ["spec.to"]),
        ({"to": [TO]}, ["spec.from"]),
        ({"from": [FROM] * 17, "to": [TO] * 17}, ["spec.from", "spec.to"]),
        ({"from": [FROM | {"namespace": "a.b"}], "to": [TO]}, ["spec.from[0].namespace"]),
        ({"from": [FROM | {"group": "*"}], "to": [TO]}, ["spec.from[0].group"]),
        ({"from": [FROM | {"kind": "*"}], "to": [TO]}, ["spec.from[0].kind"]),
        ({"from": [FROM], "to": [TO | {"group": "*"}]}, ["spec.to[0].group"]),
        ({"from": [FROM], "to": [TO | {"kind": "*"}]}, ["spec.to[0].kind"]),
        ({"from": [FROM], "to": [TO | {"name": ""}]}, ["spec.to[0].name"]),
    ],
)
def test_grants(spec, wrong):
    assert fields(document("ReferenceGrant", spec)) == wrong
