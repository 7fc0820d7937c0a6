"""What objects are to us, and what is remembered of them."""

from typing import Any

import pytest

from xds_server.model.meta import Key
from xds_server.shell.kube.provisioned import Found, Provisioned, digest, found

OWNER = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "Gateway", "name": "web", "uid": "g1"}


def service(**metadata: Any) -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "uid": "s1", "resourceVersion": "7", **metadata}
    return {"metadata": meta, "spec": {"type": "ClusterIP"}}


def read(value: dict[str, Any]) -> Found:
    return found("Service", value, "xds-server")


def test_its_gateway_is_the_one_that_owns_it() -> None:
    one = read(service(ownerReferences=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "c1"}, OWNER]))
    assert (one.gateway, one.owner) == (Key("shop", "web"), "g1")
    assert read(service()).gateway is None
    assert read(service(ownerReferences=[{**OWNER, "apiVersion": "example.com/v1"}])).gateway is None


@pytest.mark.parametrize(
    ("metadata", "managed"),
    [
        ({}, False),
        ({"labels": {"app.kubernetes.io/managed-by": "xds-server"}}, True),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, False),
        ({"managedFields": [{"manager": "xds-server", "operation": "Apply", "fieldsV1": {}}]}, True),
        ({"managedFields": [{"manager": "xds-server", "operation": "Update", "fieldsV1": {}}]}, False),
        ({"managedFields": [{"manager": "other", "operation": "Apply", "fieldsV1": {}}]}, False),
    ],
)
def test_ours_is_what_says_so_or_what_we_applied(metadata: dict[str, Any], managed: bool) -> None:
    assert read(service(**metadata)).managed is managed


@pytest.mark.parametrize(
    ("metadata", "same"),
    [
        ({"resourceVersion": "8"}, True),
        ({"generation": 2}, True),
        ({"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}, True),
        ({"managedFields": [{"manager": "a", "operation": "Update"}]}, True),
        ({"annotations": {"deployment.kubernetes.io/revision": "2"}}, True),
        ({"annotations": {"a": "b"}}, False),
        ({"labels": {"a": "b"}}, False),
        ({"ownerReferences": [OWNER]}, False),
    ],
)
def test_bookkeeping_is_no_change(metadata: dict[str, Any], same: bool) -> None:
    assert (read(service(**metadata)).fingerprint == read(service()).fingerprint) is same


def test_lists_and_answers_of_writes_are_alike() -> None:
    whole = {"apiVersion": "v1", "kind": "Service", **service(), "status": {"loadBalancer": {}}}
    assert read(whole) == read(service())
    assert read({**service(), "spec": {"type": "NodePort"}}).fingerprint != read(service()).fingerprint


def test_order_of_keys_is_nothing() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})


def one(name: str, gateway: str, fingerprint: bytes = b"") -> Found:
    key = Key("shop", gateway) if gateway else None
    return Found(("Service", Key("shop", name)), "u", "g", key, fingerprint, managed=True, leaving=False)


def test_what_a_gateway_owns() -> None:
    known = Provisioned()
    for entry in (one("a", "web"), one("b", "web"), one("c", "")):
        known.note(entry)
    assert [entry.id[1].name for entry in known.of(Key("shop", "web"))] == ["a", "b"]
    known.note(one("a", "api"))
    assert sorted(known.gateways()) == [Key("shop", "api"), Key("shop", "web")]
    assert known.forget(("Service", Key("shop", "b"))) == one("b", "web")
    assert list(known.gateways()) == [Key("shop", "api")]
    assert known.forget(("Service", Key("shop", "b"))) is None


def test_a_new_list_replaces_what_was_known_of_its_kind_and_place() -> None:
    known = Provisioned()
    known.replace("Service", "", [one("a", "web"), one("b", "api"), one("c", "same")])
    touched = known.replace("Service", "shop", [one("a", "web", b"new"), one("c", "same")])
    assert touched == {Key("shop", "web"), Key("shop", "api")}
    assert known.get(("Service", Key("shop", "b"))) is None
    assert known.replace("Service", "other", []) == set()
    assert known.replace("Deployment", "", []) == set()
    assert known.get(("Service", Key("shop", "c"))) is not None


def test_an_answer_that_comes_after_a_newer_event_takes_nothing_back() -> None:
    known = Provisioned()

    def heard(version: str, **metadata: Any) -> str:
        known.note(read(service(resourceVersion=version, ownerReferences=[OWNER], **metadata)))
        (one,) = known.of(Key("shop", "web"))
        return f"{one.uid} {one.version}"

    assert [heard("9"), heard("8"), heard("10"), heard("1", uid="s2")] == ["s1 9", "s1 9", "s1 10", "s2 1"]
    assert heard("x", uid="s2") == "s2 0"
    assert heard("3", uid="s2") == "s2 3"
    known.replace("Service", "", [read(service(resourceVersion="2", uid="s2", ownerReferences=[OWNER]))])
    assert known.of(Key("shop", "web"))[0].version == 2
