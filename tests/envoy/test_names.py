"""Names of resources: they are promises, since a renamed one drains or warms anew."""

from xds_server.envoy import names
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, EndpointsId
from xds_server.routing.listener import Scope
from xds_server.routing.secret import SecretId

GATEWAY = Key("infra", "public")


def test_names_are_what_they_have_always_been() -> None:
    assert names.listener(8080) == "tcp-8080"
    assert names.listener(53, "udp") == "udp-53"
    assert names.filter_chain("*.example.com") == "*.example.com"
    assert names.route_configuration(Scope(GATEWAY, 80)) == "http-80"
    assert names.route_configuration(Scope(GATEWAY, 443, "shop.example.com")) == "https-443/shop.example.com"
    assert names.route_configuration(Scope(GATEWAY, 443, "*")) == "https-443/*"
    assert names.cluster(Backend(Key("shop", "cart"), 8080)) == "shop/cart:8080/auto"
    assert names.cluster(Backend(Key("shop", "cart"), 8080, "http2")) == "shop/cart:8080/http2"
    assert (
        names.cluster(Backend(Key("shop", "cart"), 8080, tls=Key("shop", "strict")))
        == "shop/cart:8080/auto/tls/shop/strict"
    )
    assert names.cluster(Backend(Key("shop", "dns"), 53, "udp")) == "shop/dns:53/udp"
    assert names.endpoints(EndpointsId(Key("shop", "cart"), 8080)) == "shop/cart:8080"
    assert names.endpoints(EndpointsId(Key("shop", "dns"), 53, "udp")) == "shop/dns:53/udp"
    assert names.endpoints(EndpointsId(Key("shop", "api"), 443, kind="XBackend")) == "xbackend/shop/api:443"
    assert names.secret(SecretId.certificate(Key("shop", "cert"))) == "secret/shop/cert"
    assert names.secret(SecretId("BackendTLSPolicy", Key("shop", "cart"))) == "ca/backendtlspolicy/shop/cart"
    assert names.secret(SecretId("Gateway", Key("shop", "gw"), "443")) == "ca/gateway/shop/gw/443"
    assert names.gateway_node_cluster(GATEWAY) == "infra/public"


def test_no_cluster_has_the_name_of_the_missing_one() -> None:
    assert "/" not in names.MISSING_CLUSTER
    assert "/" in names.cluster(Backend(Key("none", "none"), 1))
