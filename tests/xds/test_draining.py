"""What a draining client sees, beside what the transcripts show: what it costs."""

from tests.xds.fills import AUDIENCES, fill
from xds_server.xds.catalog import Catalog, View
from xds_server.xds.draining import Draining
from xds_server.xds.limits import Limits
from xds_server.xds.resource import Resource, ResourceType

CLUSTER, LISTENER = ResourceType.CLUSTER, ResourceType.LISTENER


class Marking:
    def __init__(self) -> None:
        self.marked: list[bytes] = []
        self.catalog = Catalog()
        self.draining = Draining(self._mark, Limits(drain_seconds=10, drain_again_seconds=4), 0.0)

    def _mark(self, body: bytes, number: int) -> bytes:
        self.marked.append(body)
        return body + b"!%d" % number

    def put(self, *resources: Resource) -> View:
        self.catalog.publish({(one.audience, one.type, one.name): one for one in resources})
        return self.draining.view(self.catalog.view(AUDIENCES))


def test_a_listener_is_marked_once_however_often_it_is_looked_at() -> None:
    marking = Marking()
    first = marking.put(fill(LISTENER, "l", "1"), fill(LISTENER, "m", "1"))
    assert marking.draining.view(marking.catalog.view(AUDIENCES)) is first
    second = marking.put(fill(CLUSTER, "a", "1"), fill(LISTENER, "m", "2"))
    assert marking.marked == [b"l=1", b"m=1", b"m=2"]
    assert second.get(LISTENER, "l") is first.get(LISTENER, "l")
    assert second.resources(CLUSTER) is marking.catalog.view(AUDIENCES).resources(CLUSTER)


def test_others_see_nothing_of_it() -> None:
    marking = Marking()
    marking.put(fill(LISTENER, "l", "1"))
    seen = marking.catalog.view(AUDIENCES).get(LISTENER, "l")
    assert seen is not None
    assert seen.body == b"l=1"


def test_another_mark_now_and_then_and_at_last_none() -> None:
    marking = Marking()
    seen = []
    marking.put(fill(LISTENER, "l", "1"))
    for now in (0, 3.9, 4, 4, 7.9, 8.5, 9.9, 10, 99):
        turns = marking.draining.turns(now)
        listeners = marking.draining.view(marking.catalog.view(AUDIENCES)).resources(LISTENER)
        seen.append((now, turns, [one.body for one in listeners.values()], marking.draining.until))
    assert seen == [
        (0, False, [b"l=1!0"], 4),
        (3.9, False, [b"l=1!0"], 4),
        (4, True, [b"l=1!1"], 8),
        (4, False, [b"l=1!1"], 8),
        (7.9, False, [b"l=1!1"], 8),
        (8.5, True, [b"l=1!2"], 10),
        (9.9, False, [b"l=1!2"], 10),
        (10, True, [], 10),
        (99, False, [], 10),
    ]
    assert len(marking.marked) == 4
