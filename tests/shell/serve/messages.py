"""Resources that a real Envoy accepts (or, where a test needs it, rejects), as the catalog holds them."""

from typing import Any

import envoy_data_plane.envoy.extensions.filters.http.router.v3 as _router  # noqa: F401
import envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 as _manager  # noqa: F401
import envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 as tls_v3
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from xds_server.routing.audience import ForGateway
from xds_server.wire.part import Part
from xds_server.xds.catalog import Change
from xds_server.xds.resource import Resource, ResourceType

GATEWAY = ForGateway("default", "gateway")
ADS = {"ads": {}, "resourceApiVersion": "V3"}
_PREFIX = "type.googleapis.com/envoy.extensions."
_CLASSES: dict[ResourceType, Any] = {
    ResourceType.CLUSTER: Cluster,
    ResourceType.ENDPOINT: ClusterLoadAssignment,
    ResourceType.LISTENER: Listener,
    ResourceType.SECRET: tls_v3.Secret,
    ResourceType.ROUTE: RouteConfiguration,
}


def resource(
    type_: ResourceType, name: str, content: dict[str, Any], *references: tuple[ResourceType, str]
) -> Resource:
    body = bytes(_CLASSES[type_].from_dict(content))
    return Resource(type_, name, GATEWAY, Part(name, body), references)


def cluster(name: str, *, connect: str = "1s", **more: Any) -> Resource:
    """An EDS cluster; `more` are further fields, in JSON spelling."""
    eds = {"serviceName": f"eds/{name}", "edsConfig": ADS}
    content = {"name": name, "type": "EDS", "connectTimeout": connect, "edsClusterConfig": eds, **more}
    return resource(ResourceType.CLUSTER, name, content, (ResourceType.ENDPOINT, f"eds/{name}"))


def bad_cluster(name: str) -> Resource:
    """One that Envoy rejects late and keeps among those that warm: the smallest hash ring is larger than the largest."""
    ring = {"minimumRingSize": 1024, "maximumRingSize": 16}
    return cluster(name, lbPolicy="RING_HASH", ringHashLbConfig=ring)


def endpoints(name: str, *ports: int) -> Resource:
    """The endpoints of the cluster `name`, on 127.0.0.1."""
    found = [{"endpoint": {"address": _address(port)}} for port in ports]
    content = {"clusterName": f"eds/{name}", "endpoints": [{"lbEndpoints": found}] if found else []}
    return resource(ResourceType.ENDPOINT, f"eds/{name}", content)


def listener(name: str, port: int, routes: str, *, prefix: str = "x", secret: str = "") -> Resource:
    """An HTTP listener, or an HTTPS one with a secret, whose routes come over RDS."""
    manager = {
        "@type": f"{_PREFIX}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "statPrefix": prefix,
        "rds": {"routeConfigName": routes, "configSource": {**ADS, "initialFetchTimeout": "0s"}},
        "httpFilters": [
            {"name": "router", "typedConfig": {"@type": f"{_PREFIX}filters.http.router.v3.Router"}},
        ],
    }
    chain: dict[str, Any] = {"filters": [{"name": "http", "typedConfig": manager}]}
    references: tuple[tuple[ResourceType, str], ...] = ()
    if secret:
        sds = {"name": secret, "sdsConfig": {**ADS, "initialFetchTimeout": "0s"}}
        tls = {
            "@type": f"{_PREFIX}transport_sockets.tls.v3.DownstreamTlsContext",
            "commonTlsContext": {"tlsCertificateSdsSecretConfigs": [sds]},
        }
        chain["transportSocket"] = {"name": "tls", "typedConfig": tls}
        references = ((ResourceType.SECRET, secret),)
    content = {"name": name, "address": _address(port), "enableReusePort": False, "filterChains": [chain]}
    return resource(ResourceType.LISTENER, name, content, *references)


def routes(name: str, cluster: str, *, domains: tuple[str, ...] = ("*",)) -> Resource:
    """All requests go to `cluster`. Naming a domain twice makes Envoy reject it."""
    rule = {"match": {"prefix": "/"}, "route": {"cluster": cluster}}
    hosts = [{"name": f"host-{n}", "domains": [domain], "routes": [rule]} for n, domain in enumerate(domains)]
    return resource(ResourceType.ROUTE, name, {"name": name, "virtualHosts": hosts})


def secret(name: str, certificate: str, key: str) -> Resource:
    """A certificate with its key, both PEM."""
    pair = {"certificateChain": {"inlineString": certificate}, "privateKey": {"inlineString": key}}
    return resource(ResourceType.SECRET, name, {"name": name, "tlsCertificate": pair})


def changes(*resources: Resource, gone: tuple[Resource, ...] = ()) -> dict[Change, Resource | None]:
    """What Catalog.publish takes."""
    found: dict[Change, Resource | None] = {(one.audience, one.type, one.name): one for one in resources}
    found.update({(one.audience, one.type, one.name): None for one in gone})
    return found


def _address(port: int) -> dict[str, Any]:
    return {"socketAddress": {"address": "127.0.0.1", "portValue": port}}
