"""What the CRDs of a real cluster say of themselves."""

import asyncio
from typing import Any

from e2e.test_status import until
from xds_server.control import Control
from xds_server.model.kinds import KINDS
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.crds import CrdWatch
from xds_server.shell.kube.watcher import Listed, Watched, watch

CRDS = "apiextensions.k8s.io/v1"
BUNDLE = "gateway.networking.k8s.io/bundle-version"


async def test_they_are_read_and_followed(client: KubeClient) -> None:
    control = Control(build(Options()), batch_seconds=0.02, batch_max_seconds=0.2)
    crds = CrdWatch(client, control)
    tasks = [asyncio.create_task(control.run()), asyncio.create_task(crds.run())]
    where = path(CRDS, "customresourcedefinitions", name="xbackendtrafficpolicies.gateway.networking.x-k8s.io")
    before = (await client.get_object(where))["metadata"]["annotations"][BUNDLE]

    def found() -> Any:
        return dict(control.pipeline.inputs.crds.items())

    try:
        await crds.known.wait()
        await crds.settled.wait()
        assert {row.kind for row in KINDS if row.channel == "standard"} <= found().keys()
        assert found()["XBackendTrafficPolicy"].bundle_version == before
        await client.patch(where, {"metadata": {"annotations": {BUNDLE: "v1.99.0"}}})
        await until(lambda: found()["XBackendTrafficPolicy"].bundle_version == "v1.99.0")
        await client.patch(where, {"metadata": {"annotations": {BUNDLE: before}}})
        await until(lambda: found()["XBackendTrafficPolicy"].bundle_version == before)
    finally:
        await client.patch(where, {"metadata": {"annotations": {BUNDLE: before}}})
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_metadata_alone_is_a_hundredth_of_them(client: KubeClient) -> None:
    sizes = []
    for metadata_only in (True, False):
        events = watch(client, Watched(CRDS, "customresourcedefinitions", metadata_only=metadata_only))
        listed = await anext(events)
        assert isinstance(listed, Listed)
        sizes.append(sum(map(len, listed.items)))
    print(f"{sizes[0]} bytes in place of {sizes[1]}")
    assert sizes[0] * 20 < sizes[1]
