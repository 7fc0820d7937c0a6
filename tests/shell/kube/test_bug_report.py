"""What of an object goes into a report, and what must not."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from xds_server.model.meta import Key
from xds_server.shell.kube.bug_report import (
    Report,
    _cleaned,
    _config_map,
    _connected,
    _proxies,
    _secret,
    collect,
    logs_of,
)
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import refused
from xds_server.shell.pki import new_authority


def test_of_a_secret_there_is_what_it_is_and_not_what_is_in_it() -> None:
    pair = new_authority("shop", datetime(2026, 1, 1, tzinfo=UTC)).current
    data = {"tls.crt": b64encode(pair.certificate).decode(), "tls.key": b64encode(pair.key).decode()}
    metadata = {"name": "cert", "namespace": "shop", "annotations": {"tool": json.dumps(data)}}
    told = _secret({"metadata": metadata, "type": "kubernetes.io/tls", "data": data})
    assert told["keys"] == ["tls.crt", "tls.key"]
    (certificate,) = told["certificates"]["tls.crt"]
    assert certificate["not_after"].startswith("2028-01-01")
    text = json.dumps(told)
    assert data["tls.key"] not in text
    assert "PRIVATE" not in text
    assert "annotations" not in text


def test_a_certificate_that_is_none_is_told_without_its_bytes() -> None:
    told = _secret({"metadata": {"name": "cert"}, "data": {"tls.crt": b64encode(b"hunter2").decode()}})
    assert "unreadable" in told["certificates"]["tls.crt"][0]
    assert "hunter2" not in json.dumps(told)


def test_of_a_config_map_there_are_keys_and_lengths() -> None:
    metadata = {"name": "one", "annotations": {"tool": "password: hunter2"}}
    told = _config_map({"metadata": metadata, "data": {"password": "hunter2"}})
    assert told["data"] == {"password": "7 characters"}
    assert "hunter2" not in json.dumps(told)


def test_copies_of_an_object_in_itself_are_left_out() -> None:
    copies = ("kubectl.kubernetes.io/last-applied-configuration", "kapp.k14s.io/original")
    annotations = dict.fromkeys(copies, "{}") | {"a": "b"}
    told = _cleaned({"metadata": {"name": "one", "managedFields": [{}], "annotations": annotations}})
    assert told["metadata"] == {"name": "one", "annotations": {"a": "b"}}


def test_values_of_environments_are_left_out() -> None:
    source = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    pod = {"metadata": {"name": "one"}, "spec": {"containers": [{"env": [{"name": "A", "value": "hunter2"}, source]}]}}
    assert _cleaned(pod)["spec"]["containers"][0]["env"] == [{"name": "A", "value": "[redacted]"}, source]


def test_logs_of_every_container_and_of_what_ended() -> None:
    metadata = {"name": "one", "namespace": "shop"}
    alone = {"metadata": metadata, "spec": {"containers": [{"name": "envoy"}]}}
    assert list(logs_of(alone)) == [("shop/one", {"container": "envoy"})]
    states = [{"name": "envoy", "restartCount": 2}, {"name": "other", "restartCount": 0}]
    several = {
        "metadata": metadata,
        "spec": {"containers": [{"name": "envoy"}, {"name": "other"}]},
        "status": {"containerStatuses": states},
    }
    assert list(logs_of(several)) == [
        ("shop/one-envoy", {"container": "envoy"}),
        ("shop/one-envoy-previous", {"container": "envoy", "previous": "true"}),
        ("shop/one-other", {"container": "other"}),
    ]


class ApiServer:
    """It has these pods, by name their labels, and nothing else."""

    server = "https://a.test"

    def __init__(self, **pods: dict[str, str]) -> None:
        self.pods = pods

    async def get(self, where: str, params: Mapping[str, str] | None = None, **_: Any) -> bytes:
        if where != "/api/v1/pods":
            raise refused(404, "NotFound", where)
        wanted = [one.partition("=") for one in (params or {})["labelSelector"].split(",")]
        found = [
            {"metadata": {"name": name, "namespace": "shop", "labels": labels}, "spec": {"containers": []}}
            for name, labels in self.pods.items()
            if all(key in labels and value in ("", labels[key]) for key, _, value in wanted)
        ]
        return json.dumps({"metadata": {"resourceVersion": "1"}, "items": found}).encode()

    async def get_object(self, where: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.get(where, params))
        return found

    def websocket(self, where: str, *_: Any) -> Any:
        raise refused(404, "NotFound", where)


async def test_gateways_of_other_controllers_are_nobody_elses_business() -> None:
    """Their pods carry the Gateway API's labels, as ours do."""
    gateway = {"gateway.networking.k8s.io/gateway-name": "web"}
    server = ApiServer(ours=gateway | {"app.kubernetes.io/managed-by": "xds-server"}, theirs=gateway)
    report = await collect(cast("KubeClient", server), "xds-server", None, 10)
    assert [pod["metadata"]["name"] for pod in json.loads(report.files["pods.json"])] == ["ours"]
    assert any(one.startswith("configuration of shop/ours") for one in report.problems)
    assert not any("theirs" in one for one in report.problems)


def test_proxies_are_those_that_were_made_and_those_that_are_connected() -> None:
    clients = {"clients": [{"node": "gateway~own.shop", "in_sync": True}, {"node": "gateway~gone.shop"}]}
    report = Report({"servers/a/clients.json": json.dumps(clients).encode(), "servers/b/clients.json": b"<html>"})
    made = {"gateway.networking.k8s.io/gateway-name": "web"}
    pods = {
        Key("shop", name): {"metadata": {"name": name, "namespace": "shop", "labels": labels}}
        for name, labels in (("own", {"app": "ingress"}), ("made", made), ("server", {}))
    }
    assert _proxies(pods, _connected(report)) == [Key("shop", "own"), Key("shop", "made")]
