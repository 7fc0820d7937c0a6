"""What is kept of a cluster when a test failed: logs, events, objects with their statuses."""

import re
from collections.abc import Callable
from pathlib import Path

from e2e.installation import SELECTOR, Installation
from e2e.kubectl import Kubectl, KubectlError

KINDS = "gateways,httproutes,deployments,replicasets,services,serviceaccounts,configmaps,endpointslices,pods"


def collect(folder: Path, kubectl: Kubectl, installed: Installation, namespace: str | None) -> None:
    """Writes a folder of files; what cannot be had leaves its error instead."""
    folder.mkdir(parents=True, exist_ok=True)
    here = namespace or installed.namespace
    pages: dict[str, Callable[[], str]] = {
        "pods.txt": lambda: kubectl("get", "pods", "-A", "-o", "wide"),
        "events.txt": lambda: kubectl("get", "events", "-A", "--sort-by=.lastTimestamp"),
        "objects.yaml": lambda: kubectl("get", KINDS, "-n", here, "-o", "yaml"),
        "classes.yaml": lambda: kubectl("get", "gatewayclasses", "-o", "yaml"),
        "installation.yaml": lambda: kubectl(
            "get", "deployments,leases,configmaps", "-n", installed.namespace, "-o", "yaml"
        ),
        "server.log": lambda: _logs(kubectl, installed.namespace, SELECTOR),
        "server-before.log": lambda: _logs(kubectl, installed.namespace, SELECTOR, "--previous"),
        "envoy.log": lambda: _logs(kubectl, here, "gateway.networking.k8s.io/gateway-name"),
    }
    for pod in _or_nothing(installed.ready_pods):
        pages[f"metrics-{pod}.txt"] = lambda pod=pod: installed.page(pod, "/metrics")
    for name, page in pages.items():
        try:
            text = page()
        except (KubectlError, OSError) as error:
            text = f"{error}\n"
        (folder / name).write_text(text)


def folder_of(root: Path, test: str) -> Path:
    """Where the files of a test go."""
    return root / re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-")


def _logs(kubectl: Kubectl, namespace: str, selector: str, *more: str) -> str:
    return kubectl("logs", "-n", namespace, "-l", selector, "--tail=5000", "--prefix", "--all-containers", *more)


def _or_nothing(pods: Callable[[], list[str]]) -> list[str]:
    try:
        return pods()
    except (KubectlError, OSError):
        return []
