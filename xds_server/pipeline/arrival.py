"""Where a request arrives at a Gateway: its listener, by port, server name and host.

Reads a settled pipeline, from outside of its functions. A connection goes by the server name of its handshake, a
request by its host; where both lead to different listeners, it is misdirected (421).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from xds_server.envoy import arriving
from xds_server.infra.target_ports import Port
from xds_server.model.meta import Key
from xds_server.pipeline.prediction import Answer
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.route_configurations import HOST_HEADERS
from xds_server.routing.hostname import ANY, ancestors, covers, specificity
from xds_server.routing.listener import ListenerId, Scope, Transport
from xds_server.routing.request import HTTP_SCHEMES, Request
from xds_server.semantics.listeners import AttachPoint

_SECURE = ("https", "tls", "passthrough")
MISDIRECTED = 421


@dataclass(frozen=True, slots=True)
class Arrival:
    """The listener and, for HTTP, the virtual host; or the answer that ends it here. `listener` owns the host: its
    routes, and those of the wider `hosts`, are tried in that order.
    """

    point: AttachPoint | None = None
    hosts: tuple[str, ...] = ()
    answer: Answer | None = None

    @property
    def id(self) -> ListenerId | None:
        """The listener's."""
        return self.point.id if self.point else None


def arrive(pipeline: Pipeline, gateway: Key, request: Request) -> Arrival:
    """Where the request arrives."""
    transport: Transport = "udp" if request.scheme == "udp" else "tcp"
    points = pipeline.tables.listeners_by_gateway.rows(gateway)
    on_port = [point for point in points if (point.port, point.transport) == (request.port, transport)]
    serving = [point for point in on_port if point.served is not None]
    if not serving:
        return Arrival(answer=_closed(_why_no_port(pipeline, gateway, request.port, transport, points)))
    if why := _why_unbound(pipeline, gateway, Port(transport, request.port)):
        return Arrival(answer=_closed(f"port {request.port} is not served ({why})"))
    protocols = {point.served.protocol for point in serving if point.served}
    if protocols & set(_SECURE):
        return _over_tls(pipeline, serving, on_port, request)
    if protocols & {"tcp", "udp"}:
        return Arrival(serving[0])
    return _plain(pipeline, serving, on_port, request)


def _over_tls(pipeline: Pipeline, serving: list[AttachPoint], on_port: list[AttachPoint], request: Request) -> Arrival:
    if not request.secure:
        return Arrival(answer=_closed(f"port {request.port} speaks TLS, the request does not"))
    found = _owner(serving, request.sni.lower())
    owner = _owner((point for point in on_port if point.owns_hosts), request.sni.lower())
    unserved = owner is not None and owner.served is None
    if found is None or (unserved and "TLS" in (found.protocol, owner.protocol if owner else "")):
        return Arrival(answer=_closed(_why_no_server_name(request, serving, owner)))
    assert found.served is not None
    if found.served.protocol != "https":
        return Arrival(found)
    if request.scheme not in HTTP_SCHEMES:
        return Arrival(found, answer=_closed("the listener speaks HTTP: ask with an https or grpcs URL"))
    if problem := arriving.refusal(request):
        return Arrival(found, answer=Answer("response", 400, why=problem))
    return _http(pipeline, found, on_port, request)


def _plain(pipeline: Pipeline, serving: list[AttachPoint], on_port: list[AttachPoint], request: Request) -> Arrival:
    if request.secure:
        return Arrival(serving[0], answer=_closed(f"port {request.port} speaks plain HTTP, the request comes over TLS"))
    if request.scheme not in HTTP_SCHEMES:
        return Arrival(serving[0], answer=_closed("the listener speaks HTTP: ask with an http or grpc URL"))
    host = arriving.host(request.authority)
    owner = _owner((point for point in on_port if point.owns_hosts), host)
    if problem := arriving.refusal(request):
        return Arrival(owner, answer=Answer("response", 400, why=problem))
    if owner is None:
        hostnames = ", ".join(sorted({point.hostname for point in serving}))
        why = f"no listener of port {request.port} has host {host} (they have: {hostnames})"
        return Arrival(answer=Answer("response", 404, why=why))
    return _http(pipeline, owner, on_port, request)


