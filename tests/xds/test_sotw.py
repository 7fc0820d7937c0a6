"""What is particular to the bytes and bounds of the state of the world; its conversations are transcripts."""

import pytest

from tests.xds.fills import Shelf, fill
from xds_server.pb import discovery_pb2
from xds_server.xds.errors import RemoteProtocolError
from xds_server.xds.events import Acknowledged, Subscribed
from xds_server.xds.limits import Limits
from xds_server.xds.resource import ResourceType
from xds_server.xds.sotw import SotwStream
from xds_server.xds.stream import Response

CLUSTER, ROUTE, SECRET = ResourceType.CLUSTER, ResourceType.ROUTE, ResourceType.SECRET


def ask(type_url: str, *names: str, **more: object) -> discovery_pb2.DiscoveryRequest:
    return discovery_pb2.DiscoveryRequest(type_url=type_url, resource_names=names, **more)


def read(response: Response) -> discovery_pb2.DiscoveryResponse:
    return discovery_pb2.DiscoveryResponse.FromString(response.data)


def test_a_response_says_what_it_is() -> None:
    stream, shelf = SotwStream(), Shelf()
    one, two = fill(CLUSTER, "a", "1"), fill(CLUSTER, "b", "1")
    serial = shelf.put(one, two)
    assert stream.receive(ask(CLUSTER.url), 0.0) == [Subscribed(CLUSTER, ("*",))]
    [response] = stream.responses(shelf.view(), 0.0)
    message = read(response)
    assert message.type_url == message.resources[0].type_url == CLUSTER.url
    assert {resource.value for resource in message.resources} == {one.body, two.body}
    assert message.version_info == shelf.view().version(CLUSTER)
    assert message.control_plane.identifier == "xds-server"
    answer = ask(CLUSTER.url, response_nonce=message.nonce, version_info=message.version_info)
    assert stream.receive(answer, 0.0) == [
        Acknowledged(CLUSTER, {"a": one, "b": two}, (), serial, message.version_info)
    ]


def test_r7_no_resource_lives_for_a_limited_time() -> None:
    """Envoy 1.40 crashes when routes expire; so none comes in the wrapper that could say so."""
    stream, shelf = SotwStream(), Shelf()
    shelf.put(fill(ROUTE, "r", "1"))
    stream.receive(ask(ROUTE.url, "r"), 0.0)
    [response] = stream.responses(shelf.view(), 0.0)
    assert [resource.type_url for resource in read(response).resources] == [ROUTE.url]


def test_an_event_tells_only_what_changed() -> None:
    stream, shelf = SotwStream(), Shelf()
    shelf.put(fill(CLUSTER, "a", "1"), fill(CLUSTER, "b", "1"))
    stream.receive(ask(CLUSTER.url), 0.0)
    [response] = stream.responses(shelf.view(), 0.0)
    stream.receive(ask(CLUSTER.url, response_nonce=response.nonce), 0.0)
    shelf.put(fill(CLUSTER, "b", "2"))
    [response] = stream.responses(shelf.view(), 0.0)
    assert len(read(response).resources) == 2
    [event] = stream.receive(ask(CLUSTER.url, response_nonce=response.nonce), 0.0)
    assert isinstance(event, Acknowledged)
    assert event.resources.keys() == {"b"}


def test_what_cannot_be_said_is_not_waited_for() -> None:
    stream, shelf = SotwStream(), Shelf()
    for type_ in (CLUSTER, ResourceType.LISTENER):
        stream.receive(ask(type_.url), 0.0)
    stream.receive(ask(SECRET.url, "missing"), 0.0)
    for response in stream.responses(shelf.view(), 0.0):
        stream.receive(ask(response.type.url, response_nonce=response.nonce), 0.0)
    assert list(stream.responses(shelf.view(), 0.0)) == []
    assert stream.deadline() is None
    assert stream.synced_serial() == 0


def test_a_request_without_a_type_breaks_the_protocol() -> None:
    with pytest.raises(RemoteProtocolError, match="type_url is empty"):
        SotwStream().receive(ask(""), 0.0)


def test_a_type_that_is_not_served_is_never_answered() -> None:
    stream = SotwStream()
    assert stream.receive(ask("type.googleapis.com/envoy.service.runtime.v3.Runtime"), 0.0) == []
    assert list(stream.responses(Shelf().view(), 0.0)) == []


def test_how_many_names_may_be_asked_for() -> None:
    stream = SotwStream(Limits(names=3))
    stream.receive(ask(ROUTE.url, *"abc"), 0.0)
    with pytest.raises(RemoteProtocolError, match="4 resource names; at most 3 are served"):
        stream.receive(ask(ROUTE.url, *"abcd"), 0.0)
