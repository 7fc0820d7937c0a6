"""Filters of a listener: asked about every request of that listener and of no other, before a route is chosen."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from grpc import StatusCode

from tests.traffic.authorization import Authorization, Denial, grpc_authorization, http_authorization
from tests.traffic.client import connected, http2, raw
from tests.traffic.grpc_backend import client, grpc_backend
from tests.traffic.harness import World, service
from tests.traffic.tls import trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRST = "{type: ExternalAuth, externalAuth: {protocol: GRPC, grpc: {}, backendRef: {name: first, port: 8080}}}"
SECOND = (
    "{type: ExternalAuth, externalAuth: {protocol: HTTP, http: {allowedHeaders: [x-user]}, "
    "backendRef: {name: second, port: 8080}}}"
)
OPEN = "name: open, port: 80, protocol: HTTP, hostname: open.example.com"
CHECKED = "name: checked, port: 80, protocol: HTTP, hostname: '*.checked.example.com'"
HOST = "a.checked.example.com"
TLS = "tls: {certificateRefs: [{name: cert}]}"
NAMES = "a.org,b.org"
SECRET = f"""
kind: Secret
metadata: {{name: cert}}
type: kubernetes.io/tls
stringData: {{tls.crt: "${{cert:{NAMES}}}", tls.key: "${{key:{NAMES}}}"}}
---
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def _services(world: World) -> AsyncIterator[tuple[Authorization, Authorization]]:
    async with grpc_authorization() as first, http_authorization() as second:
        await world.change(service("first", [first.address]), service("second", [second.address]))
        yield first, second


@pytest.fixture
def asked(_services: tuple[Authorization, Authorization]) -> tuple[Authorization, Authorization]:
    """Services `first` (gRPC) and `second` (HTTP); they say yes and have not been asked."""
    for one in _services:
        one.asked.clear()
        one.adds, one.removes, one.deny, one.before = {}, (), None, None
    return _services


def gateway(*listeners: str, generation: int = 1) -> str:
    """A Gateway; listeners are the insides of flow mappings."""
    entries = ", ".join(f"{{{one}}}" for one in listeners)
    return (
        f"kind: Gateway\nmetadata: {{name: gateway, generation: {generation}}}\n"
        f"spec: {{gatewayClassName: x, listeners: [{entries}]}}\n---\n"
    )


def filtered(listener: str, *filters: str) -> str:
    """A listener with these filters."""
    return f"{listener}, filters: {{requests: [{', '.join(filters)}]}}"


def route(*rules: str, name: str = "route", hosts: str = "") -> str:
    """An HTTPRoute; rules are the insides of flow mappings."""
    inside = ", ".join(f"{{{one}}}" for one in rules)
    return f"kind: HTTPRoute\nmetadata: {{name: {name}}}\nspec: {{hostnames: [{hosts}], rules: [{inside}]}}\n---\n"


def to(backend: str, *, path: str = "/", header: str = "", filters: str = "") -> str:
    """A rule; the header's value is `a`."""
    headers = f", headers: [{{name: {header}, value: a}}]" if header else ""
    match = f"matches: [{{path: {{value: {path}}}{headers}}}]"
    return f"{match}, filters: [{filters}], backendRefs: [{{name: {backend}, port: 8080}}]"


async def test_every_request_of_the_listener_and_no_other(world: World, asked: tuple[Authorization, ...]) -> None:
    """Routed or not, for hosts that routes name or not; the other listener of the port is not asked about."""
    first, _ = asked
    await world.serve(
        gateway(OPEN, filtered(CHECKED, FIRST)), route(to("a", path="/a"), hosts=f"{HOST}, open.example.com")
    )
    for host, path, status in (
        (HOST, "/a", 200),
        (HOST, "/missing", 404),
        ("b.checked.example.com", "/a", 404),
        (f"{HOST}:99", "/a", 200),
    ):
        number = len(first.asked)
        assert await world.status(path, host=host) == status
        assert [(one.host, one.path) for one in first.asked[number:]] == [(host, path)]
    first.deny = Denial(401, {"x-why": "no"}, "who are you?")
    for host in (HOST, "b.checked.example.com"):
        for path in ("/a", "/missing"):
            answer = await world.get(path, host=host)
            assert (answer.status, answer.headers["x-why"], answer.body) == (401, "no", b"who are you?")
    number = len(first.asked)
    assert await world.name("/a", host="open.example.com") == "a"
    assert await world.status("/missing", host="open.example.com") == 404
    assert await world.status("/a", host="example.com") == 404, "a host of no listener"
    assert len(first.asked) == number


