"""RequestMirror: what copies are like, and how many there are."""

import io
import math

import aiohttp
import pytest

from tests.traffic.backend import recording
from tests.traffic.client import Answer
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""


def route(rules: str) -> str:
    """An HTTPRoute; `rules` is a YAML list."""
    return f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec:\n  rules:\n{rules}"


def mirror(name: str, share: str = "") -> str:
    """A filter, in flow style."""
    return f"{{type: RequestMirror, requestMirror: {{backendRef: {{name: {name}, port: 8080}}{share}}}}}"


async def answered(world: World, count: int) -> list[Answer]:
    """Answers to `count` requests, all of them good."""
    answers = await world.many(count, "/")
    assert {answer.status for answer in answers} == {200}
    return answers


async def test_a_copy_is_like_the_request(world: World) -> None:
    """Path, Host, body, and the headers as filters made them; the answer is the backend's."""
    async with recording() as copies:
        await world.serve(
            GATEWAY,
            service("copies", [copies.address]),
            route(f"""
  - filters:
    - {{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: X-Set, value: "1"}}]}}}}
    - {mirror("copies")}
    backendRefs: [{{name: a, port: 8080}}]
"""),
        )
        answer = await world.request("POST", "/some/path?q=1", host="shop.example.com:99", data="hello")
        assert answer.told["name"] == "a"
        assert await copies.count(1) == 1
    head, *headers, body = copies.heads[0]
    assert head == "POST /some/path?q=1 HTTP/1.1"
    assert {"host: shop.example.com:99", "x-set: 1"} <= set(headers)
    assert body == "hello"


async def test_several_mirrors_get_a_copy_each(world: World) -> None:
    async with recording() as one, recording() as two:
        await world.serve(
            GATEWAY,
            service("one", [one.address]),
            service("two", [two.address]),
            route(f"""
  - filters: [{mirror("one")}, {mirror("two")}]
    backendRefs: [{{name: a, port: 8080}}]
"""),
        )
        await answered(world, 50)
        assert (await one.count(50), await two.count(50)) == (50, 50)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (", percent: 0", 0), (", percent: 50", 250), (", percent: 100", 500),
        (", fraction: {numerator: 1, denominator: 4}", 125), (", fraction: {numerator: 35}", 175),
    ],
)  # fmt: skip
async def test_a_share_of_requests(world: World, share: str, expected: int) -> None:
    """Within 4.5 standard deviations of a fair draw."""
    async with recording() as backend, recording() as copies:
        await world.serve(
            GATEWAY,
            service("copies", [copies.address]),
            service("quick", [backend.address]),
            route(f"""
  - filters: [{mirror("copies", share)}]
    backendRefs: [{{name: quick, port: 8080}}]
"""),
        )
        await answered(world, 500)
        most = 4.5 * (expected * (1 - expected / 500)) ** 0.5
        assert abs(await copies.count(math.ceil(expected - most)) - expected) <= most


async def test_a_mirror_of_one_backend_copies_that_backends_requests_alone(world: World) -> None:
    """Envoy draws one number per request for choosing the backend and for the mirror: the shares must not meet in
    one half of the numbers.
    """
    async with recording() as of_a, recording() as of_b:
        await world.serve(
            GATEWAY,
            service("of-a", [of_a.address]),
            service("of-b", [of_b.address]),
            route(f"""
  - backendRefs:
    - {{name: a, port: 8080, filters: [{mirror("of-a", ", percent: 50")}]}}
    - {{name: b, port: 8080, weight: 3, filters: [{mirror("of-b", ", percent: 50")}]}}
    - {{name: c, port: 8080, filters: [{mirror("of-b", ", percent: 0")}]}}
"""),
        )
        answers = await answered(world, 600)
        share = {name: sum(answer.told["name"] == name for answer in answers) for name in "abc"}
        assert all(abs(share[name] - 120 * weight) < 45 for name, weight in (("a", 1), ("b", 3), ("c", 1)))
        assert abs(await of_a.count(share["a"] // 2 - 24) - share["a"] / 2) < 25
        assert abs(await of_b.count(share["b"] // 2 - 44) - share["b"] / 2) < 45


async def test_a_mirror_that_cannot_be_used_harms_nothing(world: World) -> None:
    await world.serve(
        GATEWAY,
        service("empty", []),
        route(f"""
  - matches: [{{path: {{value: /missing}}}}]
    filters: [{mirror("missing")}]
    backendRefs: [{{name: a, port: 8080}}]
  - matches: [{{path: {{value: /empty}}}}]
    filters: [{mirror("empty")}]
    backendRefs: [{{name: b, port: 8080}}]
"""),
    )
    assert await world.name("/missing") == "a"
    assert await world.name("/empty") == "b"


@pytest.mark.parametrize("size", [100_000, 3_000_000])
async def test_large_bodies_are_copied(world: World, size: int) -> None:
    """istio#58870, contour#5869: with Envoys that keep bodies for it, copies end at a megabyte."""
    async with recording() as copies:
        await world.serve(
            GATEWAY,
            service("copies", [copies.address]),
            route(f"  - filters: [{mirror('copies')}]\n    backendRefs: [{{name: a, port: 8080}}]"),
        )
        answer = await world.request("POST", "/", data=io.BytesIO(b"x" * size))
        assert answer.told["body_bytes"] == size
        assert await copies.count(1) == 1
        assert len(copies.heads[0][-1]) == size


async def test_a_copy_is_rewritten_and_a_websocket_is_not_disturbed(world: World) -> None:
    """envoy#9326: whom a rewrite sends to another host, its copy follows."""
    async with recording() as copies:
        await world.serve(
            GATEWAY,
            service("copies", [copies.address]),
            route(f"""
  - matches: [{{path: {{value: /old}}}}]
    filters:
    - {{type: URLRewrite, urlRewrite: {{hostname: new.test, path: {{type: ReplacePrefixMatch, replacePrefixMatch: /new}}}}}}
    - {mirror("copies")}
    backendRefs: [{{name: a, port: 8080}}]
"""),
        )
        told = (await world.get("/old/x?q")).told
        assert (told["host"], told["path"]) == ("new.test", "/new/x?q")
        await copies.count(1)
        assert copies.heads[0][:2] == ["GET /new/x?q HTTP/1.1", "host: new.test"]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{world.port()}/old", headers={"Host": "x"}) as socket,
        ):
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=60) == "hello"
            assert await copies.count(2) == 2
            await socket.send_str("still here")
            assert await socket.receive_str(timeout=60) == "still here"
