"""Commands that reach what is served of a Gateway, for a person to try: curl for HTTP, and for routes of connections
and datagrams what opens one.
"""

import shlex
from collections.abc import Mapping

from xds_server.infra.binding import Port
from xds_server.model.meta import Key
from xds_server.pipeline.program import Pipeline
from xds_server.semantics.attach import Claim
from xds_server.shell.curl import curl_lines, host_of, shows_certificate

_MOST = 10


def lines(pipeline: Pipeline, gateway: Key, address: str, ports: Mapping[Port, int]) -> list[str]:
    """A command per route and host, at most ten of either sort. `ports` maps listeners' ports to the bound ones."""
    http = {port.number: bound for port, bound in ports.items() if port.protocol == "TCP"}
    streams: dict[str, None] = {}
    for claim in pipeline.tables.claims.values():
        listener = claim.listener
        bound = ports.get(Port(listener.port, listener.socket.transport.upper()))
        if listener.id.gateway == gateway and listener.scope is None and bound is not None:
            streams[_line(claim, address, bound, shows_certificate(pipeline, listener.id))] = None
    more = len(streams) - _MOST
    return [
        *curl_lines(pipeline, gateway, address, http),
        *list(streams)[:_MOST],
        *([f"… and {more} more"] if more > 0 else []),
    ]


def _line(claim: Claim, address: str, port: int, shown: tuple[str, str] | None) -> str:
    match claim.listener.protocol:
        case "udp":
            words = ["nc", "-u", address, str(port)]
        case "tcp":
            words = ["nc", address, str(port)]
        case _:
            at = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            name = host_of(claim.host)
            words = ["openssl", "s_client", "-connect", at, *(("-servername", name) if name else ())]
            words += ["-cert", shown[0], "-key", shown[1]] if shown else []
    return shlex.join(words)
