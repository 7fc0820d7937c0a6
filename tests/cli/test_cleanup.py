"""`xds-server cleanup --dry-run`, asked of an API server that answers; that it cleans, e2e/test_install.py shows."""

import json
from pathlib import Path

import pytest

from tests.cli.api_server import ApiServer, Json, serving
from tests.cli.command import invoke

LEASE = {"kind": "Lease", "metadata": {"name": "xds-server", "namespace": "xds-system", "uid": "1"}, "spec": {}}


def deployment(**spec: int) -> Json:
    metadata = {"name": "xds-server", "namespace": "xds-system", "uid": "2"}
    return {"kind": "Deployment", "metadata": metadata, "spec": spec}


FIRST = "scale to 0 Deployment xds-system/xds-server"
SECOND = "delete Lease xds-system/xds-server"


def test_a_dry_run_tells_first_that_the_servers_end(tmp_path: Path) -> None:
    server = ApiServer([deployment(replicas=2), LEASE])
    with serving(server, tmp_path) as kubeconfig:
        text = invoke("cleanup", "--dry-run", "--kubeconfig", kubeconfig)
        data = invoke("cleanup", "--dry-run", "-o", "json", "--kubeconfig", kubeconfig)
        asks = invoke("cleanup", "--kubeconfig", kubeconfig)
    assert text == (0, f"{FIRST}\n{SECOND}\n", "")
    assert [(row["action"], row["kind"], row["namespace"], row["name"]) for row in json.loads(data.out)] == [
        ("scale to 0", "Deployment", "xds-system", "xds-server"),
        ("delete", "Lease", "xds-system", "xds-server"),
    ]
    assert (asks.status, asks.out) == (2, text.out)
    assert server.methods == {"GET"}


@pytest.mark.parametrize(
    ("documents", "told"),
    [
        ([deployment(replicas=0), LEASE], [SECOND]),
        ([LEASE], [SECOND]),
        ([deployment(), LEASE], [FIRST, SECOND]),
        ([deployment(replicas=1)], [FIRST]),
    ],
    ids=["scaled already", "no Deployment", "one by default", "nothing else"],
)
def test_only_servers_that_run_are_ended(documents: list[Json], told: list[str], tmp_path: Path) -> None:
    with serving(ApiServer(documents), tmp_path) as kubeconfig:
        assert invoke("cleanup", "--dry-run", "--kubeconfig", kubeconfig).out.splitlines() == told


def test_nothing_is_left(tmp_path: Path) -> None:
    with serving(ApiServer([deployment(replicas=0)]), tmp_path) as kubeconfig:
        found = invoke("cleanup", "--dry-run", "--kubeconfig", kubeconfig)
    assert found.out.startswith("nothing to remove (")
