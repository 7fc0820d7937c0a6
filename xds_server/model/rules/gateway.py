"""What the CRDs of GatewayClass, Gateway and ReferenceGrant ask (gateway-api 1.7; both channels)."""

from collections import Counter
from collections.abc import Iterator

from xds_server.model.core import ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo
from xds_server.model.gateway import (
    AllowedRoutes,
    FrontendTLSConfig,
    FrontendTLSValidation,
    GatewayAddress,
    GatewayClassSpec,
    GatewayInfrastructure,
    GatewaySpec,
    Listener,
    ListenerFilters,
    ListenerNamespaces,
    ListenerRequestFilter,
    ListenerTLS,
    ObjectReference,
    ParametersRef,
    RouteGroupKind,
    RouteNamespaces,
    SecretObjectReference,
    TLSPortConfig,
)
from xds_server.model.listenerset import ListenerSetSpec
from xds_server.model.rules import syntax
from xds_server.model.rules.syntax import Fields, Rules, count, one_of

FIELDS: Fields = {
    GatewayClassSpec: {"controller_name": syntax.domain_path, "description": syntax.text(0, 64)},
    ParametersRef: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
    },
    GatewaySpec: {
        "gateway_class_name": syntax.name,
        "listeners": count(64, least=1),
        "addresses": count(16),
        "default_scope": syntax.scope,
    },
    Listener: {
        "name": syntax.subdomain,
        "hostname": syntax.hostname,
        "port": syntax.port,
        "protocol": syntax.protocol,
    },
    ListenerTLS: {"certificate_refs": count(64), "options": count(16)},
    SecretObjectReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
    },
    AllowedRoutes: {"kinds": count(8)},
    RouteNamespaces: {"from_": one_of("All", "Selector", "Same")},
    ListenerNamespaces: {"from_": one_of("All", "Selector", "Same", "None")},
    RouteGroupKind: {"group": syntax.group, "kind": syntax.kind},
    ListenerFilters: {"requests": count(16)},
    GatewayAddress: {
        "type": syntax.text(1, 253),
        "value": syntax.text(0, 253),
        "routability": syntax.routability,
    },
    GatewayInfrastructure: {"labels": count(8), "annotations": count(16)},
    FrontendTLSConfig: {"per_port": count(64)},
    TLSPortConfig: {"port": syntax.port},
    FrontendTLSValidation: {
        "ca_certificate_refs": count(16, least=1),
        "mode": one_of("AllowValidOnly", "AllowInsecureFallback"),
    },
    ObjectReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
    },
    ReferenceGrantSpec: {"from_": count(16, least=1), "to": count(16, least=1)},
    ReferenceGrantFrom: {"group": syntax.group, "kind": syntax.kind, "namespace": syntax.label},
    ReferenceGrantTo: {"group": syntax.group, "kind": syntax.kind, "name": syntax.name},
}


def no_tls_without_tls_protocol(listener: Listener) -> Iterator[tuple[str, str]]:
    """HTTP, TCP and UDP listeners have no tls."""
    if listener.protocol in ("HTTP", "TCP", "UDP") and listener.tls is not None:
        yield "tls", f"must not be given for protocol {listener.protocol}"


def https_terminates(listener: Listener) -> Iterator[tuple[str, str]]:
    """HTTPS listeners end TLS themselves."""
    if listener.protocol == "HTTPS" and listener.tls is not None and listener.tls.mode != "Terminate":
        yield "tls.mode", f"must be Terminate for protocol HTTPS, is {listener.tls.mode}"


def tls_says_its_mode(listener: Listener) -> Iterator[tuple[str, str]]:
    """TLS listeners say whether they end TLS or pass it on."""
    if listener.protocol == "TLS" and listener.tls is None:
        yield "tls", "is required for protocol TLS"


def no_hostname_without_names(listener: Listener) -> Iterator[tuple[str, str]]:
    """TCP and UDP carry no hostname."""
    if listener.protocol in ("TCP", "UDP") and listener.hostname:
        yield "hostname", f"must not be given for protocol {listener.protocol}"


def terminate_has_certificates(tls: ListenerTLS) -> Iterator[tuple[str, str]]:
    """Who ends TLS has a certificate, or options that bring one."""
    if tls.mode == "Terminate" and not tls.certificate_refs and not tls.options:
        yield "certificateRefs", "must have at least one entry where mode is Terminate"


def options_are_short(tls: ListenerTLS) -> Iterator[tuple[str, str]]:
    """TLS options are shaped like annotations."""
    yield from annotations("options", tls.options)


