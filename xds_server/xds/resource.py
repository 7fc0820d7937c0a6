"""A resource as it is served, and the types of resources in the order in which they are pushed."""

from dataclasses import dataclass
from enum import Enum

from xds_server.routing.audience import Audience
from xds_server.wire.part import Part


class ResourceType(Enum):
    """The served types, declared in push order (make before break); `.value` is what people are shown."""

    CLUSTER = "clusters"
    ENDPOINT = "endpoints"
    LISTENER = "listeners"
    SECRET = "secrets"  # noqa: S105  (what it is called, not what it says)
    ROUTE = "routes"

    # Members are looked up all the time, and equal by identity; Enum's own hash is Python code.
    __hash__ = object.__hash__

    @property
    def url(self) -> str:
        """The type URL, e.g. type.googleapis.com/envoy.config.cluster.v3.Cluster."""
        return _URLS[self]


_URLS = {
    ResourceType.CLUSTER: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    ResourceType.ENDPOINT: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    ResourceType.LISTENER: "type.googleapis.com/envoy.config.listener.v3.Listener",
    ResourceType.SECRET: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
    ResourceType.ROUTE: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}


def made_without(version: str) -> tuple[str, ...]:
    """What the version of a resource tells of rejected leaves: their hashes."""
    return tuple(version.split("-")[1:])


BY_URL = {url: type_ for type_, url in _URLS.items()}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource for one audience. `version` is a matter of content, never a counter.

    `part` is the tree that `body` was joined from. `references` are resources that Envoy needs again
    whenever it gets this one changed: a cluster's endpoint assignment (Envoy warms a changed cluster until
    it has them), a listener's or cluster's secrets.
    """

    type: ResourceType
    name: str
    audience: Audience
    part: Part
    references: tuple[tuple[ResourceType, str], ...] = ()
    without: tuple[str, ...] = ()
    """Hashes of leaves that this is made without, since Envoys of the audience rejected them."""

    @property
    def version(self) -> str:
        """Content hash of the bytes, followed by the hashes of what they are without.

        By them a server that knows nothing of a rejection, another replica or one that was started anew, hears of it
        from the first Envoy that says what it holds.
        """
        return "-".join((self.part.hash, *self.without)) if self.without else self.part.hash

    @property
    def hides(self) -> bool:
        """Without a body it stands for no resource, and hides one of its name that a wider audience has."""
        return not self.part.data

    @property
    def body(self) -> bytes:
        """The encoded Envoy message."""
        return self.part.data
