"""Draining: what a client sees whose pod is about to end.

In: a View, the time. Out: the same View, but for its listeners: at first they bear a mark, by which Envoy lets go of
the connections that it has and still takes new ones; those it lets go by the next mark. After `Limits.drain_seconds`
the listeners are gone, and it takes no more. Listeners of datagrams have no connections, and stay.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from xds_server.wire.part import Part
from xds_server.xds.catalog import View
from xds_server.xds.limits import Limits
from xds_server.xds.resource import Resource, ResourceType

Mark = Callable[[bytes, int], bytes]
"""A listener's body that differs from the given one by the mark alone, or not at all; each number is another mark."""


class Draining:
    """One client's, computed per connection; an unchanged listener is marked once each time."""

    def __init__(self, mark: Mark, limits: Limits, now: float) -> None:
        self.until = 0.0
        """When its listeners get another mark, or are removed."""
        self._mark = mark
        self._every = limits.drain_again_seconds
        self._ends = now + limits.drain_seconds
        self._number = 0
        self._gone = False
        self._marked: dict[str, tuple[Resource, Resource]] = {}
        self._of: View | None = None
        self._seen: View | None = None
        self._wait(now)

    def turns(self, now: float) -> bool:
        """Whether the listeners have another mark by now, or are gone; said once."""
        if self._gone or now < self.until:
            return False
        self._gone = now >= self._ends
        self._number += 1
        self._marked, self._of = {}, None
        self._wait(now)
        return True

    def _wait(self, now: float) -> None:
        self.until = min(now + self._every, self._ends)

    def view(self, view: View) -> View:
        """What the client sees of what the others see."""
        if self._seen is None or self._of is not view:
            self._of, self._seen = (
                view,
                view.but(ResourceType.LISTENER, self._all(view.resources(ResourceType.LISTENER))),
            )
        return self._seen

    def _all(self, listeners: Mapping[str, Resource]) -> Mapping[str, Resource]:
        """What cannot be marked has nothing that could drain: it stays."""
        before = self._marked
        self._marked = {
            name: known if (known := before.get(name)) and known[0] is one else (one, self._of_one(one))
            for name, one in listeners.items()
        }
        pairs = self._marked.items()
        return {name: marked for name, (one, marked) in pairs if not self._gone or marked is one}

    def _of_one(self, listener: Resource) -> Resource:
        body = self._mark(listener.body, self._number)
        if body == listener.body:
            return listener
        return replace(listener, part=Part(listener.part.id, body, owners=listener.part.owners))
