"""The manifests: those that are made are up to date, kustomize and Helm install the same, options are real ones."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from deploy import generate
from xds_server.cli import build
from xds_server.infra.desired import samples
from xds_server.settings import ServeSettings

ROOT = generate.ROOT
CHART = ROOT / "helm/xds-server"
OVERLAYS = ROOT / "kustomize/overlays"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
DEFAULTS = ServeSettings()
HELMS_LABELS = ("app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart")
CLEANUP = ("Job", "xds-server-cleanup")

Id = tuple[str, str]


def by_id(text: str) -> dict[Id, dict[str, Any]]:
    found = [one for one in yaml.safe_load_all(text) if one]
    ids = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(ids) == len(found)
    return ids


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tool(name: str) -> str:
    """The program that the environment names (HELM, KUBECTL), beside this Python, or of the PATH."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = os.environ.get(name.upper()) or beside or shutil.which(name)
    if not found:
        pytest.skip(f"no {name}")
    return found


def kustomized(folder: Path) -> dict[Id, dict[str, Any]]:
    return by_id(run(tool("kubectl"), "kustomize", str(folder)))


def templated(*options: str, release: str = "xds-server") -> dict[Id, dict[str, Any]]:
    text = run(tool("helm"), "template", release, str(CHART), "--namespace=xds-system", *options)
    found = by_id(text)
    for one in found.values():
        for label in HELMS_LABELS:
            one["metadata"]["labels"].pop(label)
    return found


@pytest.fixture(scope="module")
def installed() -> dict[Id, dict[str, Any]]:
    return by_id((ROOT / "install.yaml").read_text())


