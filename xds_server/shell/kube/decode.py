"""Objects as the API server writes them (JSON) to values of `model`.

Most kinds are decoded from bytes straight into their frozen value; what may need respelling, and what does not decode,
takes the way of files, `model.parse`, which says what is wrong.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.kinds import Kind
from xds_server.model.meta import Key, Struct
from xds_server.model.parse import parse

_ROUTE: Final = (b'"matches":[]', b'"rules":[]', b'"sessionName"', b'"cookieConfig"', b'"XListenerSet"')
_STRAIGHT: Final[Mapping[str, tuple[bytes, ...]]] = {
    "HTTPRoute": _ROUTE,
    "TLSRoute": _ROUTE,
    "TCPRoute": _ROUTE,
    "UDPRoute": _ROUTE,
    "Service": (),
    "EndpointSlice": (),
    "Secret": (),
    "ConfigMap": (),
    "Pod": (),
    "Namespace": (),
    "ClusterTrustBundle": (),
}
"""The kinds whose newest version is what `model` has, unless one of these texts is in it."""


class Meta(Struct, frozen=True):
    """What is needed of any object to keep track of it."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0

    @property
    def key(self) -> Key:
        """The object's key among its kind."""
        return Key(self.namespace, self.name)


class Head(Struct, frozen=True):
    """An object of any kind: its metadata, and its status as it is."""

    metadata: Meta
    status: msgspec.Raw = msgspec.Raw(b"{}")


_HEAD: Final = msgspec.json.Decoder(Head)


def head(raw: bytes) -> Head:
    """The head of an object."""
    return _HEAD.decode(raw)


class Decoder:
    """Decodes the objects of one kind, served under one apiVersion."""

    def __init__(self, row: Kind, api_version: str) -> None:
        self._row = row
        self._named = {"apiVersion": api_version, "kind": row.kind}
        self._markers = _STRAIGHT.get(row.kind) if api_version == row.api_version or row.channel == "core" else None
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(row.model)

    def decode(self, raw: bytes) -> Object | Fault:
        """The object, or what makes it unreadable. Items of lists carry neither apiVersion nor kind."""
        if self._markers is not None and not any(marker in raw for marker in self._markers):
            try:
                value: Object = self._decoder.decode(raw)
            except msgspec.ValidationError:
                pass
            else:
                return value
        document = msgspec.json.decode(raw)
        found = parse({**document, **self._named})
        assert not isinstance(found, Ignored), "a kind that is watched is one that is read"
        return found
