"""Faults of the cluster, on purpose: by a command that whoever runs the tests names."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

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
    """The API server is away for the length of a block; afterwards it answers again."""
    fault("stop", "kube-apiserver")
    try:
        yield
    finally:
        fault("start", "kube-apiserver")
        eventually(lambda: kubectl("get", "--raw", "/readyz", seconds=5), 60)
