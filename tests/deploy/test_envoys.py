"""The Envoys of deploy/manual: their parts find each other, and the server takes them for nobody's."""

from typing import Any

import pytest
import yaml

from deploy import envoys, generate
from xds_server.envoy.bootstrap import Bootstrap
from xds_server.infra.proxies import made_for
from xds_server.model.core import Pod
from xds_server.model.meta import Metadata
from xds_server.wire import decode

Objects = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def made() -> Objects:
    text = (generate.ROOT / "manual/envoy.yaml").read_text()
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def bootstrap(made: Objects) -> dict[str, Any]:
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = yaml.safe_load(container["args"][container["args"].index("--config-yaml") + 1])
    return found


def test_service_and_budget_select_the_pods(made: Objects) -> None:
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        made["Service"]["spec"]["selector"],
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels.items()


def test_the_pods_are_made_for_no_gateway(made: Objects) -> None:
    template = made["Deployment"]["spec"]["template"]
    assert made_for(Pod(Metadata("p", "istio-gateways", labels=template["metadata"]["labels"]))) is None
    assert "ownerReferences" not in made["Deployment"]["metadata"]


def test_the_bootstrap_is_of_the_service_and_as_the_server_writes_it(made: Objects) -> None:
    written = bootstrap(made)
    assert written["node"] == {"id": "gateway~$(POD_NAME).istio-gateways", "cluster": str(envoys.SERVICE)}
    assert decode.to_json(Bootstrap, Bootstrap.from_dict(written).SerializeToString()) == written


def test_the_gateway_names_the_service_and_the_grant_lets_it() -> None:
    gateway = yaml.safe_load((generate.ROOT / "manual/gateway.yaml").read_text())
    grant = yaml.safe_load((generate.ROOT / "manual/referencegrant.yaml").read_text())
    name, namespace = envoys.SERVICE.name, envoys.SERVICE.namespace
    assert gateway["spec"]["addresses"] == [{"type": "Hostname", "value": f"{name}.{namespace}.svc.cluster.local"}]
    assert grant["metadata"]["namespace"] == namespace
    assert [one["namespace"] for one in grant["spec"]["from"]] == [gateway["metadata"]["namespace"]]
    assert [(one["kind"], one["name"]) for one in grant["spec"]["to"]] == [("Service", name)]
    assert {one["port"] for one in gateway["spec"]["listeners"]} <= {port for port, _ in envoys.PORTS.values()}
