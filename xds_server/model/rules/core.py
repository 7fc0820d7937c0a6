"""What Kubernetes asks of core kinds and metadata, where breaking it would reach Envoy or hide an object."""

from collections import Counter
from collections.abc import Iterator

from xds_server.model.core import (
    ClusterTrustBundle,
    ClusterTrustBundleSpec,
    ContainerPort,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    Namespace,
    PodIP,
    PortStatus,
    Secret,
    Service,
    ServicePort,
    ServiceSpec,
)
from xds_server.model.document import Object
from xds_server.model.kinds import KINDS
from xds_server.model.meta import Metadata
from xds_server.model.rules import syntax
from xds_server.model.rules.syntax import Fields, Rules, count, one_of

_transport = one_of("TCP", "UDP", "SCTP")
_TLS_KEYS = ("tls.crt", "tls.key")

FIELDS: Fields = {
    ServiceSpec: {
        "type": one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
        "ports": count(1000),
    },
    ServicePort: {"port": syntax.port, "protocol": _transport},
    EndpointSlice: {"address_type": one_of("IPv4", "IPv6", "FQDN"), "endpoints": count(1000), "ports": count(20_000)},
    Endpoint: {"addresses": count(100, least=1)},
    EndpointPort: {"port": syntax.port, "protocol": _transport},
    PodIP: {"ip": syntax.ip},
    ContainerPort: {"container_port": syntax.port, "protocol": _transport},
    Ingress: {"ip": syntax.ip},
    PortStatus: {"port": syntax.port, "protocol": _transport},
    ClusterTrustBundleSpec: {"trust_bundle": syntax.text(1, 1_048_576)},
}


def place_and_time_are_well_formed(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """A namespace is a DNS label; a creation time, where given, can be compared as text."""
    if metadata.namespace and (reason := syntax.label(metadata.namespace)):
        yield "namespace", reason
    if metadata.creation_timestamp and (reason := syntax.timestamp(metadata.creation_timestamp)):
        yield "creationTimestamp", reason


def name_is_a_subdomain(value: Object) -> Iterator[tuple[str, str]]:
    """Most names could be DNS names."""
    if reason := syntax.subdomain(value.metadata.name):
        yield "metadata.name", reason


def name_begins_with_signer(bundle: ClusterTrustBundle) -> Iterator[tuple[str, str]]:
    """A bundle of signer example.com/a is called example.com:a: and a DNS name, one without signer just that."""
    prefix = f"{bundle.spec.signer_name.replace('/', ':')}:" if bundle.spec.signer_name else ""
    name = bundle.metadata.name
    if not name.startswith(prefix):
        yield "metadata.name", f"must begin with {prefix} for signer {bundle.spec.signer_name}, is {syntax.shown(name)}"
    elif reason := syntax.subdomain(name.removeprefix(prefix)):
        yield "metadata.name", reason


def name_is_a_label(value: Service | Namespace) -> Iterator[tuple[str, str]]:
    """Services and namespaces are parts of DNS names."""
    if reason := syntax.label(value.metadata.name):
        yield "metadata.name", reason


def ports_are_told_apart(spec: ServiceSpec) -> Iterator[tuple[str, str]]:
    """Several ports have different names, and no two the same number and protocol."""
    names = Counter(port.name for port in spec.ports)
    numbers = Counter((port.port, port.protocol) for port in spec.ports)
    for index, port in enumerate(spec.ports):
        if len(spec.ports) > 1 and not port.name:
            yield f"ports[{index}].name", "is required where a Service has several ports"
        elif names[port.name] > 1:
            yield f"ports[{index}].name", f"must be unique; {port.name} is used {names[port.name]} times"
        if numbers[(port.port, port.protocol)] > 1:
            yield (
                f"ports[{index}].port",
                f"must be unique; {port.port}/{port.protocol} is used more than once",
            )


def port_is_named_and_targeted(port: ServicePort) -> Iterator[tuple[str, str]]:
    """A name is a DNS label; a numeric target is a port."""
    if port.name and (reason := syntax.label(port.name)):
        yield "name", reason
    if isinstance(port.target_port, int) and (reason := syntax.port(port.target_port)):
        yield "targetPort", reason


def addresses_are_of_their_type(endpoints: EndpointSlice) -> Iterator[tuple[str, str]]:
    """Every endpoint is reached at IP addresses of the family that the slice names."""
    check = syntax.address(endpoints.address_type)
    for index, endpoint in enumerate(endpoints.endpoints or ()):
        for position, address in enumerate(endpoint.addresses):
            if reason := check(address):
                yield f"endpoints[{index}].addresses[{position}]", reason


def tls_secret_has_both_parts(secret: Secret) -> Iterator[tuple[str, str]]:
    """A kubernetes.io/tls Secret names a certificate and a key; both may be empty."""
    if secret.type == "kubernetes.io/tls":
        for key in _TLS_KEYS:
            if key not in secret.data:
                yield f"data.{key}", "is required for type kubernetes.io/tls"


RULES: Rules = {
    **{row.model: (name_is_a_subdomain,) for row in KINDS},
    Metadata: (place_and_time_are_well_formed,),
    Service: (name_is_a_label,),
    Namespace: (name_is_a_label,),
    ServiceSpec: (ports_are_told_apart,),
    ServicePort: (port_is_named_and_targeted,),
    ClusterTrustBundle: (name_begins_with_signer,),
    EndpointSlice: (
        name_is_a_subdomain,
        addresses_are_of_their_type,
    ),
    Secret: (
        name_is_a_subdomain,
        tls_secret_has_both_parts,
    ),
}
