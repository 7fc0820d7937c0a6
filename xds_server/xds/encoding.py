"""The envelope's bytes, joined from resources that are bytes already; nothing is parsed and no body is
re-encoded.

In: resources and what the envelope says of them. Out: a DiscoveryResponse or DeltaDiscoveryResponse as
bytes, equal to what protobuf would write. Also the empty resources that stand in for missing ones, and
names in Envoy's rejections. Field numbers: protos/envoy/service/discovery/v3/discovery.proto.
"""

import re
from collections.abc import Callable, Collection, Iterable

from xds_server.routing.audience import Everyone
from xds_server.wire.part import Part
from xds_server.xds.resource import Resource, ResourceType

_NO_IPV6 = re.compile("malformed IP address: ::$", re.MULTILINE)
_CANNOT_BIND = re.compile(
    f"cannot bind|cannot listen|Address already in use|Cannot assign requested address|{_NO_IPV6.pattern}"
)

SERVER_IDENTIFIER = "xds-server"
"""ControlPlane.identifier, which Envoy shows in its statistics."""

_FIELD_1, _FIELD_2, _FIELD_3, _FIELD_4, _FIELD_5, _FIELD_6, _FIELD_7 = (bytes([n << 3 | 2]) for n in range(1, 8))


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(tag: bytes, value: str) -> bytes:
    """A string field; as in proto3, an empty one is not written."""
    data = value.encode()
    return tag + _varint(len(data)) + data if data else b""


_IDENTIFIER = _text(_FIELD_1, SERVER_IDENTIFIER)
_CONTROL_PLANE = _varint(len(_IDENTIFIER)) + _IDENTIFIER
_URLS = {type_: (_text(_FIELD_1, type_.url), _text(_FIELD_4, type_.url)) for type_ in ResourceType}
"""The type URL in an Any, and in the envelope."""


Spelling = Callable[[Resource], bytes]
"""A resource's body, as one client understands it."""


def as_it_is(resource: Resource) -> bytes:
    """The body that all clients get."""
    return resource.body


def listeners_by(rewrite: Callable[[bytes], bytes]) -> Spelling:
    """Listeners rewritten, and everything else as it is."""
    return lambda one: rewrite(one.body) if one.type is ResourceType.LISTENER else one.body


def delta_response(
    type_: ResourceType,
    nonce: str,
    version: str,
    resources: Iterable[Resource],
    removed: Iterable[str],
    *,
    spelling: Spelling = as_it_is,
) -> bytes:
    """A DeltaDiscoveryResponse; `version` is its system_version_info."""
    pieces = [_text(_FIELD_1, version)]
    url, own_url = _URLS[type_]
    for resource in resources:
        name = _text(_FIELD_3, resource.name)
        own_version = _text(_FIELD_1, resource.version)
        body = spelling(resource)
        value = _FIELD_2 + _varint(len(body)) if body else b""
        any_size = len(url) + len(value) + len(body)
        any_head = _FIELD_2 + _varint(any_size)
        size = len(own_version) + len(any_head) + any_size + len(name)
        pieces += (_FIELD_2, _varint(size), own_version, any_head, url, value, body, name)
    pieces += (own_url, _text(_FIELD_5, nonce))
    pieces += (_text(_FIELD_6, name) for name in removed)
    pieces.append(_FIELD_7 + _CONTROL_PLANE)
    return b"".join(pieces)


def sotw_response(
    type_: ResourceType, nonce: str, version: str, resources: Iterable[Resource], *, spelling: Spelling = as_it_is
) -> bytes:
    """A DiscoveryResponse; `version` is its version_info."""
    pieces = [_text(_FIELD_1, version)]
    url, own_url = _URLS[type_]
    for resource in resources:
        body = spelling(resource)
        value = _FIELD_2 + _varint(len(body)) if body else b""
        pieces += (_FIELD_2, _varint(len(url) + len(value) + len(body)), url, value, body)
    pieces += (own_url, _text(_FIELD_5, nonce), _FIELD_6, _CONTROL_PLANE)
    return b"".join(pieces)


def stand_in(type_: ResourceType, name: str) -> Resource | None:
    """What is sent for a missing resource: an empty RouteConfiguration or ClusterLoadAssignment that bears
    its name.

    Envoy never finishes warming a listener whose RouteConfiguration was said to be removed, and waits for
    endpoints that nobody sends. For the other types None: a removal says it.
    """
    if type_ not in {ResourceType.ROUTE, ResourceType.ENDPOINT} or not name:
        return None
    # RouteConfiguration.name and ClusterLoadAssignment.cluster_name are both field 1.
    return Resource(type_, name, Everyone(), Part(id=name, data=_text(_FIELD_1, name)))


def unbound_in(detail: str, names: Collection[str]) -> frozenset[str]:
    """Which listeners Envoy says it cannot bind: that is the machine's fault, another Envoy may well bind them."""
    return named_in("\n".join(line for line in detail.splitlines() if _CANNOT_BIND.search(line)), names)


def lacks_ipv6(detail: str) -> bool:
    """Does Envoy say of `::` that it is no address? It means that its kernel has no IPv6."""
    return _NO_IPV6.search(detail) is not None


def named_in(detail: str, names: Collection[str]) -> frozenset[str]:
    """Which of `names` a rejection of clusters or listeners blames: Envoy writes `… NAME: reason, NAME: reason`."""
    words = " " + detail.replace("\n", " ")
    return frozenset(name for name in names if f" {name}: " in words)
