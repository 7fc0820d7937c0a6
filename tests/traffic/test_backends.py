"""Where requests go: weights, backends that cannot be used, endpoints, permissions."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.traffic.backend import Recorder, recording
from tests.traffic.harness import World, endpoints, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""
COUNT, POINTS = 1_000, 70
"""Requests, and how many a share may be off: 7 points, more than four standard deviations."""
Recorders = dict[str, Recorder]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def recorders(world: World) -> AsyncIterator[Recorders]:
    """Quick backends one, two, three, as Services of these names."""
    async with AsyncExitStack() as stack:
        found = {name: await stack.enter_async_context(recording(name)) for name in ("one", "two", "three")}
        await world.change(*(service(name, [backend.address]) for name, backend in found.items()))
        yield found


def route(backends: str, filters: str = "") -> str:
    """An HTTPRoute of one rule; `backends` and `filters` are the insides of YAML lists."""
    rule = f"{{backendRefs: [{backends}], filters: [{filters}]}}"
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{rule}]}}\n"


async def shares(world: World) -> Counter[str]:
    """How many of COUNT requests each backend answered, or none did with which status."""
    answers = await world.many(COUNT, "/")
    return Counter(one.told["name"] if one.status == 200 else str(one.status) for one in answers)


def about(found: Counter[str], **wanted: int) -> bool:
    """Are these the shares in percent, and no others?"""
    names = {name.removeprefix("status_"): share for name, share in wanted.items()}
    return found.keys() <= names.keys() and all(
        abs(found[name] - share * COUNT / 100) <= (POINTS if share else 0) for name, share in names.items()
    )


async def test_weights(world: World, recorders: Recorders) -> None:
    await world.serve(GATEWAY, route(
        "{name: one, port: 8080, weight: 70}, {name: two, port: 8080, weight: 30},"
        " {name: three, port: 8080, weight: 0}"
    ))  # fmt: skip
    before = len(recorders["three"].heads)
    assert about(await shares(world), one=70, two=30, three=0)
    assert len(recorders["three"].heads) == before


async def test_weights_are_relative_and_one_by_default(world: World, recorders: Recorders) -> None:
    await world.serve(GATEWAY, route("{name: one, port: 8080, weight: 3}, {name: two, port: 8080}"))
    assert about(await shares(world), one=75, two=25)


async def test_the_share_of_a_backend_that_is_missing(world: World, recorders: Recorders) -> None:
    """Its requests are answered with 500; what is left of the rule serves on."""
    await world.serve(GATEWAY, route(
        "{name: one, port: 8080, weight: 50}, {name: missing, port: 8080, weight: 20},"
        " {name: two, port: 9999, weight: 10}, {name: three, kind: Gadget, group: example.org, weight: 20}"
    ))  # fmt: skip
    assert about(await shares(world), one=50, status_500=50)


async def test_the_share_of_a_missing_backend_among_backends_with_rewrites(world: World, recorders: Recorders) -> None:
    """There a backend is a route of its own; the shares are the same."""
    rewrite = "{type: URLRewrite, urlRewrite: {hostname: x.org}}"
    await world.serve(GATEWAY, route(
        "{name: missing, port: 8080, weight: 40}, "
        f"{{name: one, port: 8080, weight: 40, filters: [{rewrite}]}}, {{name: two, port: 8080, weight: 20}}"
    ))  # fmt: skip
    assert about(await shares(world), status_500=40, one=40, two=20)


@pytest.mark.parametrize(
    "backends",
    [
        "",
        "{name: a, port: 8080, weight: 0}, {name: b, port: 8080, weight: 0}",
        "{name: missing, port: 8080}",
        "{name: missing, port: 8080}, {name: a, port: 8080, weight: 0}",
        "{name: a, port: 1}",
        "{name: a, port: 8080, kind: Gadget, group: example.org}",
    ],
)
async def test_a_rule_without_a_backend_that_can_be_used(world: World, backends: str) -> None:
    await world.serve(GATEWAY, route(backends))
    assert await world.status("/") == 500


async def test_without_a_ready_endpoint(world: World, recorders: Recorders) -> None:
    """503: the backend is right, there is only nobody to answer; and it comes back with its endpoints."""
    address = recorders["one"].address
    away = service("away", [address]).replace("- addresses:", "- conditions: {ready: false}\n  addresses:")
    await world.serve(GATEWAY, away, route("{name: away, port: 8080}"))
    assert await world.status("/") == 503
    await world.change(service("away", []))
    assert await world.status("/") == 503
    await world.change(service("away", [address]))
    assert await world.name("/") == "one"
    leaving = "- conditions: {ready: false, serving: true, terminating: true}\n  addresses:"
    await world.change(service("away", [address]).replace("- addresses:", leaving))
    assert await world.name("/") == "one"


async def test_the_endpoints_of_a_service_share_its_requests(world: World, recorders: Recorders) -> None:
    """Two slices, one of them for IPv6 without endpoints, and one endpoint that is not ready."""
    slices = [endpoints(name, [recorders[name].address], service="shared") for name in ("one", "two", "three")]
    slices[2] = slices[2].replace("- addresses:", "- conditions: {ready: false}\n  addresses:")
    empty = """
