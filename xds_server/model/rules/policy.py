"""What the CRDs of policies and of XBackend ask (gateway-api 1.7; where the channels differ, the laxer one)."""

from collections.abc import Iterator

from xds_server.model.policy import (
    BackendPort,
    BackendTLS,
    BackendTLSPolicySpec,
    BackendTLSPolicyValidation,
    BudgetDetails,
    EndpointSelectorBackend,
    ExternalHostnameBackend,
    LocalPolicyTargetReference,
    RequestRate,
    SubjectAltName,
    XBackendSpec,
    XBackendTrafficPolicySpec,
)
from xds_server.model.rules import syntax
from xds_server.model.rules.gateway import annotations, labels
from xds_server.model.rules.syntax import Fields, Rules, between, count, one_of

_SECOND, _HOUR = 1000, 3_600_000
_TLS_PROTOCOLS = ("HTTP2", "WSS")

FIELDS: Fields = {
    LocalPolicyTargetReference: {"section_name": syntax.subdomain},
    BackendTLSPolicySpec: {"target_refs": count(16, least=1), "options": count(16)},
    BackendTLSPolicyValidation: {
        "hostname": syntax.precise_hostname,
        "ca_certificate_refs": count(8),
        "well_known_ca_certificates": syntax.well_known_certificates,
        "subject_alt_names": count(5),
    },
    SubjectAltName: {"type": one_of("Hostname", "URI"), "hostname": syntax.hostname, "uri": syntax.uri},
    XBackendSpec: {
        "type": one_of("ExternalHostname", "EndpointSelector"),
        "protocol": one_of("TCP", "HTTP", "HTTP2", "HTTP11", "H2C", "MCP", "GRPC", "WSS"),
    },
    BackendTLS: {"mode": one_of("None", "ServerOnly", "ClientAndServer")},
    BackendPort: {"number": syntax.port},
    ExternalHostnameBackend: {"hostname": syntax.precise_hostname},
    EndpointSelectorBackend: {"match_labels": count(64, least=1)},
    XBackendTrafficPolicySpec: {"target_refs": count(16, least=1)},
    BudgetDetails: {"percent": between(0, 100), "interval": syntax.duration},
    RequestRate: {"count": between(1, 1_000_000), "interval": syntax.duration},
}


def targets_are_distinct(spec: BackendTLSPolicySpec | XBackendTrafficPolicySpec) -> Iterator[tuple[str, str]]:
    """References to one target all name a section, each another."""
    sectioned: dict[tuple[str, str, str], bool] = {}
    seen = set()
    for index, ref in enumerate(spec.target_refs):
        target = (ref.group, ref.kind, ref.name)
        exact = (*target, ref.section_name)
        if exact in seen:
            yield f"targetRefs[{index}]", "names the same target and sectionName as another entry"
        elif sectioned.setdefault(target, bool(ref.section_name)) != bool(ref.section_name):
            yield f"targetRefs[{index}]", "must give sectionName as other entries for this target do"
        seen.add(exact)


def options_are_short(spec: BackendTLSPolicySpec) -> Iterator[tuple[str, str]]:
    """Options are shaped like annotations."""
    yield from annotations("options", spec.options)


def authorities_are_given_one_way(validation: BackendTLSPolicyValidation) -> Iterator[tuple[str, str]]:
    """Certificates of authorities are named, or a set of them that everyone knows."""
    named, known = bool(validation.ca_certificate_refs), validation.well_known_ca_certificates is not None
    if named and known:
        yield "wellKnownCACertificates", "must not be given beside caCertificateRefs"
    elif not named and not known:
        yield "caCertificateRefs", "or wellKnownCACertificates is required"


def alternative_name_matches_type(name: SubjectAltName) -> Iterator[tuple[str, str]]:
    """The name that `type` says is given, and no other."""
    for kind, field, value in (("Hostname", "hostname", name.hostname), ("URI", "uri", name.uri)):
        if name.type == kind and value is None:
            yield field, f"is required for type {kind}"
        elif name.type != kind and value is not None:
            yield field, f"must not be given for type {name.type}"


