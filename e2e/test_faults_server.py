"""Servers die: their Envoys go on, move to another one, and are sent nothing that they have."""

import time
from collections import Counter

import pytest

from e2e.installation import Installation
from e2e.kubectl import eventually
from e2e.traffic import Traffic, ask
from e2e.workloads import Site, header, overlay, route

PUSHED = "xds_server_pushed_bytes_total"
PUSHES = "xds_server_pushes_total"
CONNECTED = "xds_server_connected_clients"
TYPES = ("listeners", "routes", "clusters", "endpoints", "secrets")
EMPTY_ANSWER = 100
"""Bytes at most of a response without any resource. Envoy asks for all listeners and all clusters when it connects, and
goes on only when it is answered."""


@pytest.fixture
def replicas(installed: Installation) -> int:
    """Leaves as many servers as there were."""
    return len(installed.ready_pods())


def pushed(installed: Installation) -> dict[str, tuple[int, int]]:
    """Bytes and responses that servers have sent to Envoys since they started, by type of resource."""
    found = sum((installed.metrics(pod) for pod in installed.ready_pods()), Counter())
    return {type_: (int(found[PUSHED, type_]), int(found[PUSHES, type_])) for type_ in TYPES}


def all_connected(site: Site, envoys: int, servers: int) -> bool:
    """Whether so many servers are ready, and serve so many Envoys: those of the site, and nobody else's."""
    installed = site.installed
    pods = installed.ready_pods()
    assert len(pods) == servers
    assert installed.connected(site.key) == envoys
    everybody = sum(v for pod in pods for (name, _), v in installed.metrics(pod).items() if name == CONNECTED)
    assert everybody == envoys, f"{everybody} Envoys are connected: those of other Gateways go"
    return True


def test_servers_that_are_killed_resend_nothing(make_site, replicas: int) -> None:
    """All of them at once; the Envoys wait, connect to the new ones, and say what they have."""
    site = make_site(envoys=2, backends=2)
    installed = site.installed
    eventually(lambda: all_connected(site, 2, replicas), 180)
    before, envoys = set(installed.ready_pods()), site.ready_envoys()
    with Traffic(site.target()) as traffic:
        traffic.mark("all servers are killed")
        installed.kill(*before)
        eventually(lambda: not before & set(installed.ready_pods()))
        installed.kubectl.rolled_out(installed.name, installed.namespace)
        eventually(lambda: all_connected(site, 2, replicas), 120)
        traffic.mark("the Envoys are connected to new servers")
        time.sleep(3)
        assert sorted(site.ready_envoys()) == sorted(envoys), "the same Envoys"
        sent = pushed(installed)
        for type_ in ("routes", "endpoints", "secrets"):
            assert sent[type_] == (0, 0), f"bytes and responses that were sent: {sent}"
        for type_ in ("listeners", "clusters"):
            size, count = sent[type_]
            assert count >= 2, "each Envoy asked, and was answered"
            assert size <= count * EMPTY_ANSWER, f"bytes and responses that were sent: {sent}"
    traffic.unharmed()


def test_the_death_of_the_leader(site: Site, replicas: int) -> None:
    """Statuses are written by another, soon."""
    if replicas < 2:
        pytest.skip("there is one server only")
    installed = site.installed
    old = eventually(installed.leader)
    with Traffic(site.target()) as traffic:
        traffic.mark("the leader is killed")
        installed.kill(old)
        site.apply(route("second", "gateway", path="/second", filters=[header("x-route", "second")]))
        eventually(lambda: ask(site.target(path="/second")).headers.get("x-route") == "second")
        traffic.mark("the change is served")
        eventually(lambda: installed.leader() not in ("", old))
        traffic.mark("another leads")
        site.apply(route("third", "gateway", path="/third"))
        for name in ("second", "third"):
            eventually(lambda: site.told(name, "Accepted").get("status") == "True")  # noqa: B023
        traffic.mark("the statuses are written")
        installed.kubectl.rolled_out(installed.name, installed.namespace)
    traffic.unharmed()


def test_a_new_envoy_without_any_server_waits(make_site, replicas: int) -> None:
    """It is not ready, so nothing is sent to it; those that are there serve on."""
    site = make_site(envoys=2, backends=2)
    installed = site.installed
    with Traffic(site.target()) as traffic:
        traffic.mark("no server is left")
        installed.scale(0)
        try:
            site.installed.kubectl("scale", "deployment/gateway", f"--namespace={site.namespace}", "--replicas=3")
            eventually(lambda: running(site) == 3, 90)
            time.sleep(10)
            assert len(site.ready_envoys()) == 2
        finally:
            site.apply(overlay(replicas=3))
            installed.scale(replicas)
            traffic.mark("the servers are back")
        site.has_envoys(3, 90)
    traffic.unharmed(least=150)


def running(site: Site) -> int:
    """How many Envoys run, ready or not."""
    states = [one["state"] for pod in site.envoys() for one in pod["status"].get("containerStatuses", [])]
    return sum("running" in state for state in states)
