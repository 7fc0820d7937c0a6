"""What a draining client sees, beside what the transcripts show: what it costs."""

from tests.xds.fills import AUDIENCES, fill
from xds_server.xds.catalog import Catalog, View
from xds_server.xds.draining import Draining
from xds_server.xds.resource import Resource, ResourceType

CLUSTER, LISTENER = ResourceType.CLUSTER, ResourceType.LISTENER


class Marking:
    def __init__(self) -> None:
        self.marked: list[bytes] = []
        self.catalog = Catalog()
        self.draining = Draining(self._mark, 10.0)

    def _mark(self, body: bytes) -> bytes:
        self.marked.append(body)
        return body + b"!"

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


def test_that_they_are_gone_is_said_once() -> None:
    marking = Marking()
    assert marking.put(fill(LISTENER, "l", "1")).resources(LISTENER).keys() == {"l"}
    assert [marking.draining.over(now) for now in (9.9, 10.0, 10.0, 99.0)] == [False, True, False, False]
    assert marking.draining.view(marking.catalog.view(AUDIENCES)).resources(LISTENER) == {}
