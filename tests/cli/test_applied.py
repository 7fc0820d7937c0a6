"""A cluster as it would be."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import GATEWAY
from tests.pipeline import documents as doc
from xds_server.cli.applied import applied
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import kind_of
from xds_server.model.parse import parse
from xds_server.shell.survey import Survey, survey

BARE = GATEWAY.replace(", namespace: shop", "").replace("port: 80", "port: 8080")


def there() -> list[Object]:
    metadata = {"uid": "u-1", "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z"}
    documents = [doc.gateway("gw", doc.listener("web"), namespace="shop", **metadata), doc.service("cart")]
    values = [parse(one) for one in documents]
    return [one for one in values if not isinstance(one, Fault | Ignored)]


@pytest.fixture
def files(tmp_path: Path) -> Survey:
    (tmp_path / "gateway.yaml").write_text(BARE)
    return survey([tmp_path])


def told(objects: list[Object]) -> dict[str, Any]:
    return {f"{kind_of(one).kind} {one.metadata.key}": one for one in objects}


def test_an_object_takes_the_place_of_its_like_and_stays_as_old(files: Survey) -> None:
    after = told(applied(there(), files, "shop"))
    assert list(after) == ["Gateway shop/gw", "Service default/cart"]
    gateway = after["Gateway shop/gw"]
    assert gateway.spec.listeners[0].port == 8080
    assert (gateway.metadata.uid, gateway.metadata.creation_timestamp) == ("u-1", "2026-01-01T00:00:00Z")


def test_what_others_put_on_an_object_stays(files: Survey) -> None:
    """What was applied before, and is in the file no more, does not."""
    last = json.dumps({"metadata": {"annotations": {"mine": "1"}, "labels": None}})
    annotations = {"mine": "1", "theirs": "2", "kubectl.kubernetes.io/last-applied-configuration": last}
    there = parse(doc.gateway("gw", doc.listener("web"), namespace="shop", annotations=annotations, labels={"a": "b"}))
    assert not isinstance(there, Fault | Ignored)
    gateway = told(applied([there], files, "shop"))["Gateway shop/gw"]
    assert gateway.metadata.annotations.keys() - {"kubectl.kubernetes.io/last-applied-configuration"} == {"theirs"}
    assert gateway.metadata.labels == {"a": "b"}


@pytest.mark.parametrize(
    "last", ["{", "[]", '{"metadata": []}', '{"metadata": null}', '{"metadata": {"annotations": 5}}']
)
def test_what_was_applied_before_may_be_anything(files: Survey, last: str) -> None:
    annotations = {"theirs": "2", "kubectl.kubernetes.io/last-applied-configuration": last}
    there = parse(doc.gateway("gw", doc.listener("web"), namespace="shop", annotations=annotations))
    assert not isinstance(there, Fault | Ignored)
    gateway = told(applied([there], files, "shop"))["Gateway shop/gw"]
    assert gateway.metadata.annotations["theirs"] == "2"


def test_what_names_no_namespace_is_put_where_kubectl_would_put_it(files: Survey) -> None:
    assert list(told(applied(there(), files, "other"))) == [
        "Gateway shop/gw",
        "Service default/cart",
        "Gateway other/gw",
    ]


def test_a_namespace_that_is_named_counts(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(GATEWAY + "---\n" + BARE.replace("name: gw", "name: gw, namespace: default"))
    after = told(applied([], survey([tmp_path]), "other"))
    assert sorted(after) == ["Gateway default/gw", "Gateway shop/gw"]


def test_objects_without_namespaces_stay_without(tmp_path: Path) -> None:
    class_ = "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: a}, spec: {controllerName: a.b/c}}"
    (tmp_path / "class.yaml").write_text(class_)
    assert list(told(applied([], survey([tmp_path]), "other"))) == ["GatewayClass a"]


def test_objects_that_would_be_deleted(files: Survey) -> None:
    assert list(told(applied(there(), files, "shop", delete=True))) == ["Service default/cart"]
    assert list(told(applied(there(), files, "other", delete=True))) == ["Gateway shop/gw", "Service default/cart"]
