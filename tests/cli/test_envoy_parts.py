"""Parts of Envoy's resources in words."""

from typing import Any

import pytest

from xds_server.cli.envoy_parts import Part, chains, destinations, endpoints, matches, object_of, socket_name


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"prefix": "/"}, "/*"),
        ({"path": "/cart"}, "/cart"),
        ({"path_separated_prefix": "/cart"}, "/cart/*"),
        ({"safe_regex": {"regex": "/c.*"}}, "~ /c.*"),
        ({"connect_matcher": {}}, "CONNECT"),
        (
            {
                "path": "/",
                "headers": [
                    {"name": ":method", "string_match": {"exact": "GET"}},
                    {"name": "x", "string_match": {"safe_regex": {"regex": "a+"}}, "invert_match": True},
                    {"name": "y", "present_match": True},
                ],
                "query_parameters": [{"name": "q", "string_match": {"exact": "1"}}],
                "runtime_fraction": {"default_value": {"numerator": 5, "denominator": "MILLION"}},
            },
            "/ method=GET x!~a+ y ?q=1 share 5/million",
        ),
    ],
)
def test_what_a_route_takes(match: dict[str, Any], words: str) -> None:
    assert matches({"match": match}) == words


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"route": {"cluster": "shop/cart:80/auto"}}, "shop/cart:80/auto"),
        (
            {"route": {"weighted_clusters": {"clusters": [{"name": "a", "weight": 3}, {"name": "b", "weight": 1}]}}},
            "3× a, 1× b",
        ),
        (
            {"redirect": {"scheme_redirect": "https", "port_redirect": 443}},
            "redirect: port_redirect 443, scheme_redirect https",
        ),
        ({"direct_response": {"status": 500}}, "answers 500"),
        ({}, "nothing"),
    ],
)
def test_where_a_route_leads(route: dict[str, Any], words: str) -> None:
    assert destinations(route) == words


@pytest.mark.parametrize(
    ("name", "object_"),
    [
        ("HTTPRoute/shop/cart/0/1", "HTTPRoute shop/cart rules[0].matches[1]"),
        ("GRPCRoute/shop/cart/by name/0", "GRPCRoute shop/cart rules[by name].matches[0]"),
        ("fallback", ""),
    ],
)
def test_a_route_is_named_after_its_rule(name: str, object_: str) -> None:
    assert object_of(name) == object_


def test_filter_chains_lead_to_routes_or_clusters() -> None:
    listener = {
        "filter_chains": [
            {
                "name": "shop.example.com",
                "transport_socket": {"name": "envoy.transport_sockets.tls"},
                "filters": [{"typed_config": {"rds": {"route_config_name": "https-443/shop.example.com"}}}],
            },
            {
                "filter_chain_match": {"server_names": ["db.example.com"]},
                "filters": [{"typed_config": {}}, {"typed_config": {"cluster": "shop/db:5432/tls"}}],
            },
        ],
        "default_filter_chain": {"filters": []},
    }
    assert list(chains(listener)) == [
        Part("chain shop.example.com", "routes https-443/shop.example.com, TLS"),
        Part("chain db.example.com", "shop/db:5432/tls"),
        Part("chain *", "closes"),
    ]
    udp = {"listener_filters": [{"typed_config": {"cluster": "udp-53"}}]}
    assert list(chains(udp)) == [Part("datagrams", "udp-53")]


def test_endpoints_with_zone_and_health() -> None:
    def endpoint(address: str, **more: str) -> dict[str, Any]:
        return {"endpoint": {"address": {"socket_address": {"address": address, "port_value": 80}}}, **more}

    assignment = {
        "endpoints": [
            {"lb_endpoints": [endpoint("10.0.0.1", health_status="HEALTHY")]},
            {"locality": {"zone": "a"}, "lb_endpoints": [endpoint("fd00::1", health_status="DRAINING")]},
        ]
    }
    assert list(endpoints(assignment)) == [Part("10.0.0.1:80", "healthy"), Part("[fd00::1]:80 in a", "draining")]


def test_places() -> None:
    assert socket_name({"pipe": {"path": "@nap"}}) == "@nap"
    assert socket_name(None) == "-"
