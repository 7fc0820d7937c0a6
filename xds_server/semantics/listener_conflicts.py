"""Which listeners are not distinct: they ask for one port in ways that cannot be told apart.

Source: Gateway API `Listener`, "Distinct Listeners", and GEP-1713 for ListenerSets. Among a Gateway's own listeners
nobody wins. Those of ListenerSets come later: the older set first, then by namespace and name, then by place in the
set; a later one loses against all before it, which go on undisturbed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from xds_server.model.gateway import Listener
from xds_server.model.meta import Condition
from xds_server.routing.hostname import normalise
from xds_server.routing.listener import ListenerId
from xds_server.semantics import conditions

TRANSPORTS = {"HTTP": "tcp", "HTTPS": "tcp", "TLS": "tcp", "TCP": "tcp", "UDP": "udp"}
"""Of other protocols nobody knows what they bind, so they are in nobody's way."""
BY_SERVER_NAME = frozenset(("HTTPS", "TLS"))
"""May share a port: a connection says by SNI whose it is."""
Entry = tuple[ListenerId, Listener]


def find(own: Sequence[Entry], later: Iterable[Entry]) -> dict[ListenerId, Condition]:
    """The Conflicted condition of each listener that has one; `later` are those of ListenerSets, first come first."""
    found = _among(own)
    taken: dict[tuple[str, int], _Taken] = {}
    for entry in own:
        _take(taken, entry)
    for entry in later:
        conflict = _with(taken, entry)
        if conflict is not None:
            found[entry[0]] = conflict
        else:
            _take(taken, entry)
    return found


@dataclass(slots=True)
class _Taken:
    """Who has a port: the first of each protocol and of each hostname, with the number of its turn."""

    turns: int = 0
    by_protocol: dict[str, tuple[int, Entry]] = field(default_factory=dict)
    by_hostname: dict[str, tuple[int, Entry]] = field(default_factory=dict)


def _take(taken: dict[tuple[str, int], _Taken], entry: Entry) -> None:
    if (transport := TRANSPORTS.get(entry[1].protocol)) is None:
        return
    port = taken.setdefault((transport, entry[1].port), _Taken())
    port.by_protocol.setdefault(entry[1].protocol, (port.turns, entry))
    port.by_hostname.setdefault(normalise(entry[1].hostname), (port.turns, entry))
    port.turns += 1


def _with(taken: dict[tuple[str, int], _Taken], entry: Entry) -> Condition | None:
    """The conflict with the first that has what this one asks for."""
    listener = entry[1]
    transport = TRANSPORTS.get(listener.protocol)
    port = taken.get((transport, listener.port)) if transport else None
    if port is None:
        return None
    hostname = normalise(listener.hostname)
    rivals = [one for protocol, one in port.by_protocol.items() if _apart(listener.protocol, protocol)]
    if hostname in port.by_hostname:
        rivals.append(port.by_hostname[hostname])
    if not rivals:
        return None
    _, (id_, other) = min(rivals, key=lambda one: one[0])
    whose = f"listener {id_.name} of {id_.owner}"
    if _apart(listener.protocol, other.protocol):
        message = f"port {listener.port} is taken with protocol {other.protocol} by {whose}"
        return conditions.conflicted("ProtocolConflict", message)
    message = f"port {listener.port} and hostname {hostname} are taken by {whose}"
    return conditions.conflicted(
        "HostnameConflict" if listener.protocol == other.protocol else "ProtocolConflict", message
    )


def _apart(one: str, other: str) -> bool:
    """Can the two protocols not share a port?"""
    return one != other and not {one, other} <= BY_SERVER_NAME


def _among(entries: Iterable[Entry]) -> dict[ListenerId, Condition]:
    """Conflicts among a Gateway's own listeners: all of them are rejected."""
    by_port: dict[tuple[str, int], list[Entry]] = {}
    for entry in entries:
        if (transport := TRANSPORTS.get(entry[1].protocol)) is not None:
            by_port.setdefault((transport, entry[1].port), []).append(entry)
    found: dict[ListenerId, Condition] = {}
    for (_, port), group in by_port.items():
        protocols = sorted({listener.protocol for _, listener in group})
        if len(protocols) > 1 and not BY_SERVER_NAME.issuperset(protocols):
            message = f"port {port} is asked for with protocols {', '.join(protocols)}"
            found |= {id_: conditions.conflicted("ProtocolConflict", message) for id_, _ in group}
            continue
        hostnames: dict[str, list[Entry]] = {}
        for entry in group:
            hostnames.setdefault(normalise(entry[1].hostname), []).append(entry)
        for hostname, same in hostnames.items():
            if len(same) > 1:
                names = ", ".join(listener.name for _, listener in same)
                message = f"listeners {names} ask for the same port {port} and hostname {hostname}"
                one_protocol = len({listener.protocol for _, listener in same}) == 1
                reason = "HostnameConflict" if one_protocol else "ProtocolConflict"
                found |= {id_: conditions.conflicted(reason, message) for id_, _ in same}
    return found
