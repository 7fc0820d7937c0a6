"""A Gateway's listeners, its own and those of its ListenerSets: which are valid, which routes they allow, which are
served.

In: one Gateway and what it refers to. Out: a row per listener for routes to attach to, and the Gateway's verdict.
Source: Gateway API `Listener` and the listener conditions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xds_server.flow.graph import Judged
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table
from xds_server.model import gateway as api
from xds_server.model.kinds import GATEWAY_GROUP, ROUTE_KINDS
from xds_server.model.meta import Condition, Key
from xds_server.model.rules import syntax
from xds_server.model.spelling import perhaps
from xds_server.routing.feature import Applied
from xds_server.routing.hostname import normalise
from xds_server.routing.listener import Listener, ListenerId, Protocol, Transport
from xds_server.routing.secret import SecretId
from xds_server.semantics import (
    addresses,
    classes,
    conditions,
    infrastructure,
    listener_certificates,
    listener_conflicts,
    listener_filters,
    listener_sets,
    selectors,
    tls_overlap,
)
from xds_server.semantics.authorities import Authorities
from xds_server.semantics.frontend_validation import Check, Checks
from xds_server.semantics.infrastructure import NONE, Infrastructure
from xds_server.semantics.listener_certificates import ListenerCertificates
from xds_server.semantics.listener_filters import Features, Filters
from xds_server.semantics.listener_sets import SetVerdict
from xds_server.semantics.tls_overlap import Secured
from xds_server.semantics.world import World

KINDS_BY_PROTOCOL = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute",),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}
_PROTOCOLS: dict[str, Protocol] = {"HTTP": "http", "HTTPS": "https", "TCP": "tcp", "UDP": "udp"}
_TLS_MODES: dict[str, Protocol] = {"Terminate": "tls", "Passthrough": "passthrough"}


@dataclass(frozen=True, slots=True)
class AttachPoint:
    """A listener as routes see it. `served` is None while it cannot take traffic; routes attach all the same.

    One that `owns_hosts` does so served or not: no wider listener answers for them.
    """

    id: ListenerId
    port: int
    protocol: str
    hostname: str
    owns_hosts: bool
    kinds: tuple[str, ...]
    namespaces: api.RouteNamespaces
    served: Listener | None

    def for_routes(self) -> "AttachPoint":
        """The listener without what is nothing to its routes (`Listener.for_routes`)."""
        return replace(self, served=self.served.for_routes()) if self.served else self

    @property
    def transport(self) -> Transport:
        """What its port is a port of."""
        return "udp" if self.protocol == "UDP" else "tcp"


@dataclass(frozen=True, slots=True)
class ListenerVerdict:
    """What the status says of one listener, but for what only Envoy and the routes know."""

    id: ListenerId
    kinds: tuple[str, ...]
    accepted: Condition
    resolved: Condition
    conflicted: Condition | None
    served: bool
    overlapping: Condition | None = None
    unserved: str = "Invalid"
    """The reason of Programmed while it is not served."""
    filters: tuple[Applied, ...] = ()
    owns_hosts: bool = False

    @property
    def name(self) -> str:
        """The listener's name in its object."""
        return self.id.name

    @property
    def valid(self) -> bool:
        """Is nothing wrong with it that keeps it from being served?"""
        return self.accepted.status == "True" and (self.served or self.resolved.status == "True")


@dataclass(frozen=True, slots=True)
class GatewayVerdict:
    """What the status says of a Gateway and of the ListenerSets that name it. `ours` is False for Gateways of other
    controllers.
    """

    ours: bool
    accepted: Condition | None = None
    listeners: tuple[ListenerVerdict, ...] = ()
    sets: Mapping[Key, SetVerdict] | None = None
    infrastructure: Infrastructure = NONE

    def listener_set(self, key: Key) -> SetVerdict | None:
        """The verdict of a ListenerSet of this Gateway."""
        return (self.sets or {}).get(key)


Entry = tuple[ListenerId, api.Listener]


