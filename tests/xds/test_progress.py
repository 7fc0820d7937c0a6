from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from xds_server.model.meta import Key
from xds_server.xds.node import Node
from xds_server.xds.progress import Progress

EDGE, MESH = Key("prod", "edge"), Key("prod", "mesh")


def envoy(pod: str, kind: str = "gateway", name: str = "edge") -> Node:
    return Node(f"{kind}~{pod}.prod", f"prod/{name}", kind, f"{pod}.prod", "prod", name)


ONE, TWO = envoy("one"), envoy("two")


def test_nobody_connected_has_nothing() -> None:
    progress = Progress()
    assert progress.published(EDGE, 1, 10) == frozenset()
    assert progress.programmed(EDGE) is None
    assert progress.connected(EDGE) == 0


def test_the_only_envoy_has_it_when_it_is_in_sync() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    progress.opened(1, ONE)
    assert progress.connected(EDGE) == 1
    assert progress.synced(1, ONE, 9) == frozenset()
    assert progress.programmed(EDGE) is None
    assert progress.synced(1, ONE, 10) == {EDGE}
    assert progress.programmed(EDGE) == 1
    assert progress.synced(1, ONE, 11) == frozenset()


def test_what_it_has_already_is_reached_when_it_is_published() -> None:
    progress = Progress()
    progress.opened(1, ONE)
    progress.synced(1, ONE, 10)
    assert progress.published(EDGE, 7, 10) == {EDGE}
    assert progress.programmed(EDGE) == 7


def test_all_envoys_count() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    progress.opened(1, ONE)
    progress.opened(2, TWO)
    progress.synced(1, ONE, 10)
    assert progress.programmed(EDGE) is None
    assert progress.synced(2, TWO, 12) == {EDGE}


def test_the_last_one_missing_leaves() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    progress.opened(1, ONE)
    progress.opened(2, TWO)
    progress.synced(1, ONE, 10)
    assert progress.closed(2, TWO) == {EDGE}
    assert progress.programmed(EDGE) == 1


def test_once_reached_it_stays() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    progress.opened(1, ONE)
    progress.synced(1, ONE, 10)
    progress.opened(2, TWO)
    assert progress.programmed(EDGE) == 1
    progress.closed(1, ONE)
    progress.closed(2, TWO)
    assert progress.programmed(EDGE) == 1
    assert progress.published(EDGE, 1, 20) == frozenset(), "its routes changed, its generation did not"
    assert progress.programmed(EDGE) == 1


def test_generations_are_reached_in_order_of_their_resources() -> None:
    progress = Progress()
    progress.opened(1, ONE)
    progress.published(EDGE, 1, 10)
    progress.published(EDGE, 2, 20)
    progress.published(EDGE, 3, 30)
    progress.synced(1, ONE, 25)
    assert progress.programmed(EDGE) == 2
    progress.synced(1, ONE, 30)
    assert progress.programmed(EDGE) == 3


def test_a_generation_counts_from_its_first_publish() -> None:
    """Routes that change all the time must not keep a Gateway from ever being programmed."""
    progress = Progress()
    progress.opened(1, ONE)
    for serial in range(10, 20):
        progress.published(EDGE, 1, serial)
    progress.synced(1, ONE, 10)
    assert progress.programmed(EDGE) == 1


def test_of_two_streams_of_one_envoy_the_newer_counts() -> None:
    progress = Progress()
    progress.opened(1, ONE)
    progress.opened(2, ONE)
    progress.published(EDGE, 1, 10)
    assert progress.synced(1, ONE, 10) == frozenset(), "what an old stream says is no news"
    assert progress.closed(1, ONE) == frozenset()
    assert progress.connected(EDGE) == 1
    assert progress.synced(2, ONE, 10) == {EDGE}


def test_a_gateway_of_the_same_name_starts_anew() -> None:
    progress = Progress()
    progress.published(EDGE, 5, 10)
    progress.opened(1, ONE)
    progress.synced(1, ONE, 10)
    progress.withdrawn(EDGE)
    assert progress.programmed(EDGE) is None
    progress.published(EDGE, 1, 12)
    assert progress.programmed(EDGE) is None
    progress.synced(1, ONE, 12)
    assert progress.programmed(EDGE) == 1
    Progress().withdrawn(EDGE)


