"""What a Gateway's spec.addresses come to where the machine itself is the data plane.

A Gateway is served on one loopback address. An address entry gets that address, or a name that leads to it; a value
beyond loopback is unusable, though the Gateway is served on loopback all the same, so that objects that are made for a
cluster can be tried. A routability is different: nothing may stand in for it. `Cluster` and all others are for
clusters; the sentinel of the API's tests asks for nothing. A Gateway that asks for nothing that can be had is not
placed.
"""

from collections.abc import Iterable

from xds_server.infra.binding import parsed
from xds_server.model.gateway import GatewayAddress
from xds_server.semantics.addresses import SENTINEL, Answer, GatewayStatusAddress, Placement, Unmet

LOCAL_NAMES = ("localhost", ".localhost")
"""Names that resolve to loopback everywhere (RFC 6761): the first itself, and all that end with the second."""
_NAMED = ("127.0.0.1", "::1")
"""Where those names lead."""


def can_be_placed(asked: Iterable[GatewayAddress]) -> bool:
    """Is a Gateway with these addresses served here? Unless routabilities are all that it asks for."""
    entries = tuple(asked)
    return not entries or not all(_refused(entry) for entry in entries)


def wanted_values(asked: Iterable[GatewayAddress]) -> tuple[str, ...]:
    """The IP addresses that are asked for and may be given."""
    return tuple(one.value for one in asked if one.type == "IPAddress" and one.value and not _refused(one))


def place(asked: tuple[GatewayAddress, ...], address: str | None) -> Placement:
    """What the entries came to; `address` is where the Gateway is served, None where it is not placed.

    Entries with a value come first: what they get is not there for others.
    """
    if not asked:
        chosen = () if address is None else (Answer((GatewayStatusAddress("IPAddress", address, ""),)),)
        return Placement(asked, chosen)
    given: dict[int, Answer] = {}
    taken: set[tuple[str, str]] = set()
    for index in sorted(range(len(asked)), key=lambda index: not asked[index].value):
        found = _give(asked[index], address, taken)
        given[index] = Answer(problem=found) if isinstance(found, Unmet) else Answer((found,))
        taken.update((one.type, one.value) for one in given[index].addresses)
    return Placement(asked, tuple(given[index] for index in range(len(asked))))


def _give(entry: GatewayAddress, address: str | None, taken: set[tuple[str, str]]) -> GatewayStatusAddress | Unmet:
    if refused := _refused(entry):
        return Unmet("AddressNotAssigned", refused)
    if address is None:
        return Unmet("AddressNotAssigned", "the Gateway has no address yet")
    value, problem = _ip(entry.value, address) if entry.type == "IPAddress" else _name(entry.value, address)
    if problem:
        return Unmet("AddressNotUsable" if entry.value and not entry.routability else "AddressNotAssigned", problem)
    if (entry.type, value) in taken:
        return Unmet("AddressNotAssigned", f"the one {entry.type} of the Gateway, {value}, is given already")
    return GatewayStatusAddress(entry.type, value, entry.routability)


def _refused(entry: GatewayAddress) -> str:
    """Why an entry cannot be had wherever the Gateway is served; empty if it may be."""
    if entry.routability not in ("", SENTINEL):
        return f"routability {entry.routability} cannot be had on this machine"
    if entry.routability and entry.type == "IPAddress" and entry.value and not _is_loopback(entry.value):
        return f"{entry.value} is no loopback address"
    return ""


def _ip(value: str, address: str) -> tuple[str, str]:
    if not value:
        return address, ""
    if not _is_loopback(value):
        return "", f"{value} is no loopback address; served on {address}"
    if parsed(value) != parsed(address):
        return "", f"a Gateway has one address here; served on {address}"
    return value, ""


def _name(value: str, address: str) -> tuple[str, str]:
    name = value or LOCAL_NAMES[0]
    if name != LOCAL_NAMES[0] and not name.endswith(LOCAL_NAMES[1]):
        return "", f"{name} does not lead to this machine's loopback addresses; served on {address}"
    if address not in _NAMED:
        return "", f"{name} leads to {_NAMED[0]}; served on {address}"
    return name, ""


def _is_loopback(value: str) -> bool:
    found = parsed(value)
    return found is not None and found.is_loopback
