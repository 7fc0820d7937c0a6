"""Spans of a Gateway's requests, as a real collector gets them; and that a collector that is not there harms nobody."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.traffic.client import Answer, connected
from tests.traffic.collector import Collector, Span, collecting
from tests.traffic.harness import World, endpoints, service

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec: {gatewayClassName: x, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
"""
ROUTE = "kind: HTTPRoute\nmetadata: {name: route}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n---\n"
COUNT, POINTS = 400, 100
CALLER = "b7ad6b7169203331"


def often(bootstrap: dict[str, Any]) -> None:
    """Spans are exported at once."""
    layer = {"tracing.opentelemetry.flush_interval_ms": 50, "tracing.opentelemetry.min_flush_spans": 1}
    bootstrap["layeredRuntime"]["layers"].insert(0, {"name": "tracing", "staticLayer": layer})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[World]:
    async with World(edit_bootstrap=often) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def collector(world: World) -> AsyncIterator[Collector]:
    """A collector, as the Service of its name."""
    async with collecting() as found:
        await world.change(service("collector", [found.address]))
        yield found


def policy(more: str = "", backend: str = "collector") -> str:
    """An XTelemetryPolicy of the Gateway; `more` are fields of tracing."""
    provider = f"provider: {{backendRef: {{name: {backend}, port: 8080}}, headers: [{{name: X-Token, value: secret}}]}}"
    target = "{group: gateway.networking.k8s.io, kind: Gateway, name: gateway}"
    tracing = f"{{mode: Enabled, {provider}, {more}}}"
    return f"kind: XTelemetryPolicy\nmetadata: {{name: spans}}\nspec: {{targetRefs: [{target}], tracing: {tracing}}}\n---\n"


def called(*, sampled: bool) -> str:
    """The header of a request whose caller has decided."""
    return f"traceparent: 00-{secrets.token_hex(16)}-{CALLER}-0{int(sampled)}\r\n"


async def ask(world: World, *headers: str, path: str = "/", host: str = "example.com") -> list[Answer]:
    """Answers to requests over a connection of its own: one that was there before may still be traced as it was."""
    async with connected(world.port()) as connection:
        return [await connection.get(path, host=host, headers=one) for one in headers]


async def exported(collector: Collector, count: int = 1) -> list[Span]:
    """So many spans, once they are there."""
    async with asyncio.timeout(60):
        while len(collector.spans) < count:
            await asyncio.sleep(0.01)
    return collector.spans


async def sampled(world: World, collector: Collector, **more: Any) -> int:
    """How many of COUNT requests are told of; the backend hears the same of each."""
    collector.spans.clear()
    answers = await ask(world, *(called(**more) if more else "" for _ in range(COUNT)))
    told = sum(answer.told["headers"]["Traceparent"].endswith("-01") for answer in answers)
    await exported(collector, told)
    await asyncio.sleep(0.2)
    assert len(collector.spans) == told
    return told


async def test_a_span_says_what_the_policy_asks_for(world: World, collector: Collector) -> None:
    attributes = ", ".join(
        f"{{name: {name}, sourceType: {source}}}"
        for name, source in (
            ("user", "Header, headerName: X-User"), ("none", "Header, headerName: X-None"),
            ("stage", 'Literal, literalValue: "50% test"'),
            *((key, f"Attribute, attributeKey: {key}") for key in (
                "http.request.method", "http.response.status_code", "url.path", "url.query", "url.scheme", "url.full",
                "client.address", "network.peer.address", "server.port", "user_agent.original",
                "http.request.header.x-user", "http.response.header.server", "http.request.header.x-none",
            )),
        )
    )  # fmt: skip
    await world.serve(
        GATEWAY, ROUTE, policy(f"serviceName: shop/edge, spanName: edge request, attributes: [{attributes}]")
    )
    collector.spans.clear()
    collector.metadata.clear()
    headers = f"X-User: me\r\nUser-Agent: test\r\n{called(sampled=True)}"
    (answer,) = await ask(world, headers, path="/a/b?q=1", host="shop.example.com:8080")
    (span,) = await exported(collector)
    assert (span.name, span.service, span.parent) == ("edge request", "shop/edge", CALLER)
    assert answer.told["headers"]["Traceparent"].split("-")[1] == span.trace
    told = {
        "user": "me", "stage": "50% test",
        "http.request.method": "GET", "http.response.status_code": "200",
        "url.path": "/a/b", "url.query": "q=1", "url.scheme": "http", "url.full": "http://shop.example.com:8080/a/b?q=1",
        "client.address": "127.0.0.1", "network.peer.address": "127.0.0.1",
        "server.port": str(world.port()), "user_agent.original": "test",
        "http.request.header.x-user": "me", "http.response.header.server": "envoy",
    }  # fmt: skip
    assert told.items() <= span.attributes.items()
    assert not {"none", "http.request.header.x-none"} & span.attributes.keys()
    assert collector.metadata[0]["x-token"] == "secret"


