"""How rules are applied; what each asks is tested beside it, in `rules`."""

import msgspec
import pytest

from tests.model.documents import (
    backend,
    core,
    document,
    endpoint_slice,
    gateway,
    grpc_route,
    https,
    l4_route,
    listener,
    listener_set,
    route,
    telemetry,
    tls_policy,
    traffic_policy,
    trust_bundle,
    x_backend,
)
from xds_server.model import validate
from xds_server.model.document import Fault
from xds_server.model.kinds import KINDS
from xds_server.model.meta import Struct
from xds_server.model.parse import parse
from xds_server.model.validate import FIELDS, RULES, faults

GRANT = {
    "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "a"}],
    "to": [{"group": "", "kind": "Service"}],
}
GOOD = [
    document("GatewayClass", {"controllerName": "example.com/gateway-controller"}),
    gateway(https(), listener("plain", hostname="*.example.com")),
    listener_set(https(), listener("plain", hostname="*.example.com")),
    route(),
    grpc_route(),
    l4_route("TLSRoute"),
    l4_route("TCPRoute"),
    l4_route("UDPRoute"),
    tls_policy(),
    x_backend(),
    traffic_policy(retryConstraint={}),
    telemetry(),
    document("ReferenceGrant", GRANT),
    core("Service", spec={"ports": [{"port": 80}]}),
    endpoint_slice({"addresses": ["10.0.0.1"]}),
    core("Secret", type="kubernetes.io/tls", data={"tls.crt": "", "tls.key": ""}),
    core("ConfigMap", data={"a": "b"}),
    core("Pod", status={"podIP": "10.0.0.1"}),
    trust_bundle(),
    core("Namespace"),
]


def test_there_is_a_good_document_of_every_kind():
    assert [body["kind"] for body in GOOD] == [row.kind for row in KINDS]


@pytest.mark.parametrize("body", GOOD, ids=lambda body: body["kind"])
def test_good_objects_have_no_faults(body):
    assert faults(parse(body)) == ()


@pytest.mark.parametrize("body", GOOD, ids=lambda body: body["kind"])
def test_every_object_needs_a_proper_name(body):
    body = body | {"metadata": {"name": "Not_A_Name"}}
    assert "metadata.name" in [fault.field for fault in faults(parse(body))]


def test_all_faults_are_found_with_their_paths():
    body = gateway(listener(port=0), listener("b", hostname="-"), addresses=[{"type": "Hostname", "value": "a:1"}])
    assert [(fault.kind, fault.namespace, fault.name, fault.field) for fault in faults(parse(body))] == [
        ("Gateway", "demo", "one", "spec.listeners[0].port"),
        ("Gateway", "demo", "one", "spec.listeners[1].hostname"),
        ("Gateway", "demo", "one", "spec.addresses[0].value"),
    ]


def test_a_subclass_has_the_rules_of_its_parent():
    found = faults(parse(route({"backendRefs": [{"name": "", "weight": -1}]})))
    fields = {fault.field.removeprefix("spec.rules[0].backendRefs[0].") for fault in found}
    assert fields == {"name", "weight", "port"}


def test_defaults_are_not_looked_into():
    looked = []
    [default] = (field.default for field in msgspec.structs.fields(type(parse(gateway()).spec.listeners[0]))[-1:])
    original = validate._problems
    try:
        validate._problems = lambda value: (looked.append(value), original(value))[1]
        assert faults(parse(gateway())) == ()
    finally:
        validate._problems = original
    assert looked
    assert default not in looked


@pytest.mark.parametrize("table", [FIELDS, RULES])
def test_every_rule_is_reached_from_some_kind(table):
    reached = set()
    waiting = [row.model for row in KINDS]
    while waiting:
        model = waiting.pop()
        if model not in reached:
            reached.update(parent for parent in model.__mro__ if issubclass(parent, Struct))
            waiting += _structs(msgspec.inspect.type_info(model))
    assert set(table) <= reached


def _structs(info):
    if isinstance(info, msgspec.inspect.StructType):
        for field in info.fields:
            yield from _inner(field.type)


def _inner(info):
    if isinstance(info, msgspec.inspect.StructType):
        yield info.cls
    for part in (*getattr(info, "types", ()), *filter(None, [getattr(info, "item_type", None)])):
        yield from _inner(part)


def test_enumerations_of_which_a_condition_tells_are_not_judged_here():
    body = route(
        {
            "matches": [{"path": {"type": "Later", "value": "x"}, "method": "BREW", "headers": []}],
            "filters": [{"type": "Later"}, {"type": "Later"}],
            "backendRefs": [backend()],
        }
    )
    assert faults(parse(body)) == ()
    assert faults(parse(traffic_policy(targetRefs=[{"group": "", "kind": "Later", "name": "a"}]))) == ()
    assert faults(parse(grpc_route({"matches": [{"method": {"type": "Later", "service": "?"}}]}))) == ()
    assert faults(parse(gateway(listener(protocol="Later")))) == ()


def test_faults_are_faults():
    [fault] = faults(parse(gateway(listener(port=65536))))
    assert fault == Fault(
        reason="must be 1 to 65535, is 65536",
        kind="Gateway",
        namespace="demo",
        name="one",
        field="spec.listeners[0].port",
    )
