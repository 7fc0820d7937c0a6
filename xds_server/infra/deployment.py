"""The Deployment of a Gateway: Envoy, as little privileged as it can be, with its bootstrap on the command line.

Any port can be bound without privileges: the sysctl for that is one that Kubernetes calls safe. Nothing is written to
disk. Listener ports are not named in the pod: a port that comes or goes restarts nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from xds_server.infra import names
from xds_server.infra.metadata import Metadata
from xds_server.infra.quantity import quantity

POD_NAME: Final = "$(POD_NAME)"
"""Stands in the bootstrap for the pod's name; the kubelet fills it in."""
POD_IP: Final = "$(XDS_SERVER_POD_IP)"
"""For the pod's first address, which is where kubelets and Prometheus come: of whichever family the node has."""
USER: Final = 65532
"""The one that Envoy's images are made for."""
_GRACE_SECONDS: Final = 30
"""The longest that a pod drains; it ends as soon as it has."""
_DRAIN_SECONDS: Final = 30
"""After which Envoy cuts connections that drain, whatever is under way on them: no sooner than a pod has to end."""
_HEAP_SHARE: Final = 0.9
"""Of the memory that the container may have."""
_MOST_BYTES: Final = 2**63 - 1
"""A greater quantity is this one to Kubernetes."""
_STARTING_SECONDS: Final = 3600
"""A proxy that no control plane answers waits, and is not restarted over it."""


def deployment(made: Metadata, *, image: str, bootstrap: Mapping[str, Any], authority: str) -> dict[str, Any]:
    """The Deployment; no number of replicas, which is one unless somebody says otherwise. `authority` is the ConfigMap
    of the server's certificate authority, empty where proxies prove nothing and check nothing.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": made.of_object(),
        "spec": {
            "selector": {"matchLabels": dict(made.selected)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {
                "metadata": {
                    "labels": {"sidecar.istio.io/inject": "false"} | dict(made.pod_labels),
                    "annotations": {
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": str(names.STATUS_PORT),
                        "prometheus.io/path": "/stats/prometheus",
                    }
                    | dict(made.pod_annotations),
                },
                "spec": _pod(made, image, bootstrap, authority),
            },
        },
    }


def most_heap(value: Mapping[str, Any]) -> int | None:
    """What Envoy's heap may come to, in bytes, by the limit of its container's memory; None without one, or where the
    API server will refuse what stands there. The rest is for what the kernel counts besides: stacks, buffers of
    sockets, the program.
    """
    containers = value["spec"]["template"]["spec"]["containers"]
    told: Any = next(one for one in containers if one["name"] == names.CONTAINER)
    for name in ("resources", "limits", "memory"):
        told = told.get(name) if isinstance(told, dict) else None
    limit = quantity(told)
    return int(min(limit, _MOST_BYTES) * _HEAP_SHARE) if limit else None


def _pod(made: Metadata, image: str, bootstrap: Mapping[str, Any], authority: str) -> dict[str, Any]:
    return {
        "serviceAccountName": made.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "topologySpreadConstraints": [
            _spread(made, "topology.kubernetes.io/zone"),
            _spread(made, "kubernetes.io/hostname"),
        ],
        "containers": [_container(image, bootstrap, authority)],
        **({"volumes": _volumes(authority)} if authority else {}),
    }


def _spread(made: Metadata, key: str) -> dict[str, Any]:
    """Replicas apart from each other where that is possible; those that a rollout replaces do not count."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(made.selected)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _container(image: str, bootstrap: Mapping[str, Any], authority: str) -> dict[str, Any]:
    mounts = [
        {"name": "token", "mountPath": names.TOKEN_FOLDER, "readOnly": True},
        {"name": "authority", "mountPath": names.AUTHORITY_FOLDER, "readOnly": True},
    ]
    return {
        "name": names.CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # What people may want otherwise is here: who replaces it in the parameters keeps the bootstrap.
        "command": ["envoy", "--log-level", "warning"],
        "args": [
            "--config-yaml",
            msgspec.json.encode(bootstrap, order="sorted").decode(),
            "--disable-hot-restart",
            "--drain-time-s",
            str(_DRAIN_SECONDS),
            # Clients are told with their next response; else a growing share of them, over all that time.
            "--drain-strategy",
            "immediate",
        ],
        "env": [_env("POD_NAME", "metadata.name"), _env("XDS_SERVER_POD_IP", "status.podIP")],
        "ports": [{"name": "status", "containerPort": names.STATUS_PORT, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "startupProbe": {"httpGet": _status("/ready"), "periodSeconds": 1, "failureThreshold": _STARTING_SECONDS},
        "readinessProbe": {"httpGet": _status("/ready"), "periodSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"httpGet": _status("/drain")}},
        **({"volumeMounts": mounts} if authority else {}),
    }


def _env(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _status(path: str) -> dict[str, Any]:
    return {"path": path, "port": names.STATUS_PORT, "scheme": "HTTP"}


def _volumes(authority: str) -> list[dict[str, Any]]:
    token = {
        "audience": names.TOKEN_AUDIENCE,
        "expirationSeconds": names.TOKEN_SECONDS,
        "path": names.TOKEN_FILE,
    }
    return [
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "authority", "configMap": {"name": authority}},
    ]
