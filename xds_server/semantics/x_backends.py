"""XBackend: a host outside the cluster, or Pods by their labels, with the protocol and TLS that are spoken to it.

Source: Gateway API XBackend (gateway.networking.x-k8s.io/v1alpha1). One that is not as it has to be is a backend
nobody is connected to, and its status says why. TLS is its own affair: no BackendTLSPolicy is asked, and a Gateway's
client certificate is not shown to it. MCP is HTTP/1.1.
"""

from collections.abc import Mapping

from xds_server.flow.lookup import Lookup
from xds_server.model.kinds import EXPERIMENTAL_GROUP
from xds_server.model.meta import Condition, Key, ObjectRef
from xds_server.model.policy import XBackend
from xds_server.model.rules import syntax
from xds_server.routing.backend import NO_CERTIFICATE, NOT_SECURED, Backend, InvalidBackend, Protocol, Verification
from xds_server.routing.endpoint import ServingEndpoint
from xds_server.routing.feature import Refused
from xds_server.routing.rule import Session
from xds_server.routing.secret import SecretId
from xds_server.semantics import backend_tls, client_certificates, conditions, sessions
from xds_server.semantics.authorities import Asked, Authorities
from xds_server.semantics.grants import Referrer
from xds_server.semantics.world import ServedBackend, ServedPod, World

KIND = "XBackend"
PROTOCOLS = ("TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC", "WSS")
_TLS_ONLY = ("HTTP2", "WSS")
_NOT_OUTSIDE = ".cluster.local"
SPEAKS: Mapping[str, Mapping[str | None, Protocol]] = {
    "http": {
        None: "auto",
        "HTTP": "auto",
        "HTTP11": "auto",
        "MCP": "auto",
        "HTTP2": "http2",
        "H2C": "http2",
        "GRPC": "http2",
        "WSS": "http1",
    },
    "grpc": dict.fromkeys((None, "HTTP", "HTTP2", "H2C", "GRPC"), "grpc"),
    "tcp": dict.fromkeys((None, *PROTOCOLS), "tcp"),
    "udp": {None: "udp"},
}
"""By what a route hands on and what the backend wants: what is spoken; nothing where the two do not go together."""


def serve(key: Key, backend: XBackend, look: Lookup, world: World) -> ServedBackend:
    """The XBackend as routing sees it. Asks the world for certificates and grants alone."""
    spec = backend.spec
    outside = spec.external_hostname if spec.type == "ExternalHostname" else None
    labels = tuple(sorted(spec.endpoint_selector.match_labels.items())) if spec.endpoint_selector else ()
    certificate, unusable = _certificate(key, backend, look, world)
    session = sessions.parse(spec.session_persistence, "sessionPersistence")
    return ServedBackend(
        outside.hostname.rstrip(".") if outside else None,
        labels,
        spec.port.number,
        spec.protocol,
        spec.tls.mode != "None",
        certificate,
        None if isinstance(session, Refused) else session,
        _problem(backend, session) or unusable,
    )


def _problem(backend: XBackend, session: Session | Refused | None) -> tuple[str, str] | None:
    """What is wrong with its values, reason and message."""
    spec = backend.spec
    message = ""
    if spec.type == "ExternalHostname":
        message = _outside(spec.external_hostname.hostname if spec.external_hostname else "")
    elif spec.type != "EndpointSelector":
        message = f"type: {spec.type} is not supported (supported: ExternalHostname, EndpointSelector)"
    elif spec.endpoint_selector is None or not spec.endpoint_selector.match_labels:
        message = "endpointSelector.matchLabels: names no label"
    if not message and (reason := syntax.port(spec.port.number)):
        message = f"port.number: {reason}"
    if not message and spec.protocol not in (None, *PROTOCOLS):
        message = f"protocol: {spec.protocol} is not supported (supported: {', '.join(PROTOCOLS)})"
    if not message and spec.tls.mode not in ("None", "ServerOnly", "ClientAndServer"):
        message = f"tls.mode: {spec.tls.mode} is not supported (supported: None, ServerOnly, ClientAndServer)"
    if not message and spec.protocol == "H2C" and spec.tls.mode != "None":
        message = f"tls.mode: H2C is spoken without TLS, not with {spec.tls.mode}"
    if not message and spec.protocol in _TLS_ONLY and spec.tls.mode == "None":
        message = f"tls.mode: {spec.protocol} is spoken over TLS alone, not with None"
    if not message and spec.tls.mode != "None":
        found = verification(backend)
        message = found if isinstance(found, str) else ""
    if not message and isinstance(session, Refused):
        message = session.message
    if not message and session is not None and spec.type != "EndpointSelector":
        message = f"sessionPersistence: is for Pods, not for type {spec.type}"
    return ("Invalid", message) if message else None


