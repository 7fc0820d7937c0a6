import pytest

from tests.model.documents import GROUP, X_GROUP, backend, telemetry
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


TARGET = {"group": GROUP, "kind": "Gateway", "name": "gw"}
PROVIDER = {"backendRef": backend()}
NO_PROVIDER = {"mode": "Disabled", "provider": None}


@pytest.mark.parametrize(
    ("targets", "wrong"),
    [
        ([TARGET] * 2, []),
        ([], [""]),
        ([TARGET] * 17, [""]),
        ([TARGET | {"name": ""}], ["[0].name"]),
    ],
)
def test_targets(targets, wrong):
    body = telemetry()
    found = fields(body | {"spec": body["spec"] | {"targetRefs": targets}})
    assert found == [f"spec.targetRefs{place}" for place in wrong]


@pytest.mark.parametrize(
    ("tracing", "wrong"),
    [
        ({}, []),
        ({"provider": None}, ["provider"]),
        ({"mode": "Disabled"}, ["provider"]),
        ({"mode": None}, ["provider"]),
        (NO_PROVIDER, []),
        (NO_PROVIDER | {"samplingRate": {"numerator": 1}}, ["samplingRate"]),
        (NO_PROVIDER | {"parentBasedSampling": {}}, ["parentBasedSampling"]),
        (NO_PROVIDER | {"serviceName": "a", "spanName": "b"}, ["serviceName", "spanName"]),
        (NO_PROVIDER | {"attributes": [{"name": "a", "sourceType": "Literal", "literalValue": "b"}]}, ["attributes"]),
        ({"samplingRate": {"numerator": 100}}, []),
        ({"samplingRate": {"numerator": 101}}, ["samplingRate.numerator"]),
        ({"serviceName": "shop/front-end_1.0:a", "spanName": "in shop"}, []),
        ({"serviceName": "in shop"}, ["serviceName"]),
        ({"spanName": " shop"}, ["spanName"]),
        ({"spanName": "in  shop"}, ["spanName"]),
        ({"serviceName": "a" * 254, "spanName": "a" * 257}, ["serviceName", "spanName"]),
        ({"parentBasedSampling": {"mode": "Enabled", "samplingRate": {"numerator": 1}}}, []),
        ({"parentBasedSampling": {"samplingRate": {"numerator": 1}}}, ["parentBasedSampling.samplingRate"]),
    ],
)
def test_tracing(tracing, wrong):
    assert fields(telemetry(**tracing)) == [f"spec.tracing.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("provider", "wrong"),
    [
        ({"headers": [{"name": "a", "value": "b c"}]}, []),
        ({"headers": [{"name": "a", "value": "b"}] * 2}, ["headers[1].name"]),
        ({"headers": [{"name": f"h{i}", "value": "b"} for i in range(17)]}, ["headers"]),
        ({"headers": [{"name": "a b", "value": ""}]}, ["headers[0].name", "headers[0].value"]),
        ({"headers": [{"name": "a", "value": "b\n"}]}, ["headers[0].value"]),
        ({"headers": [{"name": "a", "value": "b  c"}]}, ["headers[0].value"]),
        ({"headers": [{"name": "a", "value": "é"}]}, ["headers[0].value"]),
        ({"headers": [{"name": "a", "value": "b" * 4097}]}, ["headers[0].value"]),
        ({"backendRef": {"name": "collector"}}, ["backendRef.port"]),
        ({"backendRef": {"name": "collector", "group": X_GROUP, "kind": "XBackend"}}, []),
    ],
)
def test_provider(provider, wrong):
    assert fields(telemetry(provider=PROVIDER | provider)) == [f"spec.tracing.provider.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ({"sourceType": "Header", "headerName": "x-user"}, []),
        ({"sourceType": "Literal", "literalValue": "any thing"}, []),
        ({"sourceType": "Attribute", "attributeKey": "url.path"}, []),
        ({"sourceType": "Later"}, ["sourceType"]),
        ({"sourceType": "Header"}, ["headerName"]),
        ({"sourceType": "Literal"}, ["literalValue"]),
        ({"sourceType": "Attribute"}, ["attributeKey"]),
        ({"sourceType": "Header", "headerName": "x", "literalValue": "y"}, ["literalValue"]),
        ({"sourceType": "Literal", "literalValue": "y", "headerName": "x"}, ["headerName"]),
        ({"sourceType": "Literal", "literalValue": "y", "attributeKey": "x"}, ["attributeKey"]),
        ({"sourceType": "Header", "headerName": "a b"}, ["headerName"]),
        ({"sourceType": "Literal", "literalValue": "a" * 1025}, ["literalValue"]),
        ({"sourceType": "Attribute", "attributeKey": "Url"}, ["attributeKey"]),
        ({"sourceType": "Literal", "literalValue": "y", "name": "a b"}, ["name"]),
        ({"sourceType": "Literal", "literalValue": "y", "name": ""}, ["name"]),
    ],
)
def test_attributes(attribute, wrong):
    found = fields(telemetry(attributes=[{"name": "a"} | attribute]))
    assert found == [f"spec.tracing.attributes[0].{field}" for field in wrong]


def test_attributes_differ():
    one = {"name": "a", "sourceType": "Literal", "literalValue": "b"}
    assert fields(telemetry(attributes=[one, one | {"name": "c"}, one])) == ["spec.tracing.attributes[2].name"]
