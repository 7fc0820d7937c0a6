"""What an installation leaves in a cluster, found and removed: what was made for Gateways, what the servers keep for
themselves, and what they said in statuses.

What people made is never touched. An object is removed only as it was found: one that was made anew meanwhile stays.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

import msgspec

from xds_server.infra import names
from xds_server.model.kinds import KINDS, Kind
from xds_server.model.meta import Key
from xds_server.semantics.status_merge import LAYOUTS, Told, is_written_by, manager, merged, released
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.discovery import newest_served
from xds_server.shell.kube.errors import ConflictError, KubeError, NotFoundError
from xds_server.shell.kube.lists import objects
from xds_server.shell.kube.provisioned import MADE, Made
from xds_server.shell.kube.watcher import Watched

Json = Mapping[str, Any]

_TRIES: Final = 5
_RENEWALS: Final = 3
"""More of these after the Deployment's pods have ended are another server's."""
_PAUSE: Final = 0.5


_SECRET: Final = Made("Secret", "v1", "secrets")
_LEASE: Final = Made("Lease", "coordination.k8s.io/v1", "leases")
CLEANED: Final = (*reversed(MADE.values()), Made("ConfigMap", "v1", "configmaps"))
"""What is made for Gateways, those first that look after others."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Which installation: its name and namespace, whose Gateways it serves, and where; no namespaces for everywhere."""

    name: str
    namespace: str
    controller_name: str
    namespaces: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Remnant:
    """Something that is left: an object to be deleted, or one in whose status we said something."""

    kind: str
    key: Key
    where: str
    """The path of the object."""
    uid: str
    status: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class StillServingError(KubeError):
    """A server of the installation is running, and would make everything again."""


async def remnants(client: KubeClient, installed: Installed) -> list[Remnant]:
    """Everything that is left, in the order in which it is removed."""
    found: list[Remnant] = []
    for made in CLEANED:
        found += [one async for one in _made(client, installed, made)]
    for row in KINDS:
        if row.kind in LAYOUTS:
            found += [one async for one in _told(client, installed, row)]
    return found + [one async for one in _own(client, installed)]


async def remove(client: KubeClient, installed: Installed, remnant: Remnant) -> None:
    """Removes one. One that is gone already, or that was made anew meanwhile, is none any more."""
    try:
        if remnant.status:
            await _withdraw(client, installed, remnant)
            return
        options = {"preconditions": {"uid": remnant.uid}, "propagationPolicy": "Background"}
        await client.delete(remnant.where, options)
    except NotFoundError:
        pass
    except ConflictError:
        if remnant.status:
            raise


async def is_deployed(client: KubeClient, installed: Installed) -> bool:
    """Is there a Deployment of servers that `stop` would scale to nothing?"""
    deployment = await _get(client, MADE["Deployment"].path(installed.namespace, installed.name))
    return deployment is not None and deployment["spec"].get("replicas") != 0


async def stop(client: KubeClient, installed: Installed, *, seconds: float = 90.0) -> None:
    """Ends the installation's servers: scales their Deployment to nothing, waits for its pods, and for the Lease.

    Raises StillServingError when a server goes on nevertheless, one outside of the cluster perhaps.
    """
    where = MADE["Deployment"].path(installed.namespace, installed.name)
    if deployment := await _get(client, where):
        await client.patch(where, {"spec": {"replicas": 0}})
        labels = deployment["spec"]["selector"].get("matchLabels") or {}
        await _until_no_pods(client, installed, labels, monotonic() + seconds)
    await _until_nobody_leads(client, installed)


async def _until_no_pods(client: KubeClient, installed: Installed, labels: Json, end: float) -> None:
    pods = Watched("v1", "pods", installed.namespace, ",".join(f"{name}={value}" for name, value in labels.items()))
    while running := [one["metadata"]["name"] for one in await _all(client, pods) if _runs(one)]:
        if monotonic() > end:
            raise StillServingError(f"pods that do not end: {', '.join(running)}")
        await asyncio.sleep(_PAUSE)


