"""Objects that are made for Gateways, as the API server has them.

Ours is what the Gateway of now owns and what says that it is managed by us: by its label or, where somebody took that
away, by the API server's own record of who applied it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from xds_server.infra import names, troubles
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.meta import Key
from xds_server.semantics.statuses import Trouble
from xds_server.shell.kube.client import path

Json = Mapping[str, Any]

_NOT_SAID: Final = ("apiVersion", "kind", "status")
"""Lists leave out the first two."""
_NOT_OURS: Final = ("resourceVersion", "managedFields", "generation", "creationTimestamp", "finalizers")
_REVISION: Final = "deployment.kubernetes.io/revision"


class Made(NamedTuple):
    """A kind that is made for Gateways."""

    kind: str
    api_version: str
    plural: str

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one, or of all."""
        return path(self.api_version, self.plural, namespace, name)


MADE: Final = {
    one.kind: one
    for one in (
        Made("ServiceAccount", "v1", "serviceaccounts"),
        Made("Service", "v1", "services"),
        Made("Deployment", "apps/v1", "deployments"),
        Made("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        Made("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
    )
}
ObjectId = tuple[str, Key]
"""Kind and key."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object. `owner` is the uid of the Gateway that owns it, `gateway` that one's key; empty without any."""

    id: ObjectId
    uid: str
    owner: str
    gateway: Key | None
    fingerprint: bytes
    """Of everything that somebody may have changed, statuses and bookkeeping apart."""
    managed: bool
    leaving: bool
    trouble: Trouble | None = None
    """What keeps a Deployment from making pods."""
    version: int = field(default=0, compare=False)
    """The resourceVersion, which orders what is heard of one object; 0 where it is no number."""


def found(kind: str, value: Json, manager: str) -> Found:
    """What an object is to us; `manager` is our field manager."""
    metadata = value["metadata"]
    key = Key(metadata.get("namespace", ""), metadata["name"])
    owner = next(
        (
            one
            for one in metadata.get("ownerReferences") or ()
            if one["kind"] == "Gateway" and one["apiVersion"].partition("/")[0] == GATEWAY_GROUP
        ),
        None,
    )
    labelled = (metadata.get("labels") or {}).get(names.MANAGED_LABEL) == names.MANAGED
    return Found(
        id=(kind, key),
        uid=metadata["uid"],
        owner=owner["uid"] if owner else "",
        gateway=Key(key.namespace, owner["name"]) if owner else None,
        fingerprint=_fingerprint(value),
        managed=labelled or applied(value, manager) is not None,
        leaving="deletionTimestamp" in metadata,
        trouble=troubles.of_deployment(value) if kind == "Deployment" else None,
        version=int(version) if (version := metadata.get("resourceVersion", "")).isdecimal() else 0,
    )


def applied(value: Json, manager: str) -> Json | None:
    """The fields that a manager applied, as the API server notes them; None where it applied nothing."""
    for entry in value["metadata"].get("managedFields") or ():
        if (entry.get("manager"), entry.get("operation")) == (manager, "Apply") and not entry.get("subresource"):
            fields: Json = entry.get("fieldsV1") or {}
            return fields
    return None


def _fingerprint(value: Json) -> bytes:
    metadata = {name: entry for name, entry in value["metadata"].items() if name not in _NOT_OURS}
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {name: text for name, text in annotations.items() if name != _REVISION}
    told = {name: part for name, part in value.items() if name not in _NOT_SAID} | {"metadata": metadata}
    return digest(told)


def digest(value: Any) -> bytes:
    """The same for equal values."""
    return sha256(msgspec.json.encode(value, order="sorted")).digest()


@dataclass(slots=True)
class Provisioned:
    """All objects that are known, by id."""

    _objects: dict[ObjectId, Found] = field(default_factory=dict)
    _of_gateway: dict[Key, dict[ObjectId, None]] = field(default_factory=dict)

    def get(self, id_: ObjectId) -> Found | None:
        """An object."""
        return self._objects.get(id_)

    def of(self, gateway: Key) -> list[Found]:
        """What a Gateway owns."""
        return [self._objects[id_] for id_ in self._of_gateway.get(gateway, ())]

    @staticmethod
    def where(id_: ObjectId) -> str:
        """The path of an object."""
        kind, key = id_
        return MADE[kind].path(key.namespace, key.name)

    def trouble(self, gateway: Key) -> Trouble | None:
        """What keeps a Gateway's Deployment from making pods."""
        found = (one.trouble for one in self.of(gateway) if one.managed and not one.leaving)
        return next((one for one in found if one is not None), None)

    def gateways(self) -> Iterator[Key]:
        """The Gateways that own anything."""
        yield from self._of_gateway

    def note(self, one: Found) -> None:
        """An object is new or different. What is older than what is known of it is not heard: answers and events may
        come in another order than they were made.
        """
        before = self._objects.get(one.id)
        if before is not None and before.uid == one.uid and 0 < one.version < before.version:
            return
        self._keep(one)

    def _keep(self, one: Found) -> None:
        self.forget(one.id)
        self._objects[one.id] = one
        if one.gateway is not None:
            self._of_gateway.setdefault(one.gateway, {})[one.id] = None

    def forget(self, id_: ObjectId) -> Found | None:
        """An object is gone; what it was."""
        before = self._objects.pop(id_, None)
        if before is not None and before.gateway is not None:
            of_gateway = self._of_gateway[before.gateway]
            of_gateway.pop(id_)
            if not of_gateway:
                del self._of_gateway[before.gateway]
        return before

    def replace(self, kind: str, namespace: str, all_: list[Found]) -> set[Key]:
        """All objects of a kind, in one namespace or ("") in all. The Gateways whose objects differ."""
        there = {one.id for one in all_}
        gone = [id_ for id_ in self._objects if id_[0] == kind and namespace in ("", id_[1].namespace)]
        touched = {one.gateway for id_ in gone if id_ not in there and (one := self.forget(id_))}
        for one in all_:
            if self._objects.get(one.id) != one:
                touched.add(one.gateway)
            self._keep(one)  # also where it is older: versions begin anew in a cluster that is restored
        return {key for key in touched if key is not None}
