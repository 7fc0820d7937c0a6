"""The Gateway API's CRDs, for clusters that have none: its experimental channel, as released."""

import os
import sys
from pathlib import Path

from e2e.go import GoError, module_folder
from e2e.kubectl import Kubectl, KubectlError

FOLDER = "XDS_GATEWAY_API_CRDS"
"""Names a folder with the CRDs' files; else they come from the Go module."""
MODULE = "sigs.k8s.io/gateway-api@v1.7.0"
CHANNEL = "config/crd/experimental"
KINDS = ("gatewayclasses.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io")


def install(kubectl: Kubectl) -> None:
    """Applies them unless the cluster has them."""
    try:
        kubectl("get", "customresourcedefinitions", *KINDS)
    except KubectlError:
        files = [f"--filename={file}" for file in sorted(folder().glob("*.yaml")) if file.stem != "kustomization"]
        kubectl("apply", "--server-side", *files, seconds=120)
        kubectl("wait", "--for=condition=Established", *(f"customresourcedefinition/{kind}" for kind in KINDS))


def folder() -> Path:
    """Where the files are."""
    if given := os.environ.get(FOLDER):
        return Path(given)
    try:
        return module_folder(MODULE) / CHANNEL
    except GoError as error:
        raise RuntimeError(f"{FOLDER} is not set, and {error}") from error


if __name__ == "__main__":
    sys.stdout.write(f"{folder()}\n")
