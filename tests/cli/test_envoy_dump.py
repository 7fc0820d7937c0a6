"""What of Envoy's /config_dump becomes a line."""

from typing import Any

import pytest

from xds_server.cli.envoy_dump import Held, held

PREFIX = "type.googleapis.com/envoy.admin.v3"


def dump(section: str, **fields: Any) -> dict[str, Any]:
    return {"configs": [{"@type": f"{PREFIX}.BootstrapConfigDump"}, {"@type": f"{PREFIX}.{section}", **fields}]}


def test_listeners_with_their_state() -> None:
    address = {"socket_address": {"address": "::", "port_value": 80}}
    listener = {"address": address, "filter_chains": [{}], "default_filter_chain": {}}
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
            ],
            static_listeners=[{"listener": {"name": "nap", "address": {"pipe": {"path": "@nap"}}}}],
        ),
        "listeners",
    )
    assert found == {
        "tcp-80": Held("[::]:80, 2 filter chains", "a"),
        "tcp-81": Held("[::]:80, warming, 2 filter chains", "b", error="no such filter"),
        "nap": Held("@nap", static=True),
    }


def test_routes_count_hosts_and_routes() -> None:
    config = {"name": "http-80", "virtual_hosts": [{"routes": [{}, {}]}, {"routes": [{}]}]}
    section = dump("RoutesConfigDump", dynamic_route_configs=[{"version_info": "a", "route_config": config}])
    assert held(section, "routes") == {"http-80": Held("2 hosts, 3 routes", "a")}


def test_clusters_that_warm() -> None:
    cluster = {"name": "shop/cart:80/auto", "type": "EDS"}
    section = dump("ClustersConfigDump", dynamic_warming_clusters=[{"version_info": "a", "cluster": cluster}])
    assert held(section, "clusters") == {"shop/cart:80/auto": Held("eds, warming", "a")}


def test_endpoints_that_are_healthy() -> None:
    endpoints = [{"lb_endpoints": [{"health_status": "HEALTHY"}, {"health_status": "DRAINING"}, {}]}]
    config = {"cluster_name": "shop/cart:80", "endpoints": endpoints}
    section = dump("EndpointsConfigDump", dynamic_endpoint_configs=[{"endpoint_config": config}])
    assert held(section, "endpoints") == {"shop/cart:80": Held("2/3 healthy")}


@pytest.mark.parametrize(("name", "version", "static"), [("secret/shop/cert", "a", False), ("token", "", True)])
def test_secrets_of_the_pods_files_are_none_of_the_servers(name: str, version: str, static: bool) -> None:
    secret = {"name": name, "version_info": "a", "secret": {"name": name, "tls_certificate": {}}}
    section = dump("SecretsConfigDump", dynamic_active_secrets=[secret])
    assert held(section, "secrets") == {name: Held("tls_certificate", version, static=static)}


def test_a_type_of_which_it_has_nothing() -> None:
    assert held({"configs": []}, "routes") == {}
