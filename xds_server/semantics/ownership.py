"""Whose a host is: among the listeners of a port, that of the most specific hostname that covers it.

Source: Gateway API `Listener.hostname`. A request over a connection that SNI gave to another listener is misdirected
(421, RFC 9110 section 15.5.20); a host that no listener has is nobody's (404).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xds_server.routing.hostname import ancestors


@dataclass(frozen=True, slots=True)
class Hostnames:
    """The hostnames of a port's listeners, sorted: `widest` are those that no other covers, `below` are by hostname
    those that it covers and nothing between does.
    """

    all: tuple[str, ...]
    widest: tuple[str, ...]
    below: Mapping[str, tuple[str, ...]]

    def of_others(self, own: str) -> tuple[str, ...]:
        """What answers for all hosts that are not the listener's of that hostname, where `own` answers for itself:
        of hostnames that cover each other the widest is enough.
        """
        return tuple(name for name in self.widest if name != own) + self.below.get(own, ())


def hostnames(names: Iterable[str]) -> Hostnames:
    """Of normalised hostnames; one may come several times."""
    known = set(names)
    widest: list[str] = []
    below: dict[str, tuple[str, ...]] = {}
    for name in sorted(known):
        wider = next((pattern for pattern in ancestors(name) if pattern in known), None)
        if wider is None:
            widest.append(name)
        else:
            below[wider] = (*below.get(wider, ()), name)
    return Hostnames(tuple(sorted(known)), tuple(widest), below)