def filters_are_for_requests(spec: GatewaySpec) -> Iterator[tuple[str, str]]:
    """Only listeners that see requests filter them; of ListenerSets the CRD does not ask it."""
    for index, listener in enumerate(spec.listeners):
        if listener.filters.requests and listener.protocol not in ("HTTP", "HTTPS"):
            yield f"listeners[{index}].filters", f"must not be given for protocol {listener.protocol}"


def listener_filter_matches_type(request_filter: ListenerRequestFilter) -> Iterator[tuple[str, str]]:
    """The payload that `type` names is given, and no other."""
    for kind, name, given in (
        ("ExternalAuth", "externalAuth", request_filter.external_auth is not None),
        ("ExtensionRef", "extensionRef", request_filter.extension_ref is not None),
    ):
        if given and request_filter.type != kind:
            yield name, f"must not be given for type {request_filter.type}"
        elif not given and request_filter.type == kind:
            yield name, f"is required for type {kind}"


def listener_names_differ(spec: GatewaySpec | ListenerSetSpec) -> Iterator[tuple[str, str]]:
    """A listener is known by its name."""
    names = Counter(listener.name for listener in spec.listeners)
    for index, listener in enumerate(spec.listeners):
        if names[listener.name] > 1:
            yield (
                f"listeners[{index}].name",
                f"must be unique; {listener.name} is used {names[listener.name]} times",
            )


def listeners_are_distinct(spec: GatewaySpec | ListenerSetSpec) -> Iterator[tuple[str, str]]:
    """No two listeners have the same port, protocol and hostname."""
    seen: dict[tuple[int, str, str | None], str] = {}
    for index, listener in enumerate(spec.listeners):
        other = seen.setdefault((listener.port, listener.protocol, listener.hostname), listener.name)
        if other != listener.name:
            yield f"listeners[{index}]", f"has the port, protocol and hostname of listener {other}"


def addresses_differ(spec: GatewaySpec) -> Iterator[tuple[str, str]]:
    """No address is asked for twice."""
    asked = Counter((address.type, address.value) for address in spec.addresses)
    for index, address in enumerate(spec.addresses):
        known = address.type in ("IPAddress", "Hostname")
        if known and address.value and asked[(address.type, address.value)] > 1:
            yield f"addresses[{index}].value", f"must be unique; {address.value} is asked for more than once"


def hostname_addresses_are_hostnames(address: GatewayAddress) -> Iterator[tuple[str, str]]:
    """An address of type Hostname is one."""
    if address.type == "Hostname" and address.value and (reason := syntax.hostname(address.value)):
        yield "value", reason


def ports_of_client_validation_differ(frontend: FrontendTLSConfig) -> Iterator[tuple[str, str]]:
    """A port is spoken of once."""
    yield from syntax.unique("perPort", (entry.port for entry in frontend.per_port), ".port")


def trust_bundles_have_no_namespace(ref: ObjectReference) -> Iterator[tuple[str, str]]:
    """A ClusterTrustBundle belongs to the cluster."""
    if (ref.group, ref.kind) == ("certificates.k8s.io", "ClusterTrustBundle") and ref.namespace is not None:
        yield "namespace", "must not be given for a ClusterTrustBundle"


def infrastructure_is_well_formed(infrastructure: GatewayInfrastructure) -> Iterator[tuple[str, str]]:
    """Labels and annotations could be those of an object."""
    yield from labels("labels", infrastructure.labels)
    for key in infrastructure.annotations:
        if reason := syntax.qualified_key(key):
            yield f"annotations.{key}", reason
    yield from annotations("annotations", infrastructure.annotations)


def labels(field: str, entries: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Keys and values could be those of labels."""
    for key, value in entries.items():
        reason = syntax.qualified_key(key) or (syntax.label_value(value) if value else "")
        if reason:
            yield f"{field}.{key}", reason


def annotations(field: str, entries: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Values are no longer than those of annotations."""
    check = syntax.text(0, 4096)
    for key, value in entries.items():
        if reason := check(value):
            yield f"{field}.{key}", reason


RULES: Rules = {
    Listener: (
        no_tls_without_tls_protocol,
        https_terminates,
        tls_says_its_mode,
        no_hostname_without_names,
    ),
    ListenerTLS: (terminate_has_certificates, options_are_short),
    ListenerRequestFilter: (listener_filter_matches_type,),
    GatewaySpec: (filters_are_for_requests, listener_names_differ, listeners_are_distinct, addresses_differ),
    FrontendTLSConfig: (ports_of_client_validation_differ,),
    ObjectReference: (trust_bundles_have_no_namespace,),
    GatewayAddress: (hostname_addresses_are_hostnames,),
    GatewayInfrastructure: (infrastructure_is_well_formed,),
}
