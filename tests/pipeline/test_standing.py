"""How far Envoys of one replica and of all others are."""

import random

import pytest

from tests.pipeline.test_acks import GW, SET, gateway, listener_set, reached
from xds_server.pipeline.acks import GatewayAcks, Report
from xds_server.pipeline.standing import Standing
from xds_server.semantics.statuses import Served
from xds_server.xds.node import GATEWAY, Node
from xds_server.xds.progress import Progress

NODE = Node("gateway~one.shop", "shop/gw", GATEWAY, "one.shop", "shop", "gw", build="1.40.0")


def elsewhere(acks: GatewayAcks) -> list[Report]:
    return [Report({str(GW): acks})]


class World:
    def __init__(self) -> None:
        self.standing = Standing(Progress())

    def connect(self, now: float = 100.0, node: Node = NODE, stream: int = 1) -> None:
        self.standing.opened(stream, now)
        self.standing.progress.opened(stream, node)

    def publish(self, generation: int, serial: int, set_: int = 0, uid: str = "u") -> None:
        sets = {SET: listener_set(set_)} if set_ else {}
        self.standing.published(GW, gateway(generation, uid), sets, serial)

    def sync(self, serial: int) -> None:
        self.standing.progress.synced(1, NODE, serial)

    def served(self) -> Served:
        return self.standing.served(GW)


def test_a_listener_set_has_a_generation_of_its_own() -> None:
    world = World()
    world.connect()
    world.publish(1, 1, set_=5)
    assert world.served() == Served(None, 1)
    world.sync(1)
    assert world.served() == Served(1, 1, {SET: 5})
    world.publish(1, 2, set_=6)
    assert world.served() == Served(1, 1, {SET: 5})
    world.sync(2)
    assert world.served() == Served(1, 1, {SET: 6})


def test_a_gateway_made_anew_starts_anew() -> None:
    """Though it was never seen to be gone, and its Envoys are connected."""
    world = World()
    world.connect()
    world.publish(7, 1)
    world.sync(1)
    assert world.served() == Served(7, 1)
    world.publish(1, 2, uid="another")
    assert world.served() == Served(None, 1)
    world.sync(2)
    assert world.served() == Served(1, 1)


def test_envoys_elsewhere_count() -> None:
    world = World()
    world.connect()
    world.publish(2, 1)
    world.sync(1)
    assert world.served() == Served(2, 1)
    assert world.standing.elsewhere(elsewhere(GatewayAcks(reached(1), {"b": 1.0}))) == {GW}
    assert world.served() == Served(2, 2)
    world.publish(3, 2)
    world.sync(2)
    world.standing.elsewhere(elsewhere(GatewayAcks(reached(2), {"b": 1.0})))
    assert world.served() == Served(2, 2)
    world.standing.elsewhere(elsewhere(GatewayAcks(reached(3), {"b": 1.0})))
    assert world.served() == Served(3, 2)
    assert world.standing.elsewhere([]) == {GW}
    assert world.served() == Served(3, 1)


def test_with_envoys_elsewhere_alone() -> None:
    world = World()
    world.publish(2, 1)
    assert world.served() == Served(None, 0)
    world.standing.elsewhere(elsewhere(GatewayAcks(reached(2), {"b": 1.0, "c": 2.0})))
    assert world.served() == Served(2, 2)


def test_reports_of_a_gateway_that_was_made_anew_do_not_count() -> None:
    world = World()
    world.publish(1, 1, uid="new")
    world.standing.elsewhere(elsewhere(GatewayAcks(reached(7, "old"), {"b": 1.0})))
    assert world.served() == Served(None, 1)


def test_the_report_is_of_gateways_with_envoys() -> None:
    world = World()
    world.publish(1, 1)
    assert world.standing.report([]) == Report()
    before = world.standing.changes
    world.connect(now=123.0)
    assert world.standing.changes > before
    world.sync(1)
    assert world.standing.report([]) == Report({"shop/gw": GatewayAcks(reached(1), {NODE.id: 123.0})})
    world.standing.closed(1)
    world.standing.progress.closed(1, NODE)
    assert world.standing.report([]) == Report()


def test_nothing_is_reached_while_no_envoy_is_ready_and_it_stays_reached_afterwards() -> None:
    world = World()
    world.standing.ready = lambda _: False
    world.connect()
    world.publish(1, 1)
    world.sync(1)
    assert world.served() == Served(None, 1, ready=False)
    world.standing.ready = lambda _: True
    assert world.served() == Served(1, 1)
    world.standing.ready = lambda _: False
    world.publish(2, 2)
    world.sync(2)
    assert world.served() == Served(1, 1, ready=False)


def test_a_publish_alone_changes_nothing_that_is_reported() -> None:
    """Routes and endpoints change all the time; composing the report reads every Gateway."""
    world = World()
    world.connect()
    world.publish(1, 1)
    world.sync(1)
    world.served()
    before = world.standing.changes
    for serial in range(2, 20):
        world.publish(1, serial)
        world.served()
        world.sync(serial)
        world.served()
    assert world.standing.changes == before
    world.publish(2, 20)
    world.served()
    assert world.standing.changes == before
    world.sync(20)
    world.served()
    assert world.standing.changes == before + 1


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_reported_otherwise_is_noticed(seed: int) -> None:
    """As the loop does it: a Gateway of which something happened is asked for, or is gone."""
    chance, world, generation = random.Random(seed), World(), 1
    nodes = [NODE, Node("gateway~two.shop", "shop/gw", GATEWAY, "two.shop", "shop", "gw", build="1.40.0")]
    streams: dict[int, Node] = {}
    seen, reported = world.standing.changes, world.standing.report([])
    for serial in range(1, 300):
        match chance.randrange(6):
            case 0:
                streams[serial] = chance.choice(nodes)
                world.connect(float(serial), streams[serial], serial)
            case 1 if streams:
                stream = chance.choice(list(streams))
                world.standing.closed(stream)
                world.standing.progress.closed(stream, streams.pop(stream))
            case 2 if streams:
                stream = chance.choice(list(streams))
                world.standing.progress.synced(stream, streams[stream], serial - chance.randrange(4))
            case 3:
                generation += chance.randrange(2)
                world.publish(generation, serial, set_=chance.randrange(3), uid=f"u{chance.randrange(20) // 19}")
            case 4 if chance.random() < 0.1:
                world.standing.withdrawn(GW)
            case _:
                world.publish(generation, serial)
        world.served()
        if world.standing.changes == seen:
            assert world.standing.report([]) == reported
        seen, reported = world.standing.changes, world.standing.report([])