kind: EndpointSlice
metadata: {name: shared-six, labels: {kubernetes.io/service-name: shared}}
addressType: IPv6
ports: [{name: http, port: 80}]
"""
    await world.serve(
        GATEWAY, *slices, service("shared", []), empty,
        route("{name: shared, port: 8080}"),
    )  # fmt: skip
    found = await shares(world)
    assert about(found, one=50, two=50), found


async def test_a_backend_in_another_namespace_needs_a_grant(world: World, recorders: Recorders) -> None:
    grant = """
kind: ReferenceGrant
metadata: {name: grant, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: FROM}]
  to: [{group: "", kind: Service, name: NAME}]
"""
    allowed = grant.replace("FROM", "default").replace("NAME", "far")
    there = "kind: Namespace\nmetadata: {name: other}\n---\n" + service(
        "far", [recorders["one"].address], namespace="other"
    )
    await world.serve(GATEWAY, there, route("{name: far, namespace: other, port: 8080}"))
    assert await world.status("/") == 500
    for decoy in (allowed.replace("name: far", "name: near"), allowed.replace("default", "third")):
        await world.change(decoy)
        assert await world.status("/") == 500
    await world.change(allowed)
    assert await world.name("/") == "one"
    await world.remove("ReferenceGrant", "grant", "other")
    assert await world.status("/") == 500


async def test_a_service_that_goes_and_comes_back(world: World, recorders: Recorders) -> None:
    await world.serve(GATEWAY, service("brief", [recorders["two"].address]), route("{name: brief, port: 8080}"))
    assert await world.name("/") == "two"
    await world.remove("Service", "brief")
    assert await world.status("/") == 500
    await world.change(service("brief", [recorders["two"].address]))
    assert await world.name("/") == "two"


SHARE = "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: share, value: NAME}]}}"


@pytest.mark.parametrize(
    "changes",
    [
        SHARE,
        f"{SHARE}, {{type: URLRewrite, urlRewrite: {{hostname: NAME.test}}}}",
    ],
)
async def test_one_service_twice_with_other_filters(world: World, recorders: Recorders, changes: str) -> None:
    """envoyproxy/gateway#5230: a share's filters went with another share's endpoints."""
    entries = [("one", 3, "first"), ("two", 4, "second"), ("one", 3, "third")]
    refs = [
        f"{{name: s-{name}, port: 8080, weight: {weight}, filters: [{changes.replace('NAME', label)}]}}"
        for name, weight, label in entries
    ]
    services = [service(f"s-{name}", [recorders[name].address]) for name in ("one", "two")]
    await world.serve(GATEWAY, *services, route(", ".join(refs)))
    before = {name: len(recorders[name].heads) for name in ("one", "two")}
    found = await shares(world)
    assert about(found, one=60, two=40)
    labels = {
        name: Counter(line[7:] for head in recorders[name].heads[count:] for line in head if line.startswith("share: "))
        for name, count in before.items()
    }
    assert labels["two"] == Counter(second=found["two"])
    assert labels["one"].keys() == {"first", "third"}
    assert abs(labels["one"]["first"] - COUNT * 0.3) <= POINTS
