"""The loop: batches of changes go in, tables settle, resources are published, streams are woken.

The first change after quiet is published at once; changes that follow are collected for a moment while settling and
sending take place. Streams report back here what Envoys acknowledged and rejected, which becomes input of its own.
Knows the pipeline and the catalog; neither Kubernetes nor files nor gRPC. Only this module settles the graph.
"""

import asyncio
import gc
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter, time
from typing import Any

import structlog

from xds_server.flow.graph import Settled
from xds_server.flow.table import Input
from xds_server.infra.desired import Provision
from xds_server.model.document import Object
from xds_server.model.meta import Key
from xds_server.pipeline.acks import Report, holds
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.quarantine import Proxies, Quarantine
from xds_server.pipeline.shared_proxies import SharedProxies
from xds_server.pipeline.standing import Standing
from xds_server.routing.audience import Audience, ForGateway
from xds_server.routing.listener import Bind
from xds_server.semantics.addresses import Placement
from xds_server.semantics.features import Crd
from xds_server.semantics.listener_sets import parent_of
from xds_server.semantics.statuses import Served, Trouble
from xds_server.xds.catalog import Catalog
from xds_server.xds.events import Acknowledged, Event, Rejected, Returned
from xds_server.xds.node import Node
from xds_server.xds.progress import Progress
from xds_server.xds.stream import Response

log = structlog.get_logger()

_STEP_CALLS = 100
"""Function calls after which a long settle lets other tasks run."""
_ROUNDS = 8
"""How often a settle may feed back into inputs within one batch; it needs two or three."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A batch of changed inputs: objects by kind and key, and of Gateways binds, addresses, what kept them from
    being deployed, and what keeps pods of theirs from being made. It is applied as a whole.
    """

    upserts: tuple[tuple[str, Key, Object], ...] = ()
    removals: tuple[tuple[str, Key], ...] = ()
    binds: Mapping[Key, Bind | None] = field(default_factory=dict)
    placements: Mapping[Key, Placement | None] = field(default_factory=dict)
    provisions: Mapping[Key, Provision | None] = field(default_factory=dict)
    rollouts: Mapping[Key, Trouble | None] = field(default_factory=dict)
    crds: Mapping[str, Crd] | None = None
    """The kinds that the cluster serves, all of them; None for no news."""
    partial: bool = False
    """It says little of what there is: if it comes first, nothing may be told before another batch."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one settle came to; given to whoever watches the loop."""

    settled: Settled
    seconds: float
    serial: int
    resources: int
    waited: float = 0.0
    """Seconds from the first change of its batch until it began."""


