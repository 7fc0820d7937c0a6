"""A real Envoy on a real stream: what R4, R5, R6, R8, R9 and R10 of the protocol are for. Each would cost 15 s else."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port
from tests.real_envoy import RealEnvoy, ads_bootstrap
from tests.shell.serve import messages as make
from tests.shell.serve.peers import SOON, Server, served
from xds_server.shell.serve.session import Session
from xds_server.xds.catalog import Catalog
from xds_server.xds.events import Acknowledged, Rejected, Subscribed
from xds_server.xds.resource import ResourceType

CLUSTER, ENDPOINT, LISTENER, SECRET, ROUTE = ResourceType
DELTA_AND_SOTW = pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])


@contextlib.asynccontextmanager
async def backend(name: str) -> AsyncIterator[int]:
    """An HTTP server that answers everything with its name; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(name), name.encode()))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def catalog_of(*resources: Any) -> Catalog:
    catalog = Catalog()
    catalog.publish(make.changes(*resources))
    return catalog


def lost(monkeypatch: pytest.MonkeyPatch, type_: ResourceType, *which: int) -> None:
    """From now on these responses of a type are lost on their way, counted from 0."""
    whole = Session._write
    counted = itertools.count()

    async def write(self: Session, data: bytes) -> bool:
        of_type = type_.url.encode() in data
        return True if of_type and next(counted) in which else await whole(self, data)

    monkeypatch.setattr(Session, "_write", write)


def break_streams(server: Server) -> None:
    for session in list(server.serving._sessions.values()):
        session.end(grpc.StatusCode.UNAVAILABLE, "a test breaks it")


@DELTA_AND_SOTW
async def test_r4_an_empty_catalog_makes_a_ready_envoy(delta: bool) -> None:
    async with served() as server, RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy:
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(0)


@DELTA_AND_SOTW
async def test_r5_a_changed_cluster_does_not_wait_for_endpoints(delta: bool) -> None:
    catalog = catalog_of(make.cluster("a"), make.endpoints("a", 1))
    async with served(catalog) as server, RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy:
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        await server.seen.until_synced(server.put(make.cluster("a", connect="2s")))
        [found] = await envoy.resources("dynamic_active_clusters")
        assert found["cluster"]["connect_timeout"] == "2s"
        assert await envoy.resources("dynamic_warming_clusters") == []
        assert (await envoy.stats("cluster.a.init_fetch_timeout")).get("cluster.a.init_fetch_timeout", 0) == 0


@DELTA_AND_SOTW
async def test_r6_routes_that_do_not_exist_close_no_listener(delta: bool) -> None:
    port = free_port()
    async with (
        backend("one") as origin,
        served(catalog_of(make.listener("l", port, "r"))) as server,
        RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy,
        aiohttp.ClientSession() as http,
    ):
        await envoy.wait_ready(SOON)
        async with http.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 404
        serial = server.put(make.cluster("a"), make.endpoints("a", origin), make.routes("r", "a"))
        await server.seen.until_synced(serial)
        async with http.get(f"http://127.0.0.1:{port}/") as response:
            assert (response.status, await response.text()) == (200, "one")


@DELTA_AND_SOTW
async def test_r8_no_request_fails_while_a_route_moves_from_cluster_to_cluster(delta: bool) -> None:
    port = free_port()
    async with (
        backend("one") as origin,
        served(removal(0, origin, port)) as server,
        RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy,
    ):
        await envoy.wait_ready(SOON)
        statuses: list[int] = []
        load = asyncio.create_task(request_on_and_on(port, statuses), name="load")
        for number in range(1, 9):
            enough = len(statuses) + 5
            await envoy.until(lambda enough=enough: len(statuses) >= enough, "serves nothing")
            before, after = f"c{number - 1}", f"c{number}"
            new = (make.cluster(after), make.endpoints(after, origin), make.routes("r", after))
            serial = server.put(*new, gone=(make.cluster(before), make.endpoints(before)))
            await server.seen.until_synced(serial)
        load.cancel()
        await asyncio.wait([load])
        assert await envoy.clusters() == {"c8"}
        assert set(statuses) == {200}


