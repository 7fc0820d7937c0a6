"""How far Envoys are with each Gateway and its ListenerSets, on this replica and on all others.

In: what is published, streams that open and close (in `Progress`), what other replicas report. Out: rows of `served`,
and the report of this replica.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from xds_server.model.gateway import Gateway
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Key
from xds_server.pipeline.acks import GatewayAcks, Reached, Report, Revisions, everywhere, rejections
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.semantics.statuses import Served
from xds_server.xds.progress import Progress

_NOTHING: Final = (None, ())


@dataclass(slots=True)
class Standing:
    """`progress` counts revisions of a Gateway, not generations: see `Revisions`."""

    progress: Progress
    ready: Callable[[Key], bool] = lambda _: True
    """Does traffic reach an Envoy of a Gateway, as far as that is known?"""
    changes: int = 0
    """How often something that the report shows may have changed: who is connected, and what they have."""
    _revisions: Revisions = field(default_factory=Revisions)
    _since: dict[int, float] = field(default_factory=dict)
    """When each stream opened, in seconds since 1970."""
    _elsewhere: dict[Key, list[GatewayAcks]] = field(default_factory=dict)
    _reached: dict[Key, Reached] = field(default_factory=dict)
    _shown: dict[Key, tuple[int | None, tuple[tuple[str, int], ...]]] = field(default_factory=dict)
    """What the report showed of each Gateway: the revision that its Envoys here have, and their streams."""

    def published(self, key: Key, row: Gateway, sets: Mapping[Key, ListenerSet], serial: int) -> None:
        """The resources of a Gateway as it is now are in the catalog as of `serial`; `served` is to be asked next."""
        if self._revisions.is_another(key, row):
            self.withdrawn(key)
        self.progress.published(key, self._revisions.of(key, row, sets), serial)

    def withdrawn(self, key: Key) -> None:
        """The Gateway is gone."""
        self.progress.withdrawn(key)
        self._revisions.withdrawn(key)
        self._reached.pop(key, None)
        if self._shown.pop(key, None) is not None:
            self.changes += 1

    def opened(self, stream: int, now: float) -> None:
        """A stream opened, `now` in seconds since 1970."""
        self._since[stream] = now
        self.changes += 1

    def closed(self, stream: int) -> None:
        """A stream ended."""
        self._since.pop(stream, None)
        self.changes += 1

    def regrouped(self) -> None:
        """An Envoy serves other Gateways from now on; some of them may be gone."""
        self.changes += 1

    def elsewhere(self, reports: Collection[Report]) -> set[Key]:
        """What other replicas report now. The Gateways that it is about, and those that it was about before."""
        before = self._elsewhere
        self._elsewhere = {}
        for report in reports:
            for key, acks in report.items():
                self._elsewhere.setdefault(key, []).append(acks)
        return {key for key in before.keys() | self._elsewhere.keys() if before.get(key) != self._elsewhere.get(key)}

    def served(self, key: Key) -> Served:
        """What the Envoys of all replicas have of a Gateway."""
        self._look(key)
        now, before = self._revisions.now(key), self._reached.get(key)
        here = self._revisions.at(key, self.progress.programmed(key))
        others = [_about(now, one) for one in self._elsewhere.get(key, ())]
        before = before.about(now) if before else None
        if any(one.nodes for one in others):
            acks = [_about(now, GatewayAcks(here, self._nodes(key))), *others]
            reached, envoys = everywhere(acks, before)
        else:
            envoys = self.progress.connected(key)
            one = GatewayAcks(here, {"": 0.0}) if envoys else GatewayAcks()
            reached, _ = everywhere([_about(now, one)], before)
        ready = self.ready(key)
        if not ready:
            reached = before
        if reached is None:
            self._reached.pop(key, None)
            return Served(None, envoys, ready=ready)
        self._reached[key] = reached
        return reached.served(envoys, ready=ready)

    def report(self, holds: Iterable[tuple[HoldId, Hold]]) -> Report:
        """What to tell the other replicas: of Gateways that have Envoys here, or of which something was rejected."""
        rejected = rejections(holds)
        keys = {Key(*key) for key in self.progress.gateways()} | rejected.keys()
        found = {}
        for key in sorted(keys):
            here = self._revisions.at(key, self.progress.programmed(key))
            acks = GatewayAcks(here, self._nodes(key), rejected.get(key, ()))
            if acks.nodes or acks.rejections:
                found[str(key)] = acks
        return Report(found)

    def _look(self, key: Key) -> None:
        """Does the report show something else of a Gateway than when this was asked last?"""
        shown = (self.progress.programmed(key), tuple(self.progress.nodes(key)))
        if shown == self._shown.get(key, _NOTHING):
            return
        self.changes += 1
        if shown == _NOTHING:
            del self._shown[key]
        else:
            self._shown[key] = shown

    def _nodes(self, key: Key) -> dict[str, float]:
        return {node: self._since.get(stream, 0.0) for node, stream in self.progress.nodes(key)}


def _about(now: Reached | None, acks: GatewayAcks) -> GatewayAcks:
    """Without what is of objects that are no more."""
    return GatewayAcks(acks.reached.about(now) if acks.reached else None, acks.nodes, acks.rejections)
