"""RefusalLog: clients that are refused, in the log, so many lines of one host and no more: what a client says of itself
it chooses freely, where it comes from it does not.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog

log = structlog.get_logger()

_SECONDS: Final = 60.0
_MOST_LINES: Final = 5
"""Of one host in that time; the same is told once."""
_MOST_HOSTS: Final = 1000
_MOST_TEXT: Final = 300


@dataclass(slots=True)
class _Host:
    """What was told of a host since `since`, and how much was not."""

    since: float
    told: set[Hashable] = field(default_factory=set)
    left_out: int = 0


class RefusalLog:
    """`clock` is in seconds, and never goes back."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        """Those that were refused last are last."""

    def tell(self, event: str, peer: str, **fields: str) -> None:
        """A client at `peer`, an address such as "ipv4:127.0.0.1:51234", was refused."""
        now, name = self._clock(), peer.rpartition(":")[0] or peer
        host = self._hosts.pop(name, None)
        if host is None or now >= host.since + _SECONDS:
            host = _Host(now, left_out=host.left_out if host else 0)
        self._hosts[name] = host
        if len(self._hosts) > _MOST_HOSTS:
            del self._hosts[next(iter(self._hosts))]
        told = {key: value[:_MOST_TEXT] for key, value in fields.items()}
        what = (event, *told.values())
        if what in host.told:
            return
        if len(host.told) >= _MOST_LINES:
            host.left_out += 1
            return
        host.told.add(what)
        if host.left_out:
            log.warning("refusals of one host were left out", peer=name, count=host.left_out)
            host.left_out = 0
        log.warning(event, peer=peer, **told)
