"""The loop: batches of changes go in, tables settle, resources are published, streams are woken.

The first change after quiet is published at once; changes that follow are collected for a moment while settling and
sending take place. Streams report back here what Envoys acknowledged and rejected, which becomes input of its own.
Knows the pipeline and the catalog; neither Kubernetes nor files nor gRPC. Only this module settles the graph.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter, time

import structlog

from xds_server.flow.graph import Settled
from xds_server.infra.desired import Provision
from xds_server.model.document import Object
from xds_server.model.meta import Key
from xds_server.pipeline.acks import Report, holds
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.quarantine import Proxies, Quarantine
from xds_server.pipeline.standing import Standing
from xds_server.routing.audience import Audience, Everyone, ForGateway
from xds_server.routing.listener import Bind
from xds_server.semantics.addresses import Placement
from xds_server.semantics.features import Crd
from xds_server.semantics.listener_sets import parent_of
from xds_server.semantics.statuses import Served
from xds_server.xds.catalog import Catalog
from xds_server.xds.events import Acknowledged, Event, Rejected, Returned
from xds_server.xds.node import GATEWAY, Node
from xds_server.xds.progress import Progress
from xds_server.xds.resource import Resource
from xds_server.xds.stream import Response

log = structlog.get_logger()

_STEP_CALLS = 100
"""Function calls after which a long settle lets other tasks run."""
_ROUNDS = 8
"""How often a settle may feed back into inputs within one batch; it needs two or three."""


@dataclass(frozen=True, slots=True)
class Changes:
    """A batch of changed inputs: objects by kind and key, and of Gateways binds, addresses, and what kept them from
    being deployed. It is applied as a whole.
    """

    upserts: tuple[tuple[str, Key, Object], ...] = ()
    removals: tuple[tuple[str, Key], ...] = ()
    binds: Mapping[Key, Bind | None] = field(default_factory=dict)
    placements: Mapping[Key, Placement | None] = field(default_factory=dict)
    provisions: Mapping[Key, Provision | None] = field(default_factory=dict)
    crds: Mapping[str, Crd] | None = None
    """The kinds that the cluster serves, all of them; None for no news."""


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
        self.standing = Standing(self.progress)
        self.ready = asyncio.Event()
        """Set once the first batch has been published."""
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
        self._streams: Counter[tuple[Key, str]] = Counter()
        """Open streams by Gateway and build."""
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
            if pending:
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
            for gateway, bind in changes.binds.items():
                if bind is None:
                    inputs.binds.remove(gateway)
                else:
                    inputs.binds.put(gateway, bind)
            for gateway, placement in changes.placements.items():
                if placement is None:
                    inputs.placements.remove(gateway)
                else:
                    inputs.placements.put(gateway, placement)
            for gateway, provision in changes.provisions.items():
                if provision is None:
                    inputs.provisions.remove(gateway)
                else:
                    inputs.provisions.put(gateway, provision)

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
        self._touched |= touched | set(settled.keys(gateways)) | parents
        for watcher in self._watchers:
            try:
                watcher(Round(settled, seconds, published.serial, len(changes), waited))
            except Exception:  # a watcher only tells people; Envoys come first
                log.exception("telling of a settle failed")

    def _feed_back(self, settled: Settled) -> bool:
        """What a settle means for inputs that only this loop knows. True when another settle is needed."""
        inputs = self.pipeline.inputs
        holds = self.quarantine.refresh(self.pipeline.leaf) if settled.changed else {}
        holds |= self.quarantine.published(self._current)
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
        self.standing.changes += bool(changes)
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
            if ForGateway(node.namespace, node.name) in ended:
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
        if node.kind == GATEWAY and self.pipeline.inputs.kinds["Gateway"].get(Key(node.namespace, node.name)) is None:
            log.warning("envoy of no gateway", node=node.id, gateway=f"{node.namespace}/{node.name}")
        self.standing.opened(stream, time())
        self.progress.opened(stream, node)
        self._streams[Key(node.namespace, node.name), node.build] += node.kind == GATEWAY
        self._report(node)

    def closed(self, stream: int, node: Node) -> None:
        """An Envoy is gone."""
        self._late.pop(stream, None)
        self.standing.closed(stream)
        self.progress.closed(stream, node)
        proxies = (Key(node.namespace, node.name), node.build)
        self._streams[proxies] -= node.kind == GATEWAY
        if node.kind == GATEWAY and self._streams[proxies] <= 0:
            del self._streams[proxies]
            self._found(self.quarantine.left(*proxies))
        self._report(node)

    def synced(self, stream: int, node: Node, serial: int) -> None:
        """An Envoy has everything up to `serial`. During a search that is not yet what the objects mean."""
        if node.kind == GATEWAY and ForGateway(node.namespace, node.name) in self._kept:
            self._late[stream] = (node, serial)
        elif self.progress.synced(stream, node, serial):
            self._report(node)

    def sent(self, stream: int, node: Node, response: Response) -> None:
        """A response is on its way; its answer counts, not that it was sent."""

    def event(self, _: int, node: Node, event: Event) -> None:
        """An Envoy subscribed, acknowledged or rejected."""
        gateway = Key(node.namespace, node.name)
        if node.kind != GATEWAY or not node.build or self.pipeline.inputs.kinds["Gateway"].get(gateway) is None:
            return
        proxies = Proxies(gateway, node.build, event.type)
        changes: Mapping[HoldId, Hold | None] = {}
        if isinstance(event, Acknowledged):
            self.quarantine.removed(proxies, event.removed)
            changes = self.quarantine.acknowledged(proxies, event.resources, self._current)
        elif isinstance(event, Rejected):
            changes = self.quarantine.rejected(proxies, event.resources, self._current, event.detail)
        elif isinstance(event, Returned):
            self.quarantine.returned(proxies, event.without)
        self._found(changes)

    def _found(self, changes: Mapping[HoldId, Hold | None]) -> None:
        """Settles soon where an answer of an Envoy changed what is held."""
        self._keep()
        if self._hold(changes):
            self._urgent = True
            self._woken.set()

    def _current(self, proxies: Proxies, name: str) -> Resource | None:
        gateway = ForGateway(*proxies.gateway)
        audiences = (Everyone(), gateway, gateway._replace(build=proxies.build))
        return self.catalog.view(audiences).get(proxies.type, name)

    def _report(self, node: Node) -> None:
        if node.kind == GATEWAY:
            gateway = Key(node.namespace, node.name)
            if self.pipeline.inputs.kinds["Gateway"].get(gateway) is not None and self._serve(gateway):
                self._woken.set()
