"""The same fragments, merged here and by an API server: its dry run of a strategic merge patch says the same."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import yaml

from xds_server.infra.desired import samples
from xds_server.infra.overlay import merge
from xds_server.infra.parameters import KINDS
from xds_server.shell.kube.client import JSON, STRATEGIC, KubeClient, path
from xds_server.shell.kube.errors import ConflictError, NotFoundError
from xds_server.shell.kube.provisioned import MADE

CASES = yaml.safe_load((Path(__file__).parents[1] / "tests/infra/overlays.yaml").read_text())
DRY_RUN = {"dryRun": "All"}


def without_owner(value: dict[str, Any], namespace: str) -> dict[str, Any]:
    """As it may stand in any namespace; nothing runs."""
    metadata = {name: part for name, part in value["metadata"].items() if name != "ownerReferences"}
    return {**value, "metadata": {**metadata, "namespace": namespace}}


def said(answer: bytes) -> dict[str, Any]:
    """What an object says, without bookkeeping."""
    value = msgspec.json.decode(answer)
    kept = {name: value["metadata"].get(name) or {} for name in ("labels", "annotations")}
    kept["annotations"].pop("deployment.kubernetes.io/revision", None)  # by its controller, at any time
    return {name: part for name, part in value.items() if name not in ("status", "metadata")} | {"metadata": kept}


async def merged_twice(
    client: KubeClient, where: str, kind: str, fragment: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ours replaces the object, theirs patches it, both for once only: defaults are set in both."""
    while True:
        live = await client.get_object(where)
        body = msgspec.json.encode(merge(kind, live, fragment))
        try:
            ours = await client.request("PUT", where, params=DRY_RUN, body=body, content_type=JSON)
        except ConflictError:  # a controller wrote its status meanwhile
            continue
        return said(ours), said(await client.patch(where, fragment, content_type=STRATEGIC, params=DRY_RUN))


async def gone(client: KubeClient, where: str) -> None:
    """Waits for it: where a load balancer cleans up, a Service stays for a moment."""
    async with asyncio.timeout(60):
        while True:
            try:
                await client.get(where)
            except NotFoundError:
                return
            await asyncio.sleep(0.1)


async def test_an_api_server_merges_alike(client: KubeClient, namespace: str) -> None:
    differing = []
    for case in CASES:
        made = MADE[KINDS[case["key"]]]
        where = path(made.api_version, made.plural, namespace, "gateway")
        base = without_owner(dict(samples()[case["key"]]), namespace)
        if made.kind == "Deployment":
            base["spec"] = {**base["spec"], "replicas": 0}
        if made.kind == "HorizontalPodAutoscaler":
            base["spec"] = {**base["spec"], "maxReplicas": 1}
        await client.create(path(made.api_version, made.plural, namespace), base)
        try:
            ours, theirs = await merged_twice(client, where, made.kind, case["fragment"])
            if ours != theirs:
                differing.append((case["name"], ours, theirs))
        finally:
            await client.delete(where)
            await gone(client, where)
    assert differing == []
