import json
from pathlib import Path

import pytest
import yaml

from tests.cli.command import GATEWAY, TASK, invoke
from tests.scenarios.certificates import pem

SECURE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec:
  gatewayClassName: any
  listeners:
  - {name: web, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
"""


def test_resources_by_gateway_and_type() -> None:
    found = invoke("translate", TASK)
    assert (found.status, found.err) == (0, "")
    result = yaml.safe_load(found.out)
    assert list(result) == ["istio-ingress/gateway"]
    named = {type_: [one.get("name") for one in of] for type_, of in result["istio-ingress/gateway"].items()}
    assert named["listeners"] == ["tcp-80"]
    assert named["routes"] == ["http-80"]
    assert named["clusters"] == ["default/httpbin:8000/auto"]


def test_json_says_the_same_as_yaml() -> None:
    assert json.loads(invoke("translate", TASK, "-o", "json").out) == yaml.safe_load(invoke("translate", TASK).out)


def test_yaml_has_no_anchors() -> None:
    both = GATEWAY + "---\n" + GATEWAY.replace("name: gw", "name: other")
    assert "&id" not in invoke("translate", "-", stdin=both).out


def test_one_gateway() -> None:
    both = GATEWAY + "---\n" + GATEWAY.replace("name: gw", "name: other")
    all_ = yaml.safe_load(invoke("translate", "-", stdin=both).out)
    one = yaml.safe_load(invoke("translate", "-", "--gateway", "shop/gw", stdin=both).out)
    assert list(all_) == ["shop/gw", "shop/other"]
    assert one == {"shop/gw": all_["shop/gw"]}


@pytest.mark.parametrize(
    ("gateway", "error"),
    [
        ("no/such", "no Gateway no/such is served here"),
        ("gateway", "--gateway gateway: it is NAMESPACE/NAME"),
        ("/gateway", "--gateway /gateway: it is NAMESPACE/NAME"),
        ("a/b/c", "--gateway a/b/c: it is NAMESPACE/NAME"),
    ],
)
def test_a_gateway_that_is_not_there_is_wrong_usage(gateway: str, error: str) -> None:
    assert invoke("translate", TASK, "--gateway", gateway) == (2, "", f"error: {error}\n")


def test_faults_do_not_keep_the_rest_from_being_translated(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GATEWAY)
    (tmp_path / "wrong.yaml").write_text(GATEWAY.replace("port: 80,", "port: many,").replace("name: gw", "name: other"))
    found = invoke("translate", tmp_path)
    assert found.status == 1
    assert list(yaml.safe_load(found.out)) == ["shop/gw"]
    assert len(found.errors) == 1
    assert found.err.startswith(f"error: {tmp_path}/wrong.yaml:7: Gateway shop/other: spec.listeners[0].port ")


def test_private_keys_are_never_printed() -> None:
    data = {"tls.crt": pem("cert", "shop.example.com"), "tls.key": pem("key", "shop.example.com")}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "cert", "namespace": "shop"},
        "stringData": data,
    }
    text = f"{SECURE}---\n{json.dumps(secret)}\n"
    for format_ in ("yaml", "json"):
        found = invoke("translate", "-", "-o", format_, stdin=text)
        assert (found.status, found.err) == (0, "")
        (sent,) = yaml.safe_load(found.out)["shop/gw"]["secrets"]
        assert sent["name"] == "secret/shop/cert"
        assert "certificateChain" in sent["tlsCertificate"]
        assert sent["tlsCertificate"]["privateKey"] == {"inlineString": "[redacted]"}
        for line in data["tls.key"].splitlines():
            assert line not in found.out
    assert "PRIVATE" not in invoke("check", "-", stdin=text).out


def test_nothing_means_nothing(tmp_path: Path) -> None:
    assert invoke("translate", tmp_path) == (0, "{}\n", "")


def test_services_of_type_external_name_are_served_only_if_that_is_allowed(tmp_path: Path) -> None:
    outside = """\
---
apiVersion: v1
kind: Service
metadata: {name: out, namespace: shop}
spec: {type: ExternalName, externalName: api.example.com}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: out, namespace: shop}
spec: {parentRefs: [{name: gw}], rules: [{backendRefs: [{name: out, port: 443}]}]}
"""
    refused = yaml.safe_load(invoke("translate", "-", stdin=GATEWAY + outside).out)["shop/gw"]
    allowed = invoke("translate", "-", "--allow-external-name-services", stdin=GATEWAY + outside)
    assert "clusters" not in refused
    assert [one["name"] for one in yaml.safe_load(allowed.out)["shop/gw"]["clusters"]] == ["shop/out:443/auto"]
    assert invoke("check", "-", stdin=GATEWAY + outside).status == 1
    assert invoke("check", "-", "--allow-external-name-services", stdin=GATEWAY + outside).status == 0
    url = "http://any.example.com/"
    assert invoke("explain", url, "-", stdin=GATEWAY + outside).status == 1
    assert invoke("explain", url, "-", "--allow-external-name-services", stdin=GATEWAY + outside).status == 0
    old = tmp_path / "old.yaml"
    old.write_text(GATEWAY + outside.replace("ExternalName,", "ClusterIP,"))
    assert "turns bad" in invoke("diff", old, "-", stdin=GATEWAY + outside).out
    assert "turns bad" not in invoke("diff", old, "-", "--allow-external-name-services", stdin=GATEWAY + outside).out
