"""What is particular to the bytes and bounds of the incremental protocol; its conversations are transcripts."""

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet

from tests.xds.fills import Shelf, fill
from xds_server.pb import discovery_pb2
from xds_server.xds.delta import DeltaStream
from xds_server.xds.errors import RemoteProtocolError
from xds_server.xds.events import Acknowledged, Subscribed
from xds_server.xds.limits import Limits
from xds_server.xds.resource import ResourceType
from xds_server.xds.stream import Response

CLUSTER, ENDPOINT, ROUTE = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.ROUTE


def ask(type_url: str, *names: str, **more: object) -> discovery_pb2.DeltaDiscoveryRequest:
    return discovery_pb2.DeltaDiscoveryRequest(type_url=type_url, resource_names_subscribe=names, **more)


def read(response: Response) -> discovery_pb2.DeltaDiscoveryResponse:
    return discovery_pb2.DeltaDiscoveryResponse.FromString(response.data)


def test_a_response_says_what_it_is() -> None:
    stream, shelf = DeltaStream(), Shelf()
    one = fill(CLUSTER, "a", "1")
    serial = shelf.put(one)
    assert stream.receive(ask(CLUSTER.url), 0.0) == [Subscribed(CLUSTER, ("*",))]
    [response] = stream.responses(shelf.view(), 0.0)
    message = read(response)
    assert message.type_url == message.resources[0].resource.type_url == CLUSTER.url
    assert (message.resources[0].name, message.resources[0].version) == ("a", one.version)
    assert message.system_version_info == response.version == one.version
    assert message.control_plane.identifier == "xds-server"
    answer = ask(CLUSTER.url, response_nonce=message.nonce)
    assert stream.receive(answer, 0.0) == [Acknowledged(CLUSTER, {"a": one}, (), serial, one.version)]


def test_r7_no_resource_lives_for_a_limited_time() -> None:
    """Envoy 1.40 crashes when routes expire; so a resource has a version, a body and a name, and no `ttl`."""
    stream, shelf = DeltaStream(), Shelf()
    shelf.put(fill(ROUTE, "r", "1"))
    stream.receive(ask(ROUTE.url, "r"), 0.0)
    [response] = stream.responses(shelf.view(), 0.0)
    [resource] = read(response).resources
    assert {field.name for field, _ in resource.ListFields()} == {"version", "resource", "name"}
    assert len(UnknownFieldSet(resource)) == 0


def test_responses_of_different_content_have_different_versions() -> None:
    stream, shelf = DeltaStream(), Shelf()
    shelf.put(*(fill(ENDPOINT, name, "1") for name in "abc"))
    versions = []
    for names in (["a"], ["b"], ["a", "b"], ["c", "x"], []):
        stream.receive(ask(ENDPOINT.url, *names), 0.0)
        for response in stream.responses(shelf.view(), 0.0):
            versions.append(read(response).system_version_info)
            stream.receive(ask(ENDPOINT.url, response_nonce=response.nonce), 0.0)
    assert len(set(versions)) == len(versions) == 4


def test_a_request_without_a_type_breaks_the_protocol() -> None:
    with pytest.raises(RemoteProtocolError, match="type_url is empty"):
        DeltaStream().receive(ask(""), 0.0)


def test_a_type_that_is_not_served_is_never_answered() -> None:
    stream = DeltaStream()
    assert stream.receive(ask("type.googleapis.com/envoy.service.runtime.v3.Runtime"), 0.0) == []
    assert list(stream.responses(Shelf().view(), 0.0)) == []


def test_how_many_names_may_be_asked_for() -> None:
    stream = DeltaStream(Limits(names=3))
    stream.receive(ask(ROUTE.url, "a", "b"), 0.0)
    stream.receive(ask(ROUTE.url, "c"), 0.0)
    with pytest.raises(RemoteProtocolError, match="4 resource names; at most 3 are served"):
        stream.receive(ask(ROUTE.url, "d"), 0.0)
    with pytest.raises(RemoteProtocolError, match="4 resource names"):
        DeltaStream(Limits(names=3)).receive(ask(CLUSTER.url, initial_resource_versions=dict.fromkeys("abcd", "")), 0.0)
