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


AUTH = {"protocol": "HTTP", "http": {}, "backendRef": {"name": "auth", "port": 80}}
EXTENSION = {"group": "example.com", "kind": "Filter", "name": "a"}


@pytest.mark.parametrize(
    ("requests", "wrong"),
    [
        ([{"type": "ExternalAuth", "externalAuth": AUTH}] * 16, []),
        ([{"type": "ExternalAuth", "externalAuth": AUTH}] * 17, [""]),
        ([{"type": "ExtensionRef", "extensionRef": EXTENSION}, {"type": "Later"}], []),
        ([{"type": "ExternalAuth"}], ["[0].externalAuth"]),
        ([{"type": "ExtensionRef"}], ["[0].extensionRef"]),
        ([{"type": "ExtensionRef", "extensionRef": EXTENSION, "externalAuth": AUTH}], ["[0].externalAuth"]),
        ([{"type": "Later", "extensionRef": EXTENSION}], ["[0].extensionRef"]),
        ([{"type": "ExternalAuth", "externalAuth": AUTH | {"http": None}}], ["[0].externalAuth.http"]),
        ([{"type": "ExtensionRef", "extensionRef": EXTENSION | {"kind": ""}}], ["[0].extensionRef.kind"]),
    ],
)
def test_listener_filters(requests, wrong):
    found = fields(gateway(listener(filters={"requests": requests})))
    assert found == [f"spec.listeners[0].filters.requests{place}" for place in wrong]


@pytest.mark.parametrize(
    ("one", "good"),
    [
        (https(), True),
        (listener(), True),
        (listener(protocol="TCP"), False),
        (listener(protocol="TLS", tls={"mode": "Passthrough"}), False),
        (listener(protocol="example.com/mine"), False),
    ],
)
def test_only_requests_are_filtered(one, good):
    body = gateway(one | {"filters": {"requests": [{"type": "ExtensionRef", "extensionRef": EXTENSION}]}})
    assert fields(body) == ([] if good else ["spec.listeners[0].filters"])


@pytest.mark.parametrize(
    ("routability", "good"),
    [
        ("", True),
        ("Cluster", True),
        ("example.com/a", True),
        ("example.com/a/b", True),
        ("testing.x-k8s.io/sentinel", True),
        ("Public", False),
        ("example.com/", False),
        ("/a", False),
        ("Example.com/a", False),
        ("k8s.io/a", False),
        ("gateway.networking.k8s.io/a", False),
        ("example.com/" + "a" * 242, False),
    ],
)
def test_routability(routability, good):
    assert fields(gateway(addresses=[{"routability": routability}])) == (
        [] if good else ["spec.addresses[0].routability"]
    )


CA = {"group": "", "kind": "ConfigMap", "name": "ca"}
BUNDLE = {"group": "certificates.k8s.io", "kind": "ClusterTrustBundle", "name": "ca"}


@pytest.mark.parametrize(
    ("refs", "wrong"),
    [
        ([CA], []),
        ([CA | {"namespace": "other"}], []),
        ([BUNDLE], []),
        ([BUNDLE | {"namespace": "other"}], ["[0].namespace"]),
        ([CA] * 16, []),
        ([CA] * 17, [""]),
        ([], [""]),
        ([CA | {"group": "*", "kind": "*", "name": "", "namespace": "A"}], ["group", "kind", "name", "namespace"]),
    ],
)
def test_client_validation(refs, wrong):
    validation = {"validation": {"caCertificateRefs": refs}}
    wrong = [place if place.startswith("[") or not place else f"[0].{place}" for place in wrong]
    found = fields(gateway(tls={"frontend": {"default": validation}}))
    assert found == [f"spec.tls.frontend.default.validation.caCertificateRefs{place}" for place in wrong]
    found = fields(gateway(tls={"frontend": {"default": {}, "perPort": [{"port": 443, "tls": validation}]}}))
    assert found == [f"spec.tls.frontend.perPort[0].tls.validation.caCertificateRefs{place}" for place in wrong]


@pytest.mark.parametrize(
    ("ports", "wrong"),
    [
        ([443, 8443], []),
        ([443, 443], ["[1].port"]),
        ([0], ["[0].port"]),
        (range(1, 65), []),
        (range(1, 66), [""]),
    ],
)
def test_ports_of_client_validation(ports, wrong):
    frontend = {"default": {}, "perPort": [{"port": port, "tls": {}} for port in ports]}
    assert fields(gateway(tls={"frontend": frontend})) == [f"spec.tls.frontend.perPort{place}" for place in wrong]


def test_client_certificates():
    assert fields(gateway(tls={"backend": {"clientCertificateRef": {"name": "a", "namespace": "b"}}})) == []
    found = fields(gateway(tls={"backend": {"clientCertificateRef": {"name": ""}}}))
    assert found == ["spec.tls.backend.clientCertificateRef.name"]
