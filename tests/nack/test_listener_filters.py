"""A listener's filter that Envoy rejects: nothing of that listener goes past it, everything else goes on."""

from dataclasses import replace
from typing import Any

from tests.nack.harness import GATEWAY, World, made, route, rule, until
from xds_server.filters import BY_TYPE
from xds_server.filters.external_auth import EXTERNAL_AUTH, ExternalAuth, check
from xds_server.model.document import Object

CHECKED = "checked.example.com"


def unchecked_path(auth: ExternalAuth) -> Any:
    """Envoy's filter with a prefix that may lack its slash, which our own reading would have given it."""
    return check(replace(auth, path=auth.path.lstrip("/")), routes=True)


FEATURES = {**BY_TYPE, "ExternalAuth": replace(EXTERNAL_AUTH, before_routing=unchecked_path)}


def gateway(path: str | None, *, generation: int) -> Object:
    """Two HTTP listeners on one port; the second has a filter unless `path` is None."""
    reference = {"name": "other", "port": 8080}
    auth = {"protocol": "HTTP", "http": {"path": path or ""}, "backendRef": reference}
    filters = {"requests": [{"type": "ExternalAuth", "externalAuth": auth}]}
    listeners: list[dict[str, Any]] = [
        {"name": "web", "port": 80, "protocol": "HTTP"},
        {"name": "checked", "port": 80, "protocol": "HTTP", "hostname": CHECKED},
    ]
    if path is not None:
        listeners[1]["filters"] = filters
    metadata = {"name": GATEWAY.name, "namespace": GATEWAY.namespace, "generation": generation}
    return made({"kind": "Gateway", "metadata": metadata, "spec": {"gatewayClassName": "any", "listeners": listeners}})


async def test_a_rejected_filter_closes_its_listener() -> None:
    async with World(features=FEATURES) as world:
        await world.change(gateway(None, generation=1), route("one"), route("two", rule("/two"), host=CHECKED))
        await world.start_envoy()
        assert await world.get("/two", host=CHECKED) == 200
        async with world.traffic("/one") as traffic:
            await world.change(gateway("/bad", generation=2))
            await world.quiet()
            assert await world.get("/two", host=CHECKED) == 500
            assert await world.get("/missing", host=CHECKED) == 500
            listener = world.gateway_conditions("checked")
            assert (listener["Accepted"].status, listener["Programmed"].status) == ("True", "False")
            assert "path_prefix" in listener["Programmed"].message
            await until(lambda: world.gateway_conditions("web")["Programmed"].status == "True")
            assert world.gateway_conditions()["Programmed"].status == "True"
            await world.change(gateway("", generation=3))
            await world.quiet()
            assert await world.get("/two", host=CHECKED) == 200
            await until(lambda: world.gateway_conditions("checked")["Programmed"].status == "True")
        assert traffic.all_good(["/one"])


async def test_rejected_from_the_start_together_with_a_rule() -> None:
    """Both culprits are found; what is suspected meanwhile is closed, never open."""
    async with World(features=FEATURES) as world:
        bad = {**rule("/bad"), "matches": [{"path": {"type": "RegularExpression", "value": "(("}}]}
        await world.change(gateway("/bad", generation=1), route("one", rule("/one"), bad))
        await world.change(route("two", rule("/two"), host=CHECKED))
        await world.start_envoy()
        assert await world.get("/one") == 200
        assert await world.get("/two", host=CHECKED) == 500
        assert "path_prefix" in world.gateway_conditions("checked")["Programmed"].message
        assert world.conditions("two")["Accepted"].status == "True"
