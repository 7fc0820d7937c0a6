"""Rules that Envoy rejects: who is found, at what cost, and what everyone else is served meanwhile."""

import asyncio
import math

import aiohttp
import pytest

from tests.nack.harness import (
    GATEWAY,
    HOST,
    World,
    gateway,
    made,
    route,
    rule,
    service,
    until,
    with_bad_path,
    with_bad_weights,
)
from tests.real_envoy import RealEnvoy
from xds_server.control import Round


def spec(name: str, version: str) -> dict[str, object]:
    return rule(f"/{name}", version=version)


async def test_a_bad_path_among_good_routes() -> None:
    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}") for n in range(8)))
        await world.start_envoy()
        assert [await world.get(f"/r{n}") for n in range(8)] == [200] * 8
        async with world.traffic(*(f"/r{n}" for n in range(8))) as traffic:
            await world.change(route("bad", with_bad_path("/bad"), rule("/fine")))
            await world.quiet()
        assert traffic.all_good(f"/r{n}" for n in range(8))
        assert await world.get("/fine") == 200
        assert await world.get("/bad") == 404, "a rule that Envoy cannot even match is dropped"
        found = world.conditions("bad")
        assert found["Accepted"].status == "True"
        assert found["PartiallyInvalid"].status == "True"
        assert found["PartiallyInvalid"].message == "Dropped Rule: rules[0] was rejected by Envoy: missing ): /bad(("
        assert "PartiallyInvalid" not in world.conditions("r0")


async def test_a_rule_with_a_good_match_is_answered_with_500_and_mended() -> None:
    async with World() as world:
        await world.change(gateway(), route("one"), route("two"))
        await world.start_envoy()
        await world.change(route("one", with_bad_weights("/one")))
        await world.quiet()
        assert await world.get("/one") == 500
        assert await world.get("/two") == 200
        found = world.conditions("one")
        assert (found["Accepted"].status, found["Accepted"].reason) == ("False", "UnsupportedValue")
        assert "rules[0] was rejected by Envoy: " in found["Accepted"].message
        assert "weights" in found["Accepted"].message
        await world.change(route("one", rule("/one", version="3")))
        await world.quiet()
        assert await world.get("/one") == 200
        assert world.conditions("one")["Accepted"].status == "True"


@pytest.mark.parametrize("field", ["headers", "queryParams"])
async def test_a_bad_header_or_query_expression(field: str) -> None:
    async with World() as world:
        bad = rule("/bad", **{field: [{"type": "RegularExpression", "name": "x", "value": "[a"}]})
        await world.change(gateway(), route("good"), route("bad", bad, rule("/bad")))
        await world.start_envoy()
        assert await world.get("/good") == 200
        assert await world.get("/bad") == 200, "the route's other rule"
        message = world.conditions("bad")["PartiallyInvalid"].message
        assert message == "Dropped Rule: rules[0] was rejected by Envoy: missing ]: [a"


async def test_several_culprits_cost_few_pushes_and_their_neighbours_nothing() -> None:
    count, culprits = 64, (3, 31, 50)
    paths = [f"/r{n}" for n in range(count)]
    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}", spec(f"r{n}", "1")) for n in range(count)))
        await world.start_envoy()
        before = world.pushes()
        async with world.traffic(*paths) as traffic:
            changed = [spec(f"r{n}", "2") if n not in culprits else with_bad_weights(f"/r{n}") for n in range(count)]
            await world.change(*(route(f"r{n}", one) for n, one in enumerate(changed)))
            await world.quiet()
        pushes = world.pushes() - before
        print(f"{len(culprits)} culprits among {count}: {pushes} pushes")
        assert pushes <= len(culprits) * (math.ceil(math.log2(count)) + 2) + 2
        innocents = [path for n, path in enumerate(paths) if n not in culprits]
        assert traffic.all_good(innocents)
        assert all(traffic.answers[path][200, "2"] for path in innocents)
        for n in culprits:
            assert traffic.statuses(f"/r{n}") == {200, 500}
            assert world.conditions(f"r{n}")["Accepted"].status == "False"
        broken = [n for n in range(count) if world.conditions(f"r{n}")["Accepted"].status == "False"]
        assert broken == list(culprits)


