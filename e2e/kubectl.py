"""kubectl, as users have it: every call has a deadline, and what it refuses is an error with its own words."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import yaml

T = TypeVar("T")
Object = Mapping[str, Any]
FIELD_MANAGER = "e2e"


class KubectlError(Exception):
    """kubectl failed; the message is what it printed."""


NOT_YET = (AssertionError, LookupError, StopIteration, TypeError, ValueError, KubectlError, OSError)
"""What checks raise of something that is not so yet: an entry of a status that is missing is none of the others."""


class Kubectl:
    """The kubectl of the PATH, with the cluster of KUBECONFIG."""

    def __call__(self, *words: str, stdin: str | None = None, seconds: float = 30.0) -> str:
        """Runs it and returns what it printed."""
        command = ["kubectl", f"--request-timeout={seconds:.0f}s", *words]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, timeout=seconds + 5, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"{' '.join(command)}: no end within {seconds + 5:.0f} s") from error
        if done.returncode:
            raise KubectlError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
        """An object."""
        found: dict[str, Any] = json.loads(self("get", kind, name, *_in(namespace), "-o", "json"))
        return found

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        """Objects of a kind: of one namespace, or of all when none is given."""
        where = _in(namespace) or ("--all-namespaces",)
        chosen = (f"--selector={selector}",) if selector else ()
        found: list[dict[str, Any]] = json.loads(self("get", kind, *where, *chosen, "-o", "json"))["items"]
        return found

    def apply(self, *objects: Object, seconds: float = 60.0) -> None:
        """Applies objects, server-side."""
        self(
            "apply",
            "--server-side",
            "--force-conflicts",
            f"--field-manager={FIELD_MANAGER}",
            "--filename=-",
            stdin=yaml.safe_dump_all(objects),
            seconds=seconds,
        )

    def delete(self, *words: str, wait: bool = True, seconds: float = 60.0) -> None:
        """Deletes what the words name; nothing there is no fault."""
        self("delete", *words, "--ignore-not-found", f"--wait={'true' if wait else 'false'}", seconds=seconds)

    def patch(self, kind: str, name: str, namespace: str, change: Object) -> None:
        """A JSON merge patch."""
        self("patch", kind, name, *_in(namespace), "--type=merge", f"--patch={json.dumps(change)}")

    def wait(self, what: str, condition: str, namespace: str = "", seconds: float = 120.0) -> None:
        """`kubectl wait`, for `condition=Programmed` or whatever else it knows."""
        self(
            "wait",
            f"--for={condition}",
            what,
            *_in(namespace),
            f"--timeout={seconds:.0f}s",
            seconds=seconds + 5,
        )

    def rolled_out(self, deployment: str, namespace: str, seconds: float = 240.0) -> None:
        """Waits until all pods of a Deployment are those of now, and ready."""
        self(
            "rollout",
            "status",
            f"deployment/{deployment}",
            *_in(namespace),
            f"--timeout={seconds:.0f}s",
            seconds=seconds,
        )


def eventually(check: Callable[[], T], seconds: float = 60.0, pause: float = 0.2) -> T:
    """Calls until the answer is true, and returns it. AssertionErrors, what an object does not have yet, connections
    that fail and failures of kubectl are tried again; the last one is raised when the time is over."""
    end = time.monotonic() + seconds
    while True:
        problem: Exception | None = None
        try:
            found = check()
            if found:
                return found
        except NOT_YET as error:
            problem = error
        if time.monotonic() > end:
            raise problem or AssertionError(f"not within {seconds:.0f} s: {check.__name__}")
        time.sleep(pause)


def condition(value: Object, type_: str) -> dict[str, Any]:
    """A condition of an object's status, {} where there is none."""
    conditions = (value.get("status") or {}).get("conditions") or []  # null in a CRD that was just made
    return next((one for one in conditions if one["type"] == type_), {})


def ready(pod: Object) -> bool:
    """Whether a pod is ready and not on its way out."""
    return condition(pod, "Ready").get("status") == "True" and not pod["metadata"].get("deletionTimestamp")


def _in(namespace: str) -> tuple[str, ...]:
    return (f"--namespace={namespace}",) if namespace else ()
