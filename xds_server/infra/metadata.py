"""Labels and annotations of what is made for a Gateway.

Objects have those of the Gateway and of its infrastructure, which goes before. Pods have those of the infrastructure
alone: a changed one replaces all pods, and those of a Gateway are written by many tools. What deployment tools claim
objects by is never copied, or they would take what we make for theirs; nor is what we say ourselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from xds_server.infra import names
from xds_server.model.core import Service
from xds_server.model.gateway import Gateway
from xds_server.model.meta import Key
from xds_server.semantics.infrastructure import SERVICE_TYPE, TEMPLATES, Infrastructure

_CLAIMS: Final = (
    names.LAST_APPLIED_ANNOTATION,
    "app.kubernetes.io/instance",  # Argo CD, unless it is told otherwise
    names.MANAGED_LABEL,  # Helm
    SERVICE_TYPE,
    TEMPLATES,
)
_CLAIMING: Final = (
    "gateway.networking.k8s.io",
    "xds-server.dev",
    "argocd.argoproj.io",
    "fluxcd.io",
    "toolkit.fluxcd.io",
    "helm.sh",
    "applyset.kubernetes.io",
    "kapp.k14s.io",
    "config.k8s.io",
    "config.kubernetes.io",
    "cli-utils.sigs.k8s.io",
    "configsync.gke.io",
    "configmanagement.gke.io",
    "rio.cattle.io",
    "fleet.cattle.io",
)
"""Domains, and all below them: of ours and the API's, then of tools."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What goes on objects, and on pods. `selected` are the labels that pods are found by."""

    name: str
    namespace: str
    selected: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    pod_labels: Mapping[str, str]
    pod_annotations: Mapping[str, str]
    owner: Mapping[str, Any]

    def of_object(self) -> dict[str, Any]:
        """The metadata of an object."""
        found: dict[str, Any] = {"name": self.name, "namespace": self.namespace, "labels": dict(self.labels)}
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found | {"ownerReferences": [dict(self.owner)]}


def made_for(service: Service, controller_name: str) -> Iterable[tuple[Key, tuple[str, str]]]:
    """The Gateway that an installation made a Service for, its uid and class; nothing for others. A copy of one, with
    all its labels and its owner, has another name or is in another namespace.
    """
    labels = service.metadata.labels
    if labels.get(names.CONTROLLER_LABEL) != names.controller(controller_name) or names.CLASS_LABEL not in labels:
        return ()
    class_ = service.metadata.annotations.get(names.CLASS_ANNOTATION, labels[names.CLASS_LABEL])
    namespace, name = service.metadata.key
    owners = [one for one in service.metadata.owner_references if one.kind == "Gateway"]
    return [(Key(namespace, one.name), (one.uid, class_)) for one in owners if names.child(one.name) == name][:1]


def metadata(gateway: Gateway, asked: Infrastructure, controller_name: str) -> Metadata:
    """The metadata of everything that is made for a Gateway."""
    name, class_ = gateway.metadata.name, gateway.spec.gateway_class_name
    selected = {names.GATEWAY_LABEL: names.label(name), names.MANAGED_LABEL: names.MANAGED}
    own = {
        **selected,
        names.CLASS_LABEL: names.label(class_),
        names.CONTROLLER_LABEL: names.controller(controller_name),
    }
    full = {names.GATEWAY_ANNOTATION: name} if names.label(name) != name else {}
    full |= {names.CLASS_ANNOTATION: class_} if names.label(class_) != class_ else {}
    labels, annotations = _copied(asked.labels), _copied(asked.annotations)
    return Metadata(
        name=names.child(name),
        namespace=gateway.metadata.namespace,
        selected=selected,
        labels=_copied(gateway.metadata.labels) | labels | own,
        annotations=_copied(gateway.metadata.annotations) | annotations | full,
        pod_labels=labels | own,
        pod_annotations=annotations | full,
        owner={
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "name": name,
            "uid": gateway.metadata.uid,
            "controller": True,
        },
    )


def _copied(entries: Mapping[str, str]) -> dict[str, str]:
    return {key: entries[key] for key in sorted(entries) if not _claims(key)}


def _claims(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    return key in _CLAIMS or any(domain == one or domain.endswith(f".{one}") for one in _CLAIMING)
