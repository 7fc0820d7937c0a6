"""A second installation beside the first, under a name of its own: from the same manifests, or from the chart."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.installation import NAME, NAMESPACE, ROOT, Images, Installation
from e2e.kubectl import Kubectl, KubectlError

CHART = ROOT / "deploy/helm/xds-server"
LABEL = "app.kubernetes.io/name"


@dataclass(frozen=True, slots=True)
class Second:
    """Its name is that of its class too, and in its namespace and controllerName."""

    kubectl: Kubectl
    images: Images
    name: str
    helm: str = ""
    """The program; empty for one that is installed from manifests."""
    namespaces: tuple[str, ...] = ()
    """Those that it watches; none for all."""

    @property
    def namespace(self) -> str:
        """Where it is installed."""
        return f"{self.name}-system"

    @property
    def controller_name(self) -> str:
        """Of its class."""
        return f"{self.name}.test/controller"

    @property
    def installation(self) -> Installation:
        """Its pods and so on."""
        return Installation(self.kubectl, self.images, self.namespace, self.name)

    def install(self) -> None:
        """Installs it, and waits until its pods are ready."""
        if self.helm:
            self.kubectl("create", "namespace", self.namespace)
            self._helm("install", str(CHART), *self._values(), "--wait", "--timeout=240s")
        else:
            self.kubectl("apply", "--server-side", "-f-", stdin=yaml.safe_dump_all(self.manifests()), seconds=60)
        self.kubectl.rolled_out(self.name, self.namespace)

    def uninstall(self) -> None:
        """As documented: the chart's hook cleans up, elsewhere the verb does. The namespace goes with what is in it."""
        if self.helm:
            self._helm("uninstall", "--wait", "--timeout=300s")
        else:
            print(self.cleanup("--yes"))
            delete = ("delete", "--wait=true", "-f-")
            self.kubectl(*delete, stdin=yaml.safe_dump_all(self.manifests()), seconds=120)

    def remove(self) -> None:
        """Whatever is left of a test that failed."""
        if self.helm:
            subprocess.run(
                (
                    self.helm,
                    "uninstall",
                    self.name,
                    f"--namespace={self.namespace}",
                    "--no-hooks",
                    "--ignore-not-found",
                ),
                capture_output=True,
                timeout=120,
                check=False,
            )
        manifests = yaml.safe_dump_all(self.manifests())
        self.kubectl("delete", "--ignore-not-found", "--wait=false", "-f-", stdin=manifests, seconds=60)

    def cleanup(self, *options: str) -> str:
        """`xds-server cleanup`: what it prints."""
        where = (f"--namespace={self.namespace}", f"--name={self.name}", f"--controller-name={self.controller_name}")
        where += tuple(f"--watch-namespace={one}" for one in self.namespaces)
        command = (sys.executable, "-m", "xds_server", "cleanup", *where, *options)
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, cwd=ROOT)
        if done.returncode:
            raise KubectlError(f"cleanup: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def manifests(self) -> list[dict[str, Any]]:
        """Those of install.yaml under its name, with the images that are there."""
        objects = [one for one in yaml.safe_load_all((ROOT / "deploy/install.yaml").read_text()) if one]
        [container] = [
            container
            for one in objects
            if one["kind"] == "Deployment"
            for container in one["spec"]["template"]["spec"]["containers"]
        ]
        container["image"] = self.images.server
        container["args"] += [f"--controller-name={self.controller_name}", f"--envoy-image={self.images.envoy}"]
        container["args"] += [f"--watch-namespace={one}" for one in self.namespaces]
        for one in objects:
            if one["kind"] == "GatewayClass":
                one["spec"]["controllerName"] = self.controller_name
        renamed: list[dict[str, Any]] = [self._renamed(one) for one in objects]
        return [bound for one in renamed for bound in self._bound(one)]

    def _bound(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        """As the overlay `namespaces` has it: rights in them alone."""
        id_ = (one["kind"], one["metadata"]["name"])
        if not self.namespaces or id_ != ("ClusterRoleBinding", f"{self.name}-namespaces"):
            return [one]
        places = self.namespaces
        return [one | {"kind": "RoleBinding", "metadata": one["metadata"] | {"namespace": place}} for place in places]

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: one if key == LABEL else self._renamed(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._renamed(one) for one in value]
        if value == NAMESPACE:
            return self.namespace
        if isinstance(value, str):
            return re.sub(rf"^(--name=)?{NAME}(?=$|-ca$|-authority$|-namespaces$)", rf"\g<1>{self.name}", value)
        return value

    def _values(self) -> list[str]:
        repository, _, tag = self.images.server.rpartition(":")
        values = {
            "fullnameOverride": self.name,
            "controllerName": self.controller_name,
            "image": {"repository": repository, "tag": tag},
            "envoyImage": self.images.envoy,
            "namespaces": self.namespaces,
        }
        return [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]

    def _helm(self, verb: str, *words: str) -> None:
        command = (self.helm, verb, self.name, *words, f"--namespace={self.namespace}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        if done.returncode:
            raise KubectlError(f"{' '.join(command)}: {done.stderr.strip()}")


def helm() -> str:
    """The program: HELM, beside this Python, or of the PATH; a test that needs it is skipped without."""
    beside = shutil.which("helm", path=str(Path(sys.executable).parent))
    found = os.environ.get("HELM") or beside or shutil.which("helm")
    return found or pytest.skip("no Helm: set HELM, or have it on the PATH")
