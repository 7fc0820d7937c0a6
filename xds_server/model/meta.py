"""What every Kubernetes object has: identity, metadata, conditions.

Values are msgspec structs so that decoding (JSON from the API server, dicts from YAML), equality and hashing
run in C. Field names are the API's own in snake case; unknown fields are ignored when decoding.
Reference: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#objectmeta-v1-meta
"""

from typing import NamedTuple

import msgspec


class Key(NamedTuple):
    """Where an object of one kind is found; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ObjectRef(NamedTuple):
    """An object of any kind: the owner of what was made from it."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> Key:
        """The object's key among its kind."""
        return Key(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Struct(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Base of all model values: frozen, camelCase on the wire."""


class Metadata(Struct, frozen=True):
    """The parts of ObjectMeta that translation reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    """RFC 3339 in UTC, as the API server writes it; empty for objects from files. Compared as text."""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def key(self) -> Key:
        """The object's key among its kind."""
        return Key(self.namespace, self.name)


class OwnerReference(Struct, frozen=True):
    """An object that another one goes with."""

    kind: str
    uid: str
    name: str = ""


class OwnedMetadata(Metadata, frozen=True):
    """The metadata of kinds whose owners are asked for."""

    owner_references: tuple[OwnerReference, ...] = ()


class Condition(Struct, frozen=True):
    """One entry of a `conditions` list. `lastTransitionTime` is stamped by whoever writes it."""

    type: str
    status: str
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""
