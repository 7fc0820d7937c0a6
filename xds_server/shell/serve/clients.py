"""The connected clients and what each has: read by the debug endpoint and by metrics.

In: what sessions report. Out: plain records, current as of the call. Nothing is decided from them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from xds_server.xds.events import Acknowledged, Event, Rejected, Subscribed
from xds_server.xds.node import Node
from xds_server.xds.resource import ResourceType
from xds_server.xds.stream import Response


@dataclass(slots=True)
class TypeRecord:
    """One type of one client. Versions are those of responses: version_info, or delta's system_version_info."""

    wildcard: bool = False
    names_asked: int = 0
    """How often names were asked for, repetitions included."""
    version_sent: str = ""
    version_accepted: str = ""
    responses: int = 0
    resources_sent: int = 0
    bytes_sent: int = 0
    rejections: int = 0
    last_rejection: str = ""
    """The client's own words; kept after a later response was accepted."""
    last_rejected: tuple[str, ...] = ()
    last_rejected_at: datetime | None = None


@dataclass(slots=True)
class ClientRecord:
    """One stream. `protocol` is "delta" or "sotw"; `synced` is the catalog's serial that the client has in full."""

    stream: int
    node: Node
    peer: str
    protocol: str
    connected_at: datetime
    synced: int | None = None
    types: dict[ResourceType, TypeRecord] = field(default_factory=dict)

    def of(self, type_: ResourceType) -> TypeRecord:
        """The record of a type, made on first use."""
        return self.types.setdefault(type_, TypeRecord())


class Clients:
    """The streams whose client has said who it is, in the order in which they connected."""

    def __init__(self) -> None:
        self._records: dict[int, ClientRecord] = {}

    def __iter__(self) -> Iterator[ClientRecord]:
        return iter(tuple(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def of_node(self, node_id: str) -> ClientRecord | None:
        """The newest stream of a node."""
        return next((r for r in reversed(self._records.values()) if r.node.id == node_id), None)

    def opened(self, record: ClientRecord) -> None:
        """A client said who it is."""
        self._records[record.stream] = record

    def regrouped(self, stream: int, node: Node) -> None:
        """It serves other Gateways from now on, or drains; how far it is in sync with those is not known yet."""
        self._records[stream].node = node
        self._records[stream].synced = None

    def closed(self, stream: int) -> None:
        """Its stream ended."""
        self._records.pop(stream, None)

    def sent(self, stream: int, response: Response) -> None:
        """A response was handed to gRPC."""
        record = self._records[stream].of(response.type)
        record.version_sent = response.version
        record.responses += 1
        record.resources_sent += len(response.resources)
        record.bytes_sent += len(response.data)

    def event(self, stream: int, event: Event, now: datetime) -> None:
        """The client subscribed, accepted or rejected."""
        record = self._records[stream].of(event.type)
        match event:
            case Subscribed(names=names):
                record.wildcard = record.wildcard or "*" in names
                record.names_asked += sum(name != "*" for name in names)
            case Acknowledged(version=version):
                record.version_accepted = version
            case Rejected(resources=resources, detail=detail):
                record.rejections += 1
                record.last_rejection = detail
                record.last_rejected = tuple(resources)
                record.last_rejected_at = now

    def synced(self, stream: int, serial: int) -> None:
        """The client has everything up to this serial."""
        self._records[stream].synced = serial