def removal(number: int, origin: int, port: int) -> Catalog:
    name = f"c{number}"
    cluster, endpoints = make.cluster(name), make.endpoints(name, origin)
    return catalog_of(cluster, endpoints, make.listener("l", port, "r"), make.routes("r", name))


async def request_on_and_on(port: int, statuses: list[int]) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"http://127.0.0.1:{port}/") as response:
                statuses.append(response.status)


@DELTA_AND_SOTW
async def test_r9_a_rejected_cluster_does_not_hold_up_others(delta: bool) -> None:
    """Envoy keeps it among those that warm; unless it is taken back, nothing about clusters is answered any more."""
    catalog = catalog_of(make.cluster("a"), make.endpoints("a", 1))
    async with served(catalog) as server, RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy:
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        server.put(
            make.bad_cluster("ghost"), make.endpoints("ghost", 1), make.cluster("good"), make.endpoints("good", 1)
        )
        await envoy.until(lambda: server.seen.events(Rejected), "rejects nothing")
        [rejected] = server.seen.events(Rejected)
        assert "minimum_ring_size" in rejected.detail
        for number in range(2, 4):
            server.put(make.cluster("a", connect=f"{number}s"))
            await envoy.until(lambda n=number: accepted_connect(server, f"{n}s"), "does not answer", seconds=SOON)
        # It answers before it has the endpoints of what it was told.
        await envoy.until(lambda: none_warms(envoy), "still warms a cluster", seconds=SOON)
        assert await envoy.clusters() == {"a", "good"}
        assert len(server.seen.events(Rejected)) == 1
        serial = server.put(make.cluster("ghost"))
        await server.seen.until_synced(serial)
        assert await envoy.clusters() == {"a", "good", "ghost"}


def accepted_connect(server: Server, connect: str) -> bool:
    body = make.cluster("a", connect=connect).body
    events = server.seen.events(Acknowledged)
    return any(one.body == body for event in events for one in event.resources.values())


async def test_r9_a_known_cluster_goes_back_to_what_it_was() -> None:
    catalog = catalog_of(make.cluster("a"), make.endpoints("a", 1))
    async with served(catalog) as server, RealEnvoy(ads_bootstrap(server.port)) as envoy:
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        server.put(make.bad_cluster("a"))
        await envoy.until(lambda: server.seen.events(Rejected), "rejects nothing")
        await envoy.until(lambda: len(server.seen.events(Acknowledged)) >= 5, "does not take it back")
        await server.seen.until_synced(server.put(make.cluster("a", connect="3s")))
        assert await envoy.resources("dynamic_warming_clusters") == []


