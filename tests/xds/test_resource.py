from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

from tests.xds.fills import fill
from xds_server.xds.resource import BY_URL, ResourceType


def test_types_are_in_push_order() -> None:
    assert [type_.value for type_ in ResourceType] == ["clusters", "endpoints", "listeners", "secrets", "routes"]


def test_type_urls_are_those_of_envoys_messages() -> None:
    messages = (Cluster, ClusterLoadAssignment, Listener, Secret, RouteConfiguration)
    for type_, message in zip(ResourceType, messages, strict=True):
        package = message.__module__.removeprefix("envoy_data_plane.")
        assert type_.url == f"type.googleapis.com/{package}.{message.__name__}"
        assert BY_URL[type_.url] is type_


def test_a_version_is_a_matter_of_content() -> None:
    one, same, other = (fill(ResourceType.ROUTE, "r", content) for content in ("1", "1", "2"))
    assert one.version == same.version != other.version
    assert one == same != other
