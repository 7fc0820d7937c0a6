"""gRPC through a Gateway, by real clients and servers: what calls are routed by, and how they fail."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from grpc import StatusCode

from tests.traffic.grpc_backend import Backend, client, grpc_backend
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
"""
OTHER = GATEWAY.replace("name: gateway}", "name: other}")
COUNT, POINTS = 500, 70
Backends = dict[str, Backend]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def backends(world: World) -> AsyncIterator[Backends]:
    """gRPC backends one, two, three, as Services of these names."""
    async with AsyncExitStack() as stack:
        found = {name: await stack.enter_async_context(grpc_backend(name)) for name in ("one", "two", "three")}
        await world.change(*(service(name, [backend.address]) for name, backend in found.items()))
        yield found


def route(*rules: str, name: str = "route", parents: str = "{name: gateway}", more: str = "") -> str:
    """A GRPCRoute; rules are the insides of flow mappings."""
    inside = ", ".join(f"{{{rule}}}" for rule in rules)
    return f"kind: GRPCRoute\nmetadata: {{name: {name}}}\nspec: {{parentRefs: [{parents}], {more} rules: [{inside}]}}\n---\n"


def to(*names: str) -> str:
    """backendRefs to Services, each with an optional weight: `one:70`."""
    entries = [name.partition(":") for name in names]
    refs = ", ".join(f"{{name: {name}, port: 8080, weight: {weight or 1}}}" for name, _, weight in entries)
    return f"backendRefs: [{refs}]"


def method(service_: str = "", name: str = "", headers: str = "") -> str:
    """matches with one entry."""
    parts = ", ".join(f"{key}: {value}" for key, value in (("service", service_), ("method", name)) if value)
    wanted = [f"method: {{{parts}}}"] if parts else []
    return f"matches: [{{{', '.join([*wanted, *([f'headers: [{headers}]'] if headers else [])])}}}]"


async def test_methods(world: World, backends: Backends) -> None:
    await world.serve(
        GATEWAY,
        route(
            f"{method('shop.Cart', 'Add')}, {to('one')}",
            f"{method('shop.Cart')}, {to('two')}",
            f"{method(name='Get')}, {to('three')}",
        ),
    )
    async with client(world.port()) as call:
        for name, backend in (("/shop.Cart/Add", "one"), ("/shop.Cart/Get", "two"), ("/shop.Order/Get", "three")):
            reply = await call(name)
            assert (reply.told["name"], reply.told["method"]) == (backend, name)
            assert reply.told["metadata"]["x-forwarded-proto"] == "http"
        for name in ("/shop.Order/Add", "/shop.Cart2/Add", "/shop/Cart"):
            assert (await call(name)).code is StatusCode.UNIMPLEMENTED
        assert (await call("/shop.Cart/Fail")).code is StatusCode.NOT_FOUND


async def test_streams(world: World, backends: Backends) -> None:
    await world.serve(GATEWAY, route(to("one")))
    async with client(world.port()) as call:
        stream = call.channel.stream_stream("/shop.Cart/Stream")(timeout=60)
        for number in range(3):
            await stream.write(b"%d" % number)
            assert await stream.read() == b"%d!" % number
        await stream.done_writing()
        assert await stream.code() is StatusCode.OK


async def test_headers(world: World, backends: Backends) -> None:
    await world.serve(
        GATEWAY,
        route(
            f"{method(headers='{name: Version, value: one}')}, {to('one')}",
            f"{method(headers='{name: version, value: two}, {name: color, value: orange}')}, {to('two')}",
        ),
    )
    async with client(world.port()) as call:
        assert (await call("/a.B/C", version="one")).told["name"] == "one"
        assert (await call("/a.B/C", version="two", color="orange")).told["name"] == "two"
        for wrong in ({}, {"version": "two"}, {"color": "orange"}, {"version": "ONE"}):
            assert (await call("/a.B/C", **wrong)).code is StatusCode.UNIMPLEMENTED


async def test_beside_http_on_one_port_and_host(world: World, backends: Backends) -> None:
    """HTTP/1.1 and HTTP/2 with prior knowledge share the port; the content type tells whose a request is."""
    http = "kind: HTTPRoute\nmetadata: {name: http}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n"
    await world.serve(GATEWAY, http, route(f"{method('shop.Cart')}, {to('one')}"))
    async with client(world.port()) as call:
        assert (await call("/shop.Cart/Add")).told["name"] == "one"
    assert await world.name("/shop.Cart/Add") == "a"


async def test_hostnames(world: World, backends: Backends) -> None:
    gateway = GATEWAY.replace("protocol: HTTP", 'protocol: HTTP, hostname: "*.example.com"')
    await world.serve(
        gateway,
        route(to("one"), name="wide", more='hostnames: ["*.com"],'),
        route(f"{method('shop.Cart')}, {to('two')}", name="narrow", more="hostnames: [a.example.com],"),
    )
    for host, name, backend in (
        ("a.example.com", "/shop.Cart/Add", "two"),
        ("a.example.com", "/shop.Order/Add", "one"),
        ("b.example.com:80", "/shop.Cart/Add", "one"),
    ):
        async with client(world.port(), host) as call:
            assert (await call(name)).told["name"] == backend
    async with client(world.port(), "example.com") as call:
        assert (await call("/shop.Cart/Add")).code is StatusCode.UNIMPLEMENTED


