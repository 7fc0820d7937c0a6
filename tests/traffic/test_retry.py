"""Retries: which failures are tried again, how often, where, and within which time."""

import asyncio
import io
import itertools
import time

import pytest

from tests.traffic.backend import recording
from tests.traffic.harness import World, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners: [{name: http, port: 80, protocol: HTTP}]
"""
ROUTE = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - matches: [{path: {value: /only-500}}]
    retry: {codes: [500], attempts: 3}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /two}}]
    retry: {codes: [500, 502, 503, 504], attempts: 2}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /off}}]
    retry: {codes: [500, 502, 503, 504], attempts: 0}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /once}}]
    retry: {codes: [500]}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /request-3s}}]
    retry: {codes: [500], attempts: 5}
    timeouts: {request: 3s}
    backendRefs: [{name: a, port: 8080}]
  - matches: [{path: {value: /backend-3s}}]
    retry: {codes: [500], attempts: 3}
    timeouts: {request: 30s, backendRequest: 3s}
    backendRefs: [{name: a, port: 8080}]
"""
NUMBERS = itertools.count()
CODES = (500, 502, 503, 504)


async def status(world: World, path: str, *statuses: int, delay: str = "0s") -> tuple[int, float]:
    """What a client gets when the backend answers like this in turn, and after how many seconds."""
    wishes = "&".join(f"status={one}" for one in statuses)
    begun = time.monotonic()
    found = await world.status(f"{path}?number={next(NUMBERS)}&delay={delay}&{wishes}")
    return found, time.monotonic() - begun


@pytest.mark.parametrize(
    ("path", "failures", "wanted"),
    [
        ("/only-500", [500, 500], 200),
        ("/only-500", [500] * 4, 500),
        ("/only-500", [503], 503),
        *(("/two", [code], 200) for code in CODES),
        *(("/two", [code] * 3, code) for code in CODES),
        *(("/off", [code], code) for code in CODES),
        ("/once", [500], 200),
        ("/once", [500, 500], 500),
    ],
)
async def test_answers(world: World, path: str, failures: list[int], wanted: int) -> None:
    """The last answer goes through as it is."""
    await world.serve(GATEWAY, ROUTE)
    assert (await status(world, path, *failures, 200))[0] == wanted


async def test_the_body_is_sent_again(world: World) -> None:
    await world.serve(GATEWAY, ROUTE)
    answer = await world.request("POST", "/two?body&status=503&status=502&status=200", data=b"x" * 1000)
    assert (answer.status, answer.told["body_bytes"]) == (200, 1000)


@pytest.mark.parametrize(("size", "wanted"), [(40_000, 200), (1_000_000, 200), (3_000_000, 503)])
async def test_bodies_up_to_a_megabyte_are_kept_for_it(world: World, size: int, wanted: int) -> None:
    """contour#5869, envoy#32464: beyond what is kept, 32 KiB if nobody says otherwise, no retry is made, silently. A
    longer body arrives whole all the same.
    """
    await world.serve(GATEWAY, ROUTE)
    path = f"/two?number={next(NUMBERS)}&status=503&status=200"
    answer = await world.request("POST", path, data=io.BytesIO(b"x" * size))
    assert (answer.status, answer.told["body_bytes"]) == (wanted, size)


async def test_the_request_timeout_is_for_all_tries(world: World) -> None:
    await world.serve(GATEWAY, ROUTE)
    assert (await status(world, "/request-3s", 500, 200))[0] == 200
    found, seconds = await status(world, "/request-3s", *[500] * 5, 200, delay="2s")
    assert found == 504
    assert 2.9 < seconds < 9


async def test_the_backend_timeout_is_for_each_try(world: World) -> None:
    """Three tries of 1.2 s take longer than one may. A try that takes too long is the last one."""
    await world.serve(GATEWAY, ROUTE)
    found, seconds = await status(world, "/backend-3s", 500, 500, 200, delay="1200ms")
    assert found == 200
    assert seconds >= 3.6
    found, seconds = await status(world, "/backend-3s", 200, 200, delay="20s")
    assert found == 504
    assert 2.9 < seconds < 9


@pytest.mark.parametrize("attempts", [1, 100])
async def test_an_endpoint_that_refuses_connections(world: World, attempts: int) -> None:
    """Without any code. The next try goes to the other endpoint; without retries some requests fail."""
    port = world.backends["a"].rpartition(":")[2]
    route = f"""
kind: HTTPRoute
metadata: {{name: route}}
spec:
  rules:
  - matches: [{{path: {{value: /retry}}}}]
    retry: {{attempts: {attempts}}}
    backendRefs: [{{name: half, port: 8080}}]
  - backendRefs: [{{name: half, port: 8080}}]
"""
    await world.serve(GATEWAY, route, service("half", [f"127.0.0.1:{port}", f"127.0.0.2:{port}"]))
    plain = {answer.status for answer in await world.many(40, "/plain")}
    assert plain == {200, 503}
    again = [answer.status for answer in await world.many(200, "/retry")]
    assert again == [200] * 200


async def test_an_answer_that_is_cut_off_is_not_asked_for_again(world: World) -> None:
    """The request may have been processed."""
    route = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - retry: {attempts: 5, codes: [500, 502, 503, 504]}
    backendRefs: [{name: recorder, port: 8080}]
"""
    async with recording() as recorder:
        recorder.gate.clear()
        await world.serve(GATEWAY, route, service("recorder", [recorder.address]))
        asked = asyncio.create_task(world.status("/"))
        await recorder.count(1)
        await recorder.stop()
        assert await asked == 503
        assert len(recorder.heads) == 1


BUDGET = """
kind: XBackendTrafficPolicy
metadata: {name: few}
spec:
  targetRefs: [{group: "", kind: Service, name: recorder}]
  retryConstraint: {budget: {percent: 0}, minRetryRate: {count: 1}}
"""


async def test_retries_beyond_the_budget_are_not_made(world: World) -> None:
    """Twenty requests fail at the same time; a client then gets the answer of its only try."""
    route = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - retry: {attempts: 1, codes: [503], backoff: 50ms}
    backendRefs: [{name: recorder, port: 8080}]
"""

    async def together() -> int:
        recorder.gate.clear()
        before = len(recorder.heads)
        asked = asyncio.create_task(world.many(20, "/"))
        await recorder.count(before + 20)
        recorder.gate.set()
        assert {answer.status for answer in await asked} == {503}
        return await recorder.count() - before

    async with recording() as recorder:
        recorder.status = 503
        await world.serve(GATEWAY, route, service("recorder", [recorder.address]))
        assert await together() == 40
        await world.serve(GATEWAY, route, service("recorder", [recorder.address]), BUDGET)
        assert 21 <= await together() < 30


async def test_a_wait_before_each_try(world: World) -> None:
    """Each wait is a part of the backoff, drawn anew, so that clients do not come back together."""
    route = """
kind: HTTPRoute
metadata: {name: route}
spec:
  rules:
  - retry: {attempts: 3, codes: [503], backoff: 200ms}
    backendRefs: [{name: a, port: 8080}]
"""
    await world.serve(GATEWAY, route)
    found = await asyncio.gather(*(status(world, "/", 503, 503, 503, 200) for _ in range(10)))
    assert {code for code, _ in found} == {200}
    assert max(seconds for _, seconds in found) > 0.3