def _runs(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


async def _until_nobody_leads(client: KubeClient, installed: Installed) -> None:
    """A leader gives its Lease back when it ends; one that was killed renews it no more."""
    where = _LEASE.path(installed.namespace, installed.name)
    versions: list[str] = []
    since = monotonic()
    while lease := await _get(client, where):
        spec = lease.get("spec") or {}
        holder, version = spec.get("holderIdentity"), lease["metadata"]["resourceVersion"]
        if version not in versions[-1:]:
            versions.append(version)
            since = monotonic()
        if not holder or monotonic() - since > (spec.get("leaseDurationSeconds") or 0):
            return
        if len(versions) > _RENEWALS:
            raise StillServingError(
                f"{holder} serves, outside of Deployment {installed.namespace}/{installed.name}: end it first"
            )
        await asyncio.sleep(_PAUSE)


async def _made(client: KubeClient, installed: Installed, made: Made) -> AsyncIterator[Remnant]:
    """What carries our label, of this installation: by its controllerName, or by the name that it has alone."""
    selector = f"{names.MANAGED_LABEL}={names.MANAGED}"
    label = names.controller(installed.controller_name)
    places = _places(installed) if made.kind != "ConfigMap" else _places(installed, installed.namespace)
    for namespace in places:
        for value in await _all(client, Watched(made.api_version, made.plural, namespace, selector)):
            metadata = value["metadata"]
            ours = (metadata.get("labels") or {}).get(names.CONTROLLER_LABEL) == label
            if names.home(metadata) not in ("", installed.namespace):
                continue
            if ours or (made.kind == "ConfigMap" and _kept_by_servers(installed, metadata)):
                yield _remnant(made, metadata)


def _kept_by_servers(installed: Installed, metadata: Json) -> bool:
    """Is it a ConfigMap for proxies, or one in which a replica tells of its Envoys?"""
    name: str = metadata["name"]
    if name == names.authority_config_map(installed.name):
        return True
    return metadata["namespace"] == installed.namespace and name.startswith(f"{installed.name}-acks-")


async def _own(client: KubeClient, installed: Installed) -> AsyncIterator[Remnant]:
    """The authority's key, and last the Lease, which is nobody's any more."""
    for made, name in ((_SECRET, f"{installed.name}-authority"), (_LEASE, installed.name)):
        if value := await _get(client, made.path(installed.namespace, name)):
            yield _remnant(made, value["metadata"])


async def _told(client: KubeClient, installed: Installed, row: Kind) -> AsyncIterator[Remnant]:
    """The objects of a kind in whose status we said something."""
    api_version = await newest_served(client, row.group, row.plural, row.versions)
    if api_version is None:
        return
    for namespace in _places(installed) if row.namespaced else ("",):
        for value in await _all(client, Watched(api_version, row.plural, namespace)):
            if _without_us(installed, row.kind, value) is not None:
                yield _remnant(Made(row.kind, api_version, row.plural), value["metadata"], status=True)


def _without_us(installed: Installed, kind: str, value: Json) -> Json | None:
    """The status without what we said in it; None where that is nothing."""
    layout, metadata, live = LAYOUTS[kind], value["metadata"], value.get("status") or {}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = Told(installed.controller_name, metadata.get("namespace", ""), now)
    if layout.shared:
        return merged(layout, live, None, told).status
    if not is_written_by(metadata.get("managedFields") or (), manager(installed.controller_name)):
        return None
    return released(layout, live, metadata.get("generation", 0), told).status


async def _withdraw(client: KubeClient, installed: Installed, remnant: Remnant) -> None:
    """Takes back what we said, of the object as it is then; tried again when it changes meanwhile."""
    for tries_left in reversed(range(_TRIES)):
        value = await client.get_object(remnant.where)
        status = _without_us(installed, remnant.kind, value)
        if status is None:
            return
        try:
            await client.request(
                "PUT",
                f"{remnant.where}/status",
                params={"fieldManager": manager(installed.controller_name)},
                body=msgspec.json.encode({**value, "status": status}),
            )
        except ConflictError:
            if not tries_left:
                raise
        else:
            return


def _places(installed: Installed, *more: str) -> Sequence[str]:
    """Where to look for what has a namespace: everywhere, or in those that are served and some more."""
    return sorted({*installed.namespaces, *more}) if installed.namespaces else ("",)


def _remnant(made: Made, metadata: Json, *, status: bool = False) -> Remnant:
    key = Key(metadata.get("namespace", ""), metadata["name"])
    return Remnant(made.kind, key, made.path(*key), metadata["uid"], status)


async def _get(client: KubeClient, where: str) -> dict[str, Any] | None:
    try:
        return await client.get_object(where)
    except NotFoundError:
        return None


async def _all(client: KubeClient, what: Watched) -> list[dict[str, Any]]:
    """All objects. A kind that is not served has none."""
    try:
        return await objects(client, what)
    except NotFoundError:
        return []
