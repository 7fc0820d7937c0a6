"""What keeps pods from coming up; tests/scenarios/places/not_coming_up.md shows more."""

from typing import Any

import pytest

from xds_server.infra.troubles import joined, of_deployment, of_pod
from xds_server.model.core import (
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

RUNNING = ContainerState()
CRASHED = ContainerState(terminated=ContainerTerminated("Error", "a line of its log", 1))


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
    unready = pod(ContainerStatus("envoy"))
    assert unready.kept() is unready


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