def options(deployment: dict[str, Any]) -> list[str]:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    found: list[str] = container["args"]
    return found


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What a verb would be called with; a word that is no option of it is an error."""
    verb, *rest = arguments
    command = typer.main.get_command(build((verb, "version"))).commands[verb]  # type: ignore[attr-defined]
    found: dict[str, Any] = command.make_context(verb, rest).params
    return found


def test_generated_files_are_up_to_date() -> None:
    stale = [str(path) for path, content in generate.files().items() if path.read_text() != content]
    assert stale == [], "run make deploy-manifests"


def test_the_servers_options_are_real_ones(installed: dict[Id, dict[str, Any]]) -> None:
    found = parsed(options(installed["Deployment", "xds-server"]))
    assert found["name"] == DEFAULTS.name
    assert found["controller_name"] == DEFAULTS.controller_name
    assert found["envoy_image"] == DEFAULTS.envoy_image
    assert found["log_format"] == DEFAULTS.log_format


def test_ports_are_those_of_the_servers_defaults(installed: dict[Id, dict[str, Any]]) -> None:
    expected = {
        "ads": int(DEFAULTS.ads_address.rpartition(":")[2]),
        "health": int(DEFAULTS.health_address.rpartition(":")[2]),
    }
    [container] = installed["Deployment", "xds-server"]["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == expected
    service = installed["Service", DEFAULTS.name]["spec"]["ports"]
    assert {one["targetPort"]: one["port"] for one in service} == expected
    [ingress] = installed["NetworkPolicy", "xds-server"]["spec"]["ingress"]
    assert {one["port"] for one in ingress["ports"]} == set(expected.values())


def test_every_selector_selects_the_servers_pods(installed: dict[Id, dict[str, Any]]) -> None:
    labels = installed["Deployment", "xds-server"]["spec"]["template"]["metadata"]["labels"]
    assert installed["Deployment", "xds-server"]["spec"]["selector"]["matchLabels"] == labels
    assert installed["Service", "xds-server"]["spec"]["selector"] == labels
    assert installed["PodDisruptionBudget", "xds-server"]["spec"]["selector"]["matchLabels"] == labels
    assert installed["NetworkPolicy", "xds-server"]["spec"]["podSelector"]["matchLabels"] == labels


def test_the_class_is_ours(installed: dict[Id, dict[str, Any]]) -> None:
    assert installed["GatewayClass", "xds-server"]["spec"]["controllerName"] == DEFAULTS.controller_name


def test_kubectl_makes_the_same_of_the_base(installed: dict[Id, dict[str, Any]]) -> None:
    assert kustomized(ROOT / "kustomize/base") == installed


def test_overlays_add_to_the_base(installed: dict[Id, dict[str, Any]]) -> None:
    assert kustomized(OVERLAYS / "istio-class").keys() - installed.keys() == {("GatewayClass", "istio")}
    prometheus = kustomized(OVERLAYS / "prometheus")
    assert prometheus.keys() - installed.keys() == {
        ("ServiceMonitor", "xds-server"),
        ("PodMonitor", "xds-server-envoys"),
    }
    assert (
        templated("--set=podMonitor.enabled=true")["PodMonitor", "xds-server-envoys"]
        == (prometheus["PodMonitor", "xds-server-envoys"])
    )


def test_the_envoys_that_are_scraped_are_those_that_are_made() -> None:
    spec = kustomized(OVERLAYS / "prometheus")["PodMonitor", "xds-server-envoys"]["spec"]
    template = samples()["deployment"]["spec"]["template"]
    [key] = [one["key"] for one in spec["selector"]["matchExpressions"]]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert key in template["metadata"]["labels"]
    [endpoint], [container] = spec["podMetricsEndpoints"], template["spec"]["containers"]
    assert endpoint["port"] in [port["name"] for port in container["ports"]]
    assert endpoint["path"] == template["metadata"]["annotations"]["prometheus.io/path"]
    found = templated("--set=podMonitor.enabled=true,namespaces={shop},podMonitor.labels.release=prometheus")
    monitor = found["PodMonitor", "xds-server-envoys"]
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["shop"]}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_the_overlay_for_namespaces_has_rights_in_them_alone(installed: dict[Id, dict[str, Any]]) -> None:
    found = kustomized(OVERLAYS / "namespaces")
    assert installed.keys() - found.keys() == {("ClusterRoleBinding", "xds-server-namespaces")}
    binding = found["RoleBinding", "xds-server-namespaces"]
    assert binding["roleRef"]["name"] == "xds-server-namespaces"
    watched = parsed(options(found["Deployment", "xds-server"]))["watch_namespace"]
    assert watched == [binding["metadata"]["namespace"]]


def test_helm_installs_the_same(installed: dict[Id, dict[str, Any]]) -> None:
    found = templated()
    job = found.pop(CLEANUP)
    assert found == {id_: one for id_, one in installed.items() if id_[0] != "Namespace"}
    parsed(options(job))


def test_the_cleanup_job_is_that_of_the_chart(installed: dict[Id, dict[str, Any]]) -> None:
    job = by_id((ROOT / "cleanup.yaml").read_text())[CLEANUP]
    chart = templated()[CLEANUP]
    assert job["spec"] == chart["spec"]
    assert job["metadata"]["namespace"] == installed["Deployment", "xds-server"]["metadata"]["namespace"]


def test_the_cleanup_job_is_no_pod_of_the_servers(installed: dict[Id, dict[str, Any]]) -> None:
    """It ends those, and would wait for itself."""
    job = by_id((ROOT / "cleanup.yaml").read_text())[CLEANUP]["spec"]["template"]
    servers = installed["Deployment", "xds-server"]["spec"]
    assert not servers["selector"]["matchLabels"].items() <= job["metadata"]["labels"].items()
    [ours], [theirs] = job["spec"]["containers"], servers["template"]["spec"]["containers"]
    same = ("image", "imagePullPolicy", "resources", "securityContext")
    assert {key: ours[key] for key in same} == {key: theirs[key] for key in same}
    assert job["spec"]["securityContext"] == servers["template"]["spec"]["securityContext"]
    assert parsed(ours["args"])["name"] == DEFAULTS.name


def test_helm_watches_the_namespaces_that_it_is_given() -> None:
    text = run(tool("helm"), "template", "xds-server", str(CHART), "--set=namespaces={shop,cart}")
    found = [one for one in yaml.safe_load_all(text) if one]
    bound = [
        (one["kind"], one["metadata"].get("namespace"))
        for one in found
        if one["metadata"]["name"] == "xds-server-namespaces" and one["kind"].endswith("Binding")
    ]
    assert bound == [("RoleBinding", "shop"), ("RoleBinding", "cart")]
    watched = [parsed(options(one))["watch_namespace"] for one in found if one["kind"] in ("Deployment", "Job")]
    assert watched == [["shop", "cart"], ["shop", "cart"]]


def test_helm_takes_every_value() -> None:
    found = templated(
        "--set=image.repository=registry.example/xds-server,image.tag=v1,image.pullSecrets[0].name=registry",
        "--set=envoyImage=registry.example/envoy:1.40,replicas=3,controllerName=example.com/edge",
        "--set=gatewayClass.name=istio,log.level=debug,log.format=console,extraArgs={--allow-external-name-services}",
        "--set=podDisruptionBudget.enabled=false,networkPolicy.enabled=false,cleanup.enabled=false",
        "--set=serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus",
        "--set=serviceAccount.annotations.a=b,podAnnotations.a=b,podLabels.c=d,nodeSelector.disk=ssd",
        "--set=tolerations[0].key=edge,topologySpreadConstraints[0].maxSkew=1,priorityClassName=high",
        "--set=affinity.nodeAffinity.a=b",
        release="edge",
    )
    name = "edge-xds-server"
    kinds = {kind for kind, _ in found}
    assert kinds.isdisjoint({"PodDisruptionBudget", "NetworkPolicy", "Job"})
    assert found["GatewayClass", "istio"]["spec"]["controllerName"] == "example.com/edge"
    assert found["ServiceMonitor", name]["metadata"]["labels"]["release"] == "prometheus"
    assert found["ServiceAccount", name]["metadata"]["annotations"] == {"a": "b"}
    told = parsed(options(found["Deployment", name]))
    assert (told["name"], told["controller_name"], told["log_level"]) == (name, "example.com/edge", "debug")
    assert told["external_names"] is True
    spec = found["Deployment", name]["spec"]
    assert spec["replicas"] == 3
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example/xds-server:v1"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "ssd"}, "high")
    assert pod["affinity"] == {"nodeAffinity": {"a": "b"}}
    assert spec["template"]["metadata"]["labels"]["c"] == "d"
    assert "edge-xds-server-authority" in json.dumps(found["Role", name])


def test_helm_names_the_image_by_its_digest() -> None:
    digest = f"sha256:{'0a' * 32}"
    found = templated(f"--set=image.repository=registry.example/xds-server,image.tag=v1,image.digest={digest}")
    images = [
        container["image"]
        for id_ in (("Deployment", "xds-server"), CLEANUP)
        for container in found[id_]["spec"]["template"]["spec"]["containers"]
    ]
    assert images == [f"registry.example/xds-server@{digest}"] * 2


@pytest.mark.parametrize(
    "value", ["image.digest=0a", "replicas=-1", "foo=1", "log.level=loud", "image.pull=Always", "namespaces={A}"]
)
def test_helm_refuses_what_is_no_value(value: str) -> None:
    done = subprocess.run(
        (tool("helm"), "template", "xds-server", str(CHART), f"--set={value}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "schema" in done.stderr


def test_helm_finds_no_fault_with_the_chart() -> None:
    run(tool("helm"), "lint", "--strict", str(CHART))


def test_the_schema_knows_every_value_and_no_other() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    closed = dict(_closed(schema))
    assert closed[""] == {*VALUES, "global"}
    assert {name: set(VALUES[name]) for name in closed if name} == {name: keys for name, keys in closed.items() if name}


def _closed(schema: dict[str, Any], name: str = "") -> list[tuple[str, set[str]]]:
    """The objects of which the schema knows every field, by their names."""
    if schema.get("additionalProperties") is not False:
        return []
    found = [(name, set(schema["properties"]))]
    return found + [one for key, value in schema["properties"].items() for one in _closed(value, key)]


def test_every_value_is_documented() -> None:
    """A comment stands before each key, but for `image:` and its like, whose keys have their own."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    schema = json.loads((CHART / "values.schema.json").read_text())
    groups = {name for name, _ in _closed(schema)}
    silent = []
    for number, line in enumerate(lines):
        key, separator, _ = line.strip().partition(":")
        depth = len(line) - len(line.lstrip())
        inside = depth == 2 and _parent(lines, number) not in groups
        if not separator or key.startswith("#") or key in groups or depth > 2 or inside:
            continue
        if not lines[number - 1].strip().startswith("#"):
            silent.append(line)
    assert silent == []


def _parent(lines: list[str], number: int) -> str:
    return next(line.partition(":")[0] for line in reversed(lines[:number]) if line[:1] not in (" ", "#", ""))


def test_values_are_the_servers_defaults() -> None:
    assert VALUES["controllerName"] == DEFAULTS.controller_name
    assert VALUES["envoyImage"] == DEFAULTS.envoy_image
