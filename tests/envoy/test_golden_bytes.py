"""Bytes that may never change by accident: what Envoy compares to decide whether connections go on.

Envoy drains a listener whose fields differ, a filter chain whose bytes differ, and replaces a cluster whose bytes
differ; so a release that changes any of these cuts every user's connections when it is installed. The files in
`golden/` hold them: readable JSON, and a hash of the bytes, which may differ though the JSON does not.
"""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import betterproto2
import pytest
from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TransportSocket
from envoy_data_plane.envoy.config.listener.v3 import Listener as ListenerMessage
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from xds_server.envoy import (
    access_log,
    cluster,
    filter_chain,
    http_manager,
    listener,
    stream_chain,
    tls,
    virtual_host,
)
from xds_server.filters import FILTERS
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, InvalidBackend, Protocol, Verification, of_port
from xds_server.routing.hostname import ANY
from xds_server.routing.listener import Bind, ClientCertificates, Listener, ListenerId
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.rule import Action, Rule, RuleId, WeightedBackend
from xds_server.routing.secret import SecretId
from xds_server.wire.decode import to_json
from xds_server.wire.encode import encode

GOLDEN = Path(__file__).parent / "golden"
CHAIN = tuple(filter_ for feature in FILTERS for filter_ in feature.chain)
HTTP = Listener(ListenerId(Key("shop", "gateway"), "http"), 80, "http", ANY)
CERTIFICATES = tuple(SecretId.certificate(Key("shop", name)) for name in ("cert", "other"))
AUTHORITIES = SecretId("Gateway", Key("shop", "gateway"), "default")
HTTPS = Listener(ListenerId(Key("shop", "gateway"), "https"), 443, "https", "shop.example.com", CERTIFICATES[:1])
ISTIO = Listener(ListenerId(Key("shop", "gateway"), "http"), 80, "http", ANY, server_name="istio-envoy")
TLS = Listener(ListenerId(Key("shop", "gateway"), "tls"), 443, "tls", "shop.example.com", CERTIFICATES[:1])
PASSTHROUGH = Listener(ListenerId(Key("shop", "gateway"), "tls"), 443, "passthrough", "shop.example.com")
TCP = Listener(ListenerId(Key("shop", "gateway"), "tcp"), 5432, "tcp", ANY)
UDP = Listener(ListenerId(Key("shop", "gateway"), "udp"), 53, "udp", ANY)
SECURED = Backend(Key("shop", "cart"), 8080, tls=Key("shop", "strict"), certificate=Key("shop", "client"))
VERIFICATION = Verification("cart.example.com", ("cart.example.com",), ("spiffe://example.com/cart",))
OUTSIDE = Backend(Key("shop", "api"), 443, kind="XBackend")
CLUSTERED = Bind()
LOCAL = Bind("127.0.0.1", ((80, 8080), (443, 8443)), ((53, 8053),), share_port=False)
Bytes = Callable[[], bytes]


def _terminated(clients: ClientCertificates | None = None) -> bytes:
    return encode(tls.terminate(replace(HTTPS, certificates=CERTIFICATES, clients=clients)))


def _cluster(protocol: Protocol) -> bytes:
    return cluster.build(Backend(Key("shop", "cart"), 8080, protocol)).data


def _connections(listener_: Listener, kind: str, *shares: WeightedBackend) -> bytes:
    rule = Rule(RuleId(kind, Key("shop", "cart"), 0, 0), Match(PathMatch(PathKind.PREFIX, "/")), Action((), shares), "")
    return stream_chain.build(listener_, listener_.hostname, rule, ()).data


CART = WeightedBackend(Backend(Key("shop", "cart"), 8080, "tcp"), 3)
MISSING = WeightedBackend(InvalidBackend("BackendNotFound", ""), 1)

