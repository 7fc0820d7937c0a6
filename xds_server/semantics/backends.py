"""backendRef to Backend, or the reason why not.

Order of checks as the API's ResolvedRefs reasons ask: kind, then permission (before existence, so that a status tells
nothing about foreign namespaces), then existence, then port.
"""

from typing import Literal

from xds_server.flow.lookup import Lookup
from xds_server.model.httproute import BackendObjectReference
from xds_server.model.meta import Key
from xds_server.routing.backend import NOT_SECURED, Backend, InvalidBackend, Protocol
from xds_server.semantics import backend_tls
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import World

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


def resolve(
    reference: BackendObjectReference, referrer: Referrer, spoken: Spoken, look: Lookup, world: World
) -> Backend | InvalidBackend:
    """What a backendRef stands for. ExternalName Services are refused: they reach around network policy
    (CVE-2021-25740).
    """
    if (reference.group, reference.kind) != ("", "Service"):
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        return InvalidBackend("InvalidKind", f"backend {reference.name}: {what} is not a kind of backend; Service is")
    target = Key(reference.namespace or referrer.namespace, reference.name)
    if not permitted(referrer, "Service", target, look, world):
        return InvalidBackend(
            "RefNotPermitted",
            f"Service {target}: no ReferenceGrant in {target.namespace} allows {referrer.kind}s of"
            f" {referrer.namespace} to refer to it",
        )
    service = look.get(world.services, target)
    if service is None:
        return InvalidBackend("BackendNotFound", f"Service {target} does not exist")
    if service.type == "ExternalName":
        return InvalidBackend(
            "UnsupportedProtocol", f"Service {target} is an ExternalName, which is refused as a backend"
        )
    if reference.port is None:
        return InvalidBackend("BackendNotFound", f"Service {target}: the reference names no port")
    transport = "UDP" if spoken == "udp" else "TCP"
    port = service.port(reference.port, transport)
    if port is None:
        ports = ", ".join(str(known.port) for known in service.ports if known.protocol == transport) or "none"
        message = f"Service {target} has no {transport} port {reference.port} (it has: {ports})"
        return InvalidBackend("BackendNotFound", message)
    if spoken == "udp":
        return Backend(service=target, port=reference.port, protocol=spoken)
    tls = backend_tls.policy_of(target, port.name, look, world)
    if spoken == "tcp":
        return Backend(service=target, port=reference.port, protocol=spoken, tls=tls)
    if port.app_protocol in NEEDS_TLS and tls == NOT_SECURED:
        message = (
            f"Service {target}: port {reference.port} speaks {port.app_protocol}, and no BackendTLSPolicy tells how to"
            " verify who is there"
        )
        return InvalidBackend("UnsupportedProtocol", message)
    protocol = "grpc" if spoken == "grpc" else APP_PROTOCOLS.get(port.app_protocol, "auto")
    return Backend(service=target, port=reference.port, protocol=protocol, tls=tls)
