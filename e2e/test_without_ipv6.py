"""Envoys on nodes whose kernel has no IPv6: nobody says so anywhere, and they serve. Here their processes cannot make
sockets of IPv6, by a filter of system calls that a program of Python sets before it becomes Envoy.
"""

import os
from pathlib import Path

import pytest

from e2e.kubectl import eventually
from e2e.traffic import Target, Traffic, ask
from e2e.workloads import PARAMETERS, Site, gateway, overlay

PROGRAM = Path(__file__).parents[1] / "tests" / "without_ipv6.py"
FOLDER = "/without"
_LISTENS = "0A"
"""In /proc/net/tcp."""

pytestmark = pytest.mark.skipif("XDS_ENVOY_IMAGE" in os.environ, reason="the image may have no Python")


def without_ipv6(site: Site) -> None:
    """The Gateway's Envoys have none, after a rolling update."""
    program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "without"}}
    volume = {"name": "without", "configMap": {"name": "without"}}
    envoy = {
        "name": "envoy",
        "command": ["python3", f"{FOLDER}/{PROGRAM.name}", "envoy", "--log-level", "warning"],
        "volumeMounts": [{"name": "without", "mountPath": FOLDER}],
    }
    site.apply(
        program | {"data": {PROGRAM.name: PROGRAM.read_text()}},
        overlay(replicas=2, template={"spec": {"volumes": [volume], "containers": [envoy]}}),
    )


def listening(site: Site, pod: str, table: str) -> dict[int, str]:
    """The ports on which a pod listens, and of which address, as the kernel writes it."""
    found = site.installed.kubectl("exec", pod, f"--namespace={site.namespace}", "--", "cat", f"/proc/net/{table}")
    rows = (line.split() for line in found.splitlines()[1:])
    sockets = (row[1].split(":") for row in rows if row[3] == _LISTENS)
    return {int(port, 16): address for address, port in sockets}


def test_a_gateway_moves_to_nodes_without_ipv6(make_site) -> None:
    site: Site = make_site(envoys=2, backends=2)
    before = set(site.ready_envoys())
    assert all(80 in listening(site, pod, "tcp6") for pod in before)
    with Traffic(site.target(), kept=4, fresh=2) as traffic:
        without_ipv6(site)
        eventually(lambda: not before & {pod["metadata"]["name"] for pod in site.envoys()}, 120)
        pods = site.has_envoys(2)
        for pod in pods:
            assert listening(site, pod, "tcp6") == {}
            own = listening(site, pod, "tcp")
            assert own.keys() >= {80, 15000, 15021}
            assert own[80] == "00000000"
        more = {"name": "more", "port": 81, "protocol": "HTTP"}
        site.apply(
            gateway(site.gateway, {"name": "http", "port": 80, "protocol": "HTTP"}, more, infrastructure=PARAMETERS)
        )
        eventually(lambda: ask(Target(site.address, site.target().host, port=81)).status == 200)
        assert set(pods) == set(site.ready_envoys())
        site.installed.kubectl.wait(f"gateway/{site.gateway}", "condition=Programmed", site.namespace, 30)
    traffic.unharmed()
