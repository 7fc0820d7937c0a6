"""A Gateway's listeners: which are valid, which conflict, which routes they allow, which are served.

In: one Gateway and what it refers to. Out: a row per listener for routes to attach to, and the Gateway's verdict.
Source: Gateway API `Listener`, "Distinct Listeners" and the listener conditions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from xds_server.flow.graph import Judged
from xds_server.flow.lookup import Lookup
from xds_server.model import gateway as api
from xds_server.model.meta import Condition, Key
from xds_server.routing.hostname import normalise
from xds_server.routing.listener import Listener, ListenerId, Scheme
from xds_server.semantics import classes, conditions
from xds_server.semantics.certificates import Certificate, Unusable
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import GROUP, World

KINDS_BY_PROTOCOL = {"HTTP": ("HTTPRoute",), "HTTPS": ("HTTPRoute",)}
SHARING_PORTS = ("HTTP", "HTTPS", "TLS", "TCP")
"""Protocols that would meet on one port; of others nobody knows what they bind, so they are in nobody's way."""
SCHEMES: dict[str, Scheme] = {"HTTP": "http", "HTTPS": "https"}


@dataclass(frozen=True, slots=True)
class AttachPoint:
    """A listener as routes see it. `served` is None while it cannot take traffic; routes attach all the same.

    An `accepted` one owns its hosts, served or not: no wider listener answers for them.
    """

    id: ListenerId
    port: int
    protocol: str
    hostname: str
    accepted: bool
    kinds: tuple[str, ...]
    namespaces: api.RouteNamespaces
    served: Listener | None


@dataclass(frozen=True, slots=True)
class ListenerVerdict:
    """What the status says of one listener, but for what only Envoy and the routes know."""

    name: str
    kinds: tuple[str, ...]
    accepted: Condition
    resolved: Condition
    conflicted: Condition | None
    served: bool


@dataclass(frozen=True, slots=True)
class GatewayVerdict:
    """What the status says of a Gateway. `ours` is False for Gateways of other controllers."""

    ours: bool
    accepted: Condition | None = None
    listeners: tuple[ListenerVerdict, ...] = ()


def judge(
    key: Key, gateway: api.Gateway, look: Lookup, world: World
) -> Judged[ListenerId, AttachPoint, GatewayVerdict]:
    """The rows and verdict of one Gateway."""
    if not classes.serves(gateway, look, world):
        return Judged((), GatewayVerdict(ours=False))
    conflicts = _conflicts(gateway.spec.listeners)
    address = _address_problem(gateway)
    server_name = classes.server_name(gateway)
    points, verdicts = [], []
    for listener in gateway.spec.listeners:
        id_ = ListenerId(key, listener.name)
        verdict, secrets = _judge_listener(key, listener, conflicts.get(listener.name), look, world)
        if address is not None:
            verdict = replace(verdict, served=False)
        served = None
        if verdict.served:
            hostname = normalise(listener.hostname)
            served = Listener(id_, listener.port, SCHEMES[listener.protocol], hostname, secrets, server_name)
        points.append(_point(id_, listener, verdict, served))
        verdicts.append(verdict)
    valid = sum(verdict.accepted.status == "True" for verdict in verdicts)
    accepted = address or conditions.gateway_accepted(valid, len(verdicts))
    return Judged(
        ((point.id, point) for point in points), GatewayVerdict(ours=True, accepted=accepted, listeners=tuple(verdicts))
    )


def _point(id_: ListenerId, listener: api.Listener, verdict: ListenerVerdict, served: Listener | None) -> AttachPoint:
    return AttachPoint(
        id=id_,
        port=listener.port,
        protocol=listener.protocol,
        hostname=normalise(listener.hostname),
        accepted=verdict.accepted.status == "True",
        kinds=verdict.kinds,
        namespaces=listener.allowed_routes.namespaces,
        served=served,
    )


def _address_problem(gateway: api.Gateway) -> Condition | None:
    for address in gateway.spec.addresses:
        if address.type not in ("IPAddress", "Hostname"):
            return conditions.not_accepted("UnsupportedAddress", f"addresses: type {address.type} is not supported")
    return None


def _judge_listener(
    gateway: Key, listener: api.Listener, conflict: Condition | None, look: Lookup, world: World
) -> tuple[ListenerVerdict, tuple[Key, ...]]:
    kinds, wrong_kinds = _kinds(listener)
    secrets, certificates = _certificates(gateway, listener, look, world)
    accepted = conditions.accepted("The listener is accepted.")
    if listener.protocol not in KINDS_BY_PROTOCOL:
        known = ", ".join(KINDS_BY_PROTOCOL)
        accepted = conditions.not_accepted(
            "UnsupportedProtocol", f"protocol {listener.protocol} is not supported (supported: {known})"
        )
    elif conflict is not None:
        accepted = conditions.not_accepted(conflict.reason, conflict.message)
    resolved = wrong_kinds or certificates or conditions.resolved()
    usable = listener.protocol == "HTTP" or bool(secrets)
    served = accepted.status == "True" and usable and bool(kinds)
    return ListenerVerdict(listener.name, kinds, accepted, resolved, conflict, served), secrets