def _http(pipeline: Pipeline, point: AttachPoint, on_port: list[AttachPoint], request: Request) -> Arrival:
    """The virtual host, as Envoy finds it: exact, then the longest wildcard."""
    host = arriving.host(request.authority)
    secure = point.protocol == "HTTPS"
    scope = Scope(point.id.gateway, point.port, point.hostname if secure else "")
    owning = [one for one in on_port if one.owns_hosts]
    owner = _owner(owning, host)
    if secure and owner is not None and owner.hostname != point.hostname:
        why = f"host {host} is that of listener {owner.id.name}, the connection's server name led to {point.id.name}"
        return Arrival(point, answer=Answer("response", MISDIRECTED, why=why))
    headers = pipeline.graph.tables[HOST_HEADERS]
    without_routes = {one.hostname for one in ([point] if secure else owning)} - {ANY}
    for pattern in (host, *ancestors(host)):
        row = headers.get((scope, pattern))
        if row is not None:
            wider = [one for one in ancestors(pattern) if covers(row.listener.hostname, one)]
            return Arrival(point, (pattern, *wider))
        if pattern in without_routes:
            break
    return Arrival(point)


def _owner(points: Iterable[AttachPoint], host: str) -> AttachPoint | None:
    """The one with the most specific hostname that covers the host."""
    covering = [point for point in points if covers(point.hostname, host)]
    return max(covering, key=lambda point: specificity(point.hostname), default=None)


def _closed(why: str) -> Answer:
    return Answer("closed", why=why)


def _why_no_port(pipeline: Pipeline, gateway: Key, port: int, transport: str, points: Iterable[AttachPoint]) -> str:
    of_port = [point for point in points if (point.port, point.transport) == (port, transport)]
    if told := [f"listener {point.id.name}: {why_not_served(pipeline, point)}" for point in of_port]:
        return f"port {port} is not served ({'; '.join(told)})"
    ports = ", ".join(dict.fromkeys(f"{point.port}" for point in points if point.transport == transport)) or "none"
    return f"Gateway {gateway} has no listener of {transport.upper()} port {port} (it has: {ports})"


def _why_unbound(pipeline: Pipeline, gateway: Key, port: Port) -> str:
    """Why proxies do not bind the port of listeners that could be served; empty where they do, as far as is known."""
    bind, places = pipeline.places.binds.get(gateway), pipeline.places.places
    if bind is None or not bind.lacks(port.number, port.transport):
        return ""
    place = places.get(gateway) if places is not None else None
    return (place.unbound.get(port) if place else None) or "it cannot be bound now"


def why_not_served(pipeline: Pipeline, point: AttachPoint) -> str:
    """The condition that keeps a listener from being served."""
    verdict = pipeline.tables.gateway_verdicts.get(point.id.gateway)
    if verdict is None:
        return "its Gateway is not served"
    own = [one for one in verdict.listeners if one.id == point.id]
    for set_ in (verdict.sets or {}).values():
        own += [one for one in set_.listeners if one.id == point.id]
    for one in own:
        for condition in (one.accepted, one.resolved):
            if condition.status == "False":
                return f"{condition.reason}: {condition.message}"
    accepted = verdict.accepted
    return f"{accepted.reason}: {accepted.message}" if accepted and accepted.status == "False" else "it has no kind"


def _why_no_server_name(request: Request, serving: list[AttachPoint], owner: AttachPoint | None) -> str:
    if owner is not None:
        return f"listener {owner.id.name} has server name {request.sni} and is not served"
    hostnames = ", ".join(sorted({point.hostname for point in serving}))
    name = f"server name {request.sni}" if request.sni else "connections without a server name"
    return f"no listener of port {request.port} has {name} (they have: {hostnames})"
