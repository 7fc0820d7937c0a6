"""Faults of the cluster, on purpose: by a command that whoever runs the tests names."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from e2e.kubectl import Kubectl, eventually

COMMAND = "XDS_FAULT_COMMAND"
"""`COMMAND stop|start|kill COMPONENT` and `COMMAND compact`, as for a cluster whose parts are processes."""


def needs_faults() -> None:
    """Skips the test where there is no command that makes faults."""
    if not os.environ.get(COMMAND):
        pytest.skip(f"{COMMAND} names no command that makes faults")


def fault(*words: str) -> None:
    """Stops, starts or kills a component, or compacts etcd. Skips the test where there is no command for that."""
    needs_faults()
    subprocess.run([*os.environ[COMMAND].split(), *words], check=True, timeout=60)


@contextmanager
def without_api_server(kubectl: Kubectl) -> Iterator[None]:
    """The API server is away for the length of a block; afterwards it answers again.

    So is the controller manager, until nodes have been heard: it would take them for dead, whose word it has missed,
    and their pods out of every Service. That is a fault of the cluster, which no proxy could make up for.
    """
    fault("stop", "kube-controller-manager")
    fault("stop", "kube-apiserver")
    try:
        yield
    finally:
        fault("start", "kube-apiserver")
        back = datetime.now(UTC)
        try:
            eventually(lambda: kubectl("get", "--raw", "/readyz", seconds=5), 120)
            eventually(lambda: _heard(kubectl) > back, 120)
        finally:
            fault("start", "kube-controller-manager")


def _heard(kubectl: Kubectl) -> datetime:
    """When the node that was silent longest said that it lives."""
    leases = kubectl.list("leases", "kube-node-lease")
    return min(datetime.fromisoformat(one["spec"]["renewTime"]) for one in leases)
