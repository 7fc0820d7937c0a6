"""Envoys that nobody deploys for a Gateway: a Deployment and a Service that Gateways name in `spec.addresses`.

The pods are those that the server itself would make, but for names, labels and owners: bootstrap, token, authority,
probes, privileges.
"""

from collections.abc import Callable
from typing import Any, Final

from xds_server.app.deploying import installation
from xds_server.infra.deployment import deployment
from xds_server.infra.metadata import Metadata
from xds_server.infra.names import authority_config_map
from xds_server.model.meta import Key
from xds_server.settings import ServeSettings

SERVICE: Final = Key("istio-gateways", "ingress")
"""As in Istio's task page."""
PORTS: Final = {"http": (80, 8080), "https": (443, 8443)}
"""Of the Service, and of the pods: what Gateways listen on, and what Envoy binds."""
LABELS: Final = {"app.kubernetes.io/name": SERVICE.name}


def objects(server_namespace: str, dump: Callable[[Any], str]) -> list[dict[str, Any]]:
    """Of a server that is installed in that namespace under its usual name. `dump` writes YAML, for people to read."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SERVICE.namespace}},
        _object("v1", "ServiceAccount"),
        _object("v1", "Service", {"type": "LoadBalancer", "selector": LABELS, "ports": _ports()}),
        _deployment(server_namespace, dump),
        _object("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1, "selector": {"matchLabels": LABELS}}),
    ]


def _object(api_version: str, kind: str, spec: dict[str, Any] | None = None) -> dict[str, Any]:
    metadata = {"name": SERVICE.name, "namespace": SERVICE.namespace, "labels": LABELS}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}


def _ports() -> list[dict[str, Any]]:
    return [{"name": name, "port": port, "targetPort": target} for name, (port, target) in PORTS.items()]


def _deployment(server_namespace: str, dump: Callable[[Any], str]) -> dict[str, Any]:
    settings = ServeSettings(
        namespace=server_namespace, advertise=f"{ServeSettings().name}.{server_namespace}.svc:18000"
    )
    own = installation(settings)
    made = Metadata(
        name=SERVICE.name,
        namespace=SERVICE.namespace,
        selected=LABELS,
        labels=LABELS,
        annotations={},
        pod_labels=LABELS,
        pod_annotations={},
        owner={},
    )
    bootstrap = own.bootstrap(SERVICE, None)
    found = deployment(made, image=own.envoy_image, bootstrap=bootstrap, authority=authority_config_map(own.name))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["args"][container["args"].index("--config-yaml") + 1] = dump(bootstrap)
    return {**found, "metadata": _object("", "")["metadata"], "spec": {"replicas": 2, **found["spec"]}}
