"""Sessions: who stays with which endpoint, for how long, and what clients are told."""

import base64
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.traffic.client import Answer, connected, http2
from tests.traffic.harness import World, endpoints, service
from tests.traffic.tls import trusting
from xds_server.shell.echo import echo

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:example.com}", tls.key: "${key:example.com}"}
---
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
"""
PODS = 3


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pods(world: World) -> AsyncIterator[dict[str, str]]:
    """Addresses by name of the pods x-0… and y-0…, behind the Services x and y."""
    async with AsyncExitStack() as stack:
        found = {}
        for name in (f"{service}-{index}" for service in "xy" for index in range(PODS)):
            found[name] = await stack.enter_async_context(echo(name))
        for name in "xy":
            await world.change(service(name, []))
            for index in range(PODS):
                await world.change(endpoints(f"{name}-{index}", [found[f"{name}-{index}"]], service=name))
        yield found


def route(session: str, backends: str = "[{name: x, port: 8080}]", kind: str = "HTTPRoute") -> str:
    """A route with one rule."""
    return f"""
kind: {kind}
metadata: {{name: route}}
spec:
  parentRefs: [{{name: gateway}}]
  rules:
  - sessionPersistence: {session}
    backendRefs: {backends}
"""


def cookies(answer: Answer) -> dict[str, str]:
    """What a client would show after this answer."""
    return dict(re.findall(r'([\w-]+)="([^"]*)"', answer.headers.get("set-cookie", "")))


def shown(jar: dict[str, str]) -> dict[str, str]:
    """The header that shows cookies, beside one of somebody else."""
    return {"Cookie": "; ".join(["other=1", *(f"{name}={value}" for name, value in jar.items()), "last=2"])}


async def stays(world: World, path: str, headers: dict[str, str], count: int = 20) -> str:
    """The one pod that answers all these requests."""
    names = {await world.name(path, headers=headers) for _ in range(count)}
    assert len(names) == 1
    return names.pop()


async def test_a_cookie_keeps_a_client_with_its_pod(world: World, pods: dict[str, str]) -> None:
    await world.serve(GATEWAY, route("{cookie: {name: sid}}"))
    seen = set()
    for _ in range(20):
        first = await world.get("/")
        assert re.fullmatch(r'sid="[^"]*"; Path=/; SameSite=Strict; HttpOnly', first.headers["set-cookie"])
        pod = await stays(world, "/", shown(cookies(first)))
        assert pod == first.told["name"]
        seen.add(pod)
    assert len(seen) > 1, "new clients are spread as ever"
    again = await world.get("/", headers=shown(cookies(first)))
    assert "set-cookie" not in again.headers
    assert again.told["headers"]["Cookie"].startswith("other=1"), "the backend sees all cookies"


async def test_without_one_nobody_stays(world: World, pods: dict[str, str]) -> None:
    await world.serve(
        GATEWAY, "kind: HTTPRoute\nmetadata: {name: route}\nspec: {rules: [{backendRefs: [{name: x, port: 8080}]}]}"
    )
    answers = await world.many(60, "/")
    assert len({answer.told["name"] for answer in answers}) == PODS
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_a_permanent_cookie(world: World, pods: dict[str, str]) -> None:
    await world.serve(GATEWAY, route("{absoluteTimeout: 5m, cookie: {name: sid, path: /a, lifetimeType: Permanent}}"))
    first = await world.get("/a/b")
    assert re.fullmatch(r'sid="[^"]*"; Max-Age=300; Path=/a; SameSite=Strict; HttpOnly', first.headers["set-cookie"])
    assert await stays(world, "/a", shown(cookies(first))) == first.told["name"]
    assert "set-cookie" not in (await world.get("/b")).headers


@pytest.mark.parametrize("lifetime", ["Permanent", "Session"])
async def test_its_end_is_kept_by_the_gateway_too(world: World, pods: dict[str, str], lifetime: str) -> None:
    """Whoever shows a cookie after its end is a new client."""
    await world.serve(GATEWAY, route(f"{{absoluteTimeout: 1s, cookie: {{name: sid, lifetimeType: {lifetime}}}}}"))
    first = await world.get("/")
    answer = first
    for _ in range(30):
        if "set-cookie" in (answer := await world.get("/?delay=100ms", headers=shown(cookies(first)))).headers:
            break
    assert "set-cookie" in answer.headers


@pytest.mark.parametrize("backends", ["[{name: x, port: 8080}]", "[{name: x, port: 8080}, {name: y, port: 8080}]"])
async def test_the_end_of_a_session_cookie_is_not_told(world: World, pods: dict[str, str], backends: str) -> None:
    """Other cookies are left as they are."""
    await world.serve(GATEWAY, route("{absoluteTimeout: 5m, cookie: {name: sid}}", backends))
    answer = await world.get("/", headers={"X-Echo-Set-Header": "set-cookie:a=b; Max-Age=5"})
    own, ours = answer.headers["set-cookie"].split(",")
    assert own == "a=b; Max-Age=5"
    assert re.fullmatch(r'sid="[^"]*"; Path=/; SameSite=Strict; HttpOnly', ours)


async def test_a_name_that_is_made(world: World, pods: dict[str, str]) -> None:
    """It stays when the route changes, and goes over TLS alone where it came over TLS."""
    await world.serve(GATEWAY, route("{cookie: {}}"))
    first = await world.get("/")
    (name,) = cookies(first)
    await world.serve(
        GATEWAY, route("{cookie: {}}", "[{name: x, port: 8080, weight: 5}, {name: y, port: 8080, weight: 0}]")
    )
    assert await stays(world, "/", shown(cookies(first))) == first.told["name"]
    context = trusting("example.com")
    async with connected(world.port(443), tls=context, server_name="example.com") as connection:
        answer = await connection.get("/")
    assert list(cookies(answer)) == [name]
    assert answer.headers["set-cookie"].endswith("; Path=/; Secure; SameSite=Strict; HttpOnly")


async def test_a_header(world: World, pods: dict[str, str]) -> None:
    await world.serve(GATEWAY, route("{type: Header, header: {name: X-Session}}"))
    first = await world.get("/")
    assert base64.b64decode(first.headers["x-session"]).decode() == pods[first.told["name"]]
    kept = {"X-Session": first.headers["x-session"]}
    assert await stays(world, "/", kept) == first.told["name"]
    assert "x-session" not in (await world.get("/", headers=kept)).headers


@pytest.mark.parametrize("session", ["{cookie: {name: sid}}", "{type: Header, header: {name: x-session}}"])
async def test_a_pod_that_is_gone(world: World, pods: dict[str, str], session: str) -> None:
    """Another one is found, and kept from then on. Nonsense is like nothing."""
    await world.serve(GATEWAY, route(session))

    def kept(answer: Answer) -> dict[str, str]:
        told = cookies(answer)
        return shown(told) if told else {"x-session": answer.headers["x-session"]}

    first = await world.get("/")
    gone = first.told["name"]
    await world.change(endpoints(gone, [], service="x"))
    moved = await world.get("/", headers=kept(first))
    assert moved.status == 200
    assert moved.told["name"] != gone
    await world.change(endpoints(gone, [pods[gone]], service="x"))
    assert await stays(world, "/", kept(moved)) == moved.told["name"]
    for nonsense in ("", "!", "QUJD", base64.b64encode(b"10.1.2.3:80").decode()):
        answer = await world.get("/", headers={"Cookie": f"sid={nonsense}", "x-session": nonsense or "-"})
        assert answer.status == 200
        assert kept(answer)


async def test_a_split_is_not_changed_by_sessions(world: World, pods: dict[str, str]) -> None:
    """GEP-1619: backends are drawn by weight for every request; with each of them a client has a session."""
    await world.serve(
        GATEWAY, route("{cookie: {}}", "[{name: x, port: 8080, weight: 7}, {name: y, port: 8080, weight: 3}]")
    )
    jar: dict[str, str] = {}
    names = []
    for _ in range(400):
        answer = await world.get("/", headers=shown(jar))
        jar |= cookies(answer)
        names.append(answer.told["name"])
    assert len(jar) == 2
    counts = Counter(names)
    assert sorted(name[0] for name in counts) == ["x", "y"], "one pod of each"
    share = sum(count for name, count in counts.items() if name[0] == "x") / len(names)
    assert 0.6 < share < 0.8


async def test_a_split_with_a_route_for_each_backend(world: World, pods: dict[str, str]) -> None:
    """Filters of backends make routes of them; sessions are the same."""
    filtered = "filters: [{type: URLRewrite, urlRewrite: {hostname: inner.test}}]"
    await world.serve(GATEWAY, route("{cookie: {}}", f"[{{name: x, port: 8080, {filtered}}}, {{name: y, port: 8080}}]"))
    jar: dict[str, str] = {}
    names = set()
    for _ in range(100):
        answer = await world.get("/", headers=shown(jar))
        jar |= cookies(answer)
        names.add(answer.told["name"])
    assert sorted(name[0] for name in names) == ["x", "y"]


async def test_one_name_for_a_whole_split(world: World, pods: dict[str, str]) -> None:
    """The session is with the backend that was asked last: what another one shows is no endpoint of it."""
    await world.serve(GATEWAY, route("{cookie: {name: sid}}", "[{name: x, port: 8080}, {name: y, port: 8080}]"))
    jar: dict[str, str] = {}
    last = ""
    for _ in range(100):
        answer = await world.get("/", headers=shown(jar))
        name = answer.told["name"]
        assert (name == last) == (name[0] == last[:1])
        assert ("set-cookie" in answer.headers) == (name != last)
        jar |= cookies(answer)
        last = name


async def test_calls(world: World, pods: dict[str, str]) -> None:
    """A GRPCRoute's sessions, by header."""
    await world.serve(GATEWAY, route("{type: Header, header: {name: x-session}}", kind="GRPCRoute"))
    async with http2(world.port()) as client:
        call = ("content-type", "application/grpc")
        first = await client.get("/shop.Cart/Get", headers=[call])
        kept = ("x-session", first.headers["x-session"])
        answers = [await client.get("/shop.Cart/Get", headers=[call, kept]) for _ in range(20)]
    assert {answer.told["name"] for answer in answers} == {first.told["name"]}


POLICY = """
kind: XBackendTrafficPolicy
metadata: {name: sticky}
spec:
  targetRefs: [{group: "", kind: Service, name: x}]
  sessionPersistence: {cookie: {}}
"""
TWO_RULES = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /one}}]
    backendRefs: [{name: x, port: 8080}]
  - matches: [{path: {value: /split}}]
    backendRefs: [{name: x, port: 8080}, {name: y, port: 8080}]
"""


async def test_sessions_with_a_service(world: World, pods: dict[str, str]) -> None:
    """One pod for all routes that lead to the Service; the other half of a split is spread as ever."""
    await world.serve(GATEWAY, TWO_RULES, POLICY)
    first = await world.get("/one")
    kept = shown(cookies(first))
    assert await stays(world, "/one", kept) == first.told["name"]
    names = {await world.name("/split", headers=kept) for _ in range(80)}
    assert {name for name in names if name[0] == "x"} == {first.told["name"]}
    assert len({name for name in names if name[0] == "y"}) == PODS
    await world.serve(GATEWAY, TWO_RULES)
    assert "set-cookie" not in (await world.get("/one")).headers
