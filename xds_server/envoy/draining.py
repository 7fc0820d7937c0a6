"""A listener of a proxy that is about to end: Envoy lets go of its connections, and takes new ones as before.

In: an encoded Listener. Out: the same, but for a mark in each filter chain, which means nothing to Envoy. Chains that
differ are replaced in place: the listening socket stays, connections of the old chains drain, and new ones get the new
chains. Responses on old connections say `connection: close`, or GOAWAY. A UDP listener has no chains: it stays.
Measured in docs/decisions/0022-draining.md.
"""

from functools import cache
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as api
from envoy_data_plane.google import protobuf

from xds_server.wire.construct import fast
from xds_server.wire.encode import encode
from xds_server.wire.reader import delimited, long_tag, skip
from xds_server.wire.splice import field

Metadata = fast(core.Metadata)
Struct = fast(protobuf.Struct)
Value = fast(protobuf.Value)

_CHAINS: Final = ("filter_chains", "default_filter_chain")
_HEADS: Final = {field(api.Listener, name, b"")[:-1]: name for name in _CHAINS}
"""Tags of a Listener, as bytes."""


def marked(listener: bytes, number: int) -> bytes:
    """An encoded Listener with a mark in its filter chains, another one for each number; the same bytes where it has
    no chains.
    """
    mark = _mark(number)
    pieces: list[bytes] = []
    pos = 0
    while pos < len(listener):
        tag, value = long_tag(listener, pos)
        end = skip(listener, value, tag)
        if (name := _HEADS.get(listener[pos:value])) is None:
            pieces.append(listener[pos:end])
        else:
            start, stop = delimited(listener, value, end)
            pieces.append(field(api.Listener, name, listener[start:stop] + mark))
        pos = end
    return b"".join(pieces)


@cache
def _mark(number: int) -> bytes:
    told = Struct(fields={"draining": Value(number_value=float(number))})
    return field(api.FilterChain, "metadata", encode(Metadata(filter_metadata={"xds-server": told})))
