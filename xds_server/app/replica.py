"""One replica among others: who leads, what Envoys of all have, the statuses that the leader writes."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from prometheus_client import CollectorRegistry

from xds_server.control import Control
from xds_server.model.document import Fault
from xds_server.model.meta import Key, ObjectRef
from xds_server.semantics.checks.check import Check
from xds_server.semantics.status_merge import LAYOUTS
from xds_server.settings import ServeSettings
from xds_server.shell.kube import leader
from xds_server.shell.kube.acks import AckExchange
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.crds import CrdWatch
from xds_server.shell.kube.events import Events, Note, worth
from xds_server.shell.kube.leader import Alone, Duty, Election, Leadership
from xds_server.shell.kube.metrics import StatusMetrics
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.kube.status import StatusWriter

_KNOWN_SECONDS: Final = 5.0
_SETTLE_SECONDS: Final = 0.3
"""After which what was told last is in the tables, or a settle is under way, which is waited for."""


@dataclass(frozen=True, slots=True)
class Replica:
    """Built by `replica`."""

    leadership: Leadership
    statuses: StatusWriter
    acks: AckExchange | None
    crds: CrdWatch
    events: Events
    source: KubeSource

    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs whether it leads or not."""
        return {"crds": self.crds.run(), **({"acks": self.acks.run()} if self.acks else {})}

    def duties(self, deployed: asyncio.Event) -> dict[str, Duty]:
        """What runs while it leads. `deployed` is set once it is known what keeps Gateways from being deployed."""
        return {"statuses": partial(self._write_statuses, deployed), "events": self.events.run}

    def verdict(self, about: ObjectRef, checks: Sequence[Check], message: str) -> None:
        """Something of an object has turned bad."""
        found, live = worth(checks, message), self.source.live.get(about.kind, about.key)
        if found is not None and live is not None:
            reason, code = found
            self.events.note(Note(about, live.uid, reason, f"{message} ({code})"))

    def deployment(self, gateway: Key, uid: str, reason: str, text: str) -> None:
        """Something keeps a Gateway from being deployed."""
        self.events.note(Note(ObjectRef("Gateway", *gateway), uid, reason, text))

    async def _write_statuses(self, deployed: asyncio.Event) -> None:
        """Not before it is known what the CRDs are and how deployments are: much would be told twice. But for one that
        cannot be known nothing else waits.
        """
        for known in (self.crds.known, self.crds.settled, deployed):
            with suppress(TimeoutError):
                async with asyncio.timeout(_KNOWN_SECONDS):
                    await known.wait()
        await asyncio.sleep(_SETTLE_SECONDS)
        await self.statuses.run()


def replica(
    settings: ServeSettings, client: KubeClient, control: Control, source: KubeSource, registry: CollectorRegistry
) -> Replica:
    """A replica that is told of everything else. Without an election it is the only one, and nobody is to be told."""
    leadership: Leadership = Alone(settings.identity)
    if settings.leader_elect:
        leadership = Election(client, settings.namespace, settings.name, settings.identity)
    leader.measure(registry, leadership)

    def leading() -> bool:
        return leadership.leading

    statuses = StatusWriter(client, control, source.live, controller_name=settings.controller_name, leading=leading)
    told = StatusMetrics(registry)
    told.wait(statuses.queue, statuses.contests)
    statuses.wrote = told.wrote
    statuses.settles = lambda id_: id_[0] == "Gateway" and control.pipeline.places.settles(id_[1])
    acks = AckExchange(client, control, settings.namespace, settings.name, settings.identity, leading)
    events = Events(client, settings.controller_name, settings.identity, source.live.served, settings.namespaces)
    statuses.notice = lambda id_, uid, reason, text: events.note(Note(ObjectRef(id_[0], *id_[1]), uid, reason, text))
    statuses.fault = source.fault
    source.faulted = partial(_faulted, statuses, events)
    others = acks if settings.leader_elect else None
    return Replica(leadership, statuses, others, CrdWatch(client, control), events, source)


def _faulted(statuses: StatusWriter, events: Events, about: ObjectRef, uid: str, fault: Fault | None) -> None:
    """An object cannot be read, or can again: its status says so, an Event where it has none."""
    if about.kind in LAYOUTS:
        statuses.look_at(about.kind, about.key)
    elif fault is not None:
        events.note(Note(about, uid, "NotReadable", f"{fault.field} {fault.reason}".strip()))
