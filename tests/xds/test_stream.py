"""Deadlines and the life of a stream; the order of pushes is told by transcripts/order.md."""

from tests.xds.fills import Shelf, fill
from xds_server.pb import discovery_pb2
from xds_server.xds.delta import DeltaStream
from xds_server.xds.limits import Limits
from xds_server.xds.resource import ResourceType

CLUSTER, LISTENER, ROUTE = ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE


def ask(type_: ResourceType, *names: str, **more: object) -> discovery_pb2.DeltaDiscoveryRequest:
    return discovery_pb2.DeltaDiscoveryRequest(type_url=type_.url, resource_names_subscribe=names, **more)


def test_a_stream_that_nobody_used_has_nothing_to_do() -> None:
    stream = DeltaStream()
    shelf = Shelf()
    shelf.put(fill(CLUSTER, "a", "1"))
    assert list(stream.responses(shelf.view(), 0.0)) == []
    assert stream.deadline() is None
    assert stream.synced_serial() is None


def test_the_deadline_is_the_end_of_the_next_wait() -> None:
    stream, shelf = DeltaStream(Limits(ack_seconds=2, removal_seconds=5)), Shelf()
    shelf.put(fill(CLUSTER, "a", "1"))
    stream.receive(ask(CLUSTER), 10.0)
    assert [response.type for response in stream.responses(shelf.view(), 10.0)] == [CLUSTER]
    assert stream.deadline() == 12.0
    shelf.put(gone=[fill(CLUSTER, "a", "1")])
    assert list(stream.responses(shelf.view(), 11.0)) == []
    assert stream.deadline() == 12.0
    assert list(stream.responses(shelf.view(), 12.0)) == []
    assert stream.deadline() == 16.0
    assert [response.removed for response in stream.responses(shelf.view(), 16.0)] == [("a",)]


def test_a_returning_client_has_a_second_to_ask_for_clusters() -> None:
    stream, shelf = DeltaStream(Limits(cluster_push_seconds=1)), Shelf()
    shelf.put(fill(CLUSTER, "a", "1"))
    stream.receive(ask(LISTENER, initial_resource_versions={"l": "v"}), 10.0)
    assert list(stream.responses(shelf.view(), 10.0)) == []
    assert stream.deadline() == 11.0
    assert [response.type for response in stream.responses(shelf.view(), 11.0)] == [CLUSTER, LISTENER]


def test_each_response_is_of_the_moment_it_is_taken() -> None:
    """A writer that is held up takes the next one only when the client has read the one before."""
    stream, shelf = DeltaStream(), Shelf()
    shelf.put(fill(LISTENER, "l", "1"), fill(ROUTE, "r", "1"))
    stream.receive(ask(LISTENER), 0.0)
    stream.receive(ask(ROUTE, "r"), 0.0)
    responses = stream.responses(shelf.view(), 0.0)
    assert next(responses).type is LISTENER
    stream.receive(discovery_pb2.DeltaDiscoveryRequest(type_url=ROUTE.url, resource_names_unsubscribe=["r"]), 0.1)
    assert list(responses) == []
