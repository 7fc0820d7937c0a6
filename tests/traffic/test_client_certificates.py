"""Clients that have to show a certificate: valid ones, foreign ones, none; by port; authorities that change and go."""

import asyncio
import socket
import ssl
from collections.abc import Mapping

import pytest

from tests.traffic.authority import EXPIRED, Authority, Pair
from tests.traffic.client import Answer, connected, http2
from tests.traffic.client_certificates import asked_for, client, get
from tests.traffic.harness import World, service
from tests.traffic.test_no_drain import DRAIN_SECONDS
from tests.traffic.tls_backend import tls_backend

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = (ssl.SSLError, ConnectionError, EOFError)
HOST = "shop.example.com"
SERVERS, OURS, THEIRS = Authority("servers"), Authority("ours"), Authority("theirs")
SERVER = SERVERS.issue(HOST)
SECRET = SERVER.secret("cert")
VALID, FOREIGN = OURS.issue("client"), THEIRS.issue("client")
ROUTE = "kind: HTTPRoute\nmetadata: {name: any}\nspec: {rules: [{backendRefs: [{name: a, port: 8080}]}]}\n---\n"
REFERENCE = '{group: "", kind: ConfigMap, name: NAME}'
Outcome = Mapping[str, bool]
ONLY_VALID = {"valid": True, "foreign": False, "none": False}
EVERYONE = {"valid": True, "foreign": True, "none": True}
NOBODY = {"valid": False, "foreign": False, "none": False}


def config_map(name: str, *authorities: Authority) -> str:
    """A ConfigMap with the authorities."""
    text = "# authorities\n\n".join(one.pem for one in authorities).replace("\n", "\\n")
    return f'kind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{ca.crt: "{text}"}}\n---\n'


def validation(*names: str, mode: str = "AllowValidOnly") -> str:
    """What is told of clients: ConfigMaps with their authorities."""
    references = ", ".join(REFERENCE.replace("NAME", name) for name in names)
    return f"{{validation: {{caCertificateRefs: [{references}], mode: {mode}}}}}"


def gateway(default: str, ports: Mapping[int, str] | None = None, listeners: str = "", generation: int = 1) -> str:
    """A Gateway with HTTPS on 443 and 8443, and HTTP."""
    per_port = ", ".join(f"{{port: {port}, tls: {tls}}}" for port, tls in (ports or {}).items())
    return f"""
kind: Gateway
metadata: {{name: gateway, generation: {generation}}}
spec:
  gatewayClassName: x
  tls: {{frontend: {{default: {default}, perPort: [{per_port}]}}}}
  listeners:
  - {{name: http, port: 80, protocol: HTTP}}
  - {{name: https, port: 443, protocol: HTTPS, tls: {{certificateRefs: [{{name: cert}}]}}}}
  - {{name: alt, port: 8443, protocol: HTTPS, tls: {{certificateRefs: [{{name: cert}}]}}}}
{listeners}
---
"""


async def ask(world: World, shown: Pair | None, *, port: int = 443, newest: bool = True) -> Answer:
    """A GET by a client that shows this certificate."""
    return await get(world.port(port), client(SERVERS.pem, shown, newest=newest), HOST)


async def let_in(world: World, port: int = 443) -> Outcome:
    """Which clients are let in, whatever TLS they speak."""
    found = {}
    for name, shown in (("valid", VALID), ("foreign", FOREIGN), ("none", None)):
        found[name] = await _is_let_in(world, shown, port=port, newest=True)
        assert await _is_let_in(world, shown, port=port, newest=False) == found[name]
    return found


async def _is_let_in(world: World, shown: Pair | None, *, port: int, newest: bool) -> bool:
    try:
        answer = await ask(world, shown, port=port, newest=newest)
    except REFUSED:
        return False
    assert answer.told["name"] == "a"
    return True


async def test_only_valid_clients(world: World) -> None:
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours")), ROUTE)
    for port in (443, 8443):
        assert await let_in(world, port) == ONLY_VALID
        assert await asked_for(world.port(port), HOST) == [OURS.subject]
    assert await world.name("/") == "a"


async def test_a_port_has_its_own_authorities(world: World) -> None:
    ports = {8443: validation("theirs"), 80: validation("missing")}
    maps = config_map("ours", OURS) + config_map("theirs", THEIRS)
    await world.serve(SECRET, maps, gateway(validation("ours"), ports), ROUTE)
    assert await let_in(world) == ONLY_VALID
    assert await let_in(world, 8443) == {"valid": False, "foreign": True, "none": False}
    assert await asked_for(world.port(8443), HOST) == [THEIRS.subject]
    assert await world.name("/") == "a"


async def test_a_port_may_ask_for_nothing(world: World) -> None:
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours"), {8443: "{}"}), ROUTE)
    assert await let_in(world) == ONLY_VALID
    assert await let_in(world, 8443) == EVERYONE
    assert await asked_for(world.port(8443), HOST) is None


