"""What keeps pods from coming up; tests/scenarios/places/not_coming_up.md shows more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from xds_server.infra.troubles import joined, of_deployment, of_pod
from xds_server.model.core import (
    ContainerRunning,
    ContainerState,
    ContainerStatus,
    ContainerTerminated,
    ContainerWaiting,
    Pod,
    PodCondition,
    PodStatus,
)
from xds_server.model.meta import Metadata
from xds_server.semantics.statuses import Trouble


def times(minutes: float, since: float = 0.0) -> tuple[str, str]:
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=since)
    first, last = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in (begin, begin + timedelta(minutes=minutes)))
    return first, last


def running(since: float) -> ContainerState:
    """Since so many minutes after the one that was there before had ended."""
    return ContainerState(running=ContainerRunning(times(0, 5 + since)[0]))


RUNNING = running(1)
CRASHED = ContainerState(terminated=ContainerTerminated("Error", "a line of its log", 1, *times(5)))


def waiting(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=ContainerWaiting(reason, message))


def pod(*containers: ContainerStatus, init: ContainerStatus | None = None, ready: str = "False") -> Pod:
    conditions = (PodCondition("Ready", ready, "ContainersNotReady", "containers with unready status: [envoy]"),)
    inits = (init,) if init is not None else None
    status = PodStatus("Pending", (), conditions, containers or None, inits)
    return Pod(Metadata("p", "shop"), status=status)


def told(*containers: ContainerStatus, init: ContainerStatus | None = None) -> str | None:
    found = of_pod(pod(*containers, init=init))
    return found.message if found else None


@pytest.mark.parametrize("reason", ["", "ContainerCreating", "PodInitializing"])
def test_a_pod_may_be_on_its_way(reason: str) -> None:
    assert told(ContainerStatus("envoy", state=waiting(reason))) is None
    assert told(ContainerStatus("envoy")) is None
    assert told() is None


def test_a_pull_that_fails_is_told_in_one_way_while_it_is_tried_and_while_it_waits() -> None:
    tried = ContainerStatus("envoy", state=waiting("ErrImagePull", "no such host"))
    rests = ContainerStatus(
        "envoy", state=waiting("ImagePullBackOff", 'Back-off pulling "x": ErrImagePull: no such host')
    )
    assert told(tried) == told(rests) == "container envoy: ErrImagePull: no such host"
    older = ContainerStatus("envoy", state=waiting("ImagePullBackOff", 'Back-off pulling image "x"'))
    assert told(older) == 'container envoy: ImagePullBackOff: Back-off pulling image "x"'


def test_a_container_that_crashes_is_told_in_one_way_from_one_crash_to_the_next() -> None:
    back_off = waiting("CrashLoopBackOff", "back-off 40s restarting failed container")
    several = [
        ContainerStatus("envoy", restart_count=2, state=back_off, last_state=CRASHED),
        ContainerStatus("envoy", restart_count=3, state=RUNNING, last_state=CRASHED),
        ContainerStatus("envoy", restart_count=3, state=CRASHED, last_state=CRASHED),
        ContainerStatus("envoy", restart_count=4, state=waiting("ContainerCreating"), last_state=CRASHED),
    ]
    assert {told(one) for one in several} == {"container envoy: CrashLoopBackOff: it ends with exit code 1 (Error)"}
    ready = ContainerStatus("envoy", ready=True, restart_count=3, state=RUNNING, last_state=CRASHED)
    assert told(ready) is None
    once = ContainerStatus("envoy", restart_count=1, state=RUNNING, last_state=CRASHED)
    assert told(once) is None
    assert told(ContainerStatus("envoy", state=back_off)) == "container envoy: CrashLoopBackOff"


@pytest.mark.parametrize(
    ("state", "last"),
    [
        (RUNNING, ContainerState(terminated=ContainerTerminated("Unknown", "", 255, *times(60 * 24, -60 * 24 + 5)))),
        (running(60), CRASHED),
        (RUNNING, ContainerState(terminated=ContainerTerminated("ContainerStatusUnknown", "", 137, None, None))),
        (RUNNING, ContainerState(terminated=ContainerTerminated("Error", "", 1, "yesterday", "today"))),
        (RUNNING, ContainerState(terminated=ContainerTerminated("Error", "", 1, "2026-01-01T00:00:00", times(5)[1]))),
    ],
    ids=["ran for a day", "long ago", "without times", "no times", "no zone"],
)
def test_what_was_started_anew_in_its_life_and_is_not_ready_now_does_not_crash_for_that(
    state: ContainerState, last: ContainerState
) -> None:
    assert told(ContainerStatus("envoy", restart_count=7, state=state, last_state=last)) is None


def test_one_that_crashed_when_it_was_young_and_was_ready_since_does_not_crash() -> None:
    def unready(since: str) -> Pod:
        one = pod(ContainerStatus("envoy", restart_count=2, state=running(1), last_state=CRASHED))
        ready = PodCondition("Ready", "False", last_transition_time=since)
        return replace(one, status=replace(one.status, conditions=(ready,))).kept()

    assert of_pod(unready(times(60 * 24)[1])) is None
    assert of_pod(unready(times(0)[0])) is not None


def test_what_never_runs_is_told_in_one_way_whether_it_is_tried_or_waits() -> None:
    end = ContainerTerminated("StartError", "exec: envoy: not found", 128)
    ended = ContainerState(terminated=end)
    several = [waiting("RunContainerError", "exec: envoy: not found"), waiting("CrashLoopBackOff", "back-off 20s")]
    several.append(ContainerState(terminated=replace(end, started_at="1970-01-01T00:00:00Z")))
    tries = [ContainerStatus("envoy", restart_count=2, state=one, last_state=ended) for one in several]
    assert len({told(one) for one in tries}) == 1


def test_the_port_of_a_connection_that_failed_is_not_told() -> None:
    """The next one has another."""
    why = "dial tcp: lookup x on 10.96.0.10:53: read udp {}->10.96.0.10:53: i/o timeout"
    for ours in ("10.0.0.5:41234", "10.0.0.5:50999"):
        one = ContainerStatus("envoy", state=waiting("ErrImagePull", why.format(ours)))
        assert told(one) == f"container envoy: ErrImagePull: {why.format('10.0.0.5')}"


def test_what_a_container_cannot_be_started_for_is_told_with_the_words_of_the_runtime() -> None:
    ended = ContainerState(terminated=ContainerTerminated("StartError", "exec: envoy: not found", 128))
    one = ContainerStatus("envoy", restart_count=1, state=waiting("CrashLoopBackOff"), last_state=ended)
    assert (
        told(one)
        == "container envoy: CrashLoopBackOff: it ends with exit code 128 (StartError): exec: envoy: not found"
    )


def test_containers_that_are_started_before_count_and_come_first() -> None:
    first = ContainerStatus("setup", state=waiting("CreateContainerConfigError", 'secret "s" not found'))
    other = ContainerStatus("envoy", state=waiting("InvalidImageName", "X"))
    assert told(other, init=first) == 'container setup: CreateContainerConfigError: secret "s" not found'


def test_a_name_that_no_image_can_have_is_a_value_that_is_invalid() -> None:
    found = of_pod(pod(ContainerStatus("envoy", state=waiting("InvalidImageName", "X"))))
    assert found == Trouble("Invalid", "container envoy: InvalidImageName: X")


def test_a_pod_that_is_ready_has_no_trouble_and_keeps_nothing_of_its_containers() -> None:
    one = pod(ContainerStatus("envoy", restart_count=7, last_state=CRASHED), ready="True")
    assert of_pod(one) is None
    again = pod(ContainerStatus("envoy", restart_count=8, last_state=CRASHED), ready="True")
    assert one != again
    assert one.kept() == again.kept()


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_of_a_pod_that_has_ended_nothing_is_kept_of_its_containers(phase: str) -> None:
    ended = ContainerStatus("job", restart_count=3, state=CRASHED)
    one = pod(ended)
    one = replace(one, status=replace(one.status, phase=phase))
    assert one.kept().status.container_statuses is None


def test_steps_of_a_pod_that_is_on_its_way_are_kept_as_one() -> None:
    """No matter whose it is, nothing is to be done for them."""
    steps = [ContainerStatus("a", state=waiting("ContainerCreating")), ContainerStatus("a", state=RUNNING)]
    assert pod(steps[0]).kept() == pod(steps[1]).kept()
    bad = ContainerStatus("envoy", state=waiting("ErrImagePull", "no such host"))
    assert pod(steps[1], bad).kept().status.container_statuses == (bad,)


def test_of_conditions_it_is_kept_why_no_node_takes_a_pod() -> None:
    said = PodCondition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")
    one = pod()
    one = replace(one, status=replace(one.status, conditions=(said, PodCondition("Ready", "False", "x", "y"))))
    assert one.kept().status.conditions == (said, PodCondition("Ready", "False"))
    assert of_pod(one.kept()) == of_pod(one) == Trouble("NoResources", "Unschedulable: 0/3 nodes are available")


def deployment(replicas: int = 1, *conditions: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas},
        "status": {"conditions": list(conditions)},
    }


def test_a_deployment_says_why_it_makes_no_pods() -> None:
    available = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "…"}
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: small"}
    assert of_deployment(deployment(1, available)) is None
    assert of_deployment(deployment(1, failure | {"status": "False"})) is None
    found = of_deployment(deployment(1, available, failure))
    assert found == Trouble("NoResources", "Deployment shop/web: FailedCreate: exceeded quota: small")
    assert of_deployment(deployment(0)) == Trouble("NoResources", "Deployment shop/web has 0 replicas")
    new = deployment()
    del new["status"], new["spec"]["replicas"]
    assert of_deployment(new) is None


def test_pods_that_say_the_same_are_told_together() -> None:
    one, other = Trouble("Invalid", "a"), Trouble("NoResources", "b")
    several = [("p1", one), ("p2", other), *((f"p{number}", one) for number in range(3, 7))]
    assert joined(several, None, serving=False) == Trouble("Invalid", "pods p1, p3, p4 and 2 more: a; pod p2: b")
    assert joined([("p1", one)], other, serving=True) == Trouble("NoResources", "b; pod p1: a", serving=True)
    assert joined([], None, serving=True) is None
