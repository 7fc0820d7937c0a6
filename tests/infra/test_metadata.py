"""What is copied onto what is made for a Gateway, and what is not."""

import pytest

from xds_server.infra import names
from xds_server.infra.metadata import Metadata, made_for, metadata
from xds_server.model.core import Service
from xds_server.model.gateway import Gateway, GatewaySpec
from xds_server.model.meta import Key
from xds_server.model.meta import Metadata as ObjectMeta
from xds_server.model.parse import parse
from xds_server.semantics.infrastructure import NONE, Infrastructure

CONTROLLER = "example.com/gateways"


def made(asked: Infrastructure = NONE, name: str = "gw", class_: str = "one", **meta: dict[str, str]) -> Metadata:
    gateway = Gateway(ObjectMeta(name, "shop", uid="u1", **meta), GatewaySpec(class_))  # type: ignore[arg-type]
    return metadata(gateway, asked, CONTROLLER)


def test_who_it_belongs_to() -> None:
    found = made()
    assert found.of_object() == {
        "name": "gw",
        "namespace": "shop",
        "labels": {
            "gateway.networking.k8s.io/gateway-name": "gw",
            "gateway.networking.k8s.io/gateway-class-name": "one",
            "app.kubernetes.io/managed-by": "xds-server",
            "xds-server.dev/controller": "example.com_gateways",
        },
        "ownerReferences": [
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "name": "gw",
                "uid": "u1",
                "controller": True,
            }
        ],
    }
    assert found.selected.items() <= found.pod_labels.items()


def test_those_of_the_gateway_are_on_objects_those_of_the_infrastructure_on_pods_too() -> None:
    asked = Infrastructure({"b": "infrastructure", "c": "3"}, {"y": "infrastructure", "z": "3"})
    found = made(asked, labels={"a": "1", "b": "own"}, annotations={"x": "1", "y": "own"})
    assert found.labels.items() >= {"a": "1", "b": "infrastructure", "c": "3"}.items()
    assert found.annotations == {"x": "1", "y": "infrastructure", "z": "3"}
    assert "a" not in found.pod_labels
    assert found.pod_labels.items() >= {"b": "infrastructure", "c": "3"}.items()
    assert found.pod_annotations == {"y": "infrastructure", "z": "3"}


@pytest.mark.parametrize(
    "key",
    [
        "kubectl.kubernetes.io/last-applied-configuration",
        "argocd.argoproj.io/tracking-id",
        "argocd.argoproj.io/instance",
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "kustomize.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/namespace",
        "meta.helm.sh/release-name",
        "helm.sh/chart",
        "applyset.kubernetes.io/part-of",
        "kapp.k14s.io/app",
        "config.k8s.io/owning-inventory",
        "objectset.rio.cattle.io/id",
        "gateway.networking.k8s.io/gateway-name",
        "xds-server.dev/controller",
        "networking.istio.io/service-type",
        "inject.istio.io/templates",
    ],
)
def test_what_tools_claim_objects_by_is_not_copied(key: str) -> None:
    found = made(
        Infrastructure({key: "claimed"}, {key: "claimed"}), labels={key: "claimed"}, annotations={key: "claimed"}
    )
    for entries in (found.labels, found.annotations, found.pod_labels, found.pod_annotations):
        assert "claimed" not in entries.values()


@pytest.mark.parametrize("key", ["team", "example.com/argocd.argoproj.io", "app.kubernetes.io/name", "notfluxcd.io/a"])
def test_other_keys_are_copied(key: str) -> None:
    assert made(labels={key: "x"}).labels[key] == "x"


def test_names_that_are_too_long_for_labels_are_told_whole() -> None:
    gateway, class_ = "g" * 100, "c" * 100
    found = made(name=gateway, class_=class_)
    assert found.labels[names.GATEWAY_LABEL] == names.label(gateway)
    assert found.labels[names.CLASS_LABEL] == names.label(class_)
    for annotations in (found.annotations, found.pod_annotations):
        assert annotations == {names.GATEWAY_ANNOTATION: gateway, names.CLASS_ANNOTATION: class_}
    assert found.owner["name"] == gateway


@pytest.mark.parametrize("class_", ["one", "c" * 200])
def test_a_service_tells_for_which_gateway_of_which_class_it_was_made(class_: str) -> None:
    service = parse({"apiVersion": "v1", "kind": "Service", "metadata": made(class_=class_).of_object(), "spec": {}})
    assert isinstance(service, Service)
    assert list(made_for(service, CONTROLLER)) == [(Key("shop", "gw"), ("u1", class_))]
    assert list(made_for(service, "example.com/other")) == []
