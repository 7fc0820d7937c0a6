"""The features of the Gateway API that are served: those that filters advertise, and all others, here.

Names as gateway-api publishes them (pkg/features of release 1.7), those of meshes left out. A feature whose fields the
standard CRDs lack is advertised only beside the experimental ones.
"""

from collections.abc import Iterable

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


def supported(advertised: Iterable[str], channel: str) -> tuple[str, ...]:
    """What a class says that it supports, by bytes; `advertised` are the filters', `channel` is that of the CRDs."""
    found = {*BESIDE_FILTERS, *(name for name in advertised if not name.startswith(UNPUBLISHED))}
    return tuple(sorted(found if channel == "experimental" else found - EXPERIMENTAL))
