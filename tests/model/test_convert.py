"""Older documents to v1: kinds and fields under their new names, all else as it was."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.documents import GROUP, document, gateway, https, listener, route
from tests.model.test_parse import SHAPED
from xds_server.model.convert import respelled, to_v1
from xds_server.model.kinds import KINDS

CA = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}
OTHER_CA = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "other"}]}


@pytest.mark.parametrize("version", ["v1alpha2", "v1beta1", "v1"])
def test_version_and_status(version):
    old = gateway() | {"apiVersion": f"{GROUP}/{version}", "status": {"addresses": []}}
    assert to_v1(old) == gateway()


def test_reference_policy_becomes_reference_grant():
    spec = {"from": [{"group": GROUP, "kind": "Gateway", "namespace": "a"}], "to": [{"group": "", "kind": "Secret"}]}
    assert to_v1(document("ReferencePolicy", spec, version="v1alpha2")) == document("ReferenceGrant", spec)


def test_unknown_fields_and_the_order_of_keys_stay():
    old = {
        "later": 1,
        "kind": "HTTPRoute",
        "spec": {"rules": [{"unknown": {"b": 1, "a": 2}}], "mine": None},
        "status": {},
        "apiVersion": f"{GROUP}/v1beta1",
        "metadata": {"name": "x"},
    }
    new = to_v1(old)
    assert list(new) == ["later", "kind", "spec", "apiVersion", "metadata"]
    assert new["spec"] == {"rules": [{"unknown": {"b": 1, "a": 2}}], "mine": None}
    assert list(new["spec"]["rules"][0]["unknown"]) == ["b", "a"]


@pytest.mark.parametrize(
    "body",
    [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "status": {"loadBalancer": {}}},
        {"apiVersion": "apps/v1", "kind": "Deployment", "status": {}},
        {"apiVersion": f"{GROUP}/v9", "kind": "Gateway", "status": {}},
        {"apiVersion": f"{GROUP}/v1alpha2", "kind": "TLSRoute", "status": {}},
        {"kind": 3, "apiVersion": None},
        {},
    ],
)
def test_other_documents_come_back_as_they_are(body):
    assert to_v1(body) == body


def test_items_of_lists_are_converted():
    old = route() | {"apiVersion": f"{GROUP}/v1alpha2"}
    many = {"apiVersion": "v1", "kind": "List", "items": [old, 3]}
    assert to_v1(many) == {"apiVersion": "v1", "kind": "List", "items": [route(), 3]}


def test_typed_lists_are_converted_and_their_items_get_a_kind():
    policy = {"metadata": {"name": "x"}, "spec": {"from": [], "to": []}}
    old = {"apiVersion": f"{GROUP}/v1alpha2", "kind": "ReferencePolicyList", "items": [policy]}
    item = {"apiVersion": f"{GROUP}/v1", "kind": "ReferenceGrant", **policy}
    assert to_v1(old) == {"apiVersion": f"{GROUP}/v1", "kind": "ReferenceGrantList", "items": [item]}


def test_backend_tls_moves_under_tls():
    certificate = {"clientCertificateRef": {"name": "client"}}
    new = to_v1(gateway(backendTLS=certificate))
    assert new["spec"]["tls"] == {"backend": certificate}
    assert "backendTLS" not in new["spec"]


def test_what_v1_says_already_is_not_overwritten():
    spec = gateway(backendTLS={"old": 1}, tls={"backend": {"new": 1}})["spec"]
    assert to_v1(gateway(**spec))["spec"]["tls"] == {"backend": {"new": 1}}


def test_client_validation_moves_from_listeners_to_their_port():
    new = to_v1(gateway(https("a", frontendValidation=CA), https("b", frontendValidation=CA), listener("plain")))
    assert new["spec"]["tls"] == {"frontend": {"default": {}, "perPort": [{"port": 443, "tls": {"validation": CA}}]}}
    assert new["spec"]["listeners"] == [https("a"), https("b"), listener("plain")]


@pytest.mark.parametrize(
    "listeners",
    [
        [https("a", frontendValidation=CA), https("b", frontendValidation=OTHER_CA)],
        [https("a", frontendValidation=CA), https("b")],
    ],
)
def test_listeners_that_disagree_keep_their_client_validation(listeners):
    assert to_v1(gateway(*listeners)) == gateway(*listeners)


def test_ports_that_v1_speaks_of_keep_what_it_says():
    frontend = {"frontend": {"default": {"validation": CA}, "perPort": [{"port": 443, "tls": {}}]}}
    body = gateway(https(frontendValidation=OTHER_CA), tls=frontend)
    assert to_v1(body) == body


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"sessionName": "s"}, {"cookie": {"name": "s"}}),
        (
            {"sessionName": "s", "type": "Cookie", "cookieConfig": {"lifetimeType": "Permanent"}},
            {"type": "Cookie", "cookie": {"name": "s", "lifetimeType": "Permanent"}},
        ),
        ({"sessionName": "s", "type": "Header"}, {"type": "Header", "header": {"name": "s"}}),
        ({"absoluteTimeout": "1h"}, {"absoluteTimeout": "1h"}),
    ],
)
def test_session_persistence(old, new):
    assert to_v1(route({"sessionPersistence": old})) == route({"sessionPersistence": new})


@settings(max_examples=150)
@given(st.sampled_from([row.kind for row in KINDS]), st.dictionaries(st.sampled_from(["spec", "items"]), SHAPED))
def test_nothing_raises_and_arguments_stay(kind, rest):
    body = document(kind, version="v1beta1") | rest
    before = copy.deepcopy(body)
    once = to_v1(body)
    assert repr(to_v1(once)) == repr(once)
    assert repr(body) == repr(before)


def test_nothing_moved_is_nothing_copied():
    body = gateway(https())
    assert respelled("Gateway", body) is body