def _kinds(listener: api.Listener) -> tuple[tuple[str, ...], Condition | None]:
    possible = KINDS_BY_PROTOCOL.get(listener.protocol, ())
    if not listener.allowed_routes.kinds or not possible:
        return possible, None
    named = [entry.kind for entry in listener.allowed_routes.kinds if entry.group == GROUP and entry.kind in possible]
    wrong = [entry for entry in listener.allowed_routes.kinds if entry.group != GROUP or entry.kind not in possible]
    if not wrong:
        return tuple(dict.fromkeys(named)), None
    names = ", ".join(f"{entry.group}/{entry.kind}" for entry in wrong)
    message = f"allowedRoutes.kinds: a listener of protocol {listener.protocol} cannot carry {names}"
    return tuple(dict.fromkeys(named)), conditions.not_resolved("InvalidRouteKinds", message)


def _certificates(
    gateway: Key, listener: api.Listener, look: Lookup, world: World
) -> tuple[tuple[Key, ...], Condition | None]:
    """The usable Secrets of an HTTPS listener and, if any of its references is not, why."""
    if listener.protocol != "HTTPS":
        return (), None
    if listener.tls is None or not listener.tls.certificate_refs:
        return (), conditions.not_resolved("InvalidCertificateRef", "tls.certificateRefs: an HTTPS listener needs one")
    if listener.tls.mode != "Terminate":
        return (), conditions.not_resolved(
            "InvalidCertificateRef", f"tls.mode {listener.tls.mode}: HTTPS terminates TLS"
        )
    usable: list[Key] = []
    problem: Condition | None = None
    for reference in listener.tls.certificate_refs:
        found = _certificate(gateway, reference, look, world)
        if isinstance(found, Key):
            usable.append(found)
        else:
            problem = problem or found
    for secret in usable:
        row = look.get(world.certificates, secret)
        if isinstance(row, Certificate) and row.problem:
            problem = problem or conditions.not_resolved(
                "InvalidCertificateRef", f"Secret {secret}: {row.problem}; its last good certificate stays in service"
            )
    return tuple(dict.fromkeys(usable)), problem


def _certificate(gateway: Key, reference: api.SecretObjectReference, look: Lookup, world: World) -> Key | Condition:
    target = Key(reference.namespace or gateway.namespace, reference.name)
    if (reference.group, reference.kind) != ("", "Secret"):
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        return conditions.not_resolved("InvalidCertificateRef", f"tls.certificateRefs: {what} is not a Secret")
    if not permitted(Referrer("Gateway", gateway.namespace), "Secret", target, look, world):
        return conditions.not_resolved(
            "RefNotPermitted",
            f"Secret {target}: no ReferenceGrant in {target.namespace} allows Gateways of {gateway.namespace}",
        )
    row = look.get(world.certificates, target)
    if row is None:
        return conditions.not_resolved("InvalidCertificateRef", f"Secret {target} does not exist")
    if isinstance(row, Unusable):
        return conditions.not_resolved("InvalidCertificateRef", f"Secret {target}: {row.reason}")
    return target


def _conflicts(listeners: Iterable[api.Listener]) -> dict[str, Condition]:
    """Listeners of one Gateway that are not distinct: nobody wins, all of them are rejected."""
    by_port: dict[int, list[api.Listener]] = {}
    for listener in listeners:
        if listener.protocol in SHARING_PORTS:
            by_port.setdefault(listener.port, []).append(listener)
    found: dict[str, Condition] = {}
    for port, group in by_port.items():
        protocols = sorted({listener.protocol for listener in group})
        if len(protocols) > 1 and not set(protocols) <= {"HTTPS", "TLS"}:
            message = f"port {port} is asked for with protocols {', '.join(protocols)}"
            found |= {listener.name: conditions.conflicted("ProtocolConflict", message) for listener in group}
            continue
        hostnames: dict[str, list[api.Listener]] = {}
        for listener in group:
            hostnames.setdefault(normalise(listener.hostname), []).append(listener)
        for hostname, same in hostnames.items():
            if len(same) > 1:
                names = ", ".join(listener.name for listener in same)
                message = f"listeners {names} ask for the same port {port} and hostname {hostname}"
                one_protocol = len({listener.protocol for listener in same}) == 1
                reason = "HostnameConflict" if one_protocol else "ProtocolConflict"
                found |= {listener.name: conditions.conflicted(reason, message) for listener in same}
    return found
