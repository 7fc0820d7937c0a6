"""The Service of a Gateway: a port for each port and protocol of its listeners.

Proxies bind the listeners' own port numbers, so that no port is mapped.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from xds_server.infra.metadata import Metadata
from xds_server.model.gateway import GatewayAddress
from xds_server.model.rules.syntax import is_ip
from xds_server.semantics.addresses import CLUSTER, SENTINEL

_LONGEST: Final = 63


class Port(NamedTuple):
    """A port of a Service; `protocol` is TCP or UDP."""

    number: int
    protocol: str


def named(ports: Iterable[tuple[Port, str]], known: Mapping[Port, str]) -> dict[Port, str]:
    """The name of each port, in order of the ports: the `known` one that it has already, so that one that stays keeps
    its name, else that of its first listener. `ports` come with the name of a listener, in order of precedence.
    """
    first: dict[Port, str] = {}
    for port, listener in ports:
        first.setdefault(port, listener)
    found = {port: known[port] for port in first if known.get(port)}
    taken = set(found.values())
    for port, listener in first.items():
        if port not in found:
            found[port] = _name(port, listener, taken)
            taken.add(found[port])
    return {port: found[port] for port in sorted(found)}


def _name(port: Port, listener: str, taken: set[str]) -> str:
    plain = re.sub(r"[^-a-z0-9]", "-", listener.lower()).strip("-")
    suffixes = ("", f"-{port.number}", f"-{port.number}-{port.protocol.lower()}")
    candidates = (f"{plain[: _LONGEST - len(suffix)].rstrip('-')}{suffix}" for suffix in suffixes)
    fallback = f"{port.protocol.lower()}-{port.number}"
    return next((name for name in candidates if name not in taken and name), fallback)


def service(
    made: Metadata, type_: str, ports: Mapping[Port, str], addresses: Iterable[GatewayAddress]
) -> dict[str, Any]:
    """The Service. Of the IP addresses that are asked for it can have one, and one of the cluster.

    Its family is the cluster's first, so that a Gateway has one address, as scripts expect that read its status; who
    wants both families says so in the parameters (`ipFamilyPolicy: PreferDualStack`), or asks for an address of IPv6.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": made.of_object(),
        "spec": {
            "type": type_,
            "selector": dict(made.selected),
            "ports": [
                {"name": name, "port": port.number, "protocol": port.protocol, "targetPort": port.number}
                for port, name in ports.items()
            ],
            **_addresses(type_, addresses),
        },
    }


def without_cluster_ip(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same Service with whatever address of the cluster it gets; None for what asks for none. One that is taken, or
    not of the cluster, is refused with all else that the Service says, and is told where the Gateway is placed.
    """
    spec = value.get("spec") or {}
    if value["kind"] != "Service" or "clusterIP" not in spec:
        return None
    return {**value, "spec": {name: part for name, part in spec.items() if name != "clusterIP"}}


def _addresses(type_: str, addresses: Iterable[GatewayAddress]) -> dict[str, str]:
    """What the Service asks for; values that are no addresses are told by whoever places the Gateway."""
    found: dict[str, str] = {}
    for one in addresses:
        if one.type != "IPAddress" or one.routability not in ("", SENTINEL, CLUSTER) or not is_ip(one.value):
            continue
        of_cluster = one.routability == CLUSTER or type_ != "LoadBalancer"
        if not of_cluster and ":" in one.value:
            found["ipFamilyPolicy"] = "PreferDualStack"
        found.setdefault("clusterIP" if of_cluster else "loadBalancerIP", one.value)
    return found