def judge(
    key: Key,
    gateway: api.Gateway,
    look: Lookup,
    world: World,
    authorities: Table[SecretId, Authorities],
    *,
    features: Features,
) -> Judged[ListenerId, AttachPoint, GatewayVerdict]:
    """The rows and verdict of one Gateway. What is deployed serves on when its parameters turn bad."""
    if not classes.serves(gateway, look, world):
        return Judged((), GatewayVerdict(ours=False))
    allowed, refused = listener_sets.of_gateway(key, gateway, look, world)
    own = [(ListenerId(key, listener.name), listener) for listener in gateway.spec.listeners]
    later = [(ListenerId(key, one.name, set_key), one) for set_key, set_ in allowed for one in set_.spec.listeners]
    conflicts = listener_conflicts.find(own, later)
    server_name = classes.server_name(gateway)
    checks = Checks(key, gateway, look, authorities)
    judged = {}
    for id_, listener in (*own, *later):
        filters = listener_filters.judge(id_, listener, features, look=look, world=world)
        found = _checked(_judge_listener(id_, listener, conflicts.get(id_), look, world), listener, checks)
        judged[id_] = (_filtered(found[0], filters), *found[1:])
    accepting = sum(judged[id_][0].accepted.status == "True" for id_, _ in own)
    valid = sum(judged[id_][0].valid for id_, _ in own)
    made, unmade = infrastructure.judge(gateway, look, world)
    notes = filter(None, (classes.gone(gateway, look, world), made.note, listener_sets.problem(gateway)))
    of_listeners = conditions.gateway_accepted(accepting, valid, len(own), "; ".join(notes))
    problems = [*addresses.problems(gateway), *unmade]
    accepted = conditions.not_accepted_for(problems) if problems else of_listeners
    served_on = accepted.status == "True" or (world.deployed and accepted.reason == "InvalidParameters")
    points: dict[ListenerId, AttachPoint] = {}
    verdicts: dict[ListenerId, ListenerVerdict] = {}
    secured: list[Secured] = []
    for id_, listener in (*own, *later):
        verdict, shown, check = judged[id_]
        if not served_on:
            verdict = replace(verdict, served=False)
        served = _served(verdict, listener, shown, check, server_name) if verdict.served else None
        points[id_] = point = _point(id_, listener, verdict, served)
        verdicts[id_] = verdict
        if point.owns_hosts and listener.protocol in listener_conflicts.BY_SERVER_NAME:
            secured.append(Secured(id_, point.port, point.hostname, shown.names))
    for id_, overlap in tls_overlap.find(secured).items():
        verdicts[id_] = replace(verdicts[id_], overlapping=overlap)
    of_gateway = tuple(verdicts[id_] for id_, _ in own)
    of_set: dict[Key, list[ListenerVerdict]] = {set_key: [] for set_key, _ in allowed}
    for id_, _ in later:
        of_set[id_.set].append(verdicts[id_])
    sets = dict(refused) | {set_key: listener_sets.verdict(found, accepted) for set_key, found in of_set.items()}
    return Judged(
        points.items(),
        GatewayVerdict(ours=True, accepted=accepted, listeners=of_gateway, sets=sets, infrastructure=made),
    )


def _served(
    verdict: ListenerVerdict, listener: api.Listener, shown: ListenerCertificates, check: Check | None, server_name: str
) -> Listener:
    return Listener(
        verdict.id,
        listener.port,
        _PROTOCOLS.get(listener.protocol) or _TLS_MODES[listener.tls.mode if listener.tls else ""],
        normalise(listener.hostname),
        tuple(map(SecretId.certificate, shown.secrets)),
        server_name,
        filters=verdict.filters,
        clients=check.clients if check else None,
    )


def _point(id_: ListenerId, listener: api.Listener, verdict: ListenerVerdict, served: Listener | None) -> AttachPoint:
    return AttachPoint(
        id=id_,
        port=listener.port,
        protocol=listener.protocol,
        hostname=normalise(listener.hostname),
        owns_hosts=verdict.owns_hosts,
        kinds=verdict.kinds,
        namespaces=listener.allowed_routes.namespaces,
        served=served,
    )


def _judge_listener(
    id_: ListenerId, listener: api.Listener, conflict: Condition | None, look: Lookup, world: World
) -> tuple[ListenerVerdict, ListenerCertificates]:
    kinds, wrong_kinds = _kinds(listener)
    certificates = listener_certificates.resolve(id_, listener, look, world)
    accepted = _accepted(listener, conflict)
    problems = [problem for problem in (wrong_kinds, certificates.problem) if problem is not None]
    resolved = conditions.not_resolved_for(problems) if problems else conditions.resolved(certificates.note)
    usable = bool(certificates.secrets) if _ends_tls(listener) else True
    understood = accepted.status == "True"
    served = understood and usable and bool(kinds)
    verdict = ListenerVerdict(id_, kinds, accepted, resolved, conflict, served, owns_hosts=understood)
    if conflict is not None:
        verdict = replace(verdict, unserved=conflict.reason)
    elif not certificates.configured:
        verdict = replace(verdict, unserved="InvalidTLSConfig")
    return verdict, certificates


