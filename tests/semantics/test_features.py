"""What classes say that they support: every feature that gateways can have, as gateway-api 1.7 publishes them."""

from xds_server.filters import FILTERS
from xds_server.model.kinds import KINDS
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.semantics import features
from xds_server.semantics.features import Crd
from xds_server.semantics.statuses import GatewayClassStatus

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
CLASS = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "ours"},
    "spec": {"controllerName": "xds-server.dev/gateway-controller"},
}
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


ALL = features.supported(ADVERTISED, "experimental")
EXPERIMENTAL = {row.kind: Crd("v1.7.0", "experimental") for row in KINDS if row.channel != "core"}
BUNDLES = {features.TRUST_BUNDLES: Crd()}


def test_every_feature_begins_with_a_kind() -> None:
    assert features.carried(ALL, EXPERIMENTAL | BUNDLES) == ALL
    assert features.carried(ALL, {}) == ()


def test_crds_that_are_not_there_carry_nothing() -> None:
    without = {kind: crd for kind, crd in EXPERIMENTAL.items() if kind not in ("TLSRoute", "BackendTLSPolicy")}
    assert set(ALL) - set(features.carried(ALL, without)) == {
        "BackendTLSPolicy",
        "BackendTLSPolicySANValidation",
        "ClusterTrustBundle",
        "TLSRoute",
        "TLSRouteModeMixed",
        "TLSRouteModeTerminate",
    }


def test_each_crd_has_a_channel_of_its_own() -> None:
    standard = {kind: Crd("v1.7.0", "standard") for kind in EXPERIMENTAL}
    assert set(ALL) - set(features.carried(ALL, standard | BUNDLES)) == features.EXPERIMENTAL
    mixed = EXPERIMENTAL | BUNDLES | {"HTTPRoute": Crd("v1.7.0", "standard")}
    assert set(ALL) - set(features.carried(ALL, mixed)) == {"HTTPRouteDestinationPortMatching"}


def test_releases_are_those_that_crds_tell() -> None:
    assert features.releases(EXPERIMENTAL | BUNDLES) == ("v1.7.0",)
    assert features.releases({**EXPERIMENTAL, "TCPRoute": Crd("v1.6.0", "standard")}) == ("v1.6.0", "v1.7.0")
    assert features.releases({"TCPRoute": Crd()}) == ()


def class_status(pipeline: program.Pipeline) -> GatewayClassStatus:
    pipeline.settle()
    status = pipeline.statuses.classes.get(Key("", "ours"))
    assert status is not None
    return status


def test_an_upgrade_of_the_crds_shows_in_the_status_of_a_class() -> None:
    pipeline = program.build(Options(channel="standard", strict=True))
    pipeline.inputs.put("GatewayClass", Key("", "ours"), parse(CLASS))  # type: ignore[arg-type]
    assert [one.type for one in class_status(pipeline).conditions] == ["Accepted"]
    pipeline.inputs.crds.replace({"Gateway": Crd("v1.6.0", "standard"), "HTTPRoute": Crd("v1.6.0", "standard")})
    before = class_status(pipeline)
    assert {(one.type, one.status) for one in before.conditions} == {("Accepted", "True"), ("SupportedVersion", "True")}
    assert {one.name for one in before.supported_features} < set(ALL)
    pipeline.inputs.crds.replace({**EXPERIMENTAL, **BUNDLES, "Gateway": Crd("v1.8.0", "experimental")})
    after = class_status(pipeline)
    assert [one.name for one in after.supported_features] == list(ALL)
    assert after.conditions[1].status == "False"
    assert "v1.7.0, v1.8.0" in after.conditions[1].message


def test_they_are_in_the_status_of_a_class() -> None:
    pipeline = program.build(Options(channel="standard", strict=True))
    pipeline.inputs.put("GatewayClass", Key("", "ours"), parse(CLASS))  # type: ignore[arg-type]
    pipeline.settle()
    status = pipeline.statuses.classes.get(Key("", "ours"))
    assert status is not None
    assert tuple(one.name for one in status.supported_features) == features.supported(ADVERTISED, "standard")