async def test_a_listener_for_all_hosts(world: World, asked: tuple[Authorization, ...]) -> None:
    first, _ = asked
    await world.serve(gateway(OPEN, filtered("name: all, port: 80, protocol: HTTP", FIRST)), route(to("a")))
    first.deny = Denial(401)
    assert await world.status("/", host="any.example.com") == 401
    assert await world.name("/", host="open.example.com") == "a"
    await world.serve(
        gateway(OPEN, filtered("name: all, port: 80, protocol: HTTP", FIRST)), route(to("a"), hosts="open.example.com")
    )
    assert await world.status("/", host="any.example.com") == 401
    assert await world.name("/", host="open.example.com") == "a"


async def test_in_the_order_of_the_list(world: World, asked: tuple[Authorization, ...]) -> None:
    """The second is asked about what the first made of the request, and not at all about what it denied."""
    first, second = asked
    first.adds = {"x-user": "ann"}
    second.adds = {"x-tenant": "a"}
    await world.serve(gateway(filtered(CHECKED, FIRST, SECOND)), route(to("a"), hosts=HOST))
    told = (await world.get("/", host=HOST)).told["headers"]
    assert (told["X-User"], told["X-Tenant"]) == ("ann", "a")
    assert second.asked[-1].headers["x-user"] == "ann"
    await world.serve(gateway(filtered(CHECKED, SECOND, FIRST)), route(to("a"), hosts=HOST))
    assert await world.status("/", host=HOST) == 200
    assert "x-user" not in second.asked[-1].headers
    assert first.asked[-1].headers["x-tenant"] == "a"
    number = len(first.asked)
    second.deny = Denial(402)
    assert await world.status("/", host=HOST) == 402
    assert len(first.asked) == number


async def test_what_it_says_chooses_the_route(world: World, asked: tuple[Authorization, ...]) -> None:
    """The one for the changed request, whatever the client made up; a path too, and a path that no route takes."""
    first, _ = asked
    await world.serve(
        gateway(filtered(CHECKED, FIRST)),
        route(to("c"), to("a", header="x-tenant"), to("b", path="/other"), hosts=HOST),
    )
    assert await world.name("/plain", host=HOST) == "c"
    first.adds = {"x-tenant": "a"}
    assert await world.name("/plain", host=HOST) == "a"
    first.adds = {"x-tenant": "b"}
    assert await world.name("/plain", host=HOST, headers={"X-Tenant": "a"}) == "c"
    first.adds = {":path": "/other/place"}
    answer = await world.get("/plain", host=HOST)
    assert (answer.told["name"], answer.told["path"]) == ("b", "/other/place")
    number = len(first.asked)
    assert await world.name("/plain", host=HOST) == "b"
    assert len(first.asked) == number + 1, "once, not again for the new route"
    await world.serve(gateway(filtered(CHECKED, FIRST)), route(to("b", path="/plain"), hosts=HOST))
    assert await world.status("/plain", host=HOST) == 404, "from a route to none"
    first.adds = {":path": "/plain"}
    assert await world.name("/missing", host=HOST) == "b", "from none to a route"


