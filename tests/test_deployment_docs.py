"""The examples of docs/deployment.md: each is accepted, and is what it is said to be. e2e/test_deployment.py applies them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from xds_server.app.deploying import installation
from xds_server.infra import names
from xds_server.infra.deployment import POD_IP
from xds_server.model.document import Fault, Ignored
from xds_server.model.gateway import GatewayClass, GatewayClassSpec
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Key, Metadata
from xds_server.model.parse import parse
from xds_server.model.validate import faults
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.settings import CONTROLLER_NAME, ServeSettings
from xds_server.shell.envoy import find_envoy

DOCUMENT = Path(__file__).parents[1] / "docs/deployment.md"


def examples() -> dict[str, list[dict[str, Any]]]:
    """The documents of each example, by the name of its Gateway."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    documents = [list(yaml.safe_load_all(block)) for block in blocks]
    return {found[-1]["metadata"]["name"]: found for found in documents}


def made(name: str) -> dict[str, Any]:
    """What the example makes, by kind."""
    settings = ServeSettings(namespace="xds-system", advertise="127.0.0.1:1", insecure_ads=True)
    pipeline = program.build(Options(strict=True, deployed=True, installation=installation(settings)))
    class_ = GatewayClass(Metadata("xds-server"), GatewayClassSpec(CONTROLLER_NAME))
    pipeline.inputs.put("GatewayClass", Key("", "xds-server"), class_)
    for document in examples()[name]:
        value = parse(document)
        assert not isinstance(value, Fault | Ignored), value
        assert list(faults(value)) == []
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
    pipeline.settle()
    assert pipeline.deployments is not None
    row = pipeline.deployments.desired.get(Key("default", name))
    assert row is not None
    assert row.objects is not None, pipeline.tables.gateway_verdicts.get(Key("default", name))
    return {one["kind"]: one for one in row.objects}


def pod(found: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = found["Deployment"]["spec"]["template"]
    return template


@pytest.mark.parametrize("name", examples())
def test_every_example_makes_what_a_gateway_needs(name: str) -> None:
    assert made(name).keys() >= {"ServiceAccount", "Service", "Deployment"}


def test_annotations_and_labels() -> None:
    found = made("internal")
    assert found["Service"]["spec"]["type"] == "ClusterIP"
    assert pod(found)["metadata"]["labels"]["team"] == "shop"


def test_two_with_more_memory() -> None:
    found = made("web")
    assert found["Deployment"]["spec"]["replicas"] == 2
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    assert found["Service"]["spec"]["externalTrafficPolicy"] == "Local"


def test_as_many_as_the_load_asks_for() -> None:
    found = made("scaled")
    assert found["HorizontalPodAutoscaler"]["spec"]["maxReplicas"] == 10
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert "replicas" not in found["Deployment"]["spec"]


def test_envoy_takes_other_options_beside_its_bootstrap() -> None:
    (container,) = pod(made("talkative"))["spec"]["containers"]
    told = (word.replace(POD_IP, "127.0.0.1") for word in container["args"])
    words = [*container["command"], *told, "--mode", "validate"]
    done = subprocess.run((str(find_envoy()), *words[1:]), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "[info]" in done.stderr


def test_a_container_beside() -> None:
    template = pod(made("edge"))
    assert [one["name"] for one in template["spec"]["containers"]] == ["beside", "envoy"]
    assert "prometheus.io/scrape" not in template["metadata"]["annotations"]
    assert [one["topologyKey"] for one in template["spec"]["topologySpreadConstraints"]] == ["kubernetes.io/hostname"]


def test_a_template() -> None:
    assert made("twofold")["Deployment"]["spec"]["replicas"] == 2


def test_the_name_that_is_shown() -> None:
    assert f"`{names.child('shop.example')}`" in DOCUMENT.read_text()


def test_the_limit_of_connections_that_is_shown() -> None:
    found = pod(made("internal"))["spec"]["containers"][0]["args"]
    monitors = json.loads(found[found.index("--config-yaml") + 1])["overloadManager"]["resourceMonitors"]
    (limit,) = (
        one["typedConfig"]["maxActiveDownstreamConnections"] for one in monitors if "connections" in one["name"]
    )
    assert f"{int(limit):,} connections" in DOCUMENT.read_text()