def _checked(
    judged: tuple[ListenerVerdict, ListenerCertificates], listener: api.Listener, checks: Checks
) -> tuple[ListenerVerdict, ListenerCertificates, Check | None]:
    """What else is to be said of a listener whose clients are asked for a certificate. It owns its hosts whatever that
    is: nobody else serves them to clients that are not asked.
    """
    verdict, certificates = judged
    check = checks.of(listener.port) if _ends_tls(listener) else None
    if check is None or check.problem is None:
        return *judged, check
    if check.clients is not None:
        resolved = conditions.not_resolved_for([verdict.resolved, check.problem])
        return replace(verdict, resolved=resolved), certificates, check
    resolved = conditions.not_resolved_for([check.problem, verdict.resolved])
    accepted = verdict.accepted
    if accepted.status == "True":
        accepted = conditions.not_accepted("NoValidCACertificate", check.problem.message)
    return replace(verdict, accepted=accepted, resolved=resolved, served=False), certificates, check


def _ends_tls(listener: api.Listener) -> bool:
    ends = listener.tls is not None and listener.tls.mode == "Terminate"
    return listener.protocol == "HTTPS" or (listener.protocol == "TLS" and ends)


def _filtered(verdict: ListenerVerdict, filters: Filters) -> ListenerVerdict:
    """With what its filters say. It owns its hosts whatever they say: nobody else serves them without the filters."""
    verdict = replace(verdict, filters=filters.applied)
    if filters.accepted is not None:
        before = [verdict.accepted] if verdict.accepted.status == "False" else []
        verdict = replace(verdict, accepted=conditions.not_accepted_for([*before, filters.accepted]))
    if filters.resolved is not None:
        verdict = replace(verdict, resolved=conditions.not_resolved_for([verdict.resolved, filters.resolved]))
    return verdict if filters.usable else replace(verdict, served=False)


def _accepted(listener: api.Listener, conflict: Condition | None) -> Condition:
    if listener.protocol not in KINDS_BY_PROTOCOL:
        known = ", ".join(KINDS_BY_PROTOCOL)
        message = f"protocol {listener.protocol} is not supported (supported: {known})"
        return conditions.not_accepted("UnsupportedProtocol", message)
    problems = [conflict] if conflict is not None else []
    if reason := syntax.port(listener.port):
        problems.append(conditions.not_accepted("UnsupportedValue", f"port: {reason}"))
    if listener.protocol == "TLS" and (listener.tls is None or listener.tls.mode not in _TLS_MODES):
        mode = listener.tls.mode if listener.tls else "none"
        message = f"tls.mode: {mode} is not supported (supported: {', '.join(_TLS_MODES)})"
        problems.append(conditions.not_accepted("UnsupportedValue", message))
    if problems:
        return conditions.not_accepted_for(problems)
    options = ", ".join(sorted(listener.tls.options)) if listener.tls else ""
    note = f" tls.options {options}: not known here, without effect." if options else ""
    namespaces = listener.allowed_routes.namespaces
    if problem := selectors.problem(namespaces.from_, namespaces.selector):
        note += f" allowedRoutes.namespaces.{problem}, so no namespace is allowed."
    return conditions.accepted(f"The listener is accepted.{note}")


def _kinds(listener: api.Listener) -> tuple[tuple[str, ...], Condition | None]:
    possible = KINDS_BY_PROTOCOL.get(listener.protocol, ())
    if not listener.allowed_routes.kinds or not possible:
        return possible, None
    named = [
        entry.kind for entry in listener.allowed_routes.kinds if entry.group == GATEWAY_GROUP and entry.kind in possible
    ]
    wrong = [
        entry for entry in listener.allowed_routes.kinds if entry.group != GATEWAY_GROUP or entry.kind not in possible
    ]
    if not wrong:
        return tuple(dict.fromkeys(named)), None
    names = ", ".join(f"{entry.group}/{entry.kind}" for entry in wrong)
    meant = perhaps(wrong[0].kind, possible) if wrong[0].kind not in ROUTE_KINDS else ""
    message = f"allowedRoutes.kinds: a listener of protocol {listener.protocol} cannot carry {names}{meant}"
    return tuple(dict.fromkeys(named)), conditions.not_resolved("InvalidRouteKinds", message)