async def test_everyone_is_let_in_and_asked_all_the_same(world: World) -> None:
    tls = validation("ours", mode="AllowInsecureFallback")
    await world.serve(SECRET, config_map("ours", OURS), gateway(tls, {8443: validation("ours")}), ROUTE)
    assert await let_in(world) == EVERYONE
    assert await let_in(world, 8443) == ONLY_VALID
    assert await asked_for(world.port(443), HOST) == [OURS.subject]
    old = OURS.issue("client", until=EXPIRED)
    assert (await ask(world, old)).status == 200


async def test_authorities_of_several_sources(world: World) -> None:
    both = gateway(validation("ours", "theirs"), {8443: validation("together")})
    maps = config_map("ours", OURS) + config_map("theirs", THEIRS) + config_map("together", OURS, THEIRS)
    await world.serve(SECRET, maps, both, ROUTE)
    for port in (443, 8443):
        assert await let_in(world, port) == {"valid": True, "foreign": True, "none": False}
        assert await asked_for(world.port(port), HOST) == [OURS.subject, THEIRS.subject]


async def test_authorities_in_a_secret_and_in_a_bundle_of_the_cluster(world: World) -> None:
    ours, theirs = (one.pem.replace("\n", "\\n") for one in (OURS, THEIRS))
    sources = f"""
kind: Secret
metadata: {{name: ours}}
stringData: {{ca.crt: "{ours}"}}
---
kind: ClusterTrustBundle
metadata: {{name: "example.com:clients:1"}}
spec: {{signerName: example.com/clients, trustBundle: "{theirs}"}}
---
"""
    secret = REFERENCE.replace("ConfigMap, name: NAME", "Secret, name: ours")
    bundle = '{group: certificates.k8s.io, kind: ClusterTrustBundle, name: "example.com:clients:1"}'
    tls = f"{{validation: {{caCertificateRefs: [{secret}, {bundle}]}}}}"
    await world.serve(SECRET, sources, gateway(tls), ROUTE)
    assert await let_in(world) == {"valid": True, "foreign": True, "none": False}
    await world.remove("ClusterTrustBundle", "example.com:clients:1", "")
    assert await let_in(world) == ONLY_VALID


async def test_connections_out_of_terminated_tls(world: World) -> None:
    """A TLS listener asks as well; one that hands on TLS leaves that to the backend."""
    listeners = """
  - name: ends
    port: 9443
    protocol: TLS
    hostname: shop.example.com
    tls: {mode: Terminate, certificateRefs: [{name: cert}]}
  - {name: passes, port: 9443, protocol: TLS, hostname: passed.example.com, tls: {mode: Passthrough}}
"""
    routes = """
kind: TLSRoute
metadata: {name: ends}
spec:
  parentRefs: [{name: gateway, sectionName: ends}]
  hostnames: [shop.example.com]
  rules: [{backendRefs: [{name: a, port: 8080}]}]
---
kind: TLSRoute
metadata: {name: passes}
spec:
  parentRefs: [{name: gateway, sectionName: passes}]
  hostnames: [passed.example.com]
  rules: [{backendRefs: [{name: secure, port: 8080}]}]
---
"""
    async with tls_backend("behind", SERVERS.issue("passed.example.com")) as address:
        behind = service("secure", [address])
        await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours"), {}, listeners), routes, behind)
        assert await let_in(world, 9443) == ONLY_VALID
        assert await asked_for(world.port(9443), HOST) == [OURS.subject]
        assert await asked_for(world.port(9443), "passed.example.com") is None
        await world.remove("ConfigMap", "ours")
        assert await let_in(world, 9443) == NOBODY
        assert await asked_for(world.port(9443), "passed.example.com") is None


async def test_what_is_not_valid(world: World) -> None:
    """Expired, signed by itself, or by an authority that was not shown; with the intermediate one it is valid."""
    below = Authority("below", OURS)
    deep = below.issue("client")
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours")), ROUTE)
    alone = Authority("ours").issue("client")
    for shown in (OURS.issue("client", until=EXPIRED), alone, deep.alone):
        with pytest.raises(REFUSED):
            await ask(world, shown)
    assert (await ask(world, deep)).status == 200


async def test_a_client_learns_nothing_of_others_by_headers(world: World) -> None:
    """What a client claims to have shown does not reach the backend."""
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours")), ROUTE)
    async with connected(world.port(443), tls=client(SERVERS.pem, VALID), server_name=HOST) as connection:
        answer = await connection.get(host=HOST, headers="X-Forwarded-Client-Cert: Subject=admin\r\n")
    assert "X-Forwarded-Client-Cert" not in answer.told["headers"]


