"""A listener for an Envoy whose kernel has no IPv6: of all IPv4 addresses, where others have it of all addresses.

In: an encoded Listener. Out: the same, followed by an address that takes the place of `::`: of a message that is there
twice, the later fields count (https://protobuf.dev/programming-guides/encoding/#last-one-wins). Any other address
stays. Measured in docs/decisions/0024-nodes-without-ipv6.md.
"""

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as api

from xds_server.envoy.kit import SocketAddress
from xds_server.wire.encode import encode
from xds_server.wire.reader import delimited, long_tag, skip
from xds_server.wire.splice import field

_HEAD: Final = field(api.Listener, "address", b"")[:-1]
_ALL: Final = encode(SocketAddress(address="::"))
_COMPAT: Final = encode(SocketAddress(ipv4_compat=True))
# Envoy refuses IPv4 that is said to be compatible with IPv4, and only what is written takes the place of another value.
_ALL_IPV4: Final = encode(SocketAddress(address="0.0.0.0")) + _COMPAT[:-1] + b"\0"
_INSTEAD: Final = field(api.Listener, "address", field(core.Address, "socket_address", _ALL_IPV4))


def ipv4_only(listener: bytes) -> bytes:
    """An encoded Listener that binds no address of IPv6 where it was to bind all addresses; else the same bytes."""
    pos = 0
    while pos < len(listener):
        tag, value = long_tag(listener, pos)
        end = skip(listener, value, tag)
        if listener[pos:value] == _HEAD:
            start, stop = delimited(listener, value, end)
            return listener + _INSTEAD if _ALL in listener[start:stop] else listener
        pos = end
    return listener