def place_matches_type(spec: XBackendSpec) -> Iterator[tuple[str, str]]:
    """The place that `type` names is described, and no other."""
    for kind, name, given in (
        ("ExternalHostname", "externalHostname", spec.external_hostname is not None),
        ("EndpointSelector", "endpointSelector", spec.endpoint_selector is not None),
    ):
        if spec.type == kind and not given:
            yield name, f"is required for type {kind}"
        elif spec.type != kind and given:
            yield name, f"must not be given for type {spec.type}"


def sessions_are_for_selected_endpoints(spec: XBackendSpec) -> Iterator[tuple[str, str]]:
    """Only among Pods is there one for a session to stay with."""
    if spec.session_persistence is not None and spec.type != "EndpointSelector":
        yield "sessionPersistence", f"must not be given for type {spec.type}"


def protocol_agrees_with_tls(spec: XBackendSpec) -> Iterator[tuple[str, str]]:
    """Some protocols are spoken over TLS only, H2C never."""
    if spec.protocol == "H2C" and spec.tls.mode != "None":
        yield "tls.mode", f"must be None for protocol H2C, is {spec.tls.mode}; HTTP2 is the protocol with TLS"
    if spec.protocol in _TLS_PROTOCOLS and spec.tls.mode == "None":
        yield "tls.mode", f"must not be None for protocol {spec.protocol}"


def tls_parts_match_mode(tls: BackendTLS) -> Iterator[tuple[str, str]]:
    """A client certificate is for ClientAndServer, validation for every mode but None."""
    wanted = (
        ("clientCertificateRef", tls.client_certificate_ref is not None, tls.mode == "ClientAndServer"),
        ("validation", tls.validation is not None, tls.mode != "None"),
    )
    for name, given, asked in wanted:
        if asked and not given:
            yield name, f"is required for mode {tls.mode}"
        elif given and not asked:
            yield name, f"must not be given for mode {tls.mode}"


def external_hostnames_are_external(backend: ExternalHostnameBackend) -> Iterator[tuple[str, str]]:
    """Names of the cluster's own DNS are not outside of it."""
    if backend.hostname.endswith(".cluster.local"):
        yield "hostname", f"must not end with .cluster.local, is {backend.hostname}"


def selected_labels_are_labels(selector: EndpointSelectorBackend) -> Iterator[tuple[str, str]]:
    """Keys and values could be those of a Pod."""
    yield from labels("matchLabels", selector.match_labels)


def budget_is_of_a_second_to_an_hour(budget: BudgetDetails) -> Iterator[tuple[str, str]]:
    """Retries are counted over a second at least, over an hour at most."""
    if not syntax.duration(budget.interval) and not _SECOND <= syntax.milliseconds(budget.interval) <= _HOUR:
        yield "interval", f"must be 1s to 1h, is {budget.interval}"


def rate_is_of_an_hour_at_most(rate: RequestRate) -> Iterator[tuple[str, str]]:
    """A rate is over some time, over an hour at most."""
    if not syntax.duration(rate.interval) and not 0 < syntax.milliseconds(rate.interval) <= _HOUR:
        yield "interval", f"must be more than 0s and at most 1h, is {rate.interval}"


RULES: Rules = {
    BackendTLSPolicySpec: (targets_are_distinct, options_are_short),
    BackendTLSPolicyValidation: (authorities_are_given_one_way,),
    SubjectAltName: (alternative_name_matches_type,),
    XBackendSpec: (place_matches_type, sessions_are_for_selected_endpoints, protocol_agrees_with_tls),
    BackendTLS: (tls_parts_match_mode,),
    ExternalHostnameBackend: (external_hostnames_are_external,),
    EndpointSelectorBackend: (selected_labels_are_labels,),
    XBackendTrafficPolicySpec: (targets_are_distinct,),
    BudgetDetails: (budget_is_of_a_second_to_an_hour,),
    RequestRate: (rate_is_of_an_hour_at_most,),
}
