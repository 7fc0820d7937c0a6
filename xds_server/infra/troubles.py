"""Why Envoys of a Gateway do not come up, as Kubernetes says it of their pods and of their Deployment.

What kubelets say by turns while they try again is told in one way, so that it stays the same from one try to the next.
Source: Kubernetes API v1 ContainerState, PodCondition; apps/v1 DeploymentCondition.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf
from typing import Any, Final

from xds_server.model.core import ContainerStatus, ContainerTerminated, Pod
from xds_server.model.wording import some
from xds_server.semantics.statuses import Trouble

_INVALID: Final = ("InvalidImageName",)
"""Reasons that no later try changes."""
_LOOP: Final = "CrashLoopBackOff"
_PULL: Final = ": ErrImagePull: "
"""Between it and the end a kubelet that waits says why the last pull failed."""
_NO_START: Final = "RunContainerError"
"""By turns with _LOOP, for a container that ended before it ran."""
_NEVER_RAN: Final = "StartError"
_SHORT_SECONDS: Final = 600.0
"""A container that ran as long was well: the kubelet starts the next one at once."""
_BACK_OFF_SECONDS: Final = 360.0
"""No kubelet waits longer (five minutes) and needs more to start a container that ended."""
_LOCAL_PORT: Final = re.compile(r":\d+(?=->)")
"""Of a connection, which has another one at each try."""
_PLAIN: Final = ("Completed", "Error", "OOMKilled")
"""Ends of which the exit code says all; the message is the container's own, and another one each time."""
_MOST: Final = 3
"""So many pods of one trouble are named."""


def of_pod(pod: Pod) -> Trouble | None:
    """What keeps a pod from becoming ready; None while it may be on its way."""
    status = pod.status
    if status.ready:
        return None
    for one in status.conditions or ():
        if one.type == "PodScheduled" and one.status == "False":
            return Trouble("NoResources", _stable(f"{one.reason}: {one.message}"))
    since = next((one.last_transition_time for one in status.conditions or () if one.type == "Ready"), None)
    for container in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
        if (found := _of_container(container, since)) is not None:
            reason, message = found
            told = f"container {container.name}: {f'{reason}: {message}' if message else reason}"
            return Trouble("Invalid" if reason in _INVALID else "NoResources", told)
    return None


def _of_container(one: ContainerStatus, unready_since: str | None) -> tuple[str, str] | None:
    """Reason and message; CrashLoopBackOff also between two waits."""
    waiting = one.state.waiting
    reason, message = (waiting.reason, waiting.message) if waiting is not None else ("", "")
    ended = one.state.terminated or one.last_state.terminated
    if ended is not None and (reason in (_LOOP, _NO_START) or _crashes(one, ended, unready_since)):
        words = "" if ended.reason in _PLAIN or not ended.message else f": {ended.message}"
        return _LOOP, f"it ends with exit code {ended.exit_code} ({ended.reason}){words}"
    if reason == _LOOP:
        return _LOOP, ""
    if one.comes:
        return None
    _, pulled, why = message.partition(_PULL)
    return ("ErrImagePull", _stable(why)) if pulled else (reason, _stable(message))


def _crashes(one: ContainerStatus, ended: ContainerTerminated, unready_since: str | None) -> bool:
    """Is it between two ends that follow each other? How often it was started anew counts from the pod's beginning; one
    that runs, and was ready since it was started, is another's trouble.
    """
    if one.ready or one.is_quiet or not one.comes:
        return False
    if ended.reason != _NEVER_RAN and _seconds(ended.started_at, ended.finished_at) >= _SHORT_SECONDS:
        return False
    if one.state.running is None:
        return True
    again = one.state.running.started_at
    return _seconds(ended.finished_at, again) <= _BACK_OFF_SECONDS and not 0 < _seconds(again, unready_since) < inf


def _seconds(since: str | None, until: str | None) -> float:
    """From one to the other; infinite where one of them is not known."""
    try:
        return (datetime.fromisoformat(until or "") - datetime.fromisoformat(since or "")).total_seconds()
    except (ValueError, TypeError):  # no time, or one of them without its zone
        return inf


def _stable(message: str) -> str:
    return _LOCAL_PORT.sub("", message)


def of_deployment(value: Mapping[str, Any]) -> Trouble | None:
    """What keeps a Deployment, as JSON, from making pods."""
    metadata = value["metadata"]
    name = f"Deployment {metadata['namespace']}/{metadata['name']}"
    if (value.get("spec") or {}).get("replicas") == 0:
        return Trouble("NoResources", f"{name} has 0 replicas")
    for one in (value.get("status") or {}).get("conditions") or ():
        if (one["type"], one["status"]) == ("ReplicaFailure", "True"):
            return Trouble("NoResources", _stable(f"{name}: {one.get('reason', '')}: {one.get('message', '')}"))
    return None


def joined(pods: Sequence[tuple[str, Trouble]], other: Trouble | None, *, serving: bool) -> Trouble | None:
    """Of pods by name, and of their Deployment: the same trouble once. The reason is that of the first."""
    by_message: dict[str, list[str]] = {}
    for name, trouble in pods:
        by_message.setdefault(trouble.message, []).append(name)
    told = [
        f"{'pod' if len(names) == 1 else 'pods'} {some(names, _MOST)}: {message}"
        for message, names in by_message.items()
    ]
    found = [trouble for _, trouble in pods]
    if other is not None:
        told.insert(0, other.message)
        found.insert(0, other)
    return Trouble(found[0].reason, "; ".join(told), serving) if found else None