async def test_rotation_keeps_what_is_open_and_drains_nothing(world: World) -> None:
    """First both authorities, then the new one alone: long-lived connections of old clients stay."""
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours")), ROUTE)
    port, context = world.port(443), client(SERVERS.pem, VALID)
    async with (
        connected(port, tls=context, server_name=HOST) as connection,
        http2(port, tls=client(SERVERS.pem, VALID, alpn=("h2",)), server_name=HOST) as multiplexed,
    ):
        for one in (connection, multiplexed):
            assert (await one.get(host=HOST)).status == 200
        for authorities, outcome in (
            ((OURS, THEIRS), {"valid": True, "foreign": True, "none": False}),
            ((THEIRS,), {"valid": False, "foreign": True, "none": False}),
        ):
            await world.change(config_map("ours", *authorities))
            assert await let_in(world) == outcome
        await asyncio.sleep(DRAIN_SECONDS)
        for one in (connection, multiplexed):
            answer = await one.get(host=HOST)
            assert (answer.status, answer.headers.get("connection")) == (200, None)
        assert not await world.draining()


async def test_a_client_does_not_get_in_by_resuming(world: World) -> None:
    """A session from before is worth nothing once its authority is not trusted any more."""
    for newest in (True, False):
        await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours")), ROUTE)
        context = client(SERVERS.pem, VALID, newest=newest)
        _, session = await asyncio.to_thread(_talk, world.port(443), context, None)
        reused, _ = await asyncio.to_thread(_talk, world.port(443), context, session)
        assert reused
        await world.change(config_map("ours", THEIRS))
        with pytest.raises(REFUSED):
            await asyncio.to_thread(_talk, world.port(443), context, session)


def _talk(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
    """A GET: was the session resumed, and the session after it."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=HOST, session=session) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        if not secure.recv(65_536).startswith(b"HTTP/1.1 200"):
            raise ConnectionError
        return bool(secure.session_reused), secure.session


@pytest.mark.parametrize("broken", ["removed", "garbage", "emptied"])
async def test_authorities_that_go_end_trust(world: World, broken: str) -> None:
    """The listeners refuse everyone, what is plain goes on, and all is well once there is an authority again."""
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("ours")), ROUTE)
    assert await let_in(world) == ONLY_VALID
    async with connected(world.port(80)) as plain:
        assert (await plain.get(host=HOST)).status == 200
        if broken == "removed":
            await world.remove("ConfigMap", "ours")
        else:
            text = {"garbage": "Hello world", "emptied": ""}[broken]
            await world.change(f'kind: ConfigMap\nmetadata: {{name: ours}}\ndata: {{ca.crt: "{text}"}}\n')
        for port in (443, 8443):
            assert await let_in(world, port) == NOBODY
        assert (await plain.get(host=HOST)).status == 200
        await world.change(config_map("ours", OURS))
        assert await let_in(world) == ONLY_VALID


async def test_one_port_that_cannot_verify_harms_no_other(world: World) -> None:
    listeners = (
        "  - {name: second, port: 8443, protocol: HTTPS, hostname: x.org, tls: {certificateRefs: [{name: cert}]}}"
    )
    broken = gateway(validation("ours"), {8443: validation("missing")}, listeners)
    await world.serve(SECRET, config_map("ours", OURS), broken, ROUTE)
    assert await let_in(world) == ONLY_VALID
    assert await let_in(world, 8443) == NOBODY
    with pytest.raises(REFUSED):
        await asked_for(world.port(8443), "x.org")


async def test_what_can_be_used_is_used(world: World) -> None:
    await world.serve(SECRET, config_map("ours", OURS), gateway(validation("missing", "ours")), ROUTE)
    assert await let_in(world) == ONLY_VALID


async def test_a_config_map_of_another_namespace_needs_a_grant(world: World) -> None:
    far = config_map("far", OURS).replace("{name: far}", "{name: far, namespace: vault}")
    tls = validation("far").replace("name: far", "name: far, namespace: vault")
    grant = """
kind: ReferenceGrant
metadata: {name: grant, namespace: vault}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: default}]
  to: [{group: "", kind: ConfigMap, name: far}]
"""
    there = "kind: Namespace\nmetadata: {name: vault}\n---\n"
    await world.serve(SECRET, there, far, gateway(tls), ROUTE)
    assert await let_in(world) == NOBODY
    await world.change(grant)
    assert await let_in(world) == ONLY_VALID
    await world.remove("ReferenceGrant", "grant", "vault")
    assert await let_in(world) == NOBODY


async def test_asking_is_a_change_of_the_listener(world: World) -> None:
    """From nobody asked to all asked: from then on nobody gets in without, and open connections are told to go."""
    await world.serve(SECRET, config_map("ours", OURS), gateway("{}"), ROUTE)
    async with connected(world.port(443), tls=client(SERVERS.pem), server_name=HOST) as connection:
        assert (await connection.get(host=HOST)).status == 200
        await world.change(gateway(validation("ours"), generation=2))
        assert await let_in(world) == ONLY_VALID
        await asyncio.sleep(DRAIN_SECONDS)
        assert await connection.ended()
