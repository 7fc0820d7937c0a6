"""What Envoys have, told between replicas: each keeps a ConfigMap with its report, and reads those of all others.

Why ConfigMaps: docs/decisions/0017-reports-of-replicas.md. A report is written soon after it changed, and renewed; one
that is renewed no more for a while is of a replica that is gone, and the leader deletes it.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from socket import gethostname
from time import monotonic
from typing import Any, Final

import msgspec
import structlog

from xds_server.control import Control
from xds_server.infra.names import MANAGED, MANAGED_LABEL
from xds_server.pipeline.acks import Report, decoded, encoded
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import ConflictError, KubeError, NotFoundError
from xds_server.shell.kube.watcher import Changed, Event, Listed, Lost, Removed, Watched, watch

log = structlog.get_logger()

LABEL: Final = "xds-server.dev/acks"
RENEWED: Final = "xds-server.dev/renewed"
_KEY: Final = "acks.json"
_MOST_BYTES: Final = 900_000
"""etcd takes a little more than a mebibyte."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds."""

    quiet: float = 0.2
    renew: float = 10.0
    dead: float = 30.0
    withdraw: float = 2.0


class _Meta(msgspec.Struct):
    name: str
    uid: str = ""


class _ConfigMap(msgspec.Struct):
    metadata: _Meta
    data: dict[str, str] = {}


async def own_pod(client: KubeClient, namespace: str) -> dict[str, Any] | None:
    """An ownerReference to the pod that this runs in; None outside of a cluster."""
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return None
    name = gethostname()
    try:
        pod = await client.get_object(path("v1", "pods", namespace, name))
    except KubeError as error:
        log.info("own pod not found", name=name, reason=str(error))
        return None
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": pod["metadata"]["uid"]}


@dataclass(slots=True)
class _Other:
    """Another replica's report, when it was last seen, and whether its ConfigMap is still there."""

    report: Report
    uid: str
    seen: float
    gone: bool = False


@dataclass(slots=True)
class AckExchange:
    """One replica's part in it."""

    client: KubeClient
    control: Control
    namespace: str
    name: str
    identity: str
    leading: Callable[[], bool]
    times: Times = Times()
    writes: int = 0
    """Of the own report, so far."""
    _owner: Mapping[str, Any] | None = None
    _others: dict[str, _Other] = field(default_factory=dict)
    _deaf: bool = False
    """Nothing is heard now: silence says nothing of others."""
    _told: list[Report] = field(default_factory=list)

    async def run(self) -> None:
        """Until cancelled. The own report goes then, its Envoys are about to connect elsewhere."""
        self._owner = await own_pod(self.client, self.namespace)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._publish(), name="acks-publish")
                group.create_task(self._listen(), name="acks-listen")
                group.create_task(self._expire(), name="acks-expire")
        finally:
            await self._withdraw()

    @property
    def _own(self) -> str:
        return f"{self.name}-acks-{self.identity}"

    def _where(self, name: str) -> str:
        return path("v1", "configmaps", self.namespace, name)

    async def _publish(self) -> None:
        seen, text, at, trouble = -1, "", float("-inf"), False
        while True:
            changes = self.control.standing.changes
            now = encoded(self.control.report()) if changes != seen else text
            if now != text or monotonic() > at + self.times.renew:
                try:
                    await self._write(now)
                except KubeError as error:
                    if not trouble:
                        log.warning("report to other replicas not written", reason=str(error))
                    trouble, changes = True, -1
                    await asyncio.sleep(1)
                else:
                    text, at, trouble = now, monotonic(), False
            seen = changes
            await asyncio.sleep(self.times.quiet)

    async def _write(self, text: str) -> None:
        if len(text.encode()) > _MOST_BYTES:
            log.error("report to other replicas too long: they are told nothing", bytes=len(text.encode()))
            text = encoded(Report())
        renewed = datetime.now(UTC).isoformat(timespec="seconds")
        metadata = {
            "name": self._own,
            "labels": {LABEL: self.name, MANAGED_LABEL: MANAGED},
            "annotations": {RENEWED: renewed},
            **({"ownerReferences": [dict(self._owner)]} if self._owner else {}),
        }
        value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_KEY: text}}
        await self.client.apply(self._where(self._own), value, manager=self.name)
        self.writes += 1

    async def _withdraw(self) -> None:
        try:
            async with asyncio.timeout(self.times.withdraw):
                await self.client.delete(self._where(self._own))
        except (KubeError, TimeoutError):
            pass

    async def _listen(self) -> None:
        watched = Watched("v1", "configmaps", self.namespace, label_selector=f"{LABEL}={self.name}")
        async for event in watch(self.client, watched):
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Lost):
            self._deaf = True
            return
        if self._deaf:
            self._deaf = False
            for other in self._others.values():
                other.seen = monotonic()
        match event:
            case Listed(items):
                heard = {name for item in items if (name := self._hear(item))}
                for name in self._others.keys() - heard:
                    self._leave(name)
            case Changed(item):
                self._hear(item)
            case Removed(item):
                self._leave(msgspec.json.decode(item, type=_ConfigMap).metadata.name)
            case _:
                return
        self._tell()

    def _hear(self, item: bytes) -> str:
        found = msgspec.json.decode(item, type=_ConfigMap)
        name = found.metadata.name
        if name == self._own:
            return ""
        report = decoded(found.data.get(_KEY, ""))
        if report is None:
            log.warning("report of another replica not readable", name=name)
            report = Report()
        self._others[name] = _Other(report, found.metadata.uid, monotonic())
        return name

    def _leave(self, name: str) -> None:
        """What its Envoys rejected counts for a while: they are about to say it elsewhere."""
        if (other := self._others.get(name)) is not None and not other.gone:
            self._others[name] = _Other(other.report.silenced(), other.uid, monotonic(), gone=True)

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(self.times.dead / 30)
            if self._deaf:
                continue
            late = monotonic() - self.times.dead
            for name, other in list(self._others.items()):
                if other.seen < late:
                    if not other.gone and self.leading():
                        log.info("report of a replica that is gone", name=name)
                        await self._prune(name, other)
                    self._others.pop(name, None)
            self._tell()

    async def _prune(self, name: str, other: _Other) -> None:
        try:
            await self.client.delete(self._where(name), {"preconditions": {"uid": other.uid}})
        except (NotFoundError, ConflictError):
            pass
        except KubeError as error:
            log.info("report of a replica that is gone not deleted", name=name, reason=str(error))

    def _tell(self) -> None:
        now = [other.report for _, other in sorted(self._others.items())]
        if now != self._told:
            self._told = now
            self.control.elsewhere(now)
