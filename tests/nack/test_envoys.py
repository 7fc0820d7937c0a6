"""Who a rejection concerns: the proxies of one Gateway with one Envoy version, all of them, and nobody else."""

from tests.nack.harness import GATEWAY, World, gateway, route, rule, until, with_bad_path, with_bad_weights
from tests.nack.scripted import accepting
from xds_server.model.meta import Key
from xds_server.xds.resource import ResourceType

OTHER = Key("default", "other")


async def test_two_envoys_of_a_gateway_reject_the_same() -> None:
    async with World() as world:
        await world.change(gateway(), *(route(f"r{n}", rule(f"/r{n}", version="1")) for n in range(12)))
        await world.start_envoy("one")
        await world.start_envoy("two")
        async with world.traffic(*(f"/r{n}" for n in range(12))) as traffic:
            changed = [rule(f"/r{n}", version="2") for n in range(12)]
            changed[4], changed[9] = with_bad_weights("/r4"), with_bad_path("/r9")
            await world.change(*(route(f"r{n}", one) for n, one in enumerate(changed)))
            await world.quiet()
        innocents = [f"/r{n}" for n in range(12) if n not in (4, 9)]
        assert traffic.all_good(innocents)
        holds = world.control.pipeline.inputs.holds
        assert {owner.name for hold in holds.values() for owner in hold.owners} == {"r4", "r9"}
        assert not any(hold.suspected for hold in holds.values())
        for record in world.serving.clients:
            assert record.of(ResourceType.ROUTE).rejections >= 1


async def test_an_envoy_of_another_version_gets_what_the_first_rejects() -> None:
    async with World() as world:
        await world.change(gateway(), route("good"), route("bad", with_bad_path("/bad"), rule("/fine")))
        await world.start_envoy()
        assert await world.get("/fine") == 200
        async with accepting(world.serving.port, build=(1, 41, 0), routes=["http-80"]) as other:
            await until(lambda: b"/bad((" in (other.body(ResourceType.ROUTE, "http-80") or b""))
            assert b"/bad((" not in world.body(ResourceType.ROUTE, "http-80", build="1.40.0")
            await world.change(route("good", rule("/good", version="2")), route("new", with_bad_path("/new")))
            await until(lambda: b"/new((" in (other.body(ResourceType.ROUTE, "http-80") or b""))
            await world.quiet()
        assert await world.get("/good") == 200
        assert {id_.build for id_ in world.control.pipeline.inputs.holds} == {"1.40.0"}


async def test_an_envoy_that_starts_when_culprits_are_there_already() -> None:
    async with World() as world:
        good = [route(f"r{n}") for n in range(20)]
        await world.change(gateway(), *good, route("bad", with_bad_path()), route("worse", with_bad_weights("/worse")))
        envoy = await world.start_envoy()
        assert [await world.get(f"/r{n}") for n in range(20)] == [200] * 20
        assert await world.get("/worse") == 500
        pushes = world.pushes()
        await world.start_envoy("two")
        assert world.pushes(pod="two") == 1, "the second one is not asked again"
        await envoy.stop()
        world.envoys.remove(envoy)
        assert [await world.get(f"/r{n}") for n in range(20)] == [200] * 20
        assert pushes <= 2 * (6 + 2) + 2


async def test_another_gateway_with_the_same_route() -> None:
    async with World() as world:
        await world.change(
            gateway(), gateway(OTHER.name), route("r0"), route("r0-other", rule("/r0"), parent=OTHER.name)
        )
        await world.start_envoy()
        await world.start_envoy(gateway=OTHER, pod="three")
        async with world.traffic("/r0", gateway=OTHER) as traffic:
            await world.change(route("bad", with_bad_path()))
            await world.quiet()
        assert traffic.all_good(["/r0"])
        assert {id_.gateway for id_ in world.control.pipeline.inputs.holds} == {GATEWAY}
        assert world.pushes(pod="three") == 1
