"""What of Envoy's /config_dump becomes a line."""

from typing import Any

import pytest

from xds_server.cli.envoy_dump import Held, held
from xds_server.cli.envoy_parts import Part

PREFIX = "type.googleapis.com/envoy.admin.v3"


def dump(section: str, **fields: Any) -> dict[str, Any]:
    return {"configs": [{"@type": f"{PREFIX}.BootstrapConfigDump"}, {"@type": f"{PREFIX}.{section}", **fields}]}


def test_listeners_with_their_state() -> None:
    address = {"socket_address": {"address": "::", "port_value": 80}}
    listener = {"address": address, "filter_chains": [{"name": "*"}]}
    parts = (Part("chain *", "closes"),)
    found = held(
        dump(
            "ListenersConfigDump",
            dynamic_listeners=[
                {"name": "tcp-80", "active_state": {"version_info": "a", "listener": listener}},
                {
                    "name": "tcp-81",
                    "warming_state": {"version_info": "b", "listener": listener},
                    "error_state": {"details": "no such filter"},
                },
                {"name": "tcp-82", "draining_state": {"version_info": "c", "listener": listener}},
            ],
            static_listeners=[{"listener": {"name": "nap", "address": {"pipe": {"path": "@nap"}}}}],
        ),
        "listeners",
    )
    assert found == {
        "tcp-80": Held("[::]:80", "a", parts=parts),
        "tcp-81": Held("[::]:80, warming", "b", error="no such filter", parts=parts, state="warming"),
        "tcp-82": Held("[::]:80, draining", "c", parts=parts, state="draining"),
        "nap": Held("@nap", static=True),
    }


def test_routes_count_hosts_and_routes() -> None:
    cart = {"name": "HTTPRoute/shop/cart/0/0", "match": {"prefix": "/"}, "route": {"cluster": "shop/cart:80/auto"}}
    config = {"name": "http-80", "virtual_hosts": [{"name": "a.test", "routes": [cart]}, {"name": "b.test"}]}
    section = dump("RoutesConfigDump", dynamic_route_configs=[{"version_info": "a", "route_config": config}])
    assert held(section, "routes") == {
        "http-80": Held(
            "2 hosts, 1 route",
            "a",
            parts=(Part("a.test /*", "shop/cart:80/auto", "HTTPRoute shop/cart rules[0].matches[0]"),),
        )
    }


def test_clusters_that_warm() -> None:
    cluster = {"name": "shop/cart:80/auto", "type": "EDS"}
    section = dump("ClustersConfigDump", dynamic_warming_clusters=[{"version_info": "a", "cluster": cluster}])
    assert held(section, "clusters") == {"shop/cart:80/auto": Held("eds, warming", "a", state="warming")}


def test_endpoints_that_are_healthy() -> None:
    def endpoint(port: int) -> dict[str, Any]:
        return {"endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": port}}}}

    endpoints = [{"lb_endpoints": [endpoint(1) | {"health_status": "DRAINING"}, endpoint(2)]}]
    config = {"cluster_name": "shop/cart:80", "endpoints": endpoints}
    section = dump("EndpointsConfigDump", dynamic_endpoint_configs=[{"endpoint_config": config}])
    assert held(section, "endpoints") == {
        "shop/cart:80": Held(
            "1 of 2 healthy",
            parts=(Part("10.0.0.1:1", "draining"), Part("10.0.0.1:2", "healthy")),
            content=frozenset({"10.0.0.1:1", "10.0.0.1:2"}),
        )
    }


@pytest.mark.parametrize(("name", "version", "static"), [("secret/shop/cert", "a", False), ("token", "", True)])
def test_secrets_of_the_pods_files_are_none_of_the_servers(name: str, version: str, static: bool) -> None:
    secret = {"name": name, "version_info": "a", "secret": {"name": name, "tls_certificate": {}}}
    section = dump("SecretsConfigDump", dynamic_active_secrets=[secret])
    assert held(section, "secrets") == {name: Held("tls certificate", version, static=static)}


def test_a_type_of_which_it_has_nothing() -> None:
    assert held({"configs": []}, "routes") == {}
