"""Envoys go and come: those that stay take over, those that go finish what they began."""

from e2e.kubectl import eventually
from e2e.traffic import Traffic
from e2e.workloads import Site, overlay

MANY = 12
"""Connections that are kept: chance gives each to one of two Envoys, and none to the one that goes once in 8,000 times."""


def test_one_of_two_envoys_is_deleted(make_site) -> None:
    site: Site = make_site(envoys=2, backends=2)
    with Traffic(site.target(pause=0.1), kept=MANY, fresh=2) as traffic:
        gone, stays = site.ready_envoys()
        traffic.mark(f"{gone} is deleted")
        site.installed.kubectl.delete("pod", gone, f"--namespace={site.namespace}", seconds=90)
        traffic.mark(f"{gone} is gone")
        found = site.has_envoys(2)
        assert stays in found
        assert gone not in found
    assert traffic.unharmed().connections > 0


def test_a_rolling_update_of_envoys(make_site) -> None:
    site: Site = make_site(envoys=2, backends=2)
    with Traffic(site.target(), kept=4, fresh=2) as traffic:
        before = set(site.ready_envoys())
        traffic.mark("restarted")
        kubectl = site.installed.kubectl
        kubectl("rollout", "restart", "deployment/gateway", f"--namespace={site.namespace}")
        kubectl.rolled_out("gateway", site.namespace)
        eventually(lambda: not before & {pod["metadata"]["name"] for pod in site.envoys()}, 120)
        traffic.mark("rolled out")
        site.has_envoys(2)
    traffic.unharmed()


def test_fewer_and_more_envoys(make_site) -> None:
    """The number in the overlay is followed, down and up."""
    site: Site = make_site(envoys=3, backends=2)
    with Traffic(site.target()) as traffic:
        site.apply(overlay(replicas=1))
        eventually(lambda: len(site.envoys()) == 1, 120)
        traffic.mark("one is left")
        site.apply(overlay(replicas=2))
        site.has_envoys(2)
    traffic.unharmed()
