"""TLSRoutes: TLS that is handed on and TLS that ends here, who gets a server name, and how those end that nobody gets."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.traffic.client import connected
from tests.traffic.harness import World, service
from tests.traffic.streams import (
    FAR,
    client_hello,
    connection,
    far,
    gateway,
    granting,
    greeting,
    logged,
    name_of,
    presenting,
    raw_answer,
    route,
    secret,
    tls,
)
from tests.traffic.tls import certificate_of, trusting
from xds_server.model.meta import Key

pytestmark = pytest.mark.asyncio(loop_scope="module")

BACKEND_NAMES = "a.example.com,b.example.com,*.example.com"
"""Of the certificate that backends have, where TLS is handed on."""
DRAIN_SECONDS = 5
HANDSHAKE = b"\x16"
"""How a record of TLS begins that goes on with a handshake."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[World]:
    async with World(drain=("--drain-time-s", str(DRAIN_SECONDS))) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def backends(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """Services one and two, which speak TLS, and plain, bare and more, which do not; all speak first."""
    own = presenting(BACKEND_NAMES, tmp_path_factory.mktemp("tls"))
    async with AsyncExitStack() as stack:
        for name in ("one", "two", "plain", "bare", "more"):
            server = greeting(name, own if name in ("one", "two") else None)
            await world.change(service(name, [await stack.enter_async_context(server)]))
        yield


def handed_on(name: str, backend: str, *hosts: str, section: str = "", created: str = "2024") -> str:
    return route("TLSRoute", name, backend, hosts=hosts, section=section, created=created)


async def who(world: World, server_name: str, *, port: int = 443) -> str:
    """The backend behind a server name, over its own TLS."""
    return await name_of(world.port(port), trusting(BACKEND_NAMES), server_name)


async def closed(world: World, server_name: str, *, port: int = 443) -> bool:
    """Is a client with that server name sent off without a word? A TLS alert would be one."""
    answer = await raw_answer(world.port(port), server_name)
    assert answer[:1] in (b"", HANDSHAKE), "neither silence nor a handshake"
    return not answer


async def test_server_names(world: World) -> None:
    listener = tls("tls", "*.example.com")
    await world.serve(
        gateway(listener), handed_on("one", "one", "*.example.com"), handed_on("two", "two", "a.example.com")
    )
    assert await who(world, "a.example.com") == "two"
    assert await who(world, "b.example.com") == "one"
    assert await certificate_of(world.port(443), "b.example.com") == BACKEND_NAMES.split(",")
    assert await closed(world, "a.example.org")
    assert not await closed(world, "a.example.com")


async def test_no_route_no_answer(world: World) -> None:
    """A listener that is narrower keeps its name, with no route and with no certificate, too."""
    await world.serve(
        gateway(
            tls("wide"), tls("narrow", "a.example.com"), tls("broken", "b.example.com", certificate="nowhere"),
            tls("alone", port=444),
        ),
        handed_on("wide", "one", "*.example.com", section="wide"),
    )  # fmt: skip
    assert await who(world, "c.example.com") == "one"
    assert await closed(world, "a.example.com")
    assert await closed(world, "b.example.com")
    assert await closed(world, "c.example.org")
    assert await closed(world, "a.example.com", port=444)


@pytest.mark.parametrize("backend", ["missing", "one*0"])
async def test_nobody_to_have_it(world: World, backend: str) -> None:
    """Nor where TLS would end here: no handshake begins."""
    await world.serve(
        gateway(tls("passed", "a.example.com"), tls("ended", "b.example.com", certificate="b")),
        secret("b", "b.example.com"),
        handed_on("both", backend, "a.example.com", "b.example.com"),
    )
    assert await closed(world, "a.example.com")
    assert await closed(world, "b.example.com")


async def test_server_names_in_common(world: World) -> None:
    """What a route's names and the listener's have in common is served, and nothing else, on each of four ports."""
    own = {443: "a.example.com", 444: "*.example.com", 445: "", 446: "b.example.com"}
    names = {
        443: ("a.example.com", "non.matching.com"), 444: ("example.com", "b.example.com", "*.a.example.com"),
        445: ("c.example.com",), 446: ("*.example.com",),
    }  # fmt: skip
    await world.serve(
        gateway(*(tls(f"l{port}", host, port=port) for port, host in own.items())),
        *(handed_on(f"r{port}", "one", *names[port], section=f"l{port}") for port in own),
    )
    for port, good, bad in (
        (443, ("a.example.com",), ("non.matching.com", "b.example.com")),
        (444, ("b.example.com",), ("example.com", "c.example.com", "a.example.com")),
        (445, ("c.example.com",), ("a.example.com",)),
        (446, ("b.example.com",), ("a.example.com",)),
    ):
        for host in good:
            assert await who(world, host, port=port) == "one", (port, host)
        for host in bad:
            assert await closed(world, host, port=port), (port, host)


async def test_backends_that_may_not_be_referred_to(world: World) -> None:
    """Of an unknown kind, and of another namespace until a grant allows it."""
    odd = handed_on("odd", "one", "a.example.com").replace("{name: one", "{group: example.com, kind: Odd, name: one")
    slice_ = world.control.pipeline.inputs.kinds["EndpointSlice"].get(Key("default", "one"))
    assert slice_ is not None
    there = far(service("distant", [f"127.0.0.1:{slice_.ports[0].port}"]))
    distant = far(handed_on("distant", "distant", "b.example.com"))
    namespace = f"kind: Namespace\nmetadata: {{name: {FAR}}}\n---\n"
    await world.serve(gateway(tls("tls")), namespace, there, odd, distant, granting("HTTPRoute"))
    assert await closed(world, "a.example.com")
    assert await closed(world, "b.example.com")
    await world.change(granting("TLSRoute"))
    assert await who(world, "b.example.com") == "one"
    await world.remove("ReferenceGrant", "grant", FAR)
    assert await closed(world, "b.example.com")


@pytest.mark.parametrize(
    ("listener", "older", "newer"),
    [("a.example.com", "*.example.com", "a.example.com"), ("*.example.com", "*.com", "*.example.com")],
)
async def test_the_newer_route_that_is_written_more_exactly(
    world: World, listener: str, older: str, newer: str
) -> None:
    """Though both come to the same server names."""
    old, new = handed_on("a-older", "one", older, created="2023"), handed_on("b-newer", "two", newer, created="2025")
    await world.serve(gateway(tls("tls", listener)), old)
    assert await who(world, "a.example.com") == "one"
    await world.change(new)
    assert {await who(world, "a.example.com") for _ in range(5)} == {"two"}
    await world.remove("TLSRoute", "b-newer")


async def test_tls_may_end_here(world: World) -> None:
    """The backend gets the bytes. No protocol is agreed on for it."""
    await world.serve(
        gateway(tls("tls", "*.example.org", certificate="org")),
        secret("org", "*.example.org"),
        handed_on("route", "plain", "a.example.org"),
    )
    context = trusting("*.example.org", alpn=("h2", "http/1.1"))
    async with connection(world.port(443), context, "a.example.org") as client:
        assert await client.line() == "plain"
        assert await client.echoed("hello")
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() is None
    assert await closed(world, "b.example.org")


async def test_every_route_of_a_wildcard_has_its_backend_where_tls_ends(world: World) -> None:
    """Each by its own server names, the wider ones by what is left (istio#61040: the first had all)."""
    await world.serve(
        gateway(tls("tls", "*.example.org", certificate="org")),
        secret("org", "*.example.org,*.b.example.org"),
        route("TLSRoute", "first", "plain", hosts=["a.example.org"], created="2020"),
        route("TLSRoute", "second", "bare", hosts=["b.example.org", "*.b.example.org"], created="2021"),
        route("TLSRoute", "third", "more", hosts=["*.example.org"], created="2022"),
    )
    context = trusting("*.example.org,*.b.example.org")
    expected = {"a": "plain", "b": "bare", "c.b": "bare", "d": "more"}
    found = {name: await name_of(world.port(443), context, f"{name}.example.org") for name in expected}
    assert found == expected


async def test_a_listener_without_a_route_beside_one_for_all_hosts(world: World) -> None:
    """Its chain matches its own name alone; a chain without a name would be a second one for everything, and Envoy
    would refuse the whole port (envoyproxy/gateway#9516).
    """
    web = "name: web, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: web}]}"
    pages = "kind: HTTPRoute\nmetadata: {name: pages}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n---\n"
    passed = tls("tls", "a.example.com")
    documents = (gateway(web, passed), secret("web", "web.example.org"), pages)
    await world.serve(*documents)
    context = trusting("web.example.org")
    async with connected(world.port(443), tls=context, server_name="web.example.org") as open_:
        assert (await open_.get(host="web.example.org")).told["name"] == "a"
        assert await closed(world, "a.example.com")
        await world.serve(*documents, handed_on("late", "one", "a.example.com"))
        assert await who(world, "a.example.com") == "one"
        assert (await open_.get(host="web.example.org")).told["name"] == "a"


@pytest.mark.parametrize("size", [7, 1400])
async def test_a_client_hello_that_comes_in_pieces(world: World, size: int) -> None:
    """As it does since key shares that withstand quantum computers have made it longer than a packet (haproxy#3148,
    tldr.fail). The server name is found all the same, by listeners of both kinds.
    """
    web = 'name: web, port: 443, protocol: HTTPS, hostname: "b.example.com", tls: {certificateRefs: [{name: web}]}'
    await world.serve(
        gateway(tls("tls", "a.example.com"), web),
        secret("web", "b.example.com"),
        handed_on("r", "one", "a.example.com"),
    )
    for name in ("a.example.com", "b.example.com"):
        hello = client_hello(name, protocols=[f"{number:0200}" for number in range(10)])
        assert len(hello) > 2000
        async with connection(world.port(443)) as client, asyncio.timeout(60):
            for start in range(0, len(hello), size):
                client.writer.write(hello[start : start + size])
                await client.writer.drain()
                await asyncio.sleep(0.001)
            assert await client.reader.readexactly(1) == HANDSHAKE


async def test_shares_where_tls_ends(world: World) -> None:
    await world.serve(
        gateway(tls("tls", "*.example.org", certificate="org")),
        secret("org", "*.example.org"),
        route("TLSRoute", "route", "plain*2", "bare*1", "missing*1", hosts=["a.example.org"]),
    )
    context = trusting("*.example.org")

    async def one() -> str:
        try:
            return await name_of(world.port(443), context, "a.example.org")
        except (ssl.SSLError, ConnectionError, EOFError) as error:
            return "an alert" if "ALERT" in str(error).upper() else ""

    found = Counter(await asyncio.gather(*(one() for _ in range(120))))
    assert found.keys() == {"plain", "bare", ""}
    assert 40 <= found["plain"] <= 80
    assert 12 <= found["bare"] <= 50
    assert 12 <= found[""] <= 50


async def test_passthrough_terminate_and_https_on_one_port(world: World) -> None:
    web = 'name: web, port: 443, protocol: HTTPS, hostname: "web.example.org", tls: {certificateRefs: [{name: web}]}'
    await world.serve(
        gateway(tls("passed", "a.example.com"), tls("ended", "*.example.org", certificate="org"), web),
        secret("org", "*.example.org"),
        secret("web", "web.example.org"),
        handed_on("passed", "one", "a.example.com"),
        handed_on("ended", "plain", "*.example.org", section="ended"),
        "kind: HTTPRoute\nmetadata: {name: web}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n",
    )
    assert await who(world, "a.example.com") == "one"
    assert await name_of(world.port(443), trusting("*.example.org"), "any.example.org") == "plain"
    context = trusting("web.example.org")
    async with connected(world.port(443), tls=context, server_name="web.example.org") as client:
        assert (await client.get(host="web.example.org")).told["name"] == "a"
    assert await closed(world, "b.example.com")


async def test_the_hostname_as_it_is_written_decides(world: World) -> None:
    """Though both come to the same server name; and what loses takes over when the winner goes."""
    listener = gateway(tls("tls", "a.example.com"))
    wide = handed_on("wide", "one", "*.example.com", created="2023")
    await world.serve(listener, wide)
    assert await who(world, "a.example.com") == "one"
    await world.serve(listener, wide, handed_on("exact", "two", "a.example.com", created="2025"))
    assert {await who(world, "a.example.com") for _ in range(10)} == {"two"}
    await world.serve(listener, wide)
    assert await who(world, "a.example.com") == "one"


async def test_an_edit_drains_its_own_connections_alone(world: World) -> None:
    listener = gateway(tls("tls", "*.example.com"))
    others = handed_on("b", "one", "b.example.com")
    await world.serve(listener, others, handed_on("a", "one", "a.example.com"))
    context = trusting(BACKEND_NAMES)
    async with (
        connection(world.port(443), context, "a.example.com") as edited,
        connection(world.port(443), context, "b.example.com") as other,
    ):
        assert [await edited.line(), await other.line()] == ["one", "one"]
        await world.serve(listener, others, handed_on("a", "two", "a.example.com"))
        assert await who(world, "a.example.com") == "two"
        assert await edited.echoed("until it has drained")
        assert await edited.line() == "", "closed"
        for number in range(3):
            assert await other.echoed(f"still here {number}")
        await world.serve(listener, others, handed_on("c", "two", "c.example.com"))
        await world.drained()
        assert await who(world, "c.example.com") == "two"
        assert await other.echoed("and after chains came and went")


async def test_endpoints_and_certificates_change_under_connections(world: World) -> None:
    listener = gateway(tls("tls", "*.example.org", certificate="org"))
    ours = handed_on("route", "moving", "a.example.org")
    async with greeting("before") as before, greeting("after") as after:
        await world.change(service("moving", [before]))
        await world.serve(listener, secret("org", "*.example.org"), ours)
        context = trusting("*.example.org")
        async with connection(world.port(443), context, "a.example.org") as client:
            assert await client.line() == "before"
            await world.change(service("moving", [after]))
            await world.serve(listener, secret("org", "*.example.org,example.org"), ours)
            assert await certificate_of(world.port(443), "a.example.org") == ["*.example.org", "example.org"]
            async with connection(world.port(443), trusting("*.example.org,example.org"), "a.example.org") as new:
                assert await new.line() == "after"
            await world.drained()
            assert await client.echoed("still here")


async def test_access_log(world: World) -> None:
    await world.serve(gateway(tls("tls", "*.example.com")), handed_on("logged", "one", "log.example.com"))
    assert await who(world, "log.example.com") == "one"
    assert await closed(world, "nobody.example.com")
    (line,) = await logged(world, "TLSRoute/default/logged/0/0")
    assert '"requested_server_name":"log.example.com"' in line
    (line,) = await logged(world, "nobody.example.com")
    assert '"listener":"tls-443/*.example.com"' in line
    assert '"route"' not in line