async def test_the_chosen_routes_own_filters_run(world: World, asked: tuple[Authorization, ...]) -> None:
    """Though Envoy first saw a route without them: a check of its own, CORS, header changes."""
    first, second = asked
    own = f"{SECOND}, {{type: CORS, cors: {{allowOrigins: ['https://page.example.com']}}}}"
    await world.serve(
        gateway(filtered(CHECKED, FIRST)), route(to("a", header="x-tenant", filters=own), to("b"), hosts=HOST)
    )
    origin = {"Origin": "https://page.example.com"}
    assert await world.name("/", host=HOST) == "b"
    assert not second.asked
    first.adds = {"x-tenant": "a"}
    answer = await world.get("/", host=HOST, headers=origin)
    assert (answer.told["name"], answer.headers["access-control-allow-origin"]) == ("a", "https://page.example.com")
    assert len(second.asked) == 1
    second.deny = Denial(402)
    assert await world.status("/", host=HOST) == 402
    second.deny = None
    first.adds = {"x-tenant": "b"}
    number = len(second.asked)
    answer = await world.get("/", host=HOST, headers={"X-Tenant": "a", **origin})
    assert (answer.told["name"], "access-control-allow-origin" in answer.headers) == ("b", False)
    assert len(second.asked) == number, "nor those of the route that it would have been"


async def test_the_same_service_of_listener_and_rule_is_asked_twice(
    world: World, asked: tuple[Authorization, ...]
) -> None:
    first, _ = asked
    await world.serve(gateway(filtered(CHECKED, FIRST)), route(to("a", filters=FIRST), hosts=HOST))
    assert await world.name("/", host=HOST) == "a"
    assert len(first.asked) == 2


async def test_host_stays(world: World, asked: tuple[Authorization, ...]) -> None:
    """Neither the listener nor what the backend sees changes; the request goes on."""
    first, second = asked
    await world.serve(
        gateway(OPEN, filtered(CHECKED, FIRST, SECOND)),
        route(to("a"), hosts=HOST),
        route(to("b"), name="open", hosts="open.example.com"),
    )
    for adds in ({"host": "open.example.com"}, {":authority": "open.example.com"}, {"Host": "open.example.com"}):
        first.adds = {**adds, "x-user": "ann"}
        second.adds = {"Host": "open.example.com", "x-tenant": "a"}
        told = (await world.get("/", host=HOST)).told
        assert (told["name"], told["host"]) == ("a", HOST)
        assert (told["headers"]["X-User"], told["headers"]["X-Tenant"]) == ("ann", "a")
    first.adds, first.removes = {}, ("host", ":authority", "x-gone")
    told = (await world.get("/", host=HOST, headers={"X-Gone": "1"})).told
    assert (told["name"], told["host"]) == ("a", HOST)
    assert "X-Gone" not in told["headers"]


async def test_over_https(world: World, asked: tuple[Authorization, ...]) -> None:
    """All requests of a connection that SNI gave to the listener: hosts of others (421) and of nobody (404) too."""
    first, _ = asked
    listeners = (
        filtered(f"name: a, port: 443, protocol: HTTPS, hostname: a.org, {TLS}", FIRST),
        f"name: b, port: 443, protocol: HTTPS, hostname: b.org, {TLS}",
    )
    await world.serve(SECRET, gateway(*listeners), route(to("a")))
    expected = {"a.org": 200, "b.org": 421, "nobody.org": 404}
    async with (
        http2(world.port(443), tls=trusting(NAMES, alpn=("h2",)), server_name="a.org") as checked,
        http2(world.port(443), tls=trusting(NAMES, alpn=("h2",)), server_name="b.org") as unchecked,
    ):
        for number, (host, status) in enumerate(expected.items()):
            assert (await checked.get(host=host)).status == status
            assert len(first.asked) == number + 1
        first.deny = Denial(401)
        assert [(await checked.get(host=host)).status for host in expected] == [401] * 3
        number = len(first.asked)
        assert [(await unchecked.get(host=host)).status for host in expected] == [421, 200, 404]
        assert len(first.asked) == number


async def test_grpc_routes(world: World, asked: tuple[Authorization, ...]) -> None:
    first, _ = asked
    rule = "{matches: [{method: {service: test.Echo, method: Say}}], backendRefs: [{name: calls, port: 8080}]}"
    calls = (
        f"kind: GRPCRoute\nmetadata: {{name: calls}}\nspec: {{parentRefs: [{{name: gateway}}], rules: [{rule}]}}\n---\n"
    )
    async with grpc_backend("calls") as backend:
        await world.serve(
            gateway(filtered("name: all, port: 80, protocol: HTTP", FIRST)), service("calls", [backend.address]), calls
        )
        async with client(world.port()) as call:
            for method, code in (("/test.Echo/Say", StatusCode.OK), ("/test.Echo/Missing", StatusCode.UNIMPLEMENTED)):
                first.deny = None
                assert (await call(method)).code == code
                assert first.asked[-1].path == method
                first.deny = Denial(403)
                assert (await call(method)).code == StatusCode.PERMISSION_DENIED


