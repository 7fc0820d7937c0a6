"""The features of the Gateway API that are served: those that filters advertise, and all others, here.

Names as gateway-api publishes them (pkg/features of release 1.7), those of meshes left out. A feature whose fields the
standard CRDs lack is advertised only beside the experimental ones.
"""

from collections.abc import Iterable, Mapping

from xds_server.model.meta import Struct

BESIDE_FILTERS = (
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
    "GatewayPort8080",
    "GatewayRouteHostnameIntersectionPrecedence",
    "GatewayStaticAddresses",
    "HTTPRoute",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendTimeout",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestTimeout",
    "HTTPRouteRetryCodes",
    "HTTPRouteRetryConnectionError",
    "ListenerSet",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "TLSRouteModeMixed",
    "TLSRouteModeTerminate",
    "UDPRoute",
)
EXPERIMENTAL = frozenset(
    (
        "ClusterTrustBundle",
        "GatewayAddressRoutability",
        "GatewayAddressRoutabilityCluster",
        "GatewayListenerFilters",
        "HTTPRouteDestinationPortMatching",
    )
)
UNPUBLISHED = ("HTTPRouteExternalAuth",)
"""How names begin that comments of the API give, but that its own lists and tests do not know."""


TRUST_BUNDLES = "ClusterTrustBundle"
"""A feature that is a kind of Kubernetes' own, named by fields of others."""
_KINDS = (
    "BackendTLSPolicy",
    TRUST_BUNDLES,
    "GRPCRoute",
    "Gateway",
    "HTTPRoute",
    "ListenerSet",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "UDPRoute",
)
"""How names of features begin: with the kind that has them."""


class Crd(Struct, frozen=True):
    """A kind that a cluster serves: of which release of gateway-api, and of which channel. Both are empty where its CRD
    does not say.
    """

    bundle_version: str = ""
    channel: str = ""


def supported(advertised: Iterable[str], channel: str) -> tuple[str, ...]:
    """What a class says that it supports, by bytes; `advertised` are the filters', `channel` is that of the CRDs."""
    found = {*BESIDE_FILTERS, *(name for name in advertised if not name.startswith(UNPUBLISHED))}
    return tuple(sorted(found if channel == "experimental" else found - EXPERIMENTAL))


def carried(features: Iterable[str], crds: Mapping[str, Crd]) -> tuple[str, ...]:
    """Those that a cluster with these kinds can carry."""
    return tuple(name for name in features if _is_carried(name, crds))


def _is_carried(name: str, crds: Mapping[str, Crd]) -> bool:
    kind = next(kind for kind in _KINDS if name.startswith(kind))
    if kind not in crds:
        return False
    of = "Gateway" if name == TRUST_BUNDLES else kind
    return name not in EXPERIMENTAL or (of in crds and crds[of].channel == "experimental")


def releases(crds: Mapping[str, Crd]) -> tuple[str, ...]:
    """The releases that the CRDs are of; one, but for those that are being exchanged."""
    return tuple(sorted({one.bundle_version for one in crds.values() if one.bundle_version}))
