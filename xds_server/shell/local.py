"""The machine as the data plane: an address and an Envoy for every Gateway, and what to try, printed.

In: what each settle came to. Out: binds submitted to the loop, Envoys started and ended, lines for a person.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from xds_server.control import Changes, Control, Round
from xds_server.infra.binding import Binding, Port, Probe, Wanted, allocate
from xds_server.infra.local_addresses import can_be_placed, place, wanted_values
from xds_server.model.meta import Key
from xds_server.pipeline.program import Pipeline
from xds_server.routing.listener import Bind
from xds_server.semantics.addresses import Placement
from xds_server.semantics.statuses import GatewayStatus
from xds_server.shell import reach
from xds_server.shell.envoy import Supervisor, unavailable

log = structlog.get_logger()

_RETRY_SECONDS = 2.0
"""How often a port that something else holds is asked for again."""


@dataclass(slots=True)
class Local:
    """Follows the Gateways of one loop. `supervisor` is None where someone else runs the Envoys."""

    control: Control
    supervisor: Supervisor | None
    bootstrap: Callable[[Key], dict[str, Any]]
    port_offset: int
    say: Callable[[str], None]
    _bindings: dict[Key, Binding] = field(default_factory=dict)
    _placed: dict[Key, Placement] = field(default_factory=dict)
    _said: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    _announced: dict[Key, tuple[str, Mapping[Port, int], bool]] = field(default_factory=dict)
    """The Gateways that are served: the address and ports that were told, and whether there was anything to try."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    placed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once every Gateway that was there at the start has its address: until then it has no listeners."""

    def settled(self, round_: Round) -> None:
        """Called after each settle."""
        changed = round_.settled.changed
        if round_.settled.keys(self.control.pipeline.inputs.binds):
            self.placed.set()
        if "listeners" in changed or "gateways" in changed:
            self._changed.set()
        for key in (*changed.get("statuses.gateways", ()), *round_.settled.keys(self.control.pipeline.inputs.binds)):
            self._announce(key)

    async def run(self) -> None:
        """Keeps addresses and Envoys in step with the Gateways until cancelled."""
        await self.control.ready.wait()
        while True:
            self._changed.clear()
            await self._reconcile()
            blocked = any(binding.problems for binding in self._bindings.values())
            try:
                await asyncio.wait_for(self._changed.wait(), _RETRY_SECONDS if blocked else None)
            except TimeoutError:
                log.debug("asking again for ports that were taken")

    async def _reconcile(self) -> None:
        before, self._bindings = (
            self._bindings,
            allocate(wanted(self.control.pipeline), self._bindings, self._probe(), port_offset=self.port_offset),
        )
        self._submit(before)
        if self.supervisor is None:
            return
        for gone in before.keys() - self._bindings.keys():
            await self.supervisor.remove(gone)
            self.say(f"Gateway {gone} is gone; its Envoy has ended.")
        for gateway, binding in self._bindings.items():
            if not binding.ports:
                continue
            try:
                await self.supervisor.ensure(gateway, self.bootstrap(gateway))
            except OSError as error:
                log.error("envoy cannot be started", gateway=str(gateway), reason=str(error))

    def _probe(self) -> Probe:
        """Without Envoys of our own, a port in use is in use by the Envoy that is to serve it."""
        return unavailable if self.supervisor is not None else lambda _: None

    def _submit(self, before: dict[Key, Binding]) -> None:
        binds: dict[Key, Bind | None] = dict.fromkeys(before.keys() - self._bindings.keys())
        for key, binding in self._bindings.items():
            if before.get(key) != binding:
                binds[key] = _bind(binding)
                self._tell(key, binding)
        placements = self._placements()
        if binds or placements:
            self.control.submit(Changes(binds=binds, placements=placements))
        if not binds:
            self.placed.set()

    def _placements(self) -> dict[Key, Placement | None]:
        """What has become of the addresses that Gateways ask for, where that is new."""
        now: dict[Key, Placement] = {}
        for key in self.control.pipeline.gateways():
            gateway, binding = self.control.pipeline.inputs.kinds["Gateway"].get(key), self._bindings.get(key)
            if gateway is not None and (binding is not None or not can_be_placed(gateway.spec.addresses)):
                now[key] = place(gateway.spec.addresses, binding.address if binding else None)
        before, self._placed = self._placed, now
        changed: dict[Key, Placement | None] = {key: row for key, row in now.items() if before.get(key) != row}
        return dict.fromkeys(before.keys() - now.keys()) | changed

    def _tell(self, gateway: Key, binding: Binding) -> None:
        lines = (*binding.notes, *binding.problems)
        if lines != self._said.get(gateway):
            self._said[gateway] = lines
            for note in binding.notes:
                self.say(note)
            for problem in binding.problems:
                log.error("port not served", gateway=str(gateway), problem=problem)

    def _announce(self, gateway: Key) -> None:
        status = self.control.pipeline.statuses.gateways.get(gateway)
        if status is None or not _serves(status):
            self._announced.pop(gateway, None)
        elif (binding := self._bindings.get(gateway)) is not None:
            self._say_all(gateway, binding)

    def _say_all(self, gateway: Key, binding: Binding) -> None:
        """Where a Gateway is served and what to try, if that is new: routes and freed ports may come later."""
        lines = reach.lines(self.control.pipeline, gateway, binding.address, binding.ports)
        told = self._announced.get(gateway)
        new = (binding.address, binding.ports, bool(lines) or (told is not None and told[2]))
        if told == new:
            return
        self._announced[gateway] = new
        heading = f"Gateway {gateway} is served on {binding.address}"
        if lines:
            self.say("\n".join([f"{heading}. Try:", *(f"  {line}" for line in lines)]))
        else:
            self.say(f"{heading}; no route is attached to it yet.")


def _serves(status: GatewayStatus) -> bool:
    """Is it programmed, or is one of its listeners? Addresses that cannot be had here keep it from that, no traffic."""
    told = (status.conditions, *(listener.conditions for listener in status.listeners))
    return any((one.type, one.status) == ("Programmed", "True") for found in told for one in found)


def wanted(pipeline: Pipeline) -> list[Wanted]:
    """What each Gateway asks for, the oldest first."""
    gateways = pipeline.inputs.kinds["Gateway"]
    found = []
    for key in pipeline.gateways():
        gateway = gateways.get(key)
        points = pipeline.tables.listeners_by_gateway.rows(key)
        ports = frozenset(Port(point.port, point.transport.upper()) for point in points if point.served)
        if gateway is not None and ports and can_be_placed(gateway.spec.addresses):
            values = wanted_values(gateway.spec.addresses)
            found.append((gateway.metadata.creation_timestamp, key, Wanted(key, ports, values)))
    return [want for *_, want in sorted(found, key=lambda one: one[:2])]


def _bind(binding: Binding) -> Bind:
    return Bind(
        address=binding.address,
        ports=_bound(binding, "TCP"),
        udp_ports=_bound(binding, "UDP"),
        unavailable=frozenset(port.number for port in binding.blocked if port.protocol == "TCP"),
        udp_unavailable=frozenset(port.number for port in binding.blocked if port.protocol == "UDP"),
        placed_only=True,
        share_port=False,
    )


def _bound(binding: Binding, protocol: str) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((port.number, bound) for port, bound in binding.ports.items() if port.protocol == protocol))
