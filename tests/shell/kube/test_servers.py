"""Replicas as their pods tell of them."""

from typing import Any

import pytest

from xds_server.model.meta import Key
from xds_server.shell.kube.servers import Replica, belongs, replica


def pod(*words: str, phase: str = "Running", ready: str = "True", command: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "metadata": {"name": "xds-1", "namespace": "xds-system"},
        "spec": {"containers": [{"command": list(command), "args": list(words)}]},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
    }


def test_a_replica_is_asked_where_it_listens() -> None:
    key = Key("xds-system", "xds-1")
    assert replica(pod("serve")) == Replica("xds-1", key)
    assert replica(pod("serve", "--admin-address=127.0.0.1:28001")).port == 28001
    assert replica(pod("serve", "--admin-address", "[::1]:28001")).port == 28001
    assert replica(pod("serve", "--admin-address=nonsense")).port == 18001


def test_a_replica_whose_pod_does_not_run_is_not_asked() -> None:
    found = replica(pod("serve", phase="Pending", ready="False"))
    assert (found.why, found.ready) == ("its pod is Pending", False)


@pytest.mark.parametrize(
    ("words", "name", "does"),
    [
        (("serve",), "xds-server", True),
        (("serve", "--name=edge"), "edge", True),
        (("serve", "--name", "edge"), "edge", True),
        (("serve", "--name=edge"), "xds-server", False),
        (("serve", "--name=xds-server", "--name=edge"), "edge", True),
        (("serve", "--name=xds-server", "--name", "edge"), "xds-server", False),
        (("cleanup",), "xds-server", False),
    ],
)
def test_replicas_of_an_installation_have_its_name_and_serve(words: tuple[str, ...], name: str, does: bool) -> None:
    assert belongs(pod(*words), name) is does
    assert belongs(pod(command=words), name) is does


def test_a_pod_that_has_ended_is_none() -> None:
    assert not belongs(pod("serve", phase="Succeeded"), "xds-server")