CASES: dict[str, tuple[type[betterproto2.Message], Bytes]] = {
    "listener-http": (ListenerMessage, lambda: listener.header(HTTP, CLUSTERED, (HTTP,)).data),
    "listener-https": (ListenerMessage, lambda: listener.header(HTTPS, CLUSTERED, (HTTPS,)).data),
    "listener-http-local": (ListenerMessage, lambda: listener.header(HTTP, LOCAL, (HTTP,)).data),
    "listener-https-local": (ListenerMessage, lambda: listener.header(HTTPS, LOCAL, (HTTPS,)).data),
    "filter-chain-http": (ListenerMessage, lambda: filter_chain.build(HTTP, (HTTP,), CHAIN).data),
    "filter-chain-https": (ListenerMessage, lambda: filter_chain.build(HTTPS, (HTTPS,), CHAIN).data),
    "listener-tls": (ListenerMessage, lambda: listener.header(PASSTHROUGH, CLUSTERED, (PASSTHROUGH, TLS)).data),
    "listener-tcp": (ListenerMessage, lambda: listener.header(TCP, CLUSTERED, (TCP,)).data),
    "listener-udp": (ListenerMessage, lambda: listener.datagrams(UDP, CLUSTERED).data),
    "listener-udp-local": (ListenerMessage, lambda: listener.datagrams(UDP, LOCAL).data),
    "filter-chain-tls": (ListenerMessage, lambda: _connections(TLS, "TLSRoute", CART)),
    "filter-chain-passthrough": (ListenerMessage, lambda: _connections(PASSTHROUGH, "TLSRoute", CART)),
    "filter-chain-tcp": (ListenerMessage, lambda: _connections(TCP, "TCPRoute", CART, MISSING)),
    "filter-chain-closed": (ListenerMessage, lambda: stream_chain.closed(PASSTHROUGH, "shop.example.com", ()).data),
    "connection-manager-http": (HttpConnectionManager, lambda: encode(http_manager.build(HTTP, HTTP.scope, CHAIN))),
    "connection-manager-https": (HttpConnectionManager, lambda: encode(http_manager.build(HTTPS, HTTPS.scope, CHAIN))),
    "connection-manager-istio": (HttpConnectionManager, lambda: encode(http_manager.build(ISTIO, ISTIO.scope, CHAIN))),
    "access-log": (AccessLog, lambda: encode(access_log.to_stdout("shop/gateway", "http-80"))),
    "access-log-connections": (
        AccessLog,
        lambda: encode(access_log.of_connections("shop/gateway", "tcp-5432/*", "TCPRoute/shop/cart/0/0")),
    ),
    "access-log-sessions": (AccessLog, lambda: encode(access_log.of_sessions("shop/gateway", "udp-53"))),
    "downstream-tls": (TransportSocket, _terminated),
    "downstream-tls-validated": (TransportSocket, lambda: _terminated(ClientCertificates(AUTHORITIES))),
    "downstream-tls-asked": (TransportSocket, lambda: _terminated(ClientCertificates(AUTHORITIES, required=False))),
    "cluster-auto": (Cluster, lambda: _cluster("auto")),
    "cluster-http1": (Cluster, lambda: _cluster("http1")),
    "cluster-http2": (Cluster, lambda: _cluster("http2")),
    "cluster-tls": (Cluster, lambda: cluster.build(SECURED, VERIFICATION).data),
    "cluster-dns": (Cluster, lambda: cluster.build(OUTSIDE, hostname="api.example.com").data),
    "cluster-closed": (Cluster, lambda: cluster.closed(SECURED).data),
    "cluster-tcp": (Cluster, lambda: _cluster("tcp")),
    "cluster-udp": (Cluster, lambda: cluster.build(of_port(Key("shop", "gateway"), 53)).data),
    "route-configuration-http": (RouteConfiguration, lambda: virtual_host.route_configuration(HTTP.scope, ()).data),
    "route-configuration-https": (RouteConfiguration, lambda: virtual_host.route_configuration(HTTPS.scope, ()).data),
}
WHAT_TO_DO = """
{name}: these bytes are not those that released versions sent.

Installing a version that sends other ones drains connections of every listener (or replaces every cluster) of every
Envoy that it serves, at once. If that was not what you wanted, undo what changed them: a default that is now spelled
out, another order of fields, a new field. If it must be, say so in the release notes ("connections drain on upgrade"),
gather all such changes in one release, and write the files anew: UPDATE_GOLDEN=1 pytest {test}
"""


def _told(message: type[betterproto2.Message], data: bytes) -> dict[str, Any]:
    return {"sha256": sha256(data).hexdigest(), "length": len(data), "message": to_json(message, data)}


@pytest.mark.parametrize("name", CASES)
def test_bytes_are_those_that_were_released(name: str) -> None:
    message, make = CASES[name]
    told, path = _told(message, make()), GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
    wanted = json.loads(path.read_text("utf-8"))
    advice = WHAT_TO_DO.format(name=name, test="tests/envoy/test_golden_bytes.py")
    assert told["message"] == wanted["message"], advice
    assert told == wanted, advice + "\nThe fields are the same: their order or their encoding is not."


def test_every_file_is_compared() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)