class Control:
    """The only writer of inputs and the only caller of settle. All methods are called in one event loop."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        batch_seconds: float,
        batch_max_seconds: float,
    ) -> None:
        self.pipeline = pipeline
        self.catalog = Catalog()
        self.quarantine = Quarantine()
        self.progress = Progress()
        self.standing = Standing(self.progress, pipeline.places.ready)
        self.shared = SharedProxies(self.catalog)
        self.ready = asyncio.Event()
        """Set once the first batch that is not partial has been published."""
        self.resting = asyncio.Event()
        """Set while no settle is under way, and none is left that must follow: rows are what they will be."""
        self.wake: Callable[[Collection[Audience]], None] = lambda _: None
        """Told for whom a publish changed something."""
        self._batch_seconds = batch_seconds
        self._batch_max_seconds = batch_max_seconds
        self._pending: list[Changes] = []
        self._pending_since = 0.0
        self._touched: set[Key] = set()
        self._served: dict[Key, Served] = {}
        """What the pipeline was told last, settled or not."""
        self._kept: frozenset[ForGateway] = frozenset()
        self._late: dict[int, tuple[Node, int]] = {}
        """By stream: how far in sync it said to be while a search went on."""
        self._urgent = False
        self._lost = False
        """Changes of a settle that failed may not be published: the next one publishes everything."""
        self._woken = asyncio.Event()
        self._watchers: list[Callable[[Round], None]] = []

    def watch(self, watcher: Callable[[Round], None]) -> None:
        """Calls `watcher` after every settle, in the loop."""
        self._watchers.append(watcher)

    def tick(self, minute: int) -> None:
        """Tells what time it is, in minutes since 1970."""
        self.pipeline.inputs.tell_time(minute)
        self._woken.set()

    def elsewhere(self, reports: Collection[Report]) -> None:
        """What other replicas say of their Envoys, all of them; it replaces what they said before."""
        inputs = self.pipeline.inputs
        inputs.reported.replace(holds(reports))
        for gateway in self.standing.elsewhere(reports):
            if inputs.kinds["Gateway"].get(gateway) is not None:
                self._serve(gateway)
        self._woken.set()

    def report(self) -> Report:
        """What to tell the other replicas; new whenever `standing.changes` is."""
        return self.standing.report(self.pipeline.inputs.holds.items())

    def submit(self, changes: Changes) -> None:
        """Adds a batch; it is applied as a whole, soon."""
        if not self._pending:
            self._pending_since = monotonic()
        self._pending.append(changes)
        self._woken.set()

    async def run(self) -> None:
        """Settles and publishes until cancelled. A fault of ours is told and costs one settle, not the service."""
        last = float("-inf")
        while True:
            await self._woken.wait()
            if monotonic() - last < self._batch_seconds:
                await self._collect()
            self._woken.clear()
            try:
                await self._settle()
            except Exception:  # whatever it is, Envoys are served on with what there is
                log.exception("settling failed")
                self._lost = True
            last = monotonic()

    async def _collect(self) -> None:
        """Waits until nothing came for a moment, or for the longest a batch may take; not while Envoys wait."""
        deadline = monotonic() + self._batch_max_seconds
        while monotonic() < deadline and not self._urgent:
            self._woken.clear()
            try:
                await asyncio.wait_for(self._woken.wait(), self._batch_seconds)
            except TimeoutError:
                return

    async def _settle(self) -> None:
        self.resting.clear()
        try:
            await self._settle_all()
        finally:
            self.resting.set()

    async def _settle_all(self) -> None:
        pending, self._pending, self._urgent = self._pending, [], False
        since = self._pending_since if pending else monotonic()
        self._apply(pending)
        for _ in range(_ROUNDS):
            waited, started = monotonic() - since, perf_counter()
            self.quarantine.settling()
            await self._steps()
            settled = self.pipeline.graph.last
            self._publish(settled, perf_counter() - started, waited)
            if any(not one.partial for one in pending):
                self.ready.set()
            if not self._feed_back(settled):
                return
        log.warning("settling did not come to rest", rounds=_ROUNDS)
        self._woken.set()

    async def _steps(self) -> None:
        """Settles with pauses for other tasks. While nothing is served yet the cycle collector is off: everything
        that a cold start makes stays, and looking through it again and again doubles its time.
        """
        collect = self.ready.is_set() or not gc.isenabled()
        if not collect:
            gc.disable()
        try:
            for _ in self.pipeline.graph.steps(_STEP_CALLS):
                await asyncio.sleep(0)
        finally:
            if not collect:
                gc.enable()

    def _apply(self, pending: Iterable[Changes]) -> None:
        inputs = self.pipeline.inputs
        for changes in pending:
            for kind, key in changes.removals:
                inputs.remove(kind, key)
            for kind, key, value in changes.upserts:
                inputs.put(kind, key, value)
            if changes.crds is not None:
                inputs.crds.replace(changes.crds)
            told: tuple[tuple[Input[Key, Any], Mapping[Key, Any]], ...] = (
                (inputs.binds, changes.binds),
                (inputs.placements, changes.placements),
                (inputs.provisions, changes.provisions),
                (inputs.rollouts, changes.rollouts),
            )
            for table, rows in told:
                for gateway, row in rows.items():
                    if row is None:
                        table.remove(gateway)
                    else:
                        table.put(gateway, row)

    def _publish(self, settled: Settled, seconds: float, waited: float) -> None:
        publisher = self.pipeline.publisher
        changes = publisher.everything() if self._lost else publisher.changes(settled)
        published = self.catalog.publish(changes)
        self._lost = False
        if published.audiences:
            self.wake(published.audiences)
        touched = {Key(one.namespace, one.name) for one in published.audiences if isinstance(one, ForGateway)}
        gateways = self.pipeline.inputs.kinds["Gateway"]
        sets = self.pipeline.inputs.kinds["ListenerSet"]
        changed = ((key, sets.get(key)) for key in settled.keys(sets))
        parents = {parent for key, set_ in changed if set_ is not None and (parent := parent_of(key, set_))}
        self.standing.changes += bool(settled.keys(self.pipeline.inputs.holds))  # from now on the report shows them
        self._touched |= touched | set(settled.keys(gateways)) | parents | self.pipeline.places.moved(settled)
        for watcher in self._watchers:
            try:
                watcher(Round(settled, seconds, published.serial, len(changes), waited))
            except Exception:  # a watcher only tells people; Envoys come first
                log.exception("telling of a settle failed")

    def _feed_back(self, settled: Settled) -> bool:
        """What a settle means for inputs that only this loop knows. True when another settle is needed."""
        inputs = self.pipeline.inputs
        holds = self.quarantine.refresh(self.pipeline.leaf) if settled.changed else {}
        holds |= self.quarantine.published(self.shared.current)
        touched, self._touched = self._touched, set()
        answered: set[Key] = set()
        for key in touched:
            gateway = inputs.kinds["Gateway"].get(key)
            if gateway is None:
                self.standing.withdrawn(key)
                holds |= self.quarantine.forget(key)
                self._served.pop(key, None)
                inputs.served.remove(key)
            else:
                sets = self.pipeline.tables.world.listener_sets_by_gateway
                found = dict(zip(sets.keys(key), sets.rows(key), strict=True))
                self.standing.published(key, gateway, found, self.catalog.serial)
                answered.add(key)
        changed = self._hold(holds)
        self._keep()
        for key in answered:
            changed |= self._serve(key)
        return changed

    def _hold(self, changes: Mapping[HoldId, Hold | None]) -> bool:
        for id_, hold in changes.items():
            if hold is None:
                self.pipeline.inputs.holds.remove(id_)
            else:
                self.pipeline.inputs.holds.put(id_, hold)
        return bool(changes)

    def _keep(self) -> None:
        """While a search goes on, what stands in may name clusters that nothing else names any more: they stay."""
        searched = frozenset(ForGateway(*gateway) for gateway in self.quarantine.searched())
        if searched == self._kept:
            return
        ended, self._kept = self._kept - searched, searched
        self.catalog.keep(searched)
        if not ended:
            return
        for stream, (node, serial) in list(self._late.items()):
            if not ended.isdisjoint(ForGateway(*gateway) for gateway in node.speaks_for):
                del self._late[stream]
                self.synced(stream, node, serial)
        self.wake(ended)

    def _serve(self, gateway: Key) -> bool:
        """Tells the pipeline what Envoys have of a Gateway; True when that is new."""
        served = self.standing.served(gateway)
        if self._served.get(gateway) == served:
            return False
        self._served[gateway] = served
        self.pipeline.inputs.served.put(gateway, served)
        return True

    # What streams report (shell.serve.observer.Observer).

    def opened(self, stream: int, node: Node) -> None:
        """An Envoy connected."""
        for gateway in node.serves:
            if self.pipeline.inputs.kinds["Gateway"].get(gateway) is None:
                log.warning("envoy of no gateway", node=node.id, gateway=str(gateway))
        self.standing.opened(stream, time())
        self.progress.opened(stream, node)
        self.shared.came(node)
        self._report(node.speaks_for)

    def closed(self, stream: int, node: Node) -> None:
        """An Envoy is gone."""
        self._late.pop(stream, None)
        self.standing.closed(stream)
        self.progress.closed(stream, node)
        self._gone(node)
        self._report(node.speaks_for)

    def regrouped(self, stream: int, before: Node, node: Node) -> None:
        """An Envoy serves other Gateways from now on, or drains."""
        self._late.pop(stream, None)
        self.standing.regrouped()
        self.progress.regrouped(stream, before, node)
        self.shared.came(node)
        self._gone(before)
        self._report({*before.speaks_for, *node.speaks_for})

    def synced(self, stream: int, node: Node, serial: int) -> None:
        """An Envoy has everything up to `serial`. During a search that is not yet what the objects mean."""
        searched = [gateway for gateway in node.speaks_for if ForGateway(*gateway) in self._kept]
        if searched:
            self._late[stream] = (node, serial)
        if self.progress.synced(stream, node, serial, searched):
            self._report(node.speaks_for)

    def sent(self, stream: int, node: Node, response: Response) -> None:
        """A response is on its way; its answer counts, not that it was sent."""

    def event(self, _: int, node: Node, event: Event) -> None:
        """An Envoy subscribed, acknowledged or rejected. Each Gateway that it serves is told of what is its own."""
        changes: dict[HoldId, Hold | None] = {}
        for gateway in node.speaks_for if node.build else ():
            if self.pipeline.inputs.kinds["Gateway"].get(gateway) is None:
                continue
            proxies = Proxies(gateway, node.build, event.type)
            if isinstance(event, Acknowledged):
                self.quarantine.removed(proxies, event.removed)
                changes |= self.quarantine.acknowledged(
                    proxies, self.shared.own(proxies, node, event), self.shared.current
                )
            elif isinstance(event, Rejected):
                own = self.shared.own(proxies, node, event)
                changes |= self.quarantine.rejected(proxies, own, self.shared.current, event.detail)
            elif isinstance(event, Returned):
                self.quarantine.returned(proxies, event.without)
        self._found(changes)

    def _gone(self, node: Node) -> None:
        for proxies in self.shared.went(node):
            self._found(self.quarantine.left(*proxies))

    def _found(self, changes: Mapping[HoldId, Hold | None]) -> None:
        """Settles soon where an answer of an Envoy changed what is held."""
        self._keep()
        if self._hold(changes):
            self._urgent = True
            self._woken.set()

    def _report(self, gateways: Iterable[Key]) -> None:
        for gateway in gateways:
            if self.pipeline.inputs.kinds["Gateway"].get(gateway) is not None and self._serve(gateway):
                self._woken.set()
