"""The API server goes and comes back, or forgets the past: traffic never notices, and changes are heard afterwards."""

import time
from contextlib import suppress

import pytest

from e2e.faults import fault, needs_faults, without_api_server
from e2e.kubectl import Kubectl, eventually
from e2e.traffic import Traffic, ask
from e2e.workloads import Site, header, route

AWAY_SECONDS = 60
ATTEMPTS = 5
WATCHES_WAIT_SECONDS = 15
"""Until they are tried again every few seconds only."""
HEARD_SECONDS = 90
"""Until a change is heard of. Pods reach the API server by kube-proxy, which tries again itself to reach it for up to a
minute, and has no endpoint of it before.
"""
UNHEARD = 3
LISTS = "xds_server_kube_lists_total"


@pytest.fixture(autouse=True)
def _fault_command() -> None:
    needs_faults()


def serves(site: Site, value: str) -> bool:
    """Whether the route that was changed last is in service."""
    answer = ask(site.target(path="/changed"))
    assert answer.headers.get("x-version") == value, f"{answer.status} {answer.headers}"
    return True


def applied(site: Site, *objects: dict[str, object]) -> bool:
    """Applies objects one after the other."""
    for one in objects:
        site.apply(one)
    return True


def changed(value: str) -> dict[str, object]:
    return route("changed", "gateway", path="/changed", filters=[header("x-version", value)])


def test_an_api_server_that_is_away_for_a_minute(site: Site, kubectl: Kubectl) -> None:
    site.apply(changed("before"))
    eventually(lambda: serves(site, "before"))
    with Traffic(site.target()) as traffic:
        traffic.mark("the API server stops")
        with without_api_server(kubectl):
            time.sleep(AWAY_SECONDS)
            traffic.mark("the API server starts")
        traffic.mark("the API server answers")
        site.apply(changed("after"))
        eventually(lambda: serves(site, "after"), HEARD_SECONDS)
        site.has_envoys(1, 30)
        assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in site.envoys())
    traffic.unharmed(least=600)


def test_a_past_that_etcd_has_forgotten(site: Site, kubectl: Kubectl) -> None:
    """Watches that were cut resume from before the compaction, get 410 and list anew.

    Only if something was written since, which they have not heard: so the API server is there for a moment, and most
    watches are still waiting to try again. This is done until lists were seen.
    """
    with Traffic(site.target()) as traffic:
        for attempt in range(ATTEMPTS):
            before = {pod: lists(site, pod) for pod in site.installed.ready_pods()}
            traffic.mark("the API server stops, the past is forgotten")
            with without_api_server(kubectl):
                time.sleep(WATCHES_WAIT_SECONDS)
                fault("start", "kube-apiserver")
                eventually(lambda: kubectl("get", "--raw", "/readyz", seconds=5))
                eventually(lambda: applied(site, *(changed(f"unheard-{n}") for n in range(UNHEARD))))
                fault("stop", "kube-apiserver")
                fault("compact")
            site.apply(changed(str(attempt)))
            eventually(lambda: serves(site, str(attempt)), HEARD_SECONDS)  # noqa: B023
            site.has_envoys(1, 60)
            with suppress(AssertionError):
                eventually(lambda: listed_anew(site, before), 20)  # noqa: B023
                break
        else:
            raise AssertionError("no kind was listed anew")
    traffic.unharmed()


def listed_anew(site: Site, before: dict[str, float]) -> bool:
    """Whether every server has listed some kind since then; a watch that was refused is listed after a pause."""
    assert all(lists(site, pod) > count for pod, count in before.items())
    return True


def lists(site: Site, pod: str) -> float:
    """How many lists a server has made, of all kinds."""
    return sum(value for (name, _), value in site.installed.metrics(pod).items() if name == LISTS)
