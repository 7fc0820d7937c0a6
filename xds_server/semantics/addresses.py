"""Addresses of Gateways: what was asked for, what whoever places a Gateway gave, and what that says of it.

Source: Gateway API `GatewaySpec.addresses` and GEP-5093. Every entry is judged alone. An entry that cannot be had is
left out, never given otherwise: an entry with a value, or with a routability, asks for just that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from xds_server.model.gateway import Gateway, GatewayAddress
from xds_server.model.meta import Condition, Struct
from xds_server.semantics import conditions

TYPES = ("IPAddress", "Hostname")
SENTINEL = "testing.x-k8s.io/sentinel"
"""A routability without meaning that everyone must be able to give."""
CLUSTER = "Cluster"
"""The routability of addresses of Services inside the cluster."""
MOST_ADDRESSES = 16


class GatewayStatusAddress(Struct, frozen=True):
    """Gateway.status.addresses[]; the routability is told in any case, empty for the default one."""

    type: str
    value: str
    routability: str


@dataclass(frozen=True, slots=True)
class Unmet:
    """Why an entry of spec.addresses could not be had: a value that is unusable here, or nothing that would fit.
    `soon`: it has been asked for, or is about to be, and may be there in a moment.
    """

    reason: Literal["AddressNotUsable", "AddressNotAssigned"]
    message: str
    soon: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What an entry of spec.addresses came to: addresses, and what is wrong with them, or why there are none."""

    addresses: tuple[GatewayStatusAddress, ...] = ()
    problem: Unmet | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a Gateway is. `asked` are the spec.addresses that this answers; `given` has an answer to each of them, or
    one with what was chosen where nothing was asked for.
    """

    asked: tuple[GatewayAddress, ...] = ()
    given: tuple[Answer, ...] = ()

    @property
    def addresses(self) -> tuple[GatewayStatusAddress, ...]:
        """What there is, each once, as many as a status can have."""
        return tuple(dict.fromkeys(address for one in self.given for address in one.addresses))[:MOST_ADDRESSES]

    @property
    def problems(self) -> tuple[str, ...]:
        """What there is not, and why."""
        return tuple(message for one, _, message in self._problems() if not one.addresses)

    @property
    def settles(self) -> bool:
        """Is something that was asked for just being asked for, as far as one can tell?"""
        return bool(self.asked) and self.pending

    @property
    def pending(self) -> bool:
        """May something be there in a moment that is not there yet?"""
        return any(problem.soon for _, problem, _ in self._problems())

    def assigned(self) -> Condition:
        """The AddressesAssigned condition."""
        if not self.problems:
            return conditions.addresses_assigned()
        reason = "PartiallyAssigned" if self.addresses else "NotAssigned"
        return conditions.addresses_not_assigned(reason, "; ".join(self.problems))

    def not_programmed(self) -> Condition | None:
        """Why the Gateway is not programmed: a value that is unusable is reason enough, what could not be assigned is
        one where there is nothing else.
        """
        unusable = [message for _, problem, message in self._problems() if problem.reason == "AddressNotUsable"]
        if unusable:
            return conditions.not_programmed("AddressNotUsable", "; ".join(unusable))
        if self.problems and not self.addresses:
            return conditions.not_programmed("AddressNotAssigned", "; ".join(self.problems))
        return None

    def _problems(self) -> Iterator[tuple[Answer, Unmet, str]]:
        for index, one in enumerate(self.given):
            if one.problem is not None:
                where = f"addresses[{index}]: " if self.asked else ""
                yield one, one.problem, f"{where}{one.problem.message}"


def services(gateway: Gateway) -> tuple[str, ...]:
    """The hostnames that it asks for, in a cluster those of Services that are there. A Gateway that names any is served
    by the proxies behind them, and none are deployed for it.
    """
    return tuple(one.value for one in gateway.spec.addresses if one.type == "Hostname" and one.value)


def problems(gateway: Gateway) -> list[Condition]:
    """Why a Gateway with such addresses is not accepted."""
    supported = f"is not supported (supported: {', '.join(TYPES)})"
    return [
        conditions.not_accepted("UnsupportedAddress", f"addresses[{index}].type: {address.type} {supported}")
        for index, address in enumerate(gateway.spec.addresses)
        if address.type not in TYPES
    ]


def settled(gateway: Gateway, placement: Placement | None) -> Placement | None:
    """The placement, if it answers what the Gateway asks for now."""
    return placement if placement is not None and placement.asked == gateway.spec.addresses else None
