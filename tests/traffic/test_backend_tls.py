"""TLS to backends: who is connected to, under which name, with which certificate; and who never is."""

import asyncio
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
import yaml
from grpc import StatusCode

from tests.scenarios.certificates import pem
from tests.traffic import streams
from tests.traffic.authority import Authority, Pair
from tests.traffic.client import connected
from tests.traffic.grpc_backend import client, grpc_backend
from tests.traffic.harness import World, endpoints, service
from tests.traffic.tls import trusting
from tests.traffic.tls_backend import tls_backend
from xds_server.model.meta import Key

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec: {gatewayClassName: x, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
"""
OURS, FOREIGN, CLIENTS = Authority("ours"), Authority("foreign"), Authority("clients")
NAMES = ("abc.example.com", "other.example.com", "spiffe://abc.example.com/test-identity")
PAIR = OURS.issue(*NAMES)
SHOWN = CLIENTS.issue("client.example.com")
ROUTE = "kind: HTTPRoute\nmetadata: {name: route}\nspec: {rules: [{backendRefs: [{name: tls, port: 8080}]}]}\n---\n"
TRIES = 20


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def backends(world: World) -> AsyncIterator[None]:
    """Services tls (TLS, any version), newest (TLS 1.3), strict (asks for a certificate), grpc; and plain, without."""
    async with AsyncExitStack() as stack:
        start = stack.enter_async_context
        addresses = {
            "tls": await start(tls_backend("tls", PAIR)),
            "newest": await start(tls_backend("newest", PAIR, newest=True)),
            "strict": await start(tls_backend("strict", PAIR, clients=CLIENTS.pem)),
            "grpc": (await start(grpc_backend("grpc", PAIR))).address,
        }
        await world.change(*(service(name, [address]) for name, address in addresses.items()))
        yield


def config_map(name: str, *authorities: Authority | str) -> str:
    text = "".join(one if isinstance(one, str) else one.pem for one in authorities)
    whole = {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"ca.crt": text}}
    return f"{yaml.safe_dump(whole)}---\n"


def policy(
    hostname: str, *, name: str = "policy", target: str = "tls", section: str = "", ca: str = "ca", names: str = ""
) -> str:
    section = f", sectionName: {section}" if section else ""
    names = f", subjectAltNames: [{names}]" if names else ""
    trusted = f'caCertificateRefs: [{{group: "", kind: ConfigMap, name: {ca}}}]' if ca else (
        "wellKnownCACertificates: System"
    )  # fmt: skip
    return f"""
kind: BackendTLSPolicy
metadata: {{name: {name}}}
spec:
  targetRefs: [{{group: "", kind: Service, name: {target}{section}}}]
  validation: {{hostname: {hostname}, {trusted}{names}}}
---
"""


def to(target: str) -> str:
    return ROUTE.replace("name: tls", f"name: {target}")


async def statuses(world: World) -> set[int]:
    """The statuses of several requests."""
    return {answer.status for answer in await world.many(TRIES, "/", at_once=4)}


CA = config_map("ca", OURS)


async def test_it_is_asked_for_by_the_policys_hostname(world: World) -> None:
    await world.serve(GATEWAY, ROUTE, CA, policy("abc.example.com"))
    answer = await world.get("/")
    assert answer.told == {"name": "tls", "sni": "abc.example.com", "alpn": "http/1.1", "client": None}


async def test_one_of_several_authorities_is_enough(world: World) -> None:
    await world.serve(GATEWAY, ROUTE, config_map("ca", FOREIGN, OURS), policy("abc.example.com"))
    assert await statuses(world) == {200}


async def test_an_authority_that_is_named_more_than_once(world: World) -> None:
    """In one bundle, in two, as chains of issuers overlap (envoyproxy/gateway#8847)."""
    twice = policy("abc.example.com").replace("name: ca}", 'name: ca}, {group: "", kind: ConfigMap, name: more}')
    await world.serve(GATEWAY, ROUTE, config_map("ca", OURS, FOREIGN, OURS), config_map("more", FOREIGN, OURS), twice)
    assert await statuses(world) == {200}


async def test_an_issuer_whose_own_issuer_is_not_known(world: World) -> None:
    """Whoever names one trusts it, whether or not it signed itself (envoyproxy/gateway#8302): an authority between, of
    a backend that shows the chain or itself alone.
    """
    between = Authority("between", Authority("root of nobody"))
    pair = between.issue(*NAMES)
    for shown in (pair, pair.alone):
        async with tls_backend("below", shown) as address:
            await world.serve(
                GATEWAY, to("below"), service("below", [address]), config_map("ca", between),
                policy("abc.example.com", target="below"),
            )  # fmt: skip
            assert await statuses(world) == {200}


async def test_a_certificate_that_signed_itself(world: World) -> None:
    """It may be named as its own authority, as tools make it that know of no authorities (envoyproxy/gateway#8302)."""
    alone, other = (Pair(pem("cert", name), pem("key", name)) for name in ("abc.example.com", "abc.example.com,x.org"))
    trusted = config_map("ca", alone.certificate)
    for shown, expected in ((alone, {200}), (other, {503})):
        async with tls_backend("self", shown) as address:
            own = service("self", [address])
            await world.serve(GATEWAY, to("self"), own, trusted, policy("abc.example.com", target="self"))
            assert await statuses(world) == expected


async def test_the_newest_tls(world: World) -> None:
    await world.serve(GATEWAY, to("newest"), CA, policy("abc.example.com", target="newest"))
    assert await statuses(world) == {200}


@pytest.mark.parametrize(
    ("hostname", "names", "reached"),
    [
        ("mismatch.example.com", "", False),
        ("sub.abc.example.com", "", False),
        ("other.example.com", "", True),
        ("mismatch.example.com", "{type: Hostname, hostname: abc.example.com}", True),
        ("mismatch.example.com", '{type: URI, uri: "spiffe://abc.example.com/test-identity"}', True),
        ("abc.example.com", '{type: URI, uri: "spiffe://abc.example.com/other"}', False),
        ("abc.example.com", "{type: Hostname, hostname: mismatch.example.com}", False),
        (
            "abc.example.com",
            '{type: Hostname, hostname: a.org}, {type: URI, uri: "spiffe://abc.example.com/test-identity"}',
            True,
        ),
    ],
)
async def test_names(world: World, hostname: str, names: str, reached: bool) -> None:
    """Any alternative name will do; where there are some the hostname no longer counts."""
    await world.serve(GATEWAY, ROUTE, CA, policy(hostname, names=names))
    assert await statuses(world) == ({200} if reached else {503})
    if reached:
        assert (await world.get("/")).told["sni"] == hostname


@pytest.mark.parametrize(
    ("issued_for", "hostname", "names", "reached"),
    [
        ("*.example.com", "abc.example.com", "", True),
        ("*.example.com", "a.abc.example.com", "", False),
        ("*.example.com", "example.com", "", False),
        ("ABC.Example.com", "abc.example.com", "", True),
        ("*.example.com", "none.org", "{type: Hostname, hostname: abc.example.com}", True),
        ("*.example.com", "none.org", '{type: Hostname, hostname: "*.example.com"}', True),
        ("abc.example.com", "none.org", '{type: Hostname, hostname: "*.example.com"}', False),
    ],
)
async def test_certificates_with_wildcards(
    world: World, issued_for: str, hostname: str, names: str, reached: bool
) -> None:
    """They count for one label, as for any client of TLS, whatever the case."""
    async with tls_backend("wild", OURS.issue(issued_for)) as address:
        own = service("wild", [address])
        await world.serve(GATEWAY, to("wild"), own, CA, policy(hostname, target="wild", names=names))
        assert await statuses(world) == ({200} if reached else {503})


async def test_who_cannot_be_verified_is_never_asked(world: World) -> None:
    """A backend of another authority, one without TLS, authorities that are missing, empty, no certificates, or only
    known to the system.
    """
    foreign = config_map("ca", FOREIGN)
    broken = "kind: ConfigMap\nmetadata: {name: ca}\ndata: {ca.crt: none}\n---\n"
    await world.serve(GATEWAY, ROUTE, foreign, policy("abc.example.com"))
    assert await statuses(world) == {503}
    await world.serve(GATEWAY, to("a"), CA, policy("abc.example.com", target="a"))
    assert await statuses(world) == {503}
    for case in ("", config_map("ca"), broken):
        await world.serve(GATEWAY, ROUTE, case, policy("abc.example.com"))
        assert await statuses(world) == {503}
    await world.serve(GATEWAY, ROUTE, policy("abc.example.com", ca=""))
    assert await statuses(world) == {503}


async def test_authorities_change_under_traffic(world: World) -> None:
    """More authorities cost no request. Others in their place, or none: no answer any more, on no connection."""
    await world.serve(GATEWAY, ROUTE, CA, policy("abc.example.com"))
    done = asyncio.Event()
    seen: list[set[int]] = [set()]
    answered = 0

    async def ask() -> None:
        nonlocal answered
        async with connected(world.port()) as connection:
            while not done.is_set():
                begun = seen[-1]
                begun.add((await connection.get()).status)
                answered += 1

    async def from_now_on() -> set[int]:
        """How requests are answered that begin after this, and that they are."""
        seen.append(set())
        until = answered + 40
        async with asyncio.timeout(60):
            while answered < until and not any(task.done() for task in asking):
                await asyncio.sleep(0.01)
        return seen[-1]

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    await world.change(config_map("ca", OURS, FOREIGN))
    assert await from_now_on() | seen[0] == {200}
    await world.change(config_map("ca", FOREIGN))
    assert await from_now_on() == {503}
    await world.change(CA)
    assert await from_now_on() == await statuses(world) == {200}
    await world.remove("ConfigMap", "ca")
    assert await from_now_on() == {503}
    await world.change(config_map("ca", FOREIGN))
    assert await statuses(world) == {503}
    await world.change(CA)
    assert await statuses(world) == {200}
    done.set()
    await asyncio.gather(*asking)


async def test_connections_of_tcp_that_are_open_outlive_their_authorities(world: World) -> None:
    """They have been verified; new ones are not made."""
    listener = "{name: tcp, port: 5432, protocol: TCP}"
    gateway = GATEWAY.replace("[{name: http", f"[{listener}, {{name: http")
    route = streams.route("TCPRoute", "tcp", "echo", section="tcp")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pair:
        pair.write((PAIR.certificate + PAIR.key).encode())
        pair.flush()
        server.load_cert_chain(pair.name)
    async with streams.greeting("echo", server) as address:
        await world.change(service("echo", [address]))
        await world.serve(gateway, route, CA, policy("abc.example.com", target="echo"))
        async with streams.connection(world.port(5432)) as client:
            assert await client.line() == "echo"
            await world.change(config_map("ca", FOREIGN))
            await asyncio.sleep(0.2)
            assert await streams.name_of(world.port(5432)) == ""
            assert await client.echoed("ping")


async def test_a_policy_arrives_and_goes_under_traffic(world: World) -> None:
    """Requests are answered all the time: what speaks plain text and what speaks TLS are two clusters."""
    await world.serve(GATEWAY, ROUTE)
    assert await statuses(world) == {503}, "plain text to a backend with TLS"
    await world.serve(GATEWAY, ROUTE, CA, policy("abc.example.com"))
    for _ in range(5):
        assert await statuses(world) == {200}
        await world.change(policy("other.example.com"))
        assert (await world.get("/")).told["sni"] == "other.example.com"
        await world.change(policy("abc.example.com"))


async def test_each_port_has_its_policy(world: World) -> None:
    """One that names the port comes before one that does not, then the oldest, then the first by name."""
    slice_ = world.control.pipeline.inputs.kinds["EndpointSlice"].get(Key("default", "tls"))
    assert slice_ is not None
    port = slice_.ports[0].port
    ports = "[{name: a, port: 443}, {name: b, port: 8443}, {name: c, port: 9443}]"
    both = f"""
kind: Service
metadata: {{name: ports}}
spec: {{ports: {ports}}}
---
""" + endpoints("ports", [f"127.0.0.1:{port}"], service="ports").replace(
        f"ports:\n- name: http\n  port: {port}\n",
        "ports:\n" + "".join(f"- name: {name}\n  port: {port}\n" for name in "abc"),
    )
    rules = ", ".join(
        f"{{matches: [{{path: {{value: /{port}}}}}], backendRefs: [{{name: ports, port: {port}}}]}}"
        for port in (443, 8443, 9443)
    )
    route = f"kind: HTTPRoute\nmetadata: {{name: route}}\nspec: {{rules: [{rules}]}}\n---\n"
    of_uri = '{type: URI, uri: "spiffe://abc.example.com/test-identity"}'
    await world.serve(
        GATEWAY,
        both,
        route,
        CA,
        policy("abc.example.com", name="all", target="ports"),
        policy("other.example.com", name="b-first", target="ports", section="b"),
        policy("mismatch.example.com", name="b-second", target="ports", section="b"),
        policy("third.example.com", name="c", target="ports", section="c", names=of_uri),
    )
    seen = [(await world.get(f"/{port}")).told["sni"] for port in (443, 8443, 9443)]
    assert seen == ["abc.example.com", "other.example.com", "third.example.com"]


def shows(secret: str) -> str:
    return GATEWAY.replace("spec: {", f"spec: {{tls: {{backend: {{clientCertificateRef: {{name: {secret}}}}}}}, ")


def secret(name: str, certificate: str, key: str) -> str:
    whole = {
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": key},
    }
    return f"{yaml.safe_dump(whole)}---\n"


async def test_the_gateway_shows_its_certificate(world: World) -> None:
    """Exactly that one, to backends over TLS; another one after its rotation."""
    strict = (to("strict"), CA, policy("abc.example.com", target="strict"))
    await world.serve(GATEWAY, *strict)
    assert await statuses(world) == {503}, "the backend asks for one"
    await world.serve(shows("client"), secret("client", SHOWN.certificate, SHOWN.key), *strict)
    assert (await world.get("/")).told["client"] == SHOWN.certificate
    renewed = CLIENTS.issue("client.example.com")
    await world.change(secret("client", renewed.certificate, renewed.key))
    await world.change(policy("other.example.com", target="strict"))  # another connection
    assert (await world.get("/")).told["client"] == renewed.certificate
    assert await statuses(world) == {200}
    await world.remove("Secret", "client")
    assert await statuses(world) == {503}


GRPC_ROUTE = """
kind: GRPCRoute
metadata: {name: route}
spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: grpc, port: 8080}]}]}
---
"""


async def test_grpc(world: World) -> None:
    """HTTP/2 is offered, without which the server would refuse; names and authorities as for any other."""
    await world.serve(GATEWAY, GRPC_ROUTE, CA, policy("abc.example.com", target="grpc"))
    async with client(world.port()) as call:
        assert (await call("/s/M")).code is StatusCode.OK
        for changed in (policy("mismatch.example.com", target="grpc"), config_map("ca", FOREIGN)):
            await world.serve(GATEWAY, GRPC_ROUTE, CA, policy("abc.example.com", target="grpc"), changed)
            codes = {(await call("/s/M")).code for _ in range(5)}
            assert codes == {StatusCode.UNAVAILABLE}


TLS_GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: ends, port: 443, protocol: TLS, hostname: ends.example.com, tls: {certificateRefs: [{name: ends}]}}
  - {name: passes, port: 443, protocol: TLS, hostname: abc.example.com, tls: {mode: Passthrough}}
---
kind: Secret
metadata: {name: ends}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:ends.example.com}", tls.key: "${key:ends.example.com}"}
---
kind: TLSRoute
metadata: {name: route}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [ends.example.com, abc.example.com]
  rules: [{backendRefs: [{name: tls, port: 8080}]}]
---
"""


async def test_connections(world: World) -> None:
    """What comes out of a terminated connection is put into TLS again; TLS that is handed on is left alone."""
    await world.serve(TLS_GATEWAY, CA, policy("other.example.com"))
    async with connected(world.port(443), tls=trusting("ends.example.com"), server_name="ends.example.com") as one:
        assert json.loads((await one.get()).body)["sni"] == "other.example.com"
    context = trusting()
    context.load_verify_locations(cadata=OURS.pem)
    async with connected(world.port(443), tls=context, server_name="abc.example.com") as one:
        assert json.loads((await one.get()).body)["sni"] == "abc.example.com"
    await world.serve(TLS_GATEWAY, CA, policy("mismatch.example.com"))
    async with connected(world.port(443), tls=trusting("ends.example.com"), server_name="ends.example.com") as one:
        with pytest.raises((ConnectionError, EOFError)):
            await one.get()
