"""Listeners for an Envoy without IPv6, in bytes."""

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Listener as ListenerMessage

from tests.envoy.test_golden_bytes import CASES
from xds_server.envoy import kit
from xds_server.envoy.ipv4 import ipv4_only
from xds_server.wire.decode import to_json
from xds_server.wire.encode import encode

LISTENERS = {
    "udp": CASES["listener-udp"][1](),
    **{
        name: CASES["listener-https"][1]() + build()
        for name, (_, build) in CASES.items()
        if name.startswith("filter-chain-")
    },
}


@pytest.mark.parametrize("name", LISTENERS)
def test_a_listener_differs_in_its_address_alone(name: str) -> None:
    before = to_json(ListenerMessage, LISTENERS[name])
    after = to_json(ListenerMessage, ipv4_only(LISTENERS[name]))
    old, new = before["address"].pop("socketAddress"), after["address"].pop("socketAddress")
    assert before == after
    assert old.pop("ipv4Compat")
    assert not new.pop("ipv4Compat", False)
    assert (old.pop("address"), new.pop("address")) == ("::", "0.0.0.0")
    assert old == new


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "fd00::"])
def test_an_address_that_was_chosen_stays(address: str) -> None:
    listener = encode(ListenerMessage(name="tcp-80", stat_prefix="::", address=kit.tcp(address, 80)))
    assert ipv4_only(listener) == listener


def test_without_an_address_it_is_what_it_was() -> None:
    listener = encode(ListenerMessage(name="::"))
    assert ipv4_only(listener) == listener
