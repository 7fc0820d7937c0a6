"""Listeners of a port that clients cannot tell apart by TLS alone: hostnames or certificates have hosts in common.

Such a client may use a connection of one listener for a host of another (and gets a 421). Source: Gateway API listener
condition `OverlappingTLSConfig`; it is left out where nothing overlaps, and certificates are told of before hostnames.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from xds_server.model.meta import Condition
from xds_server.routing.hostname import ancestors
from xds_server.routing.listener import ListenerId
from xds_server.semantics import conditions
from xds_server.semantics.certificate_names import one_label_wider

_MOST_TOLD = 4


@dataclass(frozen=True, slots=True)
class Secured:
    """An accepted listener that is chosen by SNI: its hostname, and the DNS names of its certificates, normalised."""

    id: ListenerId
    port: int
    hostname: str
    names: tuple[str, ...] = ()


def find(listeners: Iterable[Secured]) -> dict[ListenerId, Condition]:
    """The condition of each listener that has one."""
    by_port: dict[int, list[Secured]] = {}
    for listener in listeners:
        by_port.setdefault(listener.port, []).append(listener)
    found: dict[ListenerId, Condition] = {}
    for group in by_port.values():
        if len(group) > 1:
            found |= _among(group)
    return found


def _among(group: Sequence[Secured]) -> dict[ListenerId, Condition]:
    by_hostname = _sharing({one.id: (one.hostname,) for one in group}, ancestors)
    by_certificate = _sharing({one.id: one.names for one in group}, lambda name: (one_label_wider(name),))
    found = {}
    for one in group:
        told = []
        if others := by_hostname.get(one.id):
            told.append(f"hostname {one.hostname} overlaps with that of {_told(one.id, others)}")
        if others := by_certificate.get(one.id):
            told.append(f"certificates have hosts in common with those of {_told(one.id, others)}")
        if told:
            reason = "OverlappingCertificates" if one.id in by_certificate else "OverlappingHostnames"
            found[one.id] = conditions.overlapping(reason, "; ".join(told))
    return found


def _sharing(
    names: Mapping[ListenerId, tuple[str, ...]], wider: Callable[[str], Iterable[str]]
) -> dict[ListenerId, list[ListenerId]]:
    """For each listener the first few others that have one of its names, or one that is wider or narrower."""
    having: dict[str, list[ListenerId]] = {}
    narrower: dict[str, list[ListenerId]] = {}
    for id_, own in names.items():
        for name in own:
            having.setdefault(name, []).append(id_)
            for pattern in wider(name):
                narrower.setdefault(pattern, []).append(id_)
    found = {}
    for id_, own in names.items():
        groups = (
            group
            for name in own
            for group in (having[name], narrower.get(name, ()), *(having.get(pattern, ()) for pattern in wider(name)))
        )
        others: dict[ListenerId, None] = {}
        for group in groups:
            # One more than is told is enough: a thousand listeners may share a certificate.
            others |= dict.fromkeys(islice((other for other in group if other != id_), _MOST_TOLD + 1))
            if len(others) > _MOST_TOLD:
                break
        if others:
            found[id_] = list(others)
    return found


def _told(id_: ListenerId, others: Sequence[ListenerId]) -> str:
    names = [one.name if one.owner == id_.owner else f"{one.name} of {one.owner}" for one in others[:_MOST_TOLD]]
    more = " and others" if len(others) > _MOST_TOLD else ""
    return f"{'listeners' if len(others) > 1 else 'listener'} {', '.join(names)}{more}"
