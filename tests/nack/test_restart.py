"""A new control plane knows nothing of what Envoys accepted before, but for what they say that they hold."""

from tests.nack.harness import World, gateway, route, rule, with_bad_path, with_bad_weights

PATHS = [f"/r{n}" for n in range(16)]


async def test_after_a_restart_innocents_are_served_while_a_culprit_is_searched() -> None:
    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}", rule(f"/r{n}", version="1")) for n in range(16)))
        await world.start_envoy()
        async with world.traffic(*PATHS) as traffic:
            await world.restart()
            assert world.resources_sent() == {}
            changed = [rule(f"/r{n}", version="2") if n != 11 else with_bad_weights("/r11") for n in range(16)]
            await world.change(*(route(f"r{n}", one) for n, one in enumerate(changed)))
            await world.quiet()
        innocents = [path for path in PATHS if path != "/r11"]
        assert traffic.all_good(innocents)
        assert all(traffic.answers[path][200, "2"] for path in innocents)
        assert traffic.statuses("/r11") == {200, 500}


async def test_a_restart_while_a_rule_is_kept_out() -> None:
    async with World() as world:
        routes = [route(f"r{n}", rule(f"/r{n}")) for n in range(16)]
        await world.change(
            gateway(), *routes, route("bad", with_bad_path("/bad")), route("worse", with_bad_weights("/w"))
        )
        await world.start_envoy()
        async with world.traffic(*PATHS) as traffic:
            await world.restart()
            assert world.conditions("bad")["Accepted"].status == "False"
            assert world.conditions("worse")["Accepted"].status == "False"
        assert traffic.all_good(PATHS)
        assert await world.get("/w") == 500