@DELTA_AND_SOTW
async def test_r10_a_stream_that_breaks_while_a_cluster_warms(delta: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the new stream Envoy asks for everything but clusters, and has the endpoints already in the same version."""
    catalog = catalog_of(make.cluster("a"), make.endpoints("a", 1))
    async with served(catalog) as server, RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy:
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        with monkeypatch.context() as patch:
            lost(patch, ENDPOINT, 0)
            serial = server.put(make.cluster("a", connect="2s"))
            await envoy.until(lambda: warming(envoy), "does not warm it")
        break_streams(server)
        await server.seen.until_synced(serial)
        assert await envoy.resources("dynamic_warming_clusters") == []


async def test_r10_clusters_are_pushed_to_an_envoy_that_cannot_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejected cluster that was not taken back and then another change: Envoy says nothing about clusters any more."""
    catalog = catalog_of(make.cluster("a"), make.endpoints("a", 1))
    async with served(catalog) as server, RealEnvoy(ads_bootstrap(server.port)) as envoy:
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        with monkeypatch.context() as patch:
            lost(patch, CLUSTER, 1)
            server.put(make.bad_cluster("ghost"))
            await envoy.until(lambda: server.seen.events(Rejected), "rejects nothing")
            server.put(make.cluster("a", connect="2s"))
            await envoy.until(lambda: has_connect(envoy, "2s"), "does not change it")
        break_streams(server)
        await server.seen.until_closed()
        serial = server.put(make.cluster("ghost"), make.endpoints("ghost", 1))
        await envoy.until(lambda: server.seen.synced_to == serial, "is not in sync", seconds=SOON)
        first = next(one[2] for one in server.seen.told if one[:2] == ("event", 2) and isinstance(one[2], Subscribed))
        assert first.type is not CLUSTER
        assert await envoy.clusters() == {"a", "ghost"}


async def has_connect(envoy: RealEnvoy, connect: str) -> bool:
    active = await envoy.resources("dynamic_active_clusters")
    return [one["cluster"]["connect_timeout"] for one in active] == [connect]


async def none_warms(envoy: RealEnvoy) -> bool:
    return not await warming(envoy)


async def warming(envoy: RealEnvoy) -> bool:
    return bool(await envoy.resources("dynamic_warming_clusters"))


async def test_a_restarted_server_resends_nothing() -> None:
    port, tls_port = free_port(), free_port()
    certificate, key = self_signed()
    resources = (
        *(make.cluster("a"), make.endpoints("a", 1), make.cluster("b"), make.endpoints("b")),
        *(make.listener("l", port, "r"), make.routes("r", "a")),
        *(make.listener("m", tls_port, "missing", secret="cert"), make.secret("cert", certificate, key)),
    )
    async with served(catalog_of(*resources), port=free_port()) as server:
        envoy = RealEnvoy(ads_bootstrap(server.port))
        await envoy.start()
        try:
            await envoy.wait_ready(SOON)
            await server.seen.until_synced(1)
            address = server.port
        except BaseException:
            await envoy.stop()
            raise
    try:
        async with served(catalog_of(*resources), port=address) as again:
            await again.seen.until_synced(1)
            await asyncio.sleep(1.2)
            assert [r.type for r in again.seen.responses if r.resources or r.removed] == []
            assert {r.type for r in again.seen.responses} == {CLUSTER, LISTENER}, "whoever asks for all is answered"
    finally:
        await envoy.stop()


@DELTA_AND_SOTW
async def test_what_was_removed_while_the_server_was_away(delta: bool) -> None:
    port = free_port()
    kept = (make.cluster("a"), make.endpoints("a", 1), make.listener("l", port, "r"), make.routes("r", "a"))
    old = (make.cluster("old"), make.endpoints("old", 1), make.listener("old", free_port(), "r"))
    async with served(catalog_of(*kept, *old), port=free_port()) as server:
        envoy = RealEnvoy(ads_bootstrap(server.port, delta=delta))
        await envoy.start()
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        address = server.port
    try:
        async with served(catalog_of(*kept), port=address) as again:
            await again.seen.until_synced(1)
            assert await envoy.clusters() == {"a"}
            assert await envoy.listeners() == {"l"}
    finally:
        await envoy.stop()


@DELTA_AND_SOTW
async def test_a_changed_listener_keeps_its_certificate(delta: bool) -> None:
    port = free_port()
    certificate, key = self_signed()
    trust = ssl.create_default_context(cadata=certificate)
    trust.check_hostname = False
    resources = (make.listener("l", port, "r", secret="cert"), make.secret("cert", certificate, key))
    async with (
        served(catalog_of(*resources)) as server,
        RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy,
    ):
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        for number in range(3):
            serial = server.put(make.listener("l", port, "r", secret="cert", prefix=f"x{number}"))
            await server.seen.until_synced(serial)
            async with aiohttp.ClientSession() as http, http.get(f"https://127.0.0.1:{port}/", ssl=trust) as response:
                assert response.status == 404


@DELTA_AND_SOTW
async def test_a_rejected_route_keeps_the_old_one_and_its_cluster(delta: bool) -> None:
    port = free_port()
    async with (
        backend("one") as origin,
        served(removal(0, origin, port)) as server,
        RealEnvoy(ads_bootstrap(server.port, delta=delta)) as envoy,
        aiohttp.ClientSession() as http,
    ):
        await envoy.wait_ready(SOON)
        await server.seen.until_synced(1)
        server.put(make.routes("r", "c1", domains=("a.test", "a.test")), gone=(make.cluster("c0"),))
        await envoy.until(lambda: server.seen.events(Rejected), "rejects nothing")
        [rejected] = server.seen.events(Rejected)
        assert "Only unique values for domains are permitted" in rejected.detail
        async with http.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 200
        serial = server.put(make.routes("r", "c0"), make.cluster("c0"))
        await server.seen.until_synced(serial)
        async with http.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 200


def self_signed() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(encoding).decode(), pem.decode()
