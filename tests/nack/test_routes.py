"""Rules that Envoy rejects: who is found, at what cost, and what everyone else is served meanwhile."""

import math

import pytest

from tests.nack.harness import World, gateway, route, rule, with_bad_path, with_bad_weights


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