async def test_what_is_sampled_by_default(world: World, collector: Collector) -> None:
    """All that begins a trace; what the caller decided otherwise."""
    await world.serve(GATEWAY, ROUTE, policy())
    assert await sampled(world, collector) == COUNT
    assert {span.service for span in collector.spans} == {"default/gateway"}
    assert await sampled(world, collector, sampled=True) == COUNT
    assert await sampled(world, collector, sampled=False) == 0


async def test_a_share_of_traces_and_a_share_of_what_callers_sampled(world: World, collector: Collector) -> None:
    await world.serve(
        GATEWAY, ROUTE,
        policy("samplingRate: {numerator: 20}, parentBasedSampling: {mode: Enabled, samplingRate: {numerator: 50}}"),
    )  # fmt: skip
    assert abs(await sampled(world, collector) - 0.2 * COUNT) < COUNT * POINTS / 1000
    assert abs(await sampled(world, collector, sampled=True) - 0.5 * COUNT) < COUNT * POINTS / 1000
    assert await sampled(world, collector, sampled=False) == 0


async def test_what_callers_decided_does_not_count(world: World, collector: Collector) -> None:
    await world.serve(GATEWAY, ROUTE, policy("samplingRate: {numerator: 30}, parentBasedSampling: {mode: Disabled}"))
    for more in ({}, {"sampled": True}, {"sampled": False}):
        assert abs(await sampled(world, collector, **more) - 0.3 * COUNT) < COUNT * POINTS / 1000


async def test_nothing_is_sampled(world: World, collector: Collector) -> None:
    """Nor can a client ask for it."""
    await world.serve(GATEWAY, ROUTE, policy("samplingRate: {numerator: 0}"))
    collector.spans.clear()
    for answer in await ask(world, "", "X-Client-Trace-Id: me\r\n", "X-Envoy-Force-Trace: true\r\n"):
        assert answer.told["headers"]["Traceparent"].endswith("-00")
    await asyncio.sleep(0.3)
    assert not collector.spans


async def test_a_collector_that_is_not_there_harms_nobody(world: World, collector: Collector) -> None:
    """No Service, no endpoints, nobody at the endpoint: requests are answered, Envoy has accepted everything."""
    port = free_port()
    for backend in ("", service("lost", []), service("lost", [f"127.0.0.1:{port}"])):
        await world.serve(GATEWAY, ROUTE, policy(backend="lost"), backend)
        assert [answer.status for answer in await ask(world, *[""] * 5)] == [200] * 5
        rejected = await world.envoy.stats("update_rejected$")
        assert rejected
        assert not any(rejected.values())


async def test_endpoints_of_a_collector_change_without_a_drain(world: World, collector: Collector) -> None:
    await world.serve(GATEWAY, ROUTE, policy(backend="moves"), service("moves", []))
    async with connected(world.port()) as kept:
        assert (await kept.get()).status == 200
        await world.change(endpoints("moves", [collector.address], service="moves"))
        collector.spans.clear()
        assert (await kept.get()).status == 200
        await exported(collector)
        last = await kept.get()
        assert last.status == 200
        trace = last.told["headers"]["Traceparent"].split("-")[1]
        async with asyncio.timeout(60):
            while trace not in {span.trace for span in collector.spans}:
                await asyncio.sleep(0.01)


async def test_without_a_policy_callers_traces_pass_as_they_are(world: World, collector: Collector) -> None:
    await world.serve(GATEWAY, ROUTE)
    collector.spans.clear()
    headers = called(sampled=True)
    (answer,) = await ask(world, headers)
    assert f"traceparent: {answer.told['headers']['Traceparent']}\r\n" == headers
    await asyncio.sleep(0.2)
    assert not collector.spans
