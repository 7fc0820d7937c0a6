"""KINDS: one row per kind that is read. A new kind is one row here and one module with its model.

Nothing else lists kinds: parsing, the tables of the pipeline, RBAC and the watches are made from these rows.
Versions: the API's own history (releases 0.4 to 1.7 of gateway-api); newest first, all read as the newest.
"""

from typing import NamedTuple

from xds_server.model.core import ConfigMap, EndpointSlice, Namespace, ReferenceGrant, Secret, Service
from xds_server.model.document import Object
from xds_server.model.gateway import Gateway, GatewayClass
from xds_server.model.httproute import HTTPRoute

GATEWAY_GROUP = "gateway.networking.k8s.io"


class Kind(NamedTuple):
    """How one kind is called, which of its versions are read, and what it is read into."""

    kind: str
    group: str
    plural: str
    versions: tuple[str, ...]
    """Newest first."""
    model: type[Object]
    namespaced: bool = True
    channel: str = "standard"
    """The least release channel of gateway-api that holds it; "core" for kinds every cluster has."""
    former_kinds: tuple[str, ...] = ()
    """Names that earlier versions gave to the same thing."""

    @property
    def api_version(self) -> str:
        """The newest apiVersion, as documents spell it."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]


KINDS = (
    Kind(
        "GatewayClass",
        GATEWAY_GROUP,
        "gatewayclasses",
        ("v1", "v1beta1", "v1alpha2"),
        GatewayClass,
        namespaced=False,
    ),
    Kind("Gateway", GATEWAY_GROUP, "gateways", ("v1", "v1beta1", "v1alpha2"), Gateway),
    Kind("HTTPRoute", GATEWAY_GROUP, "httproutes", ("v1", "v1beta1", "v1alpha2"), HTTPRoute),
    Kind(
        "ReferenceGrant",
        GATEWAY_GROUP,
        "referencegrants",
        ("v1", "v1beta1", "v1alpha2"),
        ReferenceGrant,
        former_kinds=("ReferencePolicy",),
    ),
    Kind("Service", "", "services", ("v1",), Service, channel="core"),
    Kind("EndpointSlice", "discovery.k8s.io", "endpointslices", ("v1",), EndpointSlice, channel="core"),
    Kind("Secret", "", "secrets", ("v1",), Secret, channel="core"),
    Kind("ConfigMap", "", "configmaps", ("v1",), ConfigMap, channel="core"),
    Kind("Namespace", "", "namespaces", ("v1",), Namespace, namespaced=False, channel="core"),
)

BY_KIND = {row.kind: row for row in KINDS}
BY_MODEL: dict[type[Object], Kind] = {row.model: row for row in KINDS}
BY_GROUP_KIND = {(row.group, kind): row for row in KINDS for kind in (row.kind, *row.former_kinds)}


def kind_of(value: Object) -> Kind:
    """The row of an object's kind; KeyError for a value that is none of KINDS."""
    return BY_MODEL[type(value)]
