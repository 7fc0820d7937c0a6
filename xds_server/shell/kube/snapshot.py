"""Everything of KINDS that a cluster has, read once: for verbs that tell people about it.

A kind that the cluster does not serve has no objects. One that may not be listed is told apart from that: what
depends on it is not known.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from xds_server.model.document import Fault, Object
from xds_server.model.kinds import KINDS, Kind
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.decode import Decoder, head
from xds_server.shell.kube.discovery import newest_served
from xds_server.shell.kube.errors import ForbiddenError
from xds_server.shell.kube.lists import listed
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.kube.source import SELECTORS
from xds_server.shell.kube.watcher import Watched

_GATEWAY_API = "GatewayClass"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is. `live` has the statuses, `absent` are kinds that the cluster does not serve."""

    server: str
    objects: Sequence[Object]
    faults: Sequence[Fault]
    """Objects that cannot be read."""
    live: LiveObjects
    absent: Sequence[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    """The kinds that may not be listed, or in one namespace alone; in the server's words."""
    unlisted: Collection[str] = ()
    """Those of them of which nothing at all may be listed."""

    @property
    def has_gateway_api(self) -> bool:
        """Are its CRDs there?"""
        return _GATEWAY_API not in self.absent


async def snapshot(client: KubeClient, namespace: str = "") -> Snapshot:
    """Reads a cluster; where that is not allowed, what there is in a namespace. Raises KubeError where the server does
    not answer, or takes us for nobody.
    """
    live = LiveObjects()
    found = await asyncio.gather(*(_kind(client, row, live, namespace) for row in KINDS))
    return Snapshot(
        server=client.server,
        objects=tuple(value for one in found for value in one.values or () if not isinstance(value, Fault)),
        faults=tuple(value for one in found for value in one.values or () if isinstance(value, Fault)),
        live=live,
        absent=tuple(one.kind for one in found if one.absent),
        refused={one.kind: one.refused for one in found if one.refused},
        unlisted=tuple(one.kind for one in found if one.values is None),
    )


@dataclass(frozen=True, slots=True)
class _OfKind:
    kind: str
    values: Sequence[Object | Fault] | None = ()
    """None: nothing of it may be listed."""
    absent: bool = False
    refused: str = ""


async def _kind(client: KubeClient, row: Kind, live: LiveObjects, namespace: str) -> _OfKind:
    api_version = await newest_served(client, row.group, row.plural, row.versions)
    if api_version is None:
        return _OfKind(row.kind, absent=True)
    raws, refused = await _raws(client, row, api_version, namespace)
    live.serve(row.kind, api_version)
    if raws is None:
        return _OfKind(row.kind, None, refused=refused)
    decoder = Decoder(row, api_version)
    for raw in raws:
        live.note(row.kind, head(raw))
    return _OfKind(row.kind, [decoder.decode(raw) for raw in raws], refused=refused)


async def _raws(client: KubeClient, row: Kind, api_version: str, namespace: str) -> tuple[Sequence[bytes] | None, str]:
    """What there is, None where none of it may be listed; and why that is not all."""
    selectors = SELECTORS.get(row.kind, ("", ""))
    refused = ""
    for place in ("", namespace) if row.namespaced and namespace else ("",):
        try:
            return await listed(client, Watched(api_version, row.plural, place, *selectors)), refused
        except ForbiddenError as error:
            if error.code == HTTPStatus.UNAUTHORIZED:
                raise
            refused = refused or str(error)
    return None, refused
