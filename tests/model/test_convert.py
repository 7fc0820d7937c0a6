"""Older documents to v1: kinds and fields under their new names, all else as it was."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.documents import (
    GROUP,
    X_GROUP,
    any_route,
    document,
    gateway,
    grpc_route,
    https,
    listener,
    listener_set,
    route,
    tls_policy,
    traffic_policy,
    x_backend,
    x_selector,
)
from tests.model.test_parse import SHAPED
from xds_server.model.convert import respelled, to_v1
from xds_server.model.kinds import KINDS, ROUTE_KINDS

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
        {"apiVersion": f"{GROUP}/v1alpha1", "kind": "TLSRoute", "status": {}},
        {"apiVersion": f"{GROUP}/v1", "kind": "ReferencePolicy", "status": {}},
        {"apiVersion": f"{X_GROUP}/v1", "kind": "XListenerSet", "status": {}},
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
    "place",
    [
        lambda session: route({"sessionPersistence": session}),
        lambda session: grpc_route({"sessionPersistence": session}),
        lambda session: x_selector(sessionPersistence=session),
        lambda session: traffic_policy(sessionPersistence=session),
    ],
)
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
def test_session_persistence(place, old, new):
    assert to_v1(place(old)) == place(new)


def test_listener_sets_and_what_refers_to_them():
    old = listener_set() | {"apiVersion": f"{X_GROUP}/v1alpha1", "kind": "XListenerSet", "status": {}}
    assert to_v1(old) == listener_set()
    many = {"apiVersion": f"{X_GROUP}/v1alpha1", "kind": "XListenerSetList", "items": [{"spec": {}}]}
    item = {"apiVersion": f"{GROUP}/v1", "kind": "ListenerSet", "spec": {}}
    assert to_v1(many) == {"apiVersion": f"{GROUP}/v1", "kind": "ListenerSetList", "items": [item]}


OLD_SET, NEW_SET = {"group": X_GROUP, "kind": "XListenerSet"}, {"group": GROUP, "kind": "ListenerSet"}


@pytest.mark.parametrize("kind", ROUTE_KINDS)
def test_parents_that_were_experimental(kind):
    parents = [{"name": "gw"}, {"name": "set", **OLD_SET, "sectionName": "a"}, {"name": "set", **NEW_SET}, 3]
    new = [{"name": "gw"}, {"name": "set", **NEW_SET, "sectionName": "a"}, {"name": "set", **NEW_SET}, 3]
    assert to_v1(any_route(kind, parentRefs=parents)) == any_route(kind, parentRefs=new)


def test_grants_to_what_was_experimental():
    to = [{"group": "", "kind": "Secret"}]
    old = document("ReferenceGrant", {"from": [{**OLD_SET, "namespace": "a"}], "to": to}, version="v1beta1")
    assert to_v1(old) == document("ReferenceGrant", {"from": [{**NEW_SET, "namespace": "a"}], "to": to})


def test_load_balancing_policies():
    old = traffic_policy(sessionPersistence={"sessionName": "s"})
    old |= {"apiVersion": f"{GROUP}/v1alpha2", "kind": "BackendLBPolicy"}
    assert to_v1(old) == traffic_policy(sessionPersistence={"cookie": {"name": "s"}})


def test_a_method_of_nothing_but_a_type_is_none():
    kept = {"method": {"type": "Exact", "service": "a.B"}}
    old = grpc_route({"matches": [{"method": {"type": "Exact"}, "headers": []}, kept]})
    assert to_v1(old | {"apiVersion": f"{GROUP}/v1alpha2"}) == grpc_route({"matches": [{"headers": []}, kept]})


TARGET = {"group": "", "kind": "Service", "name": "shop"}
REFS = [{"group": "", "kind": "ConfigMap", "name": "ca"}]


@pytest.mark.parametrize(
    ("tls", "validation"),
    [
        ({"caCertRefs": REFS}, {"caCertificateRefs": REFS}),
        ({"wellKnownCACerts": "System"}, {"wellKnownCACertificates": "System"}),
    ],
)
def test_tls_policies_of_one_target(tls, validation):
    old = document(
        "BackendTLSPolicy",
        {"targetRef": TARGET, "tls": {"hostname": "shop.example.com", **tls}},
        version="v1alpha2",
    )
    assert to_v1(old) == tls_policy(**validation)


def test_a_target_in_another_namespace_has_no_new_spelling():
    old = document("BackendTLSPolicy", {"targetRef": TARGET | {"namespace": "other"}}, version="v1alpha2")
    assert to_v1(old)["spec"] == old["spec"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"port": 80}, {"number": 80}),
        ({"port": 80, "name": "web"}, {"number": 80, "name": "web"}),
        ({"port": 80, "number": 81}, {"port": 80, "number": 81}),
    ],
)
def test_ports_of_backends(old, new):
    assert to_v1(x_backend(port=old)) == x_backend(port=new)


NAMES = [name for row in KINDS for name in row.names]


@settings(max_examples=300)
@given(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(["spec", "items"]), SHAPED))
def test_nothing_raises_and_arguments_stay(name, rest):
    body = document(name.kind) | {"apiVersion": f"{name.group}/{name.versions[-1]}".lstrip("/")} | rest
    before = copy.deepcopy(body)
    once = to_v1(body)
    assert repr(to_v1(once)) == repr(once)
    assert repr(body) == repr(before)


def test_nothing_moved_is_nothing_copied():
    body = gateway(https())
    assert respelled("Gateway", body) is body
    for kind in ROUTE_KINDS:
        body = any_route(kind, parentRefs=[{"name": "gw"}])
        assert respelled(kind, body) is body
    assert respelled("BackendTLSPolicy", policy := tls_policy()) is policy
    assert respelled("XBackend", outside := x_backend()) is outside
