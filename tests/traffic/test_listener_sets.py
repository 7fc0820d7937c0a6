"""Listeners of ListenerSets beside a Gateway's own: who answers, before and after sets come, clash and go."""

import ssl

import pytest

from tests.traffic.client import connected
from tests.traffic.harness import World
from tests.traffic.tls import certificate_of, trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  allowedListeners: {namespaces: {from: Same}}
  listeners:
  - {name: http, port: 80, protocol: HTTP, hostname: gateway.example.com}
  - {name: https, port: 443, protocol: HTTPS, hostname: gateway.example.com, tls: {certificateRefs: [{name: gateway}]}}
---
kind: Secret
metadata: {name: gateway}
stringData: {tls.crt: "${cert:gateway.example.com}", tls.key: "${key:gateway.example.com}"}
---
"""


def listener_set(name: str, *listeners: str, created: int = 0) -> str:
    """A set of the Gateway; listeners are the insides of flow mappings, `created` are seconds."""
    return f"""
kind: ListenerSet
metadata: {{name: {name}, creationTimestamp: "2024-01-01T00:00:{created:02d}Z"}}
spec: {{parentRef: {{name: gateway}}, listeners: [{", ".join(f"{{{one}}}" for one in listeners)}]}}
---
"""


def http(name: str, hostname: str) -> str:
    """The inside of an HTTP listener."""
    return f"name: {name}, port: 80, protocol: HTTP, hostname: {hostname}"


def route(backend: str, *parents: str, path: str = "/") -> str:
    """An HTTPRoute called like its backend; parents are the insides of flow mappings."""
    refs = ", ".join(f"{{{one}}}" for one in parents)
    rule = f"matches: [{{path: {{value: {path}}}}}], backendRefs: [{{name: {backend}, port: 8080}}]"
    return f"kind: HTTPRoute\nmetadata: {{name: {backend}}}\nspec: {{parentRefs: [{refs}], rules: [{{{rule}}}]}}\n---\n"


OF_SET = "kind: ListenerSet, name"


async def test_each_parent_reaches_its_own_listeners(world: World) -> None:
    """Names repeat, paths too: only the hosts tell whose a request is."""
    await world.serve(
        GATEWAY,
        listener_set("one", http("http", "one.example.com"), http("more", "more.example.com")),
        listener_set("two", http("http", "two.example.com")),
        route("a", "name: gateway"), route("b", f"{OF_SET}: one"), route("c", f"{OF_SET}: two, sectionName: http"),
    )  # fmt: skip
    hosts = {"gateway": "a", "one": "b", "more": "b", "two": "c", "other": "404"}
    assert {host: await world.name("/", host=f"{host}.example.com") for host in hosts} == hosts


async def test_a_set_brings_its_own_certificate_and_drains_nobody(world: World) -> None:
    await world.serve(GATEWAY, route("a", "name: gateway"))
    port = world.port(443)
    async with connected(port, tls=trusting("gateway.example.com"), server_name="gateway.example.com") as kept:
        assert (await kept.get(host="gateway.example.com")).told["name"] == "a"
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            await certificate_of(port, "set.example.com")
        await world.change(
            'kind: Secret\nmetadata: {name: set}\n'
            'stringData: {tls.crt: "${cert:set.example.com}", tls.key: "${key:set.example.com}"}\n',
            listener_set("set", "name: https, port: 443, protocol: HTTPS, hostname: set.example.com,"
                                " tls: {certificateRefs: [{name: set}]}"),
            route("b", f"{OF_SET}: set"),
        )  # fmt: skip
        async with connected(port, tls=trusting("set.example.com"), server_name="set.example.com") as connection:
            assert (await connection.get(host="set.example.com")).told["name"] == "b"
        assert (await kept.get(host="gateway.example.com")).told["name"] == "a"
    for kind, name in (("ListenerSet", "set"), ("Secret", "set"), ("HTTPRoute", "b")):
        await world.remove(kind, name)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        await certificate_of(port, "set.example.com")


async def test_the_older_set_has_a_host_until_it_goes(world: World) -> None:
    old, new = listener_set("old", http("http", "same.example.com")), http("http", "same.example.com")
    await world.serve(
        GATEWAY, listener_set("new", new, created=1), route("a", f"{OF_SET}: old"), route("b", f"{OF_SET}: new")
    )
    assert await world.name("/", host="same.example.com") == "b"
    await world.change(old)
    assert await world.name("/", host="same.example.com") == "a"
    await world.remove("ListenerSet", "old")
    assert await world.name("/", host="same.example.com") == "b"


async def test_a_set_that_is_not_allowed_any_more(world: World) -> None:
    await world.serve(
        GATEWAY, listener_set("set", http("http", "set.example.com")),
        route("a", "name: gateway"), route("b", f"{OF_SET}: set"),
    )  # fmt: skip
    assert await world.name("/", host="set.example.com") == "b"
    await world.change(GATEWAY.replace("from: Same", "from: None"))
    assert await world.name("/", host="set.example.com") == "404"
    assert await world.name("/", host="gateway.example.com") == "a"
    await world.change(GATEWAY)
    assert await world.name("/", host="set.example.com") == "b"


async def test_a_set_owns_its_hosts_before_it_has_routes(world: World) -> None:
    """A wider listener of the Gateway does not answer for them."""
    gateway = GATEWAY.replace(
        "protocol: HTTP, hostname: gateway.example.com", 'protocol: HTTP, hostname: "*.example.com"'
    )
    await world.serve(gateway, route("a", "name: gateway, sectionName: http"))
    assert await world.name("/", host="set.example.com") == "a"
    await world.change(listener_set("set", http("http", "set.example.com")))
    assert await world.name("/", host="set.example.com") == "404"
    assert await world.name("/", host="x.example.com") == "a"
    await world.change(route("b", f"{OF_SET}: set", path="/b"))
    assert await world.name("/b", host="set.example.com") == "b"
    assert await world.name("/", host="set.example.com") == "404"
    await world.remove("ListenerSet", "set")
    await world.remove("HTTPRoute", "b")
