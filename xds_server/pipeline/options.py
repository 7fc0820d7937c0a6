"""What the pipeline can be told when it is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds_server.filters import BY_TYPE
from xds_server.infra.desired import Installation
from xds_server.routing.feature import Feature
from xds_server.routing.listener import Bind
from xds_server.semantics.spread import DEFAULT_LIMIT
from xds_server.settings import CONTROLLER_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`any_class`: serve Gateways of any class while no GatewayClass is given (files).

    `checks` is False only in tests: values that Envoy would reject are then sent to it.
    """

    controller_name: str = CONTROLLER_NAME
    any_class: bool = False
    checks: bool = True
    deployed: bool = False
    """Gateways are deployed in a cluster, each on its own."""
    cluster_domain: str = "cluster.local"
    """Where the cluster's DNS has its Services."""
    installation: Installation = field(default_factory=Installation)
    """What is said of this server to what it deploys."""
    system_authorities: str = "/etc/ssl/certs/ca-certificates.crt"
    """Where proxies find the authorities that BackendTLSPolicies call `System`; Debian and Envoy images have it."""
    allow_external_names: bool = False
    """Serve Services of type ExternalName, which reach around network policy (CVE-2021-25740)."""
    channel: str = "experimental"
    """The release channel of the CRDs that there are; in files every field counts."""
    bundle_version: str = ""
    """The release of gateway-api that the CRDs are of, such as v1.7.0; empty where there are none (files)."""
    strict: bool = False
    """Raise what a function raises instead of keeping the last good rows (tests)."""
    repeated_matches_limit: int = DEFAULT_LIMIT
    default_bind: Bind | None = field(default_factory=Bind)
    """Where a Gateway without a bind of its own is bound; None: it has no listeners until it is given one."""
    features: Mapping[str, Feature[Any, Any, Any]] = field(default_factory=lambda: BY_TYPE)
