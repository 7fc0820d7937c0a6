"""Clusters that Envoy rejects. No object makes one, so the one of a Service called `bad` is spoilt on its way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterLbPolicy,
    ClusterRingHashLbConfig,
)

from tests.nack.harness import World, gateway, route, rule, service
from xds_server.envoy import cluster
from xds_server.routing.backend import Backend
from xds_server.wire.part import Part


def without_words(message: Cluster) -> None:
    """Rejected when it is decoded: nothing of the response is applied, and no name is told."""
    message.connect_timeout = timedelta(seconds=-1)


def kept_as_a_ghost(message: Cluster) -> None:
    """Rejected late: Envoy names it, applies the others, and keeps it among those that warm."""
    message.lb_policy = ClusterLbPolicy.RING_HASH
    message.ring_hash_lb_config = ClusterRingHashLbConfig(minimum_ring_size=1024, maximum_ring_size=16)


def spoilt(part: Part, spoil: Callable[[Cluster], None]) -> Part:
    message = Cluster.parse(part.data)
    spoil(message)
    return Part(part.id, bytes(message), owners=part.owners, fallback=part.fallback)


@pytest.mark.parametrize("spoil", [without_words, kept_as_a_ghost])
async def test_a_bad_cluster_costs_the_rules_that_use_it(
    spoil: Callable[[Cluster], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    build = cluster.build

    def sometimes_bad(backend: Backend, *more: Any, **named: Any) -> Part:
        part = build(backend, *more, **named)
        return spoilt(part, spoil) if backend.service.name == "bad" else part

    monkeypatch.setattr(cluster, "build", sometimes_bad)
    names = ["a", "b", "bad", "c", "d"]
    async with World() as world:
        for name in names:
            await world.change(*service(name, world.backend))
        await world.change(gateway(), *(route(name, rule(f"/{name}", backend=name)) for name in names))
        await world.change(route("both", rule("/x", backend="bad"), rule("/y", backend="a")))
        await world.start_envoy()
        expected = {"/a": 200, "/b": 200, "/bad": 500, "/c": 200, "/d": 200, "/x": 500, "/y": 200}
        assert {path: await world.get(path) for path in expected} == expected
        found = world.conditions("both")
        assert found["Accepted"].status == "True"
        assert found["PartiallyInvalid"].message.startswith("Dropped Rule: rules[0]")
        assert "cluster default/bad:8080/auto: " in found["PartiallyInvalid"].message
        assert world.conditions("bad")["Accepted"].status == "False"
        assert world.conditions("a")["Accepted"].status == "True"
        async with world.traffic("/a", "/b", "/c", "/d", "/y") as traffic:
            await world.change(*service("new", world.backend), route("new", rule("/new", backend="new")))
            await world.quiet()
            assert await world.get("/new") == 200, "clusters can still be added"
            await world.change(route("bad", rule("/bad", backend="c")), route("both", rule("/x", backend="d")))
            await world.quiet()
        assert traffic.all_good(["/a", "/b", "/c", "/d"])
        assert await world.get("/bad") == await world.get("/x") == 200
        assert world.control.pipeline.inputs.holds.keys() == ()
