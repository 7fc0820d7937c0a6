"""The mark of a draining proxy's listeners, in bytes."""

from typing import Any

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain
from envoy_data_plane.envoy.config.listener.v3 import Listener as ListenerMessage

from tests.envoy.test_golden_bytes import CASES
from xds_server.envoy.draining import marked
from xds_server.wire.decode import to_json
from xds_server.wire.encode import encode

HEADER = CASES["listener-https"][1]()
LISTENERS = {
    "udp": CASES["listener-udp"][1](),
    **{name: HEADER + build() for name, (_, build) in CASES.items() if name.startswith("filter-chain-")},
}
MARK = {"filterMetadata": {"xds-server": {"draining": 2}}}


def chains(listener: dict[str, Any]) -> list[dict[str, Any]]:
    default = [listener["defaultFilterChain"]] if "defaultFilterChain" in listener else []
    return [*listener.get("filterChains", []), *default]


@pytest.mark.parametrize("name", LISTENERS)
def test_a_listener_differs_in_the_metadata_of_its_chains_alone(name: str) -> None:
    before = LISTENERS[name]
    after = to_json(ListenerMessage, marked(before, 2))
    assert all(chain.pop("metadata") == MARK for chain in chains(after))
    assert len(chains(after)) == (name != "udp")
    assert after == to_json(ListenerMessage, before)


def test_every_chain_is_marked() -> None:
    filters = [Filter(name="f")]
    listener = ListenerMessage(
        name="tcp-443",
        filter_chains=[FilterChain(name="a", filters=filters), FilterChain(name="b", filters=filters * 50)],
        default_filter_chain=FilterChain(name="*", filters=filters),
        stat_prefix="tcp-443",
    )
    found = to_json(ListenerMessage, marked(encode(listener), 2))
    assert [(chain["name"], chain["metadata"]) for chain in chains(found)] == [("a", MARK), ("b", MARK), ("*", MARK)]


@pytest.mark.parametrize("listener", [b"", encode(ListenerMessage(name="udp-53", stat_prefix="udp-53"))])
def test_without_chains_there_is_nothing_to_mark(listener: bytes) -> None:
    assert marked(listener, 0) == listener


def test_each_mark_is_another() -> None:
    listener = LISTENERS["filter-chain-http"]
    assert len({listener, *(marked(listener, number) for number in range(5))}) == 6
    assert marked(listener, 1) == marked(bytes(listener), 1)
