"""The authority with a real API server: made, kept, turned over, told to proxies, and what others may do to it."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509

from xds_server.envoy.file_secrets import documents
from xds_server.infra import names
from xds_server.shell.kube import authority
from xds_server.shell.kube.authority import ROTATE, AuthorityKeeper, ServerIdentity
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import NotFoundError

NAME = "auth-e2e"
HOST = f"{NAME}.home.svc"
CONFIG_MAP = names.authority_config_map(NAME)


class World:
    """Two namespaces, and whatever replicas a test starts."""

    def __init__(self, client: KubeClient, home: str, shop: str) -> None:
        self.client = client
        self.home, self.shop = home, shop
        self.places = {shop}

    @property
    def secret(self) -> str:
        return path("v1", "secrets", self.home, f"{NAME}-authority")

    def config_map(self, namespace: str) -> str:
        return path("v1", "configmaps", namespace, CONFIG_MAP)

    async def kept(self) -> dict[str, bytes]:
        data = (await self.client.get_object(self.secret)).get("data") or {}
        return {key: b64decode(value) for key, value in data.items()}

    async def told(self, namespace: str) -> dict[str, str]:
        """The ConfigMap's data; empty while there is none."""
        try:
            return (await self.client.get_object(self.config_map(namespace))).get("data") or {}
        except NotFoundError:
            return {}

    @asynccontextmanager
    async def replica(self, *, leads: bool) -> AsyncIterator[tuple[ServerIdentity, AuthorityKeeper]]:
        identity = ServerIdentity(self.client, self.home, NAME, (HOST,))
        papers = documents("/etc/xds-server", "/token", "token")
        keeper = AuthorityKeeper(identity, "auth.e2e/controller", lambda: self.places, papers, (self.home, self.shop))
        tasks = [asyncio.create_task(identity.follow())]
        if leads:
            tasks.append(asyncio.create_task(keeper.run()))
        try:
            async with asyncio.timeout(60):
                await identity.known.wait()
            yield identity, keeper
            assert not [task for task in tasks if task.done()]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def world(client: KubeClient) -> AsyncIterator[World]:
    home, shop = (f"auth-{what}-{uuid4().hex[:8]}" for what in ("home", "shop"))
    for namespace in (home, shop):
        await client.create(path("v1", "namespaces"), {"metadata": {"name": namespace}})
    yield World(client, home, shop)
    for namespace in (home, shop):
        await client.delete(path("v1", "namespaces", name=namespace))


async def until(what: Callable[[], Any], seconds: float = 60.0) -> None:
    """Until it is true; what it raises while it is not is no error."""
    async with asyncio.timeout(seconds):
        while True:
            found = what()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.1)


def trusts(bundle: str, certificate: bytes) -> bool:
    found = x509.load_pem_x509_certificate(certificate)
    for issuer in x509.load_pem_x509_certificates(bundle.encode()):
        if issuer.subject == found.issuer:
            found.verify_directly_issued_by(issuer)
            return True
    return False


async def test_the_leader_makes_it_and_every_replica_signs_by_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.replica(leads=True) as (leader, keeper), world.replica(leads=False) as (other, _):
        await until(lambda: world.told(world.shop))
        for namespace in (world.home, world.shop):
            told = await world.told(namespace)
            assert set(told) == {"ca.crt", "ca.yaml", "token.yaml"}
            assert all(one.leaf and trusts(told["ca.crt"], one.leaf.certificate) for one in (leader, other))
            assert "PRIVATE KEY" not in told["ca.crt"]
        monkeypatch.setattr(authority, "_ENDING_SECONDS", 0.0)
        world.places = set()
        keeper.wake.set()

        async def gone() -> bool:
            return not await world.told(world.shop)

        await until(gone)
        assert await world.told(world.home)


async def test_a_deleted_secret_is_made_again_from_memory(world: World) -> None:
    async with world.replica(leads=True) as (leader, _):
        before, shown = await world.kept(), leader.leaf
        await world.client.delete(world.secret)

        async def back() -> bool:
            try:
                return await world.kept() == before
            except NotFoundError:
                return False

        await until(back)
        assert leader.leaf is shown


@pytest.mark.parametrize("spoilt", ["%%%", "text", "other key"])
async def test_a_damaged_secret_is_written_again_from_memory(world: World, spoilt: str) -> None:
    async with world.replica(leads=True) as (leader, _), world.replica(leads=False) as (other, _):
        before, shown = await world.kept(), (leader.leaf, other.leaf)
        key = {"%%%": b"\x00\xff", "text": b"text", "other key": before["tls.crt"]}[spoilt]
        await world.client.patch(world.secret, {"data": {"tls.key": b64encode(key).decode()}})

        async def back() -> bool:
            return await world.kept() == before

        await until(back)
        assert (leader.leaf, other.leaf) == shown


async def test_a_turnover_on_demand_is_published_before_it_signs(world: World) -> None:
    async with world.replica(leads=True) as (leader, _):
        before, shown = await world.kept(), leader.leaf
        await world.client.patch(world.secret, {"metadata": {"annotations": {ROTATE: "now"}}})

        async def turning() -> bool:
            return (await world.told(world.shop)).get("ca.crt", "").count("BEGIN") == 2

        await until(turning)
        after = await world.kept()
        assert after["tls.crt"] == before["tls.crt"]
        assert after["next.crt"] != before["tls.crt"]
        assert leader.leaf is shown
        live = await world.client.get_object(world.secret)
        assert ROTATE not in (live["metadata"].get("annotations") or {})
        await asyncio.sleep(1)
        assert await world.kept() == after


async def test_what_is_not_ours_is_left_alone_until_it_goes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"metadata": {"name": CONFIG_MAP}, "data": {"ca.crt": "theirs"}}
    await world.client.create(path("v1", "configmaps", world.shop), theirs)
    async with world.replica(leads=True) as (_, keeper):
        await until(lambda: world.told(world.home))
        await asyncio.sleep(3)
        assert await world.told(world.shop) == {"ca.crt": "theirs"}
        await world.client.delete(world.config_map(world.shop))

        async def ours() -> bool:
            return "ca.yaml" in await world.told(world.shop)

        await until(ours)
        await world.client.patch(world.config_map(world.shop), {"data": {"ca.crt": "spoilt"}})

        async def mended() -> bool:
            return "BEGIN" in (await world.told(world.shop))["ca.crt"]

        await until(mended)
        # Whoever takes it over keeps it, also when no Gateway is there any more.
        await world.client.patch(world.config_map(world.shop), {"metadata": {"labels": {names.MANAGED_LABEL: "other"}}})
        monkeypatch.setattr(authority, "_ENDING_SECONDS", 0.0)
        world.places = set()
        keeper.wake.set()
        await asyncio.sleep(2)
        assert await world.told(world.shop)
