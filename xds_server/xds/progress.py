"""Which generation of each Gateway every connected Envoy of it has in full.

In: streams opened and closed, the serial up to which each is in sync, and at which serial of the catalog a
generation's resources were published. Out: per Gateway the highest generation that all its connected Envoys
(at least one) have. Once reached it stays reached: a new pod, or a lost connection, takes nothing back
(Gateway API: `Programmed`). An Envoy that serves several Gateways counts for each; sidecars, and those that
drain, count for none.

Of several streams of one node.id the newest counts, since an old one may be dead and not yet noticed.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from xds_server.xds.node import Node

GatewayKey = tuple[str, str]


@dataclass(slots=True)
class _Envoy:
    """The newest stream of one node."""

    stream: int
    serial: int = -1


@dataclass(slots=True)
class _Gateway:
    reached: int | None = None
    waiting: dict[int, int] = field(default_factory=dict)
    """Generation to serial, for those not yet reached."""
    envoys: dict[str, _Envoy] = field(default_factory=dict)


class Progress:
    """Every method that changes something returns the Gateways whose answer changed by it."""

    def __init__(self) -> None:
        self._gateways: dict[GatewayKey, _Gateway] = {}

    def programmed(self, gateway: GatewayKey) -> int | None:
        """The highest generation that every connected Envoy of it had in full at once; None before any."""
        known = self._gateways.get(gateway)
        return known.reached if known else None

    def connected(self, gateway: GatewayKey) -> int:
        """How many Envoys of the Gateway are connected."""
        known = self._gateways.get(gateway)
        return len(known.envoys) if known else 0

    def gateways(self) -> Iterable[GatewayKey]:
        """Those that are known."""
        return self._gateways.keys()

    def nodes(self, gateway: GatewayKey) -> Iterable[tuple[str, int]]:
        """The ids of the connected Envoys of a Gateway, sorted, each with its newest stream."""
        known = self._gateways.get(gateway)
        return [(node, known.envoys[node].stream) for node in sorted(known.envoys)] if known else ()

    def published(self, gateway: GatewayKey, generation: int, serial: int) -> frozenset[GatewayKey]:
        """The resources made from this generation are in the catalog as of `serial`; said once per change
        of either.

        The same generation may be published again (its routes changed); what was reached stays reached.
        """
        known = self._gateways.setdefault(gateway, _Gateway())
        if known.reached is None or generation > known.reached:
            known.waiting.setdefault(generation, serial)
        return self._advance(gateway)

    def withdrawn(self, gateway: GatewayKey) -> None:
        """The Gateway is gone; one made later under its name starts anew, though Envoys may be connected."""
        if known := self._gateways.get(gateway):
            known.reached = None
            known.waiting.clear()
            self._drop_if_empty(gateway)

    def opened(self, stream: int, node: Node) -> None:
        """A stream opened; until it is in sync its Gateways reach nothing new."""
        for gateway in node.speaks_for:
            self._gateways.setdefault(gateway, _Gateway()).envoys[node.id] = _Envoy(stream)

    def regrouped(self, stream: int, before: Node, node: Node) -> frozenset[GatewayKey]:
        """The stream's Envoy serves other Gateways from now on; of those that stay it has what it had."""
        changed = [self._left(gateway, stream, node) for gateway in before.speaks_for if gateway not in node.speaks_for]
        for gateway in node.speaks_for:
            if gateway not in before.speaks_for:
                self._gateways.setdefault(gateway, _Gateway()).envoys[node.id] = _Envoy(stream)
        return frozenset[GatewayKey]().union(*changed)

    def synced(self, stream: int, node: Node, serial: int, late: Collection[GatewayKey] = ()) -> frozenset[GatewayKey]:
        """The stream's Envoy has accepted everything up to this serial of the catalog, but for Gateways in `late`."""
        changed = frozenset[GatewayKey]()
        for gateway in node.speaks_for:
            if gateway not in late and (envoy := self._envoy(gateway, stream, node)) is not None:
                envoy.serial = max(envoy.serial, serial)
                changed |= self._advance(gateway)
        return changed

    def closed(self, stream: int, node: Node) -> frozenset[GatewayKey]:
        """The stream ended; the Envoys that remain may all have a generation that this one had not."""
        return frozenset[GatewayKey]().union(*(self._left(gateway, stream, node) for gateway in node.speaks_for))

    def _left(self, gateway: GatewayKey, stream: int, node: Node) -> frozenset[GatewayKey]:
        if self._envoy(gateway, stream, node) is None:
            return frozenset()
        del self._gateways[gateway].envoys[node.id]
        changed = self._advance(gateway)
        self._drop_if_empty(gateway)
        return changed

    def _envoy(self, gateway: GatewayKey, stream: int, node: Node) -> _Envoy | None:
        known = self._gateways.get(gateway)
        envoy = known.envoys.get(node.id) if known else None
        return envoy if envoy and envoy.stream == stream else None

    def _advance(self, gateway: GatewayKey) -> frozenset[GatewayKey]:
        known = self._gateways[gateway]
        if not known.envoys or not known.waiting:
            return frozenset()
        everywhere = min(envoy.serial for envoy in known.envoys.values())
        reached = [generation for generation, serial in known.waiting.items() if serial <= everywhere]
        if not reached:
            return frozenset()
        known.reached = max(reached)
        known.waiting = {
            generation: serial for generation, serial in known.waiting.items() if generation > known.reached
        }
        return frozenset({gateway})

    def _drop_if_empty(self, gateway: GatewayKey) -> None:
        known = self._gateways[gateway]
        if known.reached is None and not known.waiting and not known.envoys:
            del self._gateways[gateway]
