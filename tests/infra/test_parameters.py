"""What ConfigMaps say, and what in them is told; scenario gateways/infrastructure_overlays shows it in statuses."""

import pytest

from xds_server.infra.desired import samples
from xds_server.infra.parameters import read
from xds_server.model.core import ConfigMap
from xds_server.model.meta import Metadata
from xds_server.semantics.infrastructure import TEMPLATE_LABEL
from xds_server.semantics.world import Parameters


def said(data: dict[str, str], labels: dict[str, str] | None = None) -> Parameters:
    return read(ConfigMap(Metadata("one", "shop", labels=labels or {}), data), samples())


def test_fragments_by_key() -> None:
    found = said({"deployment": "spec: {replicas: 2}", "podDisruptionBudget": "# as it is"})
    assert found == Parameters({"deployment": {"spec": {"replicas": 2}}, "podDisruptionBudget": {}})


def test_templates_are_labelled() -> None:
    assert said({}, {TEMPLATE_LABEL: "true"}).is_template
    assert not said({}, {TEMPLATE_LABEL: "yes"}).is_template
    assert said({"pod": ""}, {TEMPLATE_LABEL: "true"}).is_template


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("pod", "", "pod: is not known here"),
        ("deployment", "spec: [", "deployment: line 1: "),
        ("deployment", "spec:\n  a: &x [*x]", "deployment: line 2: alias x"),
        ("deployment", "[]", "deployment: must be a mapping"),
        ("deployment", "a: b\n---\nc: d", "deployment: holds more than one document"),
        ("deployment", "spec: {template: {spec: {containers: {}}}}", "containers must be a list, is a mapping"),
        ("deployment", "apiVersion: apps/v1beta1", "apiVersion must not be changed"),
        ("deployment", "kind: DaemonSet", "kind must not be changed"),
        ("deployment", "metadata: {name: other}", "metadata.name must not be changed"),
        ("deployment", "metadata: {namespace: other}", "metadata.namespace must not be changed"),
        ("deployment", "metadata: {ownerReferences: null}", "metadata.ownerReferences must not be changed"),
        ("deployment", "metadata: {finalizers: [a.b/c]}", "metadata.finalizers must not be changed"),
        (
            "deployment",
            "metadata: {labels: {$patch: replace}}",
            "labels.gateway.networking.k8s.io/gateway-name must not",
        ),
        ("deployment", "metadata: null", "metadata.name must not be changed"),
        ("deployment", "spec: {selector: {matchLabels: {a: b}}}", "spec.selector must not be changed"),
        ("deployment", "spec: {$patch: delete}", "spec.selector must not be changed"),
        (
            "deployment",
            "spec: {template: {metadata: {labels: {app.kubernetes.io/managed-by: me}}}}",
            "must not be changed",
        ),
        (
            "deployment",
            "spec: {template: {spec: {serviceAccountName: other}}}",
            "serviceAccountName must not be changed",
        ),
        (
            "deployment",
            "spec: {template: {spec: {containers: [{name: envoy, $patch: delete}]}}}",
            "[name=envoy] must not",
        ),
        ("deployment", "status: {replicas: 1}", "status must not be changed"),
        ("service", "spec: {selector: {app: other}}", "spec.selector must not be changed"),
        ("horizontalPodAutoscaler", "spec: {scaleTargetRef: {name: other}}", "spec.scaleTargetRef must not be changed"),
        ("podDisruptionBudget", "spec: {selector: null}", "spec.selector must not be changed"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_key(key: str, text: str, told: str) -> None:
    found = said({key: text})
    assert found.overlays == {}
    assert told in found.problem
    assert found.problem.startswith(f"{key}: ")


def test_bytes_are_no_text() -> None:
    config_map = ConfigMap(Metadata("one", "shop"), {}, {"deployment": b"spec: {}"})
    assert "deployment: is not known here" in read(config_map, samples()).problem
