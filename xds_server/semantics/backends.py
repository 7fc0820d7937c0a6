"""backendRef to Backend, or the reason why not.

Order of checks as the API's ResolvedRefs reasons ask: kind, then permission (before existence, so that a status tells
nothing about foreign namespaces), then existence, then port.
"""

from typing import Literal

from xds_server.flow.lookup import Lookup
from xds_server.model.httproute import BackendObjectReference
from xds_server.model.kinds import EXPERIMENTAL_GROUP
from xds_server.model.meta import Key, ObjectRef
from xds_server.routing.backend import NOT_SECURED, Backend, EndpointsId, InvalidBackend, Protocol
from xds_server.semantics import backend_tls, x_backends
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import ServedPort, ServedService, World

APP_PROTOCOLS: dict[str, Protocol] = {
    "kubernetes.io/h2c": "http2",
    "kubernetes.io/ws": "http1",
    "kubernetes.io/wss": "http1",
}
"""GEP-1911; an unknown appProtocol is ignored, as it is by kube-proxy. With a policy h2c is HTTP/2 over TLS."""
NEEDS_TLS = ("kubernetes.io/wss",)
"""Spoken over TLS alone; without a policy that tells how to verify the backend they cannot be spoken at all."""


Spoken = Literal["http", "grpc", "tcp", "udp"]
"""What a route hands on."""


KINDS = {("", "Service"): "Service", (EXPERIMENTAL_GROUP, "XBackend"): "XBackend"}


def resolve(
    reference: BackendObjectReference, referrer: Referrer, spoken: Spoken, look: Lookup, world: World
) -> Backend | InvalidBackend:
    """What a backendRef stands for."""
    kind = KINDS.get((reference.group, reference.kind))
    if kind is None:
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        known = " and ".join(KINDS.values())
        return InvalidBackend("InvalidKind", f"backend {reference.name}: {what} is not a kind of backend; {known} are")
    target = Key(reference.namespace or referrer.namespace, reference.name)
    if not permitted(referrer, kind, target, look, world, group=reference.group):
        return InvalidBackend(
            "RefNotPermitted",
            f"{kind} {target}: no ReferenceGrant in {target.namespace} allows {referrer.kind}s of"
            f" {referrer.namespace} to refer to it",
        )
    if kind == "XBackend":
        return x_backends.resolve(target, spoken, look, world)
    service = look.get(world.services, target)
    if service is None:
        gone = ObjectRef("Service", *target)
        return InvalidBackend("BackendNotFound", f"{gone} does not exist", gone)
    if reference.port is None:
        return InvalidBackend("BackendNotFound", f"Service {target}: the reference names no port")
    port = _port(target, service, reference.port, spoken, world)
    return port if isinstance(port, InvalidBackend) else _backend(target, port, spoken, look, world)


def _port(
    target: Key, service: ServedService, number: int, spoken: Spoken, world: World
) -> ServedPort | InvalidBackend:
    """The port of a Service. One of type ExternalName is refused unless it is allowed: it reaches around network
    policy (CVE-2021-25740). It has any port.
    """
    transport = "UDP" if spoken == "udp" else "TCP"
    if service.type == "ExternalName" and (not world.allow_external_names or transport == "UDP"):
        return InvalidBackend(
            "UnsupportedProtocol", f"Service {target} is an ExternalName, which is refused as a backend"
        )
    port = service.port(number, transport)
    if port is None and service.type == "ExternalName":
        return ServedPort(number, "", "", transport)
    if port is None:
        ports = ", ".join(str(known.port) for known in service.ports if known.protocol == transport) or "none"
        message = f"Service {target} has no {transport} port {number} (it has: {ports})"
        return InvalidBackend("BackendNotFound", message)
    return port


def _backend(target: Key, port: ServedPort, spoken: Spoken, look: Lookup, world: World) -> Backend | InvalidBackend:
    if spoken == "udp":
        return Backend(service=target, port=port.port, protocol=spoken)
    tls = backend_tls.policy_of(target, port.name, look, world)
    if spoken == "tcp":
        return Backend(service=target, port=port.port, protocol=spoken, tls=tls)
    if port.app_protocol in NEEDS_TLS and tls == NOT_SECURED:
        message = (
            f"Service {target}: port {port.port} speaks {port.app_protocol}, and no BackendTLSPolicy tells how to"
            " verify who is there"
        )
        return InvalidBackend("UnsupportedProtocol", message)
    protocol = "grpc" if spoken == "grpc" else APP_PROTOCOLS.get(port.app_protocol, "auto")
    return Backend(service=target, port=port.port, protocol=protocol, tls=tls)


def hostname(id_: EndpointsId, look: Lookup, world: World) -> str | None:
    """The name by which a backend is found in DNS; None for one that has endpoints."""
    if id_.kind == "XBackend":
        found = look.get(world.x_backends, id_.service)
        return found.hostname if found else None
    if not world.allow_external_names or id_.kind != "Service":
        return None
    service = look.get(world.services, id_.service)
    return service.external_name if service is not None and service.type == "ExternalName" else None