@pytest.fixture
def slow_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams get their turn again and again while the tables settle, as they do in a large world."""
    monkeypatch.setattr("xds_server.control._STEP_CALLS", 1)


@pytest.mark.usefixtures("slow_settles")
async def test_backends_that_routes_leave_are_kept_while_their_old_state_stands_in() -> None:
    names = [f"r{n}" for n in range(16)]
    async with World() as world:
        for old_or_new in ("old", "new"):
            for name in names:
                await world.change(*service(f"{old_or_new}-{name}", world.backend))
        await world.change(gateway(), *(route(name, rule(f"/{name}", backend=f"old-{name}")) for name in names))
        envoy = await world.start_envoy()
        async with world.traffic(*(f"/{name}" for name in names)) as traffic:
            moved = {name: rule(f"/{name}", backend=f"new-{name}") for name in names} | {"r5": with_bad_weights("/r5")}
            await world.change(*(route(name, one) for name, one in moved.items()))
            await world.quiet()
        assert traffic.all_good(f"/{name}" for name in names if name != "r5")
        await envoy.until(lambda: _has_no_old_clusters(envoy), "keeps clusters that nothing names")


async def _has_no_old_clusters(envoy: RealEnvoy) -> bool:
    return not any("/old-" in name for name in await envoy.clusters())


async def test_the_culprit_s_last_good_state_serves_until_it_is_found() -> None:
    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}", rule(f"/r{n}", version="1")) for n in range(8)))
        await world.start_envoy()
        seen: list[tuple[bool, int, str]] = []

        async def look() -> None:
            while not over.is_set():
                searching = bool(world.control.quarantine.searched())
                async with session.get(f"http://127.0.0.1:{world.ports[GATEWAY]}/r7", headers={"Host": HOST}) as answer:
                    seen.append((searching, answer.status, answer.headers.get("version", "")))

        over = asyncio.Event()
        async with aiohttp.ClientSession() as session:
            looking = asyncio.create_task(look())
            await until(lambda: seen or looking.done())
            changed = [rule(f"/r{n}", version="2") if n != 7 else with_bad_weights("/r7") for n in range(8)]
            await world.change(*(route(f"r{n}", one) for n, one in enumerate(changed)))
            await world.quiet()
            over.set()
            await looking
        statuses = [status for _, status, _ in seen]
        assert statuses == sorted(statuses), "200 until it is found, 500 from then on"
        assert seen[0] == (False, 200, "1")
        assert await world.get("/r7") == 500


@pytest.mark.usefixtures("slow_settles")
async def test_programmed_waits_for_the_end_of_the_search() -> None:
    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}") for n in range(16)))
        await world.start_envoy()
        seen: list[tuple[bool, str]] = []

        def look(_: Round) -> None:
            seen.append((bool(world.control.quarantine.searched()), world.gateway_conditions()["Programmed"].status))

        world.control.watch(look)
        changed = [rule(f"/r{n}", version="2") for n in range(15)] + [with_bad_weights("/r15")]
        await world.change(gateway(generation=2), *(route(f"r{n}", one) for n, one in enumerate(changed)))
        await world.quiet()
        await until(lambda: world.gateway_conditions()["Programmed"].status == "True")
        assert (True, "False") in seen
        assert (True, "True") not in seen


async def test_a_route_that_moves_to_another_host_is_searched_once() -> None:
    """What stands in for a suspect stood under another host before; it is no new suspect there."""
    async with World() as world:
        await world.change(gateway(), route("moving", rule("/one"), host="one.example.com"))
        await world.start_envoy()
        rounds: list[Round] = []
        world.control.watch(rounds.append)
        bad = rule("/two", headers=[{"name": "h", "type": "RegularExpression", "value": "[\\x00-\\x{10FFFF}]"}])
        both = {**rule("/good"), "matches": [*rule("/good")["matches"], *bad["matches"]]}
        await world.change(route("moving", both, host="two.example.com"))
        await world.quiet()
        assert len(rounds) < 12
        assert world.conditions("moving")["PartiallyInvalid"].status == "True"


async def test_a_listener_without_routes_that_comes_with_a_bad_rule() -> None:
    """Its virtual host is one of the suspects, though no route made it."""
    async with World() as world:
        await world.change(gateway(), route("one"))
        await world.start_envoy()
        listeners = [{"name": "web", "port": 80, "protocol": "HTTP"}]
        listeners += [{**listeners[0], "name": host, "hostname": f"{host}.example.org"} for host in "abc"]
        spec = {"gatewayClassName": "any", "listeners": listeners}
        metadata = {"name": GATEWAY.name, "namespace": GATEWAY.namespace, "generation": 2}
        more = made({"kind": "Gateway", "metadata": metadata, "spec": spec})
        await world.change(more, route("bad", with_bad_path()), route("two"))
        await world.quiet()
        assert [await world.get(path) for path in ("/one", "/two", "/bad")] == [200, 200, 404]
        assert await world.get("/one", host="a.example.org") == 404
