"""Fields that no kind has, with the name that was meant."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.documents import (
    GROUP,
    backend,
    core,
    document,
    endpoint_slice,
    gateway,
    grpc_route,
    https,
    listener,
    route,
    tls_policy,
    trust_bundle,
    x_backend,
)
from tests.model.test_parse import SHAPED
from tests.model.test_validate import GOOD
from xds_server.model.document import Fault
from xds_server.model.kinds import KINDS
from xds_server.model.unknown import unknown_fields


def found(body):
    return {fault.field: fault.reason for fault in unknown_fields(body)}


@pytest.mark.parametrize("body", GOOD, ids=lambda body: body["kind"])
def test_good_documents_have_none(body):
    assert found(body) == {}


@pytest.mark.parametrize(
    "field",
    [
        *("annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers"),
        *("generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences"),
        *("resourceVersion", "selfLink", "uid"),
    ],
)
def test_all_that_a_cluster_says_of_an_object_is_known(field):
    """metav1.ObjectMeta of Kubernetes 1.34: what `kubectl get -o yaml` prints has no odd field."""
    body = gateway()
    body["metadata"][field] = None
    assert found(body) == {}


@pytest.mark.parametrize(
    ("body", "field", "meant"),
    [
        (route({"backendRef": [backend()]}), "spec.rules[0].backendRef", "backendRefs"),
        (route({}, {"Matches": []}), "spec.rules[1].Matches", "matches"),
        (route(parentRef=[{"name": "gw"}]), "spec.parentRef", "parentRefs"),
        (
            route({"filters": [{"type": "CORS", "cors": {"maxage": 1}}]}),
            "spec.rules[0].filters[0].cors.maxage",
            "maxAge",
        ),
        (gateway(listener(hostName="a")), "spec.listeners[0].hostName", "hostname"),
        (gateway(https(certificateRef={"name": "a"})), "spec.listeners[0].tls.certificateRef", "certificateRefs"),
        (gateway(listener(allowedRoutes={"namespace": {}})), "spec.listeners[0].allowedRoutes.namespace", "namespaces"),
        (
            grpc_route({"matches": [{"method": {"services": "a"}}]}),
            "spec.rules[0].matches[0].method.services",
            "service",
        ),
        (tls_policy(hostName="a"), "spec.validation.hostName", "hostname"),
        (x_backend(port={"numbers": 1}), "spec.port.numbers", "number"),
        (route() | {"specs": {}}, "specs", "spec"),
        (route() | {"metadata": {"name": "one", "lables": {}}}, "metadata.lables", "labels"),
    ],
)
def test_typos_are_found_with_what_was_meant(body, field, meant):
    assert found(body) == {field: f"is not a field; perhaps meant: {meant}"}


def test_what_is_like_nothing_has_no_hint():
    assert found(route(zzz=1)) == {"spec.zzz": "is not a field"}


def test_all_are_found_in_their_order_and_none_below_another():
    body = gateway(listener(one={"two": 1}), listener("b", three=3), four=4) | {"five": [{"six": 6}]}
    assert list(found(body)) == ["spec.listeners[0].one", "spec.listeners[1].three", "spec.four", "five"]


def test_a_fault_says_whose_it_is():
    assert unknown_fields(route(zzz=1)) == (
        Fault("is not a field", kind="HTTPRoute", namespace="demo", name="one", field="spec.zzz"),
    )


@pytest.mark.parametrize(
    "body",
    [
        route() | {"status": {"parents": [{"later": 1}]}},
        route() | {"metadata": {"name": "one", "managedFields": [{"fieldsV1": {}}], "ownerReferences": [{"uid": "a"}]}},
        route() | {"metadata": {"name": "one", "annotations": {"any": "thing"}, "labels": {"some": "thing"}}},
        gateway(infrastructure={"labels": {"any": "thing"}, "annotations": {"some": "thing"}}),
        gateway(https(options={"example.com/any": "thing"})),
        gateway(listener(allowedRoutes={"namespaces": {"selector": {"matchLabels": {"any": "thing"}}}})),
    ],
)
def test_what_the_api_has_or_leaves_open_is_known(body):
    assert found(body) == {}


@pytest.mark.parametrize(
    "body",
    [
        route({"sessionPersistence": {"sessionName": "a", "cookieConfig": {"lifetimeType": "Session"}}}),
        gateway(https(frontendValidation={"caCertificateRefs": []}), backendTLS={}),
        document("BackendTLSPolicy", {"targetRef": {"group": ""}, "tls": {"caCertRefs": []}}, version="v1alpha2"),
        document("ReferencePolicy", {"from": [], "to": []}, version="v1alpha2"),
    ],
)
def test_older_spellings_are_known(body):
    assert found(body) == {}


def test_fields_that_the_api_gave_up_are_not():
    assert list(found(route({"sessionPersistence": {"idleTimeout": "1h"}}))) == [
        "spec.rules[0].sessionPersistence.idleTimeout"
    ]


@pytest.mark.parametrize(
    "body",
    [core("Service", spec={"x": 1}), core("Pod", x=1), endpoint_slice(x=1), trust_bundle(x=1), {"x": 1}, {"kind": "A"}],
)
def test_other_peoples_kinds_are_not_looked_into(body):
    assert found(body) == {}


@pytest.mark.parametrize("spec", [None, 3, "text", [], [{"a": 1}]])
def test_wrong_types_are_not_reported_here(spec):
    assert [field for field in found(document("Gateway", spec)) if not field.startswith("spec[0].")] == []


@settings(max_examples=200)
@given(st.sampled_from([row for row in KINDS if row.group == GROUP]), SHAPED, SHAPED)
def test_nothing_raises_and_arguments_stay(row, metadata, spec):
    body = {"apiVersion": row.api_version, "kind": row.kind, "metadata": metadata, "spec": spec, 3: 4}
    before = copy.deepcopy(body)
    assert "3" in found(body)
    assert repr(body) == repr(before)
