import pytest

from tests.model.documents import backend, l4_route
from xds_server.model.parse import parse
from xds_server.model.validate import faults

KINDS = ["TLSRoute", "TCPRoute", "UDPRoute"]


def fields(body):
    return [fault.field for fault in faults(parse(body))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        ([{"backendRefs": [backend()]}], []),
        ([], ["spec.rules"]),
        (None, ["spec.rules"]),
        ([{"backendRefs": [backend()]}] * 2, ["spec.rules"]),
        ([{}], ["spec.rules[0].backendRefs"]),
        ([{"backendRefs": []}], ["spec.rules[0].backendRefs"]),
    ],
)
def test_there_is_one_rule_with_backends(kind, rules, wrong):
    assert fields(l4_route(kind, rules=rules)) == wrong


@pytest.mark.parametrize(
    ("hostnames", "wrong"),
    [
        (["a.example.com", "*.example.org"], []),
        ([], []),
        (None, []),
        (["10.0.0.1"], ["spec.hostnames[0]"]),
        (["fd00::1"], ["spec.hostnames[0]", "spec.hostnames[0]"]),
        (["*"], ["spec.hostnames[0]"]),
        ([f"h{i}" for i in range(1024)], []),
        ([f"h{i}" for i in range(1025)], ["spec.hostnames"]),
    ],
)
def test_server_names(hostnames, wrong):
    assert fields(l4_route("TLSRoute", hostnames=hostnames)) == wrong


def test_others_have_no_hostnames():
    assert fields(l4_route("TCPRoute", hostnames=["?"])) == []
