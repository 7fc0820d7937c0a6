"""Stages of a change, told by a clock that the tests move."""

import pytest
from prometheus_client import CollectorRegistry

from xds_server.control import Round
from xds_server.flow.graph import Graph
from xds_server.shell.change_times import STAGES, ChangeTimes


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.registry = CollectorRegistry()
        self.times = ChangeTimes(self.registry, "x", clock=lambda: self.now)

    def published(self, serial: int, *, waited: float, seconds: float, resources: int = 1) -> None:
        self.times.settled(Round(Graph().last, seconds, serial, resources, waited))

    def sums(self) -> list[float]:
        return [self.sample("sum", stage) for stage in STAGES]

    def counts(self) -> list[float]:
        return [self.sample("count", stage) for stage in STAGES]

    def sample(self, name: str, stage: str) -> float:
        found = self.registry.get_sample_value(f"x_change_seconds_{name}", {"stage": stage})
        assert found is not None
        return found


@pytest.fixture
def world() -> World:
    return World()


def test_each_stage_of_a_change_is_counted(world: World) -> None:
    world.times.synced(1, 4)
    world.published(5, waited=0.02, seconds=0.003)
    world.now += 0.5
    world.times.sent(1)
    world.now += 0.25
    world.times.sent(1)
    world.now += 1.0
    world.times.synced(1, 5)
    assert world.sums() == pytest.approx([0.02, 0.003, 0.5, 1.25])
    assert world.counts() == [1, 1, 1, 1]


def test_of_changes_that_are_sent_at_once_the_oldest_counts(world: World) -> None:
    world.times.synced(1, 4)
    for serial in (4, 5, 6):
        world.published(serial, waited=0.01 * serial, seconds=0.0)
        world.now += 1.0
    world.times.sent(1)
    world.times.synced(1, 6)
    assert world.sums() == pytest.approx([0.05, 0.0, 2.0, 0.0])


def test_what_sends_nothing_counts_nothing(world: World) -> None:
    world.times.synced(1, 4)
    world.published(5, waited=0.0, seconds=0.0)
    world.times.synced(1, 5)
    world.published(5, waited=0.0, seconds=0.0, resources=0)
    world.times.sent(1)
    world.times.synced(1, 5)
    assert world.counts() == [0, 0, 0, 0]


def test_what_a_client_gets_when_it_connects_is_no_change(world: World) -> None:
    world.published(5, waited=0.0, seconds=0.0)
    world.now += 3600.0
    world.times.sent(1)
    world.times.synced(1, 5)
    assert world.counts() == [0, 0, 0, 0]


def test_a_stream_that_ended_counts_nothing(world: World) -> None:
    world.times.synced(1, 4)
    world.published(5, waited=0.0, seconds=0.0)
    world.times.sent(1)
    world.times.closed(1)
    world.times.synced(1, 5)
    assert world.counts() == [0, 0, 0, 0]
