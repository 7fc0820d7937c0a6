"""The product in the cluster, installed as a user would: kubectl apply -k, with an overlay that names the images."""

import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from e2e.kubectl import Kubectl, eventually, ready

ROOT = Path(__file__).parents[1]
OVERLAY = ROOT / "deploy" / "kustomize" / "overlays" / "istio-class"
NAMESPACE = "xds-system"
NAME = "xds-server"
SELECTOR = f"app.kubernetes.io/name={NAME}"
HEALTH_PORT = 18002
ARGUMENTS = "XDS_SERVER_ARGS"
"""More arguments of the server, such as --log-level=debug."""


@dataclass(frozen=True, slots=True)
class Images:
    """What runs: the server, Envoy, and the backend that answers (the server's image has one)."""

    server: str = field(default_factory=lambda: os.environ.get("XDS_SERVER_IMAGE", "localhost/xds-server:latest"))
    envoy: str = field(default_factory=lambda: os.environ.get("XDS_ENVOY_IMAGE", "localhost/xds-envoy:latest"))
    echo: str = field(
        default_factory=lambda: os.environ.get(
            "XDS_ECHO_IMAGE", os.environ.get("XDS_SERVER_IMAGE", "localhost/xds-server:latest")
        )
    )


@dataclass(frozen=True, slots=True)
class Installation:
    """An installed server: its pods, its leader, its metrics."""

    kubectl: Kubectl
    images: Images
    namespace: str = NAMESPACE
    name: str = NAME

    def install(self) -> None:
        """Applies it and waits until its pods are ready."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(self._overlay(Path(folder))))
            self.kubectl("apply", "--server-side", "-k", folder, seconds=60)
        self.kubectl.rolled_out(self.name, self.namespace)

    def uninstall(self) -> None:
        """Deletes what was applied."""
        self.kubectl("delete", "--ignore-not-found", "--wait=true", "-k", str(OVERLAY), seconds=300)

    def scale(self, replicas: int) -> None:
        """Sets the number of replicas, and waits until they are ready, or gone."""
        self.kubectl("scale", f"deployment/{self.name}", f"--namespace={self.namespace}", f"--replicas={replicas}")
        if replicas:
            self.kubectl.rolled_out(self.name, self.namespace)
        else:
            eventually(lambda: not self.pods(), 120)

    def pods(self) -> list[dict[str, Any]]:
        """All pods, whatever their state."""
        return self.kubectl.list("pods", self.namespace, SELECTOR)

    def ready_pods(self) -> list[str]:
        """Names of those that serve."""
        return [pod["metadata"]["name"] for pod in self.pods() if ready(pod)]

    def kill(self, *pods: str) -> None:
        """Ends pods without a word to the process."""
        self.kubectl.delete(
            "pod", *pods, f"--namespace={self.namespace}", "--grace-period=0", "--force", wait=False, seconds=30
        )

    def leader(self) -> str:
        """The pod that holds the Lease; empty while none of those that are there does."""
        holder = str(self.kubectl.get("lease", self.name, self.namespace)["spec"].get("holderIdentity") or "")
        names = [str(pod["metadata"]["name"]) for pod in self.pods()]
        return next((name for name in names if holder == name or holder.startswith(f"{name}-")), "")

    def metrics(self, pod: str) -> Counter[tuple[str, str]]:
        """Samples of a pod, by name and by the value of the last label that is not `le`."""
        found: Counter[tuple[str, str]] = Counter()
        for family in text_string_to_metric_families(self.page(pod, "/metrics")):
            for sample in family.samples:
                values = [value for name, value in sample.labels.items() if name != "le"]
                found[sample.name, values[-1] if values else ""] += sample.value
        return found

    def page(self, pod: str, path: str) -> str:
        """A page of a pod's health port, by way of the API server."""
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{HEALTH_PORT}/proxy{path}")

    def connected(self, gateway: str) -> int:
        """How many Envoys of a Gateway (NAMESPACE/NAME) the replicas serve."""
        return sum(int(self.metrics(pod)["xds_server_connected_clients", gateway]) for pod in self.ready_pods())

    def _overlay(self, folder: Path) -> dict[str, Any]:
        image, _, tag = self.images.server.rpartition(":")
        more = [f"--envoy-image={self.images.envoy}", *os.environ.get(ARGUMENTS, "").split()]
        added = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": one} for one in more]
        return {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(OVERLAY, folder.resolve())],
            "images": [{"name": _image_of(OVERLAY.parents[1]), "newName": image, "newTag": tag}],
            "patches": [{"target": {"kind": "Deployment", "name": self.name}, "patch": yaml.safe_dump(added)}],
        }


def _image_of(kustomize: Path) -> str:
    """The image's name in the files, without tag."""
    deployment = yaml.safe_load((kustomize / "base" / "deployment.yaml").read_text())
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.rpartition(":")[0]
