"""What a stream reports of its client: values, made by DeltaStream and SotwStream."""

from collections.abc import Mapping
from dataclasses import dataclass

from xds_server.xds.resource import Resource, ResourceType


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The client asked for these names, anew or again; "*" stands for all."""

    type: ResourceType
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The client accepted a response: these resources and removals, made from the catalog's `serial`."""

    type: ResourceType
    resources: Mapping[str, Resource]
    removed: tuple[str, ...]
    serial: int
    version: str = ""
    """The response's version_info or system_version_info."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The client rejected a response that carried these resources; `detail` is its own words.

    Envoy may have applied some of them (xDS reference: CDS and LDS apply the good ones). None is sent again
    until the catalog holds another version of at least one.
    """

    type: ResourceType
    resources: Mapping[str, Resource]
    detail: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """The client said that what it holds was made without leaves of these hashes, since they had been rejected."""

    type: ResourceType
    without: frozenset[str]


Event = Subscribed | Acknowledged | Rejected | Returned