async def test_filters(world: World, backends: Backends) -> None:
    filters = (
        "{type: RequestHeaderModifier, requestHeaderModifier:"
        " {set: [{name: x-set, value: a}], add: [{name: x-add, value: b}], remove: [x-gone]}},"
        " {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-answer, value: c}]}},"
        " {type: RequestMirror, requestMirror: {backendRef: {name: two, port: 8080}}}"
    )
    await world.serve(GATEWAY, route(f"{to('one')}, filters: [{filters}]"))
    backends["two"].calls.clear()
    async with client(world.port()) as call:
        reply = await call("/shop.Cart/Add", x_set="old", x_add="old", x_gone="old")
    metadata = reply.told["metadata"]
    assert (metadata["x-set"], metadata["x-add"], "x-gone" in metadata) == ("a", "old,b", False)
    assert (reply.told["name"], reply.headers["x-answer"]) == ("one", "c")
    async with asyncio.timeout(60):
        while not backends["two"].calls:
            await asyncio.sleep(0.01)
    ((name, mirrored),) = backends["two"].calls
    assert (name, mirrored["x-set"]) == ("/shop.Cart/Add", "a")


async def test_weights(world: World, backends: Backends) -> None:
    await world.serve(GATEWAY, route(to("one:70", "two:30", "three:0")))
    seen: Counter[str] = Counter()
    async with client(world.port()) as call:
        for _ in range(COUNT // 50):
            seen.update(reply.told["name"] for reply in await asyncio.gather(*(call("/a.B/C") for _ in range(50))))
    assert seen.total() == COUNT
    assert abs(seen["one"] - 0.7 * COUNT) < POINTS / 1000 * COUNT
    assert "three" not in seen


async def test_what_cannot_be_served_is_unavailable(world: World, backends: Backends) -> None:
    """A missing backend's share, a rule without any, one without endpoints, one that nobody serves."""
    dead = service("dead", ["127.0.0.1:1"]) + service("idle", [])
    await world.serve(
        GATEWAY, dead,
        route(
            f"{method('half.A')}, {to('one', 'missing')}",
            f"{method('none.A')}, {to('missing')}",
            f"{method('empty.A')}",
            f"{method('idle.A')}, {to('idle')}",
            f"{method('dead.A')}, {to('dead')}",
            f"{method('refused.A')}, {to('one')}, filters: [{{type: ExtensionRef, extensionRef: {{group: g, kind: K, name: n}}}}]",
        ),
    )  # fmt: skip
    async with client(world.port()) as call:
        for name in ("none", "empty", "idle", "dead", "refused"):
            assert (await call(f"/{name}.A/B")).code is StatusCode.UNAVAILABLE, name
        codes = Counter([(await call("/half.A/B")).code for _ in range(100)])
    assert set(codes) == {StatusCode.OK, StatusCode.UNAVAILABLE}
    assert 25 < codes[StatusCode.OK] < 75


async def test_several_gateways(world: World, backends: Backends) -> None:
    echo, two = method("echo", "Echo"), method("echo", "EchoTwo")
    await world.serve(
        GATEWAY, OTHER,
        route(f"name: shared, {echo}, {to('one')}", name="shared", parents="{name: gateway}, {name: other}"),
        route(f"{two}, {to('two')}", name="first"),
        route(f"{two}, {to('three')}", name="second", parents="{name: other}"),
    )  # fmt: skip
    for gateway, backend in (("gateway", "two"), ("other", "three")):
        async with client(world.port(gateway=gateway)) as call:
            assert (await call("/echo/Echo")).told["name"] == "one"
            assert (await call("/echo/EchoTwo")).told["name"] == backend
            assert (await call("/echo/EchoThree")).code is StatusCode.UNIMPLEMENTED


async def test_calls_by_an_http_route(world: World, backends: Backends) -> None:
    """contour#3233, traefik#4181: trailers arrive, those of failures too, where the Service says that it speaks HTTP/2."""
    http = "kind: HTTPRoute\nmetadata: {name: http}\nspec: {rules: [{backendRefs: [{name: rpc, port: 8080}]}]}\n"
    await world.serve(GATEWAY, http, service("rpc", [backends["one"].address], protocol="kubernetes.io/h2c"))
    async with client(world.port()) as call:
        assert (await call("/shop.Cart/Add")).told["name"] == "one"
        failed = await call("/shop.Cart/Fail")
        assert (failed.code, failed.details) == (StatusCode.NOT_FOUND, "not here")
        stream = call.channel.stream_stream("/shop.Cart/Stream")(timeout=60)
        await stream.write(b"1")
        assert await stream.read() == b"1!"
        await stream.done_writing()
        assert await stream.code() is StatusCode.OK


async def test_a_call_has_no_limit_but_its_callers(world: World, backends: Backends) -> None:
    """envoyproxy/gateway#5446: 15 s after its last request Envoy ends a stream if nobody says otherwise."""
    await world.serve(GATEWAY, route(to("one")))
    (dump,) = await world.envoy.resources("dynamic_route_configs")
    (one,) = dump["route_config"]["virtual_hosts"][0]["routes"]
    assert (one["route"]["timeout"], one["route"]["idle_timeout"]) == ("0s", "3600s")
    async with client(world.port()) as call:
        stream = call.channel.stream_stream("/shop.Cart/Stream")(timeout=0.3)
        await stream.write(b"1")
        assert await stream.code() is StatusCode.DEADLINE_EXCEEDED
