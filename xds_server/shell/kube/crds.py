"""Which kinds of the Gateway API a cluster serves, of which release and channel: what its CRDs say of themselves.

In: a watch of CRDs, their metadata alone. Out: rows of `crds`, so that an upgrade shows in the statuses of classes.
Source: Gateway API, annotations of its CRDs (pkg/consts `BundleVersionAnnotation`, `ChannelAnnotation`).
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog

from xds_server.control import Changes, Control, Round
from xds_server.model.kinds import BY_KIND, KINDS
from xds_server.semantics.features import TRUST_BUNDLES, Crd
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.discovery import newest_served
from xds_server.shell.kube.errors import KubeError
from xds_server.shell.kube.watcher import Absent, Changed, Event, Listed, Lost, Removed, Watched, watch

log = structlog.get_logger()

_BUNDLE: Final = "gateway.networking.k8s.io/bundle-version"
_CHANNEL: Final = "gateway.networking.k8s.io/channel"
_KINDS: Final = {f"{row.plural}.{row.group}": row.kind for row in KINDS if row.channel != "core"}
_WATCHED: Final = Watched("apiextensions.k8s.io/v1", "customresourcedefinitions", metadata_only=True)
_TRUST_SECONDS: Final = 60.0
"""How often it is asked whether there are ClusterTrustBundles."""


class _Meta(msgspec.Struct):
    name: str
    annotations: dict[str, str] = {}


class _Object(msgspec.Struct):
    metadata: _Meta


@dataclass(slots=True)
class CrdWatch:
    """Tells the loop."""

    client: KubeClient
    control: Control
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once they have been told, or cannot be read."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once they are in the tables; never, where there are none."""
    _crds: dict[str, Crd] = field(default_factory=dict)
    _told: dict[str, Crd] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(), name="crds-watch")
            group.create_task(self._ask(), name="crds-trust-bundles")

    def __post_init__(self) -> None:
        self.control.watch(self._note)

    def _note(self, round_: Round) -> None:
        if round_.settled.keys(self.control.pipeline.inputs.crds):
            self.settled.set()

    async def _watch(self) -> None:
        async for event in watch(self.client, _WATCHED):
            if self._take(event):
                if not self.known.is_set():
                    await self._find_trust_bundles()
                self._tell()
            self.known.set()

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(_TRUST_SECONDS)
            await self._find_trust_bundles()
            if self._told is not None:
                self._tell()

    async def _find_trust_bundles(self) -> None:
        row = BY_KIND[TRUST_BUNDLES]
        try:
            served = await newest_served(self.client, row.group, row.plural, row.versions)
        except KubeError:
            return
        if served is None:
            self._crds.pop(row.kind, None)
        else:
            self._crds[row.kind] = Crd()

    def _take(self, event: Event) -> bool:
        match event:
            case Listed(items):
                bundles = {kind: one for kind, one in self._crds.items() if kind == TRUST_BUNDLES}
                self._crds = bundles | {kind: one for kind, one in map(_read, items) if kind}
            case Changed(item):
                kind, crd = _read(item)
                if kind:
                    self._crds[kind] = crd
            case Removed(item):
                self._crds.pop(_read(item)[0], None)
            case Lost(reason):
                log.warning("CRDs are not watched", reason=reason)
                return False
            case Absent():
                return False
        return True

    def _tell(self) -> None:
        if self._crds != self._told:
            self._told = dict(self._crds)
            releases = sorted(
                {one.bundle_version or "unknown" for kind, one in self._crds.items() if kind != TRUST_BUNDLES}
            )
            log.info("gateway-api", releases=releases, kinds=len(self._crds))
            self.control.submit(Changes(crds=self._told, partial=True))


def _read(item: bytes) -> tuple[str, Crd]:
    """The kind, empty for one that is none of ours, and what its CRD says."""
    metadata = msgspec.json.decode(item, type=_Object).metadata
    annotations = metadata.annotations
    return _KINDS.get(metadata.name, ""), Crd(annotations.get(_BUNDLE, ""), annotations.get(_CHANNEL, ""))