async def test_nobody_to_be_asked(world: World, asked: tuple[Authorization, ...]) -> None:
    """Denied while the service has no endpoints or none that answers; served again with it."""
    first, _ = asked
    unreachable = service("gone", ["127.0.0.1:1"])
    filter_ = FIRST.replace("first", "gone")
    await world.serve(unreachable, gateway(filtered(CHECKED, filter_)), route(to("a"), hosts=HOST))
    assert await world.status("/", host=HOST) == 403
    assert await world.status("/", host="b.checked.example.com") == 403
    await world.change(service("gone", []))
    assert await world.status("/", host=HOST) == 403
    await world.change(service("gone", [first.address]))
    assert await world.name("/", host=HOST) == "a"


@pytest.mark.parametrize(
    "filter_",
    [
        FIRST.replace("first", "missing"),
        FIRST.replace("{name: first", "{name: first, namespace: other"),
        "{type: ExtensionRef, extensionRef: {group: example.com, kind: Script, name: x}}",
    ],
)
async def test_never_served_without(world: World, asked: tuple[Authorization, ...], filter_: str) -> None:
    """Not by a wider listener that the route is attached to either."""
    await world.serve(
        gateway("name: all, port: 80, protocol: HTTP", filtered(CHECKED, FIRST, filter_)),
        route(to("a"), hosts="'*.example.com'"),
    )
    assert await world.name("/", host="x.example.com") == "a"
    assert await world.status("/", host=HOST) == 404
    assert await world.status("/", host="b.checked.example.com") == 404


async def test_filters_come_and_go_under_open_connections(world: World, asked: tuple[Authorization, ...]) -> None:
    first, second = asked
    routes = route(to("a"), hosts=f"{HOST}, open.example.com")
    await world.serve(gateway(OPEN, CHECKED), routes)
    await world.drained()
    async with connected(world.port()) as connection:
        for generation, (filters, number) in enumerate((((), 0), ((FIRST,), 1), ((FIRST, SECOND), 2), ((), 2)), 2):
            await world.change(gateway(OPEN, filtered(CHECKED, *filters), generation=generation))
            for host in (HOST, "open.example.com"):
                answer = await connection.get(host=host)
                assert (answer.status, "connection" in answer.headers) == (200, False)
            assert len(first.asked) == number
            assert not await world.draining()
        assert len(second.asked) == 1


async def test_a_listener_of_a_set(world: World, asked: tuple[Authorization, ...]) -> None:
    first, _ = asked
    whole = gateway(OPEN).replace(
        "{gatewayClassName: x,", "{gatewayClassName: x, allowedListeners: {namespaces: {from: All}},"
    )
    set_ = f"kind: ListenerSet\nmetadata: {{name: set}}\nspec: {{parentRef: {{name: gateway}}, listeners: [{{{filtered(CHECKED, FIRST)}}}]}}\n---\n"
    attached = route(to("a")).replace("spec: {", "spec: {parentRefs: [{name: set, kind: ListenerSet}], ")
    await world.serve(whole, set_, attached)
    assert await world.name("/", host=HOST) == "a"
    first.deny = Denial(401)
    assert await world.status("/", host=HOST) == 401
    assert len(first.asked) == 2


async def test_what_has_no_path_reaches_nobody(world: World, asked: tuple[Authorization, ...]) -> None:
    """It matches no route, so Envoy answers by itself, before any filter."""
    first, _ = asked
    await world.serve(gateway(filtered("name: all, port: 80, protocol: HTTP", FIRST)), route(to("a")))
    for target in ("OPTIONS *", "CONNECT example.com:80"):
        answer = await raw(world.port(), f"{target} HTTP/1.1\r\nHost: example.com\r\n\r\n".encode())
        assert answer.status in (400, 403, 404)
        assert b"name" not in answer.body
    assert not first.asked
