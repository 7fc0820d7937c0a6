"""The Deployment: its whole text is golden/deployment.yaml; here is what must hold whatever it says."""

from typing import Any

from tests.infra.test_metadata import made
from xds_server.infra.deployment import POD_IP, POD_NAME, deployment
from xds_server.infra.desired import Infrastructure


def pod(authority: str = "xds-server-ca", asked: Infrastructure | None = None) -> dict[str, Any]:
    value = deployment(
        made(asked or Infrastructure()), image="envoy:1", bootstrap={"node": POD_NAME}, authority=authority
    )
    template: dict[str, Any] = value["spec"]["template"]
    return template


def test_it_meets_the_restricted_pod_security_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    spec = pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert [one["name"] for one in spec["securityContext"]["sysctls"]] == ["net.ipv4.ip_unprivileged_port_start"]
    (container,) = spec["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {next(iter(set(one) - {"name"})) for one in spec["volumes"]} <= {"projected", "configMap"}
    assert spec.keys().isdisjoint({"hostNetwork", "hostPID", "hostIPC"})


def test_the_token_is_for_the_server_alone() -> None:
    spec = pod()["spec"]
    assert spec["automountServiceAccountToken"] is False
    (source,) = spec["volumes"][0]["projected"]["sources"]
    assert source == {"serviceAccountToken": {"audience": "xds-server.dev", "expirationSeconds": 3600, "path": "token"}}


def test_over_plaintext_there_is_nothing_to_prove_with() -> None:
    spec = pod(authority="")["spec"]
    assert "volumes" not in spec
    assert "volumeMounts" not in spec["containers"][0]


def test_pods_are_found_by_the_selector_and_by_nothing_that_others_give() -> None:
    value = deployment(made(Infrastructure({"stage": "test"})), image="envoy:1", bootstrap={}, authority="")
    selector = value["spec"]["selector"]["matchLabels"]
    assert selector == {
        "gateway.networking.k8s.io/gateway-name": "gw",
        "app.kubernetes.io/managed-by": "xds-server",
    }
    labels = value["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert labels["stage"] == "test"


def test_nobody_is_without_a_proxy_while_pods_are_replaced() -> None:
    value = deployment(made(), image="envoy:1", bootstrap={}, authority="")
    assert value["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert "replicas" not in value["spec"]


def test_who_pauses_it_is_left_to_do_so() -> None:
    """Server-side apply keeps fields that it does not carry."""
    assert "paused" not in deployment(made(), image="envoy:1", bootstrap={}, authority="")["spec"]


def test_the_kubelet_fills_in_what_stands_in_the_bootstrap() -> None:
    (container,) = pod()["spec"]["containers"]
    told = {f"$({one['name']})": one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    assert told == {POD_NAME: "metadata.name", POD_IP: "status.podIP"}


def test_the_grace_is_longer_than_the_longest_drain() -> None:
    from xds_server.envoy.bootstrap import BootstrapOptions

    drain: Any = BootstrapOptions.__dataclass_fields__["drain_seconds"].default
    assert pod()["spec"]["terminationGracePeriodSeconds"] > drain