def _outside(hostname: str) -> str:
    name = hostname.rstrip(".").lower()
    if not name:
        return "externalHostname.hostname: is empty"
    if name.endswith(_NOT_OUTSIDE):
        return f"externalHostname.hostname: {name} is not outside of the cluster"
    return f"externalHostname.hostname: {name} is an address, not a name" if syntax.is_ip(name) else ""


def _certificate(key: Key, backend: XBackend, look: Lookup, world: World) -> tuple[Key, tuple[str, str] | None]:
    tls = backend.spec.tls
    if tls.mode != "ClientAndServer":
        return NO_CERTIFICATE, None
    field = "tls.clientCertificateRef"
    if tls.client_certificate_ref is None:
        return NO_CERTIFICATE, ("Invalid", f"{field}: is missing")
    referrer = Referrer(KIND, key.namespace, EXPERIMENTAL_GROUP)
    found = client_certificates.resolve(referrer, tls.client_certificate_ref, field, look, world)
    if found.secret == NO_CERTIFICATE:
        return NO_CERTIFICATE, (found.resolved.reason, found.resolved.message)
    return found.secret, None


def verification(backend: XBackend) -> Verification | str:
    """Who it has to be, or what is wrong with that."""
    validation = backend.spec.tls.validation
    if validation is None:
        return "tls.validation: is missing"
    found = backend_tls.verification(validation)
    return f"tls.{found}" if isinstance(found, str) else found


def asked(key: Key, backend: XBackend) -> list[tuple[SecretId, Asked]]:
    """Whom it tells to trust."""
    tls = backend.spec.tls
    if tls.mode == "None" or tls.validation is None:
        return []
    return [(SecretId(KIND, key), backend_tls.asked_by(KIND, key, tls.validation))]


def resolve(target: Key, spoken: str, look: Lookup, world: World) -> Backend | InvalidBackend:
    """What a backendRef to it stands for, where a route hands on `spoken`."""
    found = look.get(world.x_backends, target)
    if found is None:
        gone = ObjectRef(KIND, *target)
        return InvalidBackend("BackendNotFound", f"{gone} does not exist", gone)
    protocol = SPEAKS[spoken].get(found.protocol)
    if protocol is None and found.protocol in PROTOCOLS:
        message = f"XBackend {target}: {found.protocol} is not what a route for {spoken} hands on"
        return InvalidBackend("UnsupportedProtocol", message)
    if spoken == "udp" and (found.hostname is not None or found.secured):
        return InvalidBackend("UnsupportedProtocol", f"XBackend {target}: datagrams are for Pods, without TLS")
    return Backend(
        service=target,
        port=found.port,
        protocol=protocol or "auto",
        tls=target if found.secured else NOT_SECURED,
        kind=KIND,
        certificate=found.certificate,
    )


def endpoints(target: Key, look: Lookup, world: World) -> list[ServingEndpoint]:
    """The Pods that take traffic: those that are ready, else those that are leaving but still ready."""
    found = look.get(world.x_backends, target)
    if found is None or not found.labels or found.hostname is not None:
        return []
    pods = look.rows(world.pods_by_label, (target.namespace, *found.labels[0]))
    ready = [pod for pod in pods if _selected(pod, found.labels)]
    staying = [pod for pod in ready if not pod.leaving]
    return [ServingEndpoint("", pod.address, found.port) for pod in staying or ready]


def _selected(pod: ServedPod, labels: tuple[tuple[str, str], ...]) -> bool:
    return all(pod.labels.get(name) == value for name, value in labels)


def judge(found: ServedBackend, authorities: Authorities | None, rejected: tuple[str, ...]) -> tuple[Condition, ...]:
    """The conditions at one Gateway that reaches it."""
    if found.problem is not None:
        return (conditions.not_accepted(*found.problem),)
    trusted = authorities if found.secured else None
    about = f"tls.validation.{trusted.message}" if trusted and trusted.message else ""
    if found.secured and (trusted is None or not trusted.usable):
        message = f"Nobody is trusted, so nobody is connected to: {about or 'tls.validation names no authorities'}"
        return (conditions.not_accepted("NoValidCACertificate", message),)
    if rejected:
        return (conditions.not_accepted("Invalid", f"Envoy rejected it: {'; '.join(rejected)}"),)
    return (conditions.accepted(f"The backend is accepted, but: {about}" if about else "The backend is accepted."),)
