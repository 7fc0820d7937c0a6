"""The cluster as a source of objects, with a real API server: what is told, when, and what stays through faults."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from e2e.faults import fault
from xds_server.control import Changes
from xds_server.model.kinds import GATEWAY_GROUP, KINDS
from xds_server.model.meta import Key
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import NotFoundError
from xds_server.shell.kube.source import KubeSource

ROUTES = f"{GATEWAY_GROUP}/v1"
CRDS = "apiextensions.k8s.io/v1"
POLICIES = ("gateway.networking.x-k8s.io/v1alpha1", "xtelemetrypolicies")


class Followed:
    """A source that is running, and what it told."""

    def __init__(self, source: KubeSource, batches: list[Changes]) -> None:
        self.source = source
        self.batches = batches

    def now(self) -> dict[tuple[str, Key], Any]:
        """The world as it was told."""
        world: dict[tuple[str, Key], Any] = {}
        for batch in self.batches:
            for kind, key in batch.removals:
                world.pop((kind, key), None)
            world.update({(kind, key): value for kind, key, value in batch.upserts})
        return world

    async def until(self, what: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"not within {seconds} s; disturbed: {self.source.disturbed()}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def followed(client: KubeClient, *namespaces: str) -> AsyncIterator[Followed]:
    batches: list[Changes] = []
    source = KubeSource(client, batches.append, namespaces)
    task = asyncio.create_task(source.run())
    try:
        found = Followed(source, batches)
        await found.until(lambda: not source.unready())
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def route(name: str, namespace: str, path_: str = "/") -> dict[str, Any]:
    return {
        "apiVersion": ROUTES,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"rules": [{"matches": [{"path": {"value": path_}}]}]},
    }


async def test_everything_that_there_is_comes_as_one_batch(client: KubeClient, namespace: str) -> None:
    for index in range(3):
        await client.create(path(ROUTES, "httproutes", namespace), route(f"r{index}", namespace))
    async with followed(client) as it:
        kinds = {kind for kind, _, _ in it.batches[0].upserts}
        assert {"Service", "EndpointSlice", "Namespace", "HTTPRoute"} <= kinds <= {row.kind for row in KINDS}
        told = {(kind, key) for kind, key, _ in it.batches[0].upserts}
        assert {("HTTPRoute", Key(namespace, f"r{index}")) for index in range(3)} <= told


async def test_changes_are_told_and_a_status_is_no_change(client: KubeClient, namespace: str) -> None:
    id_ = ("HTTPRoute", Key(namespace, "one"))
    async with followed(client) as it:
        await client.create(path(ROUTES, "httproutes", namespace), route("one", namespace))
        await it.until(lambda: id_ in it.now())
        first = it.now()[id_]
        status = {"status": {"parents": []}}
        await client.patch(path(ROUTES, "httproutes", namespace, "one", "status"), status)
        await client.patch(path(ROUTES, "httproutes", namespace, "one"), {"metadata": {"labels": {"a": "b"}}})
        await it.until(lambda: it.now()[id_].metadata.labels == {"a": "b"})
        own = [value for batch in it.batches for kind, key, value in batch.upserts if (kind, key) == id_]
        assert own[1] == first
        live = it.source.live.get(*id_)
        assert live is not None
        assert live.status == b'{"parents":[]}'
        await client.delete(path(ROUTES, "httproutes", namespace, "one"))
        await it.until(lambda: id_ not in it.now())
        assert it.source.live.get(*id_) is None


async def test_one_namespace_can_be_watched_alone(client: KubeClient, namespace: str) -> None:
    await client.create(path(ROUTES, "httproutes", namespace), route("one", namespace))
    async with followed(client, namespace) as it:
        namespaced = {key.namespace for (kind, key) in it.now() if kind in ("Service", "HTTPRoute", "ConfigMap")}
        assert namespaced == {namespace}


async def test_a_list_longer_than_a_chunk_is_whole(client: KubeClient, namespace: str) -> None:
    where = path("v1", "configmaps", namespace)
    await asyncio.gather(*(client.create(where, {"metadata": {"name": f"c{index}"}}) for index in range(520)))
    async with followed(client, namespace) as it:
        assert sum(kind == "ConfigMap" for kind, _ in it.now()) >= 520


async def test_objects_stay_when_their_crd_goes_and_it_is_picked_up_again(client: KubeClient, namespace: str) -> None:
    where = path(CRDS, "customresourcedefinitions", name="xtelemetrypolicies.gateway.networking.x-k8s.io")
    crd = await client.get_object(where)
    policy = {
        "apiVersion": POLICIES[0],
        "kind": "XTelemetryPolicy",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {
            "targetRefs": [{"group": GATEWAY_GROUP, "kind": "Gateway", "name": "gw"}],
            "tracing": {"mode": "Enabled", "provider": {"backendRef": {"name": "otel", "port": 4317}}},
        },
    }
    id_ = ("XTelemetryPolicy", Key(namespace, "one"))
    await client.create(path(*POLICIES, namespace), policy)
    async with followed(client) as it:
        assert id_ in it.now()
        try:
            await client.delete(where)
            await it.until(lambda: "xtelemetrypolicies" in it.source.disturbed())
            assert id_ in it.now()
        finally:
            await _put_back(client, where, crd)
        await it.until(lambda: "xtelemetrypolicies" not in it.source.disturbed())
        await asyncio.sleep(1)
        assert id_ in it.now()
        changed = {**policy, "metadata": {**policy["metadata"], "labels": {"back": "yes"}}}
        await client.create(path(*POLICIES, namespace), changed)
        await it.until(lambda: it.now()[id_].metadata.labels == {"back": "yes"})
        await client.delete(path(*POLICIES, namespace, "one"))
        await it.until(lambda: id_ not in it.now())


async def _put_back(client: KubeClient, where: str, crd: dict[str, Any]) -> None:
    for _ in range(600):
        try:
            await client.get(where)
        except NotFoundError:
            break
        await asyncio.sleep(0.1)
    metadata = {key: crd["metadata"][key] for key in ("name", "labels", "annotations") if key in crd["metadata"]}
    body = {"apiVersion": CRDS, "kind": "CustomResourceDefinition", "metadata": metadata, "spec": crd["spec"]}
    await client.create(path(CRDS, "customresourcedefinitions"), body)


async def test_what_a_forgotten_past_hid_is_found_by_a_new_list(client: KubeClient, namespace: str) -> None:
    where = path(ROUTES, "httproutes", namespace)
    await client.create(where, route("stays", namespace))
    await client.create(where, route("goes", namespace))
    stays, goes, comes = (("HTTPRoute", Key(namespace, name)) for name in ("stays", "goes", "comes"))
    async with followed(client) as it:
        before = len(it.batches)
        fault("stop", "kube-apiserver")
        fault("compact")
        fault("start", "kube-apiserver")
        await _answers(client)
        await client.delete(f"{where}/goes")
        await client.create(where, route("comes", namespace))
        await it.until(lambda: comes in it.now() and goes not in it.now(), 120)
        assert stays in it.now()
        assert not any((kind, key) == stays for batch in it.batches[before:] for kind, key in batch.removals)


async def _answers(client: KubeClient) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                await client.get("/readyz")
            except Exception:  # noqa: BLE001 (whatever keeps it from answering)
                await asyncio.sleep(0.2)
            else:
                return