def test_sidecars_and_other_gateways_do_not_count() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    sidecar, other = envoy("s", kind="sidecar"), envoy("o", name="other")
    progress.opened(1, sidecar)
    progress.opened(2, other)
    assert progress.synced(1, sidecar, 10) == progress.synced(2, other, 10) == frozenset()
    assert progress.programmed(EDGE) is None
    assert progress.closed(1, sidecar) == frozenset()


def test_an_envoy_of_two_gateways_counts_for_both() -> None:
    progress = Progress()
    for gateway in (EDGE, MESH):
        progress.published(gateway, 1, 10)
    both = replace(ONE, gateways=(EDGE, MESH))
    progress.opened(1, both)
    assert [progress.connected(gateway) for gateway in (EDGE, MESH)] == [1, 1]
    assert progress.synced(1, both, 10, late=(EDGE,)) == {MESH}
    assert progress.synced(1, both, 10) == {EDGE}
    progress.opened(2, TWO)
    progress.published(EDGE, 2, 11)
    progress.published(MESH, 2, 11)
    assert progress.synced(1, both, 11) == {MESH}, "the other Envoy is of the one Gateway alone"
    progress.synced(2, TWO, 11)
    progress.published(EDGE, 3, 12)
    progress.published(MESH, 3, 12)
    progress.synced(2, TWO, 12)
    assert progress.closed(1, both) == {EDGE}


def test_what_an_envoy_has_of_a_gateway_that_stays_counts_on_and_of_a_new_one_it_has_nothing() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    progress.published(MESH, 1, 10)
    one, both = replace(ONE, gateways=(EDGE,)), replace(ONE, gateways=(EDGE, MESH))
    progress.opened(1, one)
    progress.synced(1, one, 10)
    assert progress.regrouped(1, one, both) == frozenset()
    assert progress.connected(MESH) == 1
    assert (progress.programmed(EDGE), progress.programmed(MESH)) == (1, None)
    assert progress.published(EDGE, 2, 10) == {EDGE}
    assert progress.synced(1, both, 10) == {MESH}
    progress.opened(2, TWO)
    progress.published(EDGE, 3, 11)
    progress.synced(2, TWO, 11)
    mesh = replace(ONE, gateways=(MESH,))
    assert progress.regrouped(1, both, mesh) == {EDGE}, "it no longer keeps the other back"
    assert [progress.connected(gateway) for gateway in (EDGE, MESH)] == [1, 1]


def test_one_that_drains_keeps_nobody_back() -> None:
    progress = Progress()
    progress.published(EDGE, 1, 10)
    progress.opened(1, ONE)
    progress.opened(2, TWO)
    progress.synced(2, TWO, 10)
    drains = replace(ONE, draining=True)
    assert progress.regrouped(1, ONE, drains) == {EDGE}
    assert progress.connected(EDGE) == 1
    assert progress.synced(1, drains, 10) == progress.closed(1, drains) == frozenset()


STEPS = st.lists(
    st.tuples(st.sampled_from(["open", "close", "sync", "publish"]), st.integers(0, 2), st.integers(1, 6)), max_size=40
)


@given(STEPS)
def test_it_never_goes_back_and_never_runs_ahead(steps: list[tuple[str, int, int]]) -> None:
    progress, generation, first, streams, synced = Progress(), 0, {}, {}, {}
    last = 0
    for number, (step, which, serial) in enumerate(steps):
        node = envoy(str(which))
        if step == "publish":
            generation += 1
            first[generation] = serial
            progress.published(EDGE, generation, serial)
        elif step == "open":
            streams[which], synced[which] = number, -1
            progress.opened(number, node)
        elif which in streams and step == "close":
            progress.closed(streams.pop(which), node)
            del synced[which]
        elif which in streams:
            synced[which] = max(synced[which], serial)
            progress.synced(streams[which], node, serial)
        reached = progress.programmed(EDGE) or 0
        assert reached >= last
        if reached > last:
            assert synced
            assert all(serial >= first[reached] for serial in synced.values())
        last = reached
