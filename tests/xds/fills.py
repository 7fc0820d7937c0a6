"""Made-up resources for tests of the protocol, which never looks into bodies, and a catalog to put them into."""

from collections.abc import Iterable

from xds_server.pb import discovery_pb2
from xds_server.routing.audience import Audience, Everyone, ForGateway
from xds_server.wire.part import Part
from xds_server.xds.catalog import Catalog, View
from xds_server.xds.encoding import stand_in
from xds_server.xds.resource import BY_URL, Resource, ResourceType

GATEWAY = ForGateway("default", "gateway")
OTHER = ForGateway("default", "other")
AUDIENCES: tuple[Audience, ...] = (Everyone(), GATEWAY, GATEWAY._replace(build="1.40.0"))
EMPTY = "(empty)"

Reference = tuple[ResourceType, str]


def fill(
    type_: ResourceType, name: str, content: str, *references: Reference, audience: Audience = GATEWAY
) -> Resource:
    """A resource whose body is told apart by `content`."""
    return Resource(type_, name, audience, Part(name, f"{name}={content}".encode()), references)


def content_of(type_: ResourceType, name: str, body: bytes) -> str:
    """What `fill` was given, or "(empty)" for what stands in for a missing resource."""
    empty = stand_in(type_, name)
    if empty is not None and body == empty.body:
        return EMPTY
    text = body.decode()
    assert text.startswith(f"{name}="), (name, text)
    return text.removeprefix(f"{name}=")


class Shelf:
    """A catalog, and the view of the gateway that all these tests are about; or of other `audiences`."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.audiences = AUDIENCES

    def put(self, *resources: Resource, gone: Iterable[Resource] = ()) -> int:
        """Publish; the serial after it."""
        changes: dict[tuple[Audience, ResourceType, str], Resource | None]
        changes = {(one.audience, one.type, one.name): one for one in resources}
        changes.update({(one.audience, one.type, one.name): None for one in gone})
        return self.catalog.publish(changes).serial

    def view(self) -> View:
        return self.catalog.view(self.audiences)


def read_delta(data: bytes) -> tuple[ResourceType, str, dict[str, str], tuple[str, ...]]:
    """Type, nonce, contents by name, removed names: as protobuf reads the bytes."""
    message = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
    type_ = BY_URL[message.type_url]
    contents: dict[str, str] = {}
    for one in message.resources:
        assert one.resource.type_url == message.type_url
        assert one.name not in contents, f"{one.name} is in the response twice"
        contents[one.name] = content_of(type_, one.name, one.resource.value)
    removed = tuple(message.removed_resources)
    assert not contents.keys() & set(removed), "a name is both sent and removed"
    return type_, message.nonce, contents, removed


def read_sotw(data: bytes) -> tuple[ResourceType, str, str, dict[str, str]]:
    """Type, nonce, version, contents by name."""
    message = discovery_pb2.DiscoveryResponse.FromString(data)
    type_ = BY_URL[message.type_url]
    contents: dict[str, str] = {}
    for one in message.resources:
        assert one.type_url == message.type_url
        name = one.value.split(b"=")[0].decode() if b"=" in one.value else one.value[2:].decode()
        assert name not in contents, f"{name} is in the response twice"
        contents[name] = content_of(type_, name, one.value)
    return type_, message.nonce, message.version_info, contents
