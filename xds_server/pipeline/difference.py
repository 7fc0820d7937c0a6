"""What two translations differ in, Gateway by Gateway, and which connections Envoy would drain over it.

In: the resources of two settled pipelines; the verdicts on two sets of objects. Out: plain values for people and
programs: names and paths of fields, never what a field holds, so nothing secret is among them.

What drains is what Envoy 1.40 does (`ListenerImpl::supportUpdateFilterChain`): while only filter chains differ, a chain
whose message is not there any more drains alone; any other difference replaces the listener, and all of it drains, as
does one that has no filter chain besides the default one. Routes, clusters, endpoints and secrets drain nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from xds_server.model.meta import Key
from xds_server.model.wording import some
from xds_server.pipeline.host_difference import HostChange, host_changes
from xds_server.pipeline.made_difference import MadeChange
from xds_server.routing.audience import ForGateway
from xds_server.wire.changed import Change, change_of, changed_fields
from xds_server.wire.decode import to_json
from xds_server.xds.resource import Resource, ResourceType

_CHAIN_FIELDS = ("filterChains", "defaultFilterChain", "filterChainMatcher")
"""Fields of a listener that Envoy changes in place."""
DEFAULT_CHAIN = "(default)"
"""What the chain that has no match is called; names of others are hostnames or "*"."""
_WRAPPED = re.compile(r"^(?:filters\[[^]]*\]|transport_socket)\.typed_config\.")
_CALLED = (
    (re.compile(r"tls_certificate_sds_secret_configs"), "certificate list"),
    (re.compile(r"validation_context|require_client_certificate"), "validation of client certificates"),
    (re.compile(r"^filter_chain_match\b"), "match"),
)
_MOST_FIELDS = 3

ResourceId = tuple[ResourceType, str]
World = Mapping[Key, Mapping[ResourceId, Resource]]
"""The resources of each Gateway that is served; one that gets none is in it too."""


@dataclass(frozen=True, slots=True)
class ChainChange:
    """A filter chain of a listener."""

    chain: str
    change: Change
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """An address of an endpoint assignment, as host:port."""

    address: str
    change: Change
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource; `fields` are those that are told of in no other way. Of a secret only its name is told."""

    type: str
    name: str
    change: Change
    fields: tuple[str, ...] = ()
    hosts: tuple[HostChange, ...] = ()
    chains: tuple[ChainChange, ...] = ()
    endpoints: tuple[EndpointChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Drain:
    """Connections that Envoy asks to end, and closes when its drain time is over; without a `chain` the listener's."""

    listener: str
    chain: str
    reason: str

    def __str__(self) -> str:
        chain = f" chain {self.chain}" if self.chain else ""
        return f"listener {self.listener}{chain} drains: {self.reason}"


@dataclass(frozen=True, slots=True)
class GatewayChange:
    """One Gateway; added and removed are those that are served on one side alone."""

    gateway: str
    change: Change
    resources: tuple[ResourceChange, ...]
    drains: tuple[Drain, ...]
    made: tuple[MadeChange, ...] = ()
    """Of what is made for it in a cluster."""


class Verdict(NamedTuple):
    """A condition of an object or of a part of it, and whether it is good."""

    object: str
    part: str
    condition: str
    status: str
    reason: str
    message: str
    good: bool


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A condition that turns "bad" (also: bad for another reason) or "good"; `was` is the reason before, if any."""

    object: str
    part: str
    condition: str
    turned: str
    status: str
    reason: str
    message: str
    was: str


def world(gateways: Iterable[Key], resources: Iterable[Resource]) -> World:
    """Resources by Gateway, type and name."""
    found: dict[Key, dict[ResourceId, Resource]] = {key: {} for key in gateways}
    for resource in resources:
        audience = resource.audience
        if isinstance(audience, ForGateway) and (own := found.get(Key(audience.namespace, audience.name))) is not None:
            own[resource.type, resource.name] = resource
    return found


def gateway_changes(
    old: World, new: World, made: Mapping[Key, tuple[MadeChange, ...]] | None = None
) -> tuple[GatewayChange, ...]:
    """Every Gateway with a difference, sorted by key. `made` is told of those that are served before and after."""
    found = []
    made = made or {}
    for key in sorted({*old, *new}):
        before, after = old.get(key, {}), new.get(key, {})
        pairs = [(before.get(id_), after.get(id_)) for id_ in _in_order({*before, *after})]
        resources: list[ResourceChange] = []
        drains: list[Drain] = []
        for one, other in pairs:
            if (change := _resource(one, other)) is not None:
                resources.append(change)
                drains += _drains(change, other)
        how = change_of(old.get(key), new.get(key))
        objects = made.get(key, ()) if how is Change.CHANGED else ()
        if resources or objects or how is not Change.CHANGED:
            found.append(GatewayChange(str(key), how, tuple(resources), tuple(drains), objects))
    return tuple(found)


def status_changes(old: Iterable[Verdict], new: Iterable[Verdict]) -> tuple[StatusChange, ...]:
    """Conditions that turn bad or good. What goes with its object, or with its part of it, turns neither."""
    before, after = _by_condition(old), _by_condition(new)
    places = {key[:2] for key in after}
    found = []
    for key, verdicts in after.items():
        known = before.get(key, [])
        was = ", ".join(sorted({one.reason for one in known}))
        bad_before = [one.reason for one in known if not one.good]
        for one in verdicts:
            if one.good:
                continue
            if one.reason in bad_before:
                bad_before.remove(one.reason)
            else:
                found.append(StatusChange(*key, "bad", one.status, one.reason, one.message, was))
    for key, known in before.items():
        bad = [one for one in known if not one.good]
        now = after.get(key, [])
        if bad and key[:2] in places and all(one.good for one in now):
            status, reason, message = now[0][3:6] if now else ("", "", "")
            found.append(StatusChange(*key, "good", status, reason, message, bad[0].reason))
    return tuple(sorted(found, key=lambda one: (one.turned, one.object, one.part, one.condition)))


def _in_order(ids: Iterable[ResourceId]) -> list[ResourceId]:
    order = list(ResourceType)
    return sorted(ids, key=lambda id_: (order.index(id_[0]), id_[1]))


def _resource(old: Resource | None, new: Resource | None) -> ResourceChange | None:
    one = new or old
    if one is None or (old is not None and new is not None and old.body == new.body):
        return None
    before, after = (to_json(side.type.url, side.body) if side is not None else {} for side in (old, new))
    head = (one.type.value, one.name, change_of(old, new))
    both = old is not None and new is not None
    match one.type:
        case ResourceType.SECRET:
            return ResourceChange(*head)
        case ResourceType.LISTENER:
            chains = tuple(_chains(before, after))
            return ResourceChange(*head, _fields(before, after, _CHAIN_FIELDS) if both else (), chains=chains)
        case ResourceType.ENDPOINT:
            endpoints = tuple(_endpoints(before, after))
            return ResourceChange(*head, _fields(before, after, ("endpoints",)) if both else (), endpoints=endpoints)
        case ResourceType.ROUTE:
            hosts = tuple(host_changes(old.part if old else None, new.part if new else None))
            return ResourceChange(*head, _fields(before, after, ("virtualHosts",)) if both else (), hosts)
    return ResourceChange(*head, _fields(before, after) if both else ())


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], without: tuple[str, ...] = ()) -> tuple[str, ...]:
    one, other = ({name: value for name, value in side.items() if name not in without} for side in (old, new))
    return tuple(changed_fields(one, other))


def _chains(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ChainChange]:
    before, after = _named_chains(old), _named_chains(new)
    for name in {**before, **after}:
        one, other = before.get(name), after.get(name)
        if one != other:
            fields = tuple(changed_fields(one, other)) if one and other else ()
            yield ChainChange(name, change_of(one, other), fields)


def _named_chains(listener: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, chain in enumerate(listener.get("filterChains", ())):
        name = chain.get("name", "")
        found[name if name and name not in found else f"{name}#{index}"] = chain
    if (default := listener.get("defaultFilterChain")) is not None:
        found[DEFAULT_CHAIN] = default
    return found


def _drains(change: ResourceChange, new: Resource | None) -> Iterator[Drain]:
    if change.type != ResourceType.LISTENER.value or change.change is Change.ADDED:
        return
    if new is None:
        yield Drain(change.name, "", "listener removed")
    elif change.fields:
        yield Drain(change.name, "", _reason(change.fields))
    elif change.chains and "filterChains" not in to_json(new.type.url, new.body):
        yield Drain(change.name, "", f"filter chain {change.chains[0].chain} {change.chains[0].change}")
    else:
        for chain in change.chains:
            if chain.change is Change.REMOVED:
                yield Drain(change.name, chain.chain, "filter chain removed")
            elif chain.change is Change.CHANGED:
                yield Drain(change.name, chain.chain, _reason(chain.fields))


def _reason(fields: Iterable[str]) -> str:
    """The fields in words that a reviewer knows, e.g. "certificate list changed"."""
    called: dict[str, None] = {}
    for field in fields:
        words = next((word for pattern, word in _CALLED if pattern.search(field)), None)
        called[words or _WRAPPED.sub("", field)] = None
    return f"{some(list(called), _MOST_FIELDS)} changed"


def _endpoints(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[EndpointChange]:
    before, after = _addresses(old), _addresses(new)
    for address in sorted({*before, *after}):
        one, other = before.get(address), after.get(address)
        if one != other:
            yield EndpointChange(
                address, change_of(one, other), tuple(changed_fields(one, other)) if one and other else ()
            )


def _addresses(assignment: Mapping[str, Any]) -> dict[str, Any]:
    """Endpoints by address, with what their locality adds; its weight only counts them."""
    found = {}
    for group in assignment.get("endpoints", ()):
        where = {name: value for name, value in group.items() if name not in ("lbEndpoints", "loadBalancingWeight")}
        for endpoint in group.get("lbEndpoints", ()):
            found[_address(endpoint.get("endpoint", {}).get("address", {}))] = {**where, **endpoint}
    return found


def _address(address: Mapping[str, Any]) -> str:
    socket = address.get("socketAddress")
    if socket is None:
        return str(address.get("pipe", {}).get("path", ""))
    host, port = socket.get("address", ""), socket.get("portValue", 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _by_condition(verdicts: Iterable[Verdict]) -> dict[tuple[str, str, str], list[Verdict]]:
    found: dict[tuple[str, str, str], list[Verdict]] = {}
    for one in verdicts:
        found.setdefault(one[:3], []).append(one)
    return found
