"""What classes say that they support: every feature that gateways can have, as gateway-api 1.7 publishes them."""

from xds_server.filters import FILTERS
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.semantics import features

PUBLISHED = [
    "BackendTLSPolicy",
    "BackendTLSPolicySANValidation",
    "ClusterTrustBundle",
    "GRPCRoute",
    "GRPCRouteNamedRouteRule",
    "GRPCRouteRequestHeaderModifier",
    "Gateway",
    "GatewayAddressEmpty",
    "GatewayAddressRoutability",
    "GatewayAddressRoutabilityCluster",
    "GatewayBackendClientCertificate",
    "GatewayFrontendClientCertificateValidation",
    "GatewayFrontendClientCertificateValidationInsecureFallback",
    "GatewayHTTPListenerIsolation",
    "GatewayHTTPSListenerDetectMisdirectedRequests",
    "GatewayInfrastructure",
    "GatewayListenerFilters",
    "GatewayPort8080",
    "GatewayRouteHostnameIntersectionPrecedence",
    "GatewayStaticAddresses",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteBackendURLRewrite",
    "HTTPRouteCORS",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteRetryCodes",
    "HTTPRouteRetryConnectionError",
    "HTTPRouteSchemeRedirect",
    "ListenerSet",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "TLSRouteModeMixed",
    "TLSRouteModeTerminate",
    "UDPRoute",
]
"""gateway-api 1.7, pkg/features: the names of all features but those of meshes."""
ADVERTISED = [name for one in FILTERS for name in one.advertises]


def test_everything_that_is_published_is_supported() -> None:
    assert list(features.supported(ADVERTISED, "experimental")) == sorted(PUBLISHED)
    assert len(PUBLISHED) == 54


def test_standard_crds_carry_fewer() -> None:
    assert set(PUBLISHED) - set(features.supported(ADVERTISED, "standard")) == features.EXPERIMENTAL


def test_nothing_is_listed_twice() -> None:
    assert list(features.BESIDE_FILTERS) == sorted(set(features.BESIDE_FILTERS))
    assert not set(features.BESIDE_FILTERS) & set(ADVERTISED)
    assert set(PUBLISHED) > features.EXPERIMENTAL


def test_they_are_in_the_status_of_a_class() -> None:
    pipeline = program.build(Options(channel="standard", strict=True))
    class_ = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "ours"},
        "spec": {"controllerName": "xds-server.dev/gateway-controller"},
    }
    pipeline.inputs.put("GatewayClass", Key("", "ours"), parse(class_))  # type: ignore[arg-type]
    pipeline.settle()
    status = pipeline.statuses.classes.get(Key("", "ours"))
    assert status is not None
    assert tuple(one.name for one in status.supported_features) == features.supported(ADVERTISED, "standard")
