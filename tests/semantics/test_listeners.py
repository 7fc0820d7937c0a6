"""Which listeners of one Gateway can stand side by side: every pair of protocols on one port."""

import pytest

from tests.pipeline.documents import gateway, put
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.options import Options

TLS = {"HTTPS": {"mode": "Terminate", "certificateRefs": [{"name": "c"}]}, "TLS": {"mode": "Passthrough"}}
NONE, HOSTNAME, PROTOCOL = "", "HostnameConflict", "ProtocolConflict"
PAIRS = {
    ("HTTP", "HTTP"): (NONE, HOSTNAME),
    ("HTTP", "HTTPS"): (PROTOCOL, PROTOCOL),
    ("HTTP", "TLS"): (PROTOCOL, PROTOCOL),
    ("HTTP", "TCP"): (PROTOCOL, PROTOCOL),
    ("HTTP", "UDP"): (NONE, NONE),
    ("HTTP", "example.com/odd"): (NONE, NONE),
    ("HTTPS", "HTTPS"): (NONE, HOSTNAME),
    ("HTTPS", "TLS"): (NONE, PROTOCOL),
    ("HTTPS", "TCP"): (PROTOCOL, PROTOCOL),
    ("HTTPS", "UDP"): (NONE, NONE),
    ("TLS", "TLS"): (NONE, HOSTNAME),
    ("TLS", "TCP"): (PROTOCOL, PROTOCOL),
    ("TCP", "UDP"): (NONE, NONE),
}
"""Two protocols: what is wrong with different hostnames, and with the same one."""


def conflicts(*listeners: tuple[str, int, str]) -> list[str]:
    """Protocol, port and hostname of each; the reason of each one's Conflicted, in order."""
    pipeline = program.build(Options(any_class=True, strict=True))
    spelled = []
    for index, (protocol, port, hostname) in enumerate(listeners):
        one = {"name": f"l{index}", "protocol": protocol, "port": port}
        one |= {"hostname": hostname} if hostname else {}
        one |= {"tls": TLS[protocol]} if protocol in TLS else {}
        spelled.append(one)
    put(pipeline, gateway("gw", *spelled))
    pipeline.settle()
    verdict = pipeline.tables.gateway_verdicts.get(Key("default", "gw"))
    assert verdict is not None
    for one in verdict.listeners:
        if one.conflicted is not None:
            assert not one.served
            assert one.accepted.status == "False"
    return [one.conflicted.reason if one.conflicted else NONE for one in verdict.listeners]


@pytest.mark.parametrize(("pair", "wanted"), PAIRS.items(), ids="-".join)
def test_two_protocols_on_one_port(pair: tuple[str, str], wanted: tuple[str, str]) -> None:
    left, right = pair
    apart, together = wanted
    assert conflicts((left, 80, "a.example.com"), (right, 80, "b.example.com")) == [apart, apart]
    assert conflicts((left, 80, "a.example.com"), (right, 80, "a.example.com")) == [together, together]
    assert conflicts((right, 80, ""), (left, 80, "")) == [together, together]
    assert conflicts((left, 80, "a.example.com"), (right, 81, "a.example.com")) == [NONE, NONE]


def test_two_tcp_listeners_differ_by_port_alone() -> None:
    assert conflicts(("TCP", 80, ""), ("TCP", 80, "")) == [HOSTNAME, HOSTNAME]


def test_one_stranger_makes_all_of_a_port_indistinct() -> None:
    found = conflicts(("HTTP", 80, "a.example.com"), ("HTTP", 80, "b.example.com"), ("TCP", 80, ""), ("HTTP", 81, ""))
    assert found == [PROTOCOL, PROTOCOL, PROTOCOL, NONE]


def test_hostnames_within_each_other_are_no_conflict() -> None:
    assert conflicts(("HTTP", 80, ""), ("HTTP", 80, "*.example.com"), ("HTTP", 80, "a.example.com")) == [NONE] * 3
