import msgspec
import pytest

from tests.model.documents import GROUP, X_GROUP
from xds_server.model.kinds import BY_GROUP_KIND, BY_KIND, KINDS, VERSIONS, kind_of
from xds_server.model.meta import Metadata, OwnedMetadata, Struct
from xds_server.model.parse import parse


def test_every_kind_that_gateways_serve_is_there_once():
    assert [row.kind for row in KINDS] == [
        "GatewayClass",
        "Gateway",
        "ListenerSet",
        "HTTPRoute",
        "GRPCRoute",
        "TLSRoute",
        "TCPRoute",
        "UDPRoute",
        "BackendTLSPolicy",
        "XBackend",
        "XBackendTrafficPolicy",
        "XTelemetryPolicy",
        "ReferenceGrant",
        "Service",
        "EndpointSlice",
        "Secret",
        "ConfigMap",
        "Pod",
        "ClusterTrustBundle",
        "Namespace",
    ]
    assert len(BY_KIND) == len({row.plural for row in KINDS}) == len({row.model for row in KINDS}) == len(KINDS)


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.kind)
def test_a_model_is_a_struct_with_metadata_named_after_its_kind(row):
    assert issubclass(row.model, Struct)
    assert row.model.__name__ == row.kind
    types = {field.name: field.type for field in msgspec.structs.fields(row.model)}
    assert types["metadata"] is (OwnedMetadata if row.kind == "Service" else Metadata)


def test_versions_are_those_ever_released():
    assert {kind: versions for (group, kind), versions in VERSIONS.items() if group == GROUP} == {
        "GatewayClass": ("v1", "v1beta1", "v1alpha2"),
        "Gateway": ("v1", "v1beta1", "v1alpha2"),
        "ListenerSet": ("v1",),
        "HTTPRoute": ("v1", "v1beta1", "v1alpha2"),
        "GRPCRoute": ("v1", "v1alpha2"),
        "TLSRoute": ("v1", "v1alpha3", "v1alpha2"),
        "TCPRoute": ("v1", "v1alpha2"),
        "UDPRoute": ("v1", "v1alpha2"),
        "BackendTLSPolicy": ("v1", "v1alpha3", "v1alpha2"),
        "BackendLBPolicy": ("v1alpha2",),
        "ReferenceGrant": ("v1", "v1beta1", "v1alpha2"),
        "ReferencePolicy": ("v1alpha2",),
    }
    assert {kind: versions for (group, kind), versions in VERSIONS.items() if group == X_GROUP} == {
        "XListenerSet": ("v1alpha1",),
        "XBackend": ("v1alpha1",),
        "XBackendTrafficPolicy": ("v1alpha1",),
        "XTelemetryPolicy": ("v1alpha1",),
    }


def test_scopes():
    assert {row.kind for row in KINDS if not row.namespaced} == {"GatewayClass", "ClusterTrustBundle", "Namespace"}


def test_api_versions_are_spelt_as_in_documents():
    assert BY_KIND["HTTPRoute"].api_version == "gateway.networking.k8s.io/v1"
    assert BY_KIND["XBackend"].api_version == "gateway.networking.x-k8s.io/v1alpha1"
    assert BY_KIND["Secret"].api_version == "v1"
    assert BY_KIND["EndpointSlice"].api_version == "discovery.k8s.io/v1"


def test_former_names_lead_to_the_same_row():
    assert BY_GROUP_KIND[(GROUP, "ReferencePolicy")] is BY_KIND["ReferenceGrant"]
    assert BY_GROUP_KIND[(X_GROUP, "XListenerSet")] is BY_KIND["ListenerSet"]
    assert BY_GROUP_KIND[(GROUP, "BackendLBPolicy")] is BY_KIND["XBackendTrafficPolicy"]
    assert (GROUP, "XListenerSet") not in BY_GROUP_KIND


def test_the_row_of_an_object():
    namespace = parse({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}})
    assert kind_of(namespace) is BY_KIND["Namespace"]
