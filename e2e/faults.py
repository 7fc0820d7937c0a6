"""Faults of the cluster, on purpose: by a command that whoever runs the tests names."""

import os
import subprocess

import pytest

COMMAND = "XDS_FAULT_COMMAND"
"""`COMMAND stop|start|kill COMPONENT` and `COMMAND compact`, as for a cluster whose parts are processes."""


def fault(*words: str) -> None:
    """Stops, starts or kills a component, or compacts etcd. Skips the test where there is no command for that."""
    command = os.environ.get(COMMAND)
    if not command:
        pytest.skip(f"{COMMAND} names no command that makes faults")
    subprocess.run([*command.split(), *words], check=True, timeout=60)
